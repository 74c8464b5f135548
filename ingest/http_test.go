package ingest_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"tianhai/ingest"
)

// A shelf is a journal in memory that may be full.
type shelf struct {
	frames []ingest.Frame
	room   int
}

func (s *shelf) Append(_ context.Context, frames ...ingest.Frame) error {
	if len(s.frames)+len(frames) > s.room {
		return ingest.ErrBusy
	}
	for _, f := range frames {
		f.Payload = bytes.Clone(f.Payload)
		s.frames = append(s.frames, f)
	}
	return nil
}

type sesame struct{}

func (sesame) Authenticate(_ context.Context, device string, secret []byte) bool {
	return device == "buoy" && string(secret) == "sesame"
}

type request struct {
	user, password, contentType, encoding string
	method                                string
	body                                  []byte
}

func post(t *testing.T, j *shelf, q request) *http.Response {
	t.Helper()
	srv := httptest.NewServer(&ingest.HTTP{Intake: &ingest.Intake{Journal: j}, Door: ingest.NewDoor(sesame{}, 0, nil)})
	defer srv.Close()
	if q.method == "" {
		q.method = http.MethodPost
	}
	req, err := http.NewRequestWithContext(t.Context(), q.method, srv.URL, bytes.NewReader(q.body))
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth(q.user, q.password)
	req.Header.Set("Content-Type", q.contentType)
	if q.encoding != "" {
		req.Header.Set("Content-Encoding", q.encoding)
	}
	resp, err := srv.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

func zipped(t *testing.T, s string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(s)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestHTTPTakes(t *testing.T) {
	tests := map[string]struct {
		contentType, encoding string
		body                  []byte
		want                  []string // payloads
		as                    string   // content type of the frames
	}{
		"one":                {"application/json", "", []byte(`{"ph":8}`), []string{`{"ph":8}`}, ""},
		"one, gzip":          {"application/json", "gzip", zipped(t, `{"ph":8}`), []string{`{"ph":8}`}, ""},
		"a format by name":   {"application/senml+json; charset=utf-8", "", []byte(`[]`), []string{`[]`}, "application/senml+json; charset=utf-8"},
		"a stored mapping":   {"mapped;mapping=weather", "", []byte(`{}`), []string{`{}`}, "mapped; mapping=weather"},
		"what curl sends":    {"application/x-www-form-urlencoded", "", []byte(`{"ph":8}`), []string{`{"ph":8}`}, ""},
		"lines":              {"application/x-ndjson", "", []byte("{\"ph\":8}\r\n\n{\"ph\":9}"), []string{`{"ph":8}`, `{"ph":9}`}, ""},
		"lines, gzip":        {"application/x-ndjson", "gzip", zipped(t, "{\"ph\":8}\n{\"ph\":9}\n"), []string{`{"ph":8}`, `{"ph":9}`}, ""},
		"what nobody parses": {"", "", []byte("not JSON"), []string{"not JSON"}, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			j := &shelf{room: 10}
			resp := post(t, j, request{"buoy", "sesame", tt.contentType, tt.encoding, "", tt.body})
			if resp.StatusCode != http.StatusNoContent {
				t.Fatalf("status %d", resp.StatusCode)
			}
			if len(j.frames) != len(tt.want) {
				t.Fatalf("%d frames kept, want %d", len(j.frames), len(tt.want))
			}
			for i, f := range j.frames {
				if f.Device != "buoy" || string(f.Payload) != tt.want[i] || f.ContentType != tt.as {
					t.Errorf("frame %d is %q of %q as %q", i, f.Payload, f.Device, f.ContentType)
				}
			}
		})
	}
}

func TestHTTPRefuses(t *testing.T) {
	large := strings.Repeat("x", ingest.MaxPayload+1)
	tests := map[string]struct {
		q      request
		room   int
		status int
		code   string
		kept   int
	}{
		"a stranger":         {request{user: "eel", password: "sesame"}, 9, 401, "unauthenticated", 0},
		"a wrong secret":     {request{user: "buoy", password: "open"}, 9, 401, "unauthenticated", 0},
		"GET":                {request{user: "buoy", password: "sesame", method: "GET"}, 9, 405, "method_not_allowed", 0},
		"another encoding":   {request{user: "buoy", password: "sesame", encoding: "br", body: []byte("x")}, 9, 415, "unsupported_encoding", 0},
		"no gzip":            {request{user: "buoy", password: "sesame", encoding: "gzip", body: []byte("x")}, 9, 400, "bad_gzip", 0},
		"cut gzip":           {request{user: "buoy", password: "sesame", encoding: "gzip", body: zipped(t, "some text")[:20]}, 9, 400, "bad_body", 0},
		"a gzip bomb":        {request{user: "buoy", password: "sesame", encoding: "gzip", body: zipped(t, strings.Repeat("x", ingest.MaxHTTPBody+1))}, 9, 413, "too_large", 0},
		"a large frame":      {request{user: "buoy", password: "sesame", body: []byte(large)}, 9, 400, "refused", 0},
		"a long line":        {request{user: "buoy", password: "sesame", contentType: "application/x-ndjson", body: []byte("{}\n" + large + "xxx")}, 9, 413, "too_large", 0},
		"too many lines":     {request{user: "buoy", password: "sesame", contentType: "application/x-ndjson", body: []byte(strings.Repeat("{}\n", ingest.MaxHTTPFrames+1))}, 99999, 413, "too_many", 0},
		"a full journal":     {request{user: "buoy", password: "sesame", body: []byte("{}")}, 0, 503, "busy", 0},
		"full half way down": {request{user: "buoy", password: "sesame", contentType: "application/x-ndjson", body: []byte("{}\n{}\n{}")}, 2, 503, "busy", 2},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			j := &shelf{room: tt.room}
			resp := post(t, j, tt.q)
			var p struct {
				Code string
				Kept int
			}
			if err := json.NewDecoder(resp.Body).Decode(&p); err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != tt.status || p.Code != tt.code || p.Kept != tt.kept {
				t.Errorf("status %d, %+v; want %d %s kept %d", resp.StatusCode, p, tt.status, tt.code, tt.kept)
			}
			if len(j.frames) != tt.kept {
				t.Errorf("%d frames were kept", len(j.frames))
			}
			if (resp.Header.Get("Retry-After") != "") != (tt.status == http.StatusServiceUnavailable) {
				t.Errorf("Retry-After is %q", resp.Header.Get("Retry-After"))
			}
		})
	}
}
