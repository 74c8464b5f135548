package main_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// A hook is the receiver of a partner.
type hook struct {
	*httptest.Server
	mu      sync.Mutex
	refuse  int // status for the next posts; 0: they are taken
	most    int // more events than this are 413; 0: any number
	refused int
	taken   []string // eventIDs of each document that was taken
	signed  []string // its signatures
	bodies  []string
}

func newHook(t *testing.T) *hook {
	h := &hook{}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		status := h.refuse
		if h.most > 0 && strings.Count(string(raw), `"eventID"`) > h.most {
			status = http.StatusRequestEntityTooLarge
		}
		if status != 0 {
			h.refused++
			w.WriteHeader(status)
			return
		}
		h.bodies, h.signed = append(h.bodies, string(raw)), append(h.signed, r.Header.Get("GS1-Signature"))
		if strings.Contains(string(raw), "EPCISQueryDocument") {
			h.taken = append(h.taken, ids(t, string(raw)))
		}
	}))
	t.Cleanup(h.Close)
	return h
}

func (h *hook) set(refuse, most int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.refuse, h.most = refuse, most
}

// told returns what was taken so far, as one list.
func (h *hook) told() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return strings.Join(strings.Fields(strings.Join(h.taken, " ")), " ")
}

// TestEPCISSubscriptions tells a receiver, one that is down for a while, over a kill -9
// of the program; and one that listens through a WebSocket.
func TestEPCISSubscriptions(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	_, printed := importAccounts(t, data, managedFarm)
	t.Setenv("TIANHAI_RECALLS_PRIVATE_HOOKS", "true")
	s := startServer(t, "serve", data)
	password := passwordOf(t, printed, "wang")
	wang := newPartner(t, s.HTTP, "wang", password)
	li := newPartner(t, s.HTTP, "li", passwordOf(t, printed, "li"))
	cha := newPartner(t, s.HTTP, "cha", passwordOf(t, printed, "cha"))
	must := func(who partner, status int, method, path, body string) (location, answer string) {
		t.Helper()
		resp, got := who.do(method, path, body)
		if resp.StatusCode != status {
			t.Fatalf("%s %s: %d %s, want %d", method, path, resp.StatusCode, got, status)
		}
		return strings.TrimPrefix(resp.Header.Get("Location"), who.base+"/epcis"), got
	}
	add := func(id, more string) {
		t.Helper()
		must(wang, http.StatusCreated, "POST", "/events", epcisEvent(id, more))
	}
	must(wang, http.StatusCreated, "POST", "/queries", `{"name": "shipped", "query": {"EQ_bizStep": ["shipping"]}}`)
	must(wang, http.StatusCreated, "POST", "/queries", `{"name": "all", "query": {}}`)
	must(wang, http.StatusCreated, "POST", "/queries", `{"name": "few", "query": {"maxEventCount": 2}}`)
	add("before", "")

	stream, second, few := newHook(t), newHook(t), newHook(t)
	const token = "correct horse"
	at, _ := must(wang, http.StatusCreated, "POST", "/queries/shipped/subscriptions", `{"dest": "`+stream.URL+`/in?key=k", "signatureToken": "`+token+`", "stream": true}`)
	must(wang, http.StatusCreated, "POST", "/queries/all/subscriptions", `{"dest": "`+second.URL+`", "schedule": {"second": "*"}, "reportIfEmpty": true, "initialRecordTime": "2026-01-01T00:00:00Z"}`)
	must(wang, http.StatusCreated, "POST", "/queries/few/subscriptions", `{"dest": "`+few.URL+`", "schedule": {"second": "0/1"}}`)
	must(li, http.StatusForbidden, "POST", "/queries/all/subscriptions", `{"dest": "`+second.URL+`", "stream": true}`)
	must(cha, http.StatusNotFound, "GET", "/queries/all/events", "")
	must(cha, http.StatusNotFound, "GET", at, "")

	add("a", "")
	add("other", "")
	must(cha, http.StatusCreated, "POST", "/events", epcisEvent("tea", ""))
	waitFor(t, "the stream", 10*time.Second, func() bool { return stream.told() == "a other" })
	mac := hmac.New(sha256.New, []byte(token))
	mac.Write([]byte(stream.bodies[0]))
	if want := base64.StdEncoding.EncodeToString(mac.Sum(nil)); stream.signed[0] != want {
		t.Errorf("signed %q, want %q", stream.signed[0], want)
	}
	if id := at[strings.LastIndexByte(at, '/')+1:]; !strings.Contains(stream.bodies[0], `"queryName":"shipped","subscriptionID":"`+id+`"`) {
		t.Errorf("the document does not say whose it is: %s", stream.bodies[0])
	}
	waitFor(t, "the schedule, and that it has nothing to tell", 10*time.Second, func() bool {
		second.mu.Lock()
		defer second.mu.Unlock()
		return len(second.taken) > 2 && second.taken[len(second.taken)-1] == ""
	})
	if got := second.told(); got != "before a other" {
		t.Errorf("by schedule, from the beginning: %q", got)
	}

	// The receiver is down, then wants less at once; the program is killed meanwhile.
	stream.set(http.StatusInternalServerError, 0)
	few.set(http.StatusInternalServerError, 0)
	for _, id := range []string{"b", "c", "d"} {
		add(id, "")
	}
	var view struct {
		Failed int    `json:"failedAttempts"`
		Reason string `json:"lastFailure"`
	}
	waitFor(t, "a failure to show", 10*time.Second, func() bool {
		_, body := wang.do("GET", at, "")
		return json.Unmarshal([]byte(body), &view) == nil && view.Failed > 0
	})
	if !strings.Contains(view.Reason, "500") {
		t.Errorf("the failure is %+v", view)
	}
	if logged := s.log.String(); strings.Contains(logged, token) || strings.Contains(logged, "key=k") {
		t.Error("the log tells a secret")
	}
	s.kill()
	stream.set(0, 2)
	few.set(0, 0)
	s = startServer(t, "serve", data)
	wang = newPartner(t, s.HTTP, "wang", password)
	waitFor(t, "what was missed, once", 20*time.Second, func() bool { return stream.told() == "a other b c d" })
	waitFor(t, "that there is too much to tell", 20*time.Second, func() bool {
		few.mu.Lock()
		defer few.mu.Unlock()
		return strings.Contains(strings.Join(few.bodies, ""), "epcisException:QueryTooLargeException")
	})

	t.Run("WebSocket", func(t *testing.T) {
		dial := func(path string, headers http.Header) (*websocket.Conn, *http.Response, error) {
			if headers == nil {
				headers = http.Header{"Authorization": {"Bearer " + wang.token}}
			}
			conn, resp, err := websocket.DefaultDialer.DialContext(t.Context(), strings.Replace(s.HTTP, "http", "ws", 1)+"/epcis"+path, headers)
			if err == nil {
				t.Cleanup(func() { conn.Close() })
			}
			return conn, resp, err
		}
		read := func(conn *websocket.Conn) string {
			t.Helper()
			if err := conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
				t.Fatal(err)
			}
			_, raw, err := conn.ReadMessage()
			if err != nil {
				t.Fatal(err)
			}
			return ids(t, string(raw))
		}
		if _, resp, err := dial("/queries/all/events?stream=true", http.Header{}); err == nil || resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("nobody: %v, %v", resp, err)
		}
		if _, resp, err := dial("/queries/all/events?stream=true", http.Header{"Cookie": {"th_session=" + wang.token}, "Origin": {"https://evil.example"}}); err == nil || resp.StatusCode != http.StatusForbidden {
			t.Errorf("a page of another site with our cookie: %v, %v", resp, err)
		}
		live, resp, err := dial("/queries/all/events?stream=true", nil)
		if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
			t.Fatal(resp, err)
		}
		past, _, err := dial("/queries/all/events?stream=true&initialRecordTime=2026-01-01T00:00:00Z", nil)
		if err != nil {
			t.Fatal(err)
		}
		timed, _, err := dial("/queries/all/events", http.Header{"Authorization": {"Bearer " + wang.token}, "GS1-Query-Second": {"*"}, "GS1-Query-ReportIfEmpty": {"true"}})
		if err != nil {
			t.Fatal(err)
		}
		if got := read(timed); got != "" {
			t.Errorf("by schedule, nothing: %q", got)
		}
		if got := read(past); got != "before a other b c d" {
			t.Errorf("from the beginning: %q", got)
		}
		add("live", "")
		if got := read(live); got != "live" {
			t.Errorf("live: %q", got)
		}
		must(wang, http.StatusNoContent, "DELETE", "/queries/all", "")
		if _, _, err := live.ReadMessage(); !websocket.IsCloseError(err, websocket.ClosePolicyViolation) {
			t.Errorf("when the query was deleted: %v", err)
		}
	})
	must(wang, http.StatusNotFound, "GET", "/queries/all/subscriptions", "")
	must(wang, http.StatusNoContent, "DELETE", at, "")
	add("after", "")
	before := stream.told()
	if before != "a other b c d live" {
		waitFor(t, "the last before the end", 10*time.Second, func() bool { before = stream.told(); return strings.HasSuffix(before, "live") })
	}
	if strings.Contains(stream.told(), "after") {
		t.Error("told after the subscription ended")
	}
}
