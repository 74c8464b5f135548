package web_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"tianhai/dashboards/web"
	"tianhai/i18n"
)

const script = "console.log('田海')\n"

func load(t *testing.T, built fstest.MapFS) *web.Faces {
	t.Helper()
	messages, err := i18n.Load()
	if err != nil {
		t.Fatal(err)
	}
	faces, err := web.Load(built, messages)
	if err != nil {
		t.Fatal(err)
	}
	return faces
}

func zip(t *testing.T, s string) *fstest.MapFile {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(s)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return &fstest.MapFile{Data: b.Bytes()}
}

func built(t *testing.T) fstest.MapFS {
	return fstest.MapFS{
		".keep":                    {},
		"bureau/index.html.gz":     zip(t, "<!doctype html><title>bureau</title>"),
		"assets/verify-abc.js.gz":  zip(t, script),
		"assets/photo-def.png":     {Data: []byte("\x89PNG")},
		"manifest.json":            {Data: []byte(`{"verify/main.ts":{"file":"assets/verify-abc.js"}}`)},
		"assets/bureau-123.css.gz": zip(t, "body{}"),
	}
}

func ask(t *testing.T, h http.Handler, method, path string, header http.Header) *http.Response {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, nil)
	for k, v := range header {
		r.Header[k] = v
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, res *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestServeByEncoding(t *testing.T) {
	faces := load(t, built(t))
	for name, tc := range map[string]struct {
		accept string
		zipped bool
	}{
		"browser":        {"gzip, deflate, br, zstd", true},
		"anything":       {"*", true},
		"weighted":       {"br;q=1.0, gzip;q=0.8", true},
		"refused":        {"gzip;q=0", false},
		"refused spaced": {"gzip; q=0.0, deflate", false},
		"other":          {"br", false},
		"none":           {"", false},
	} {
		t.Run(name, func(t *testing.T) {
			res := ask(t, faces, http.MethodGet, "/assets/verify-abc.js", http.Header{"Accept-Encoding": {tc.accept}})
			if res.StatusCode != http.StatusOK {
				t.Fatalf("status %d", res.StatusCode)
			}
			if got := res.Header.Get("Content-Encoding") == "gzip"; got != tc.zipped {
				t.Fatalf("gzipped: %t, want %t", got, tc.zipped)
			}
			if got := res.Header.Get("Vary"); got != "Accept-Encoding" {
				t.Errorf("Vary %q", got)
			}
			var r io.Reader = res.Body
			if tc.zipped {
				z, err := gzip.NewReader(res.Body)
				if err != nil {
					t.Fatal(err)
				}
				r = z
			}
			got, err := io.ReadAll(r)
			if err != nil || string(got) != script {
				t.Errorf("body %q, %v", got, err)
			}
		})
	}
}

func TestCachesAndValidates(t *testing.T) {
	faces := load(t, built(t))
	zipped := http.Header{"Accept-Encoding": {"gzip"}}
	for path, want := range map[string]struct{ cache, contentType string }{
		"/bureau/":               {"no-cache", "text/html; charset=utf-8"},
		"/assets/verify-abc.js":  {"public, max-age=31536000, immutable", "text/javascript; charset=utf-8"},
		"/assets/bureau-123.css": {"public, max-age=31536000, immutable", "text/css; charset=utf-8"},
		"/assets/photo-def.png":  {"public, max-age=31536000, immutable", "image/png"},
	} {
		t.Run(path, func(t *testing.T) {
			res := ask(t, faces, http.MethodGet, path, zipped)
			if got := res.Header.Get("Cache-Control"); got != want.cache {
				t.Errorf("Cache-Control %q, want %q", got, want.cache)
			}
			if got := res.Header.Get("Content-Type"); got != want.contentType {
				t.Errorf("Content-Type %q, want %q", got, want.contentType)
			}
			tag := res.Header.Get("ETag")
			again := ask(t, faces, http.MethodGet, path, http.Header{"Accept-Encoding": {"gzip"}, "If-None-Match": {`"other", W/` + tag}})
			if again.StatusCode != http.StatusNotModified || body(t, again) != "" {
				t.Errorf("status %d with the ETag that was given", again.StatusCode)
			}
			if other := ask(t, faces, http.MethodGet, path, http.Header{"If-None-Match": {`"other"`}}); other.StatusCode != http.StatusOK {
				t.Errorf("status %d with another ETag", other.StatusCode)
			}
		})
	}
	plain := ask(t, faces, http.MethodGet, "/bureau/", nil).Header.Get("ETag")
	if gz := ask(t, faces, http.MethodGet, "/bureau/", zipped).Header.Get("ETag"); gz == plain || plain == "" {
		t.Errorf("ETag %s gzipped and %s plain; different bytes need different validators", gz, plain)
	}
}

func TestEveryAnswerIsGuarded(t *testing.T) {
	faces := load(t, built(t))
	for _, path := range []string{"/bureau/", "/field/", "/assets/verify-abc.js", "/assets/none.js", "/field"} {
		res := ask(t, faces, http.MethodGet, path, nil)
		csp := res.Header.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "script-src 'self';", "connect-src 'self';", "frame-ancestors 'none'"} {
			if !strings.Contains(csp, want) {
				t.Errorf("%s: policy %q lacks %q", path, csp, want)
			}
		}
		if strings.Contains(csp, "unsafe") {
			t.Errorf("%s: policy %q allows what is unsafe", path, csp)
		}
		if got := res.Header.Get("X-Content-Type-Options"); got != "nosniff" {
			t.Errorf("%s: X-Content-Type-Options %q", path, got)
		}
	}
}

func TestRoutes(t *testing.T) {
	faces := load(t, built(t))
	for name, tc := range map[string]struct {
		method, path string
		status       int
	}{
		"face":             {http.MethodGet, "/bureau/", http.StatusOK},
		"face without /":   {http.MethodGet, "/bureau", http.StatusMovedPermanently},
		"below a face":     {http.MethodGet, "/bureau/x", http.StatusNotFound},
		"face not built":   {http.MethodGet, "/field/", http.StatusServiceUnavailable},
		"unknown asset":    {http.MethodGet, "/assets/none.js", http.StatusNotFound},
		"manifest":         {http.MethodGet, "/manifest.json", http.StatusNotFound},
		"hidden":           {http.MethodGet, "/.keep", http.StatusNotFound},
		"stored form":      {http.MethodGet, "/assets/verify-abc.js.gz", http.StatusNotFound},
		"not for reading":  {http.MethodPost, "/bureau/", http.StatusMethodNotAllowed},
		"head":             {http.MethodHead, "/bureau/", http.StatusOK},
		"head, not built":  {http.MethodHead, "/field/", http.StatusServiceUnavailable},
		"outside, upwards": {http.MethodGet, "/assets/../bureau/", http.StatusNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			res := ask(t, faces, tc.method, tc.path, nil)
			if res.StatusCode != tc.status {
				t.Errorf("status %d, want %d", res.StatusCode, tc.status)
			}
			if got := body(t, res); tc.method == http.MethodHead && got != "" {
				t.Errorf("HEAD was answered with a body %q", got)
			}
		})
	}
}

func TestSaysHowToBuildWhatIsMissing(t *testing.T) {
	faces := load(t, fstest.MapFS{".keep": {}})
	messages, err := i18n.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/bureau/", "/field/"} {
		page := body(t, ask(t, faces, http.MethodGet, path, nil))
		for _, lang := range messages.Languages() {
			if title := messages.T(lang, "web.missing.title"); !strings.Contains(page, title) {
				t.Errorf("%s does not say %q", path, title)
			}
		}
		if !strings.Contains(page, "make web") {
			t.Errorf("%s does not say how to build it", path)
		}
	}
	if p, ok := faces.Asset("verify/main.ts"); ok {
		t.Errorf("asset %q of a build that is missing", p)
	}
}

func TestAsset(t *testing.T) {
	faces := load(t, built(t))
	if p, ok := faces.Asset("verify/main.ts"); !ok || p != "/assets/verify-abc.js" {
		t.Errorf("got %q, %t", p, ok)
	}
	if _, ok := faces.Asset("verify/none.ts"); ok {
		t.Error("found an asset of a source that does not exist")
	}
}

func TestRefusesDamagedBuild(t *testing.T) {
	messages, err := i18n.Load()
	if err != nil {
		t.Fatal(err)
	}
	for name, files := range map[string]fstest.MapFS{
		"not gzip": {"bureau/index.html.gz": {Data: []byte("<html>")}},
		"cut gzip": {"bureau/index.html.gz": {Data: zip(t, script).Data[:20]}},
		"manifest": {"manifest.json": {Data: []byte("{")}},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := web.Load(files, messages); err == nil {
				t.Error("loaded")
			}
		})
	}
}

// What is embedded in this very program serves, built or not.
func TestEmbedded(t *testing.T) {
	messages, err := i18n.Load()
	if err != nil {
		t.Fatal(err)
	}
	faces, err := web.Load(web.Dist(), messages)
	if err != nil {
		t.Fatal(err)
	}
	_, built := faces.Asset("bureau/index.html")
	for _, path := range []string{"/bureau/", "/field/"} {
		res := ask(t, faces, http.MethodGet, path, nil)
		if want := map[bool]int{true: http.StatusOK, false: http.StatusServiceUnavailable}[built]; res.StatusCode != want {
			t.Errorf("%s: status %d, built %t", path, res.StatusCode, built)
		}
	}
}
