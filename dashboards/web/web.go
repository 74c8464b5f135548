// Package web serves the faces that run in a browser: the bureau's dashboard
// under /bureau/, the field companion under /field/, the managers' pages under
// /manage/ and the files they share under /assets/. They are built from this folder with Vite and embedded.
//
// It promises that a Go build needs no Node: where the faces are not built, a
// page says how to build them. What it serves comes with a validator, is never
// stale after an upgrade, and runs no script, style or connection of another
// origin.
package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"

	"tianhai/i18n"
)

//go:embed all:dist
var dist embed.FS

// Dist returns the faces built into this program: the output of
// scripts/build.mjs, or nothing but .keep where nobody ran it.
func Dist() fs.FS {
	sub, err := fs.Sub(dist, "dist")
	if err != nil {
		panic(err) // only for an invalid path
	}
	return sub
}

// policy lets the pages load and reach their own origin and nothing else, and
// nobody frame them. A blob is a picture that the phone has and the server has not.
// Source: Content Security Policy Level 3.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; manifest-src 'self'; " +
	"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// worker keeps the field page on the phone.
const worker = "/field/sw.js"

// Faces are the built faces, ready to be served. It is safe for use by several
// goroutines.
type Faces struct {
	files  map[string]file   // by URL path
	assets map[string]string // URL path by source file
	absent []byte            // the page in place of a face that is not built
}

// A file is one answer.
type file struct {
	body        []byte
	gzipped     bool
	hash        string
	contentType string
	cache       string
}

// Load reads built faces, as Dist returns them. It fails on a damaged build and
// not on a missing one. Files that end in .gz are served without that ending.
func Load(built fs.FS, messages *i18n.Catalog) (*Faces, error) {
	f := &Faces{files: map[string]file{}}
	err := fs.WalkDir(built, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasPrefix(entry.Name(), ".") || name == "manifest.json" {
			return err
		}
		return f.add(built, name)
	})
	if err != nil {
		return nil, fmt.Errorf("read built faces: %w", err)
	}
	if f.assets, err = manifest(built); err != nil {
		return nil, err
	}
	if f.absent, err = absentPage(messages); err != nil {
		return nil, err
	}
	return f, nil
}

func (f *Faces) add(built fs.FS, name string) error {
	body, err := fs.ReadFile(built, name)
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	plain, gzipped := strings.CutSuffix(name, ".gz")
	if gzipped {
		if _, err := gunzip(body); err != nil {
			return fmt.Errorf("gunzip %s: %w", name, err)
		}
	}
	sum := sha256.Sum256(body)
	added := file{
		body:        body,
		gzipped:     gzipped,
		hash:        hex.EncodeToString(sum[:8]),
		contentType: contentType(plain),
		cache:       "no-cache",
	}
	// The name of an asset holds a hash of its content: it never changes.
	if strings.HasPrefix(plain, "assets/") {
		added.cache = "public, max-age=31536000, immutable"
	}
	f.files["/"+strings.TrimSuffix(plain, "index.html")] = added
	return nil
}

// contentType does not ask the system's own table, which on some machines says
// that a script is plain text.
func contentType(name string) string {
	switch path.Ext(name) {
	case ".html":
		return "text/html; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	case ".webmanifest":
		return "application/manifest+json"
	case ".png":
		return "image/png"
	case ".webp":
		return "image/webp"
	case ".wasm":
		return "application/wasm"
	}
	return "application/octet-stream"
}

// manifest reads which file each source became. Source: Vite, Backend
// Integration, manifest.json.
func manifest(built fs.FS) (map[string]string, error) {
	raw, err := fs.ReadFile(built, "manifest.json")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read manifest.json: %w", err)
	}
	var chunks map[string]struct {
		File string `json:"file"`
	}
	if err := json.Unmarshal(raw, &chunks); err != nil {
		return nil, fmt.Errorf("parse manifest.json: %w", err)
	}
	assets := make(map[string]string, len(chunks))
	for source, chunk := range chunks {
		assets[source] = "/" + chunk.File
	}
	return assets, nil
}

// Asset returns the URL path of what a source file of this folder was built
// into, such as "verify/main.ts"; false where it is not built.
func (f *Faces) Asset(source string) (string, bool) {
	p, ok := f.assets[source]
	return p, ok
}

// ServeHTTP answers GET and HEAD under /bureau/, /field/, /manage/ and /assets/.
func (f *Faces) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(self), microphone=()")
	h.Set("Content-Security-Policy", policy)
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
		return
	}
	if r.URL.Path == worker {
		h.Set("Service-Worker-Allowed", "/") // it opens /d/ without a network, too
	}
	found, ok := f.files[r.URL.Path]
	switch {
	case ok:
		found.serve(w, r)
	case isFace(r.URL.Path + "/"):
		http.Redirect(w, r, r.URL.Path+"/", http.StatusMovedPermanently)
	case isFace(r.URL.Path):
		f.serveAbsent(w, r)
	default:
		http.NotFound(w, r)
	}
}

func isFace(path string) bool { return path == "/bureau/" || path == "/field/" || path == "/manage/" }

func (a file) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", a.contentType)
	h.Set("Cache-Control", a.cache)
	body, tag := a.body, `"`+a.hash+`"`
	if a.gzipped {
		h.Set("Vary", "Accept-Encoding")
		if acceptsGzip(r.Header.Values("Accept-Encoding")) {
			h.Set("Content-Encoding", "gzip")
			tag = `"` + a.hash + `-gzip"`
		} else {
			body, _ = gunzip(a.body) // Load has tried it
		}
	}
	h.Set("ETag", tag)
	if matches(r.Header.Values("If-None-Match"), tag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if r.Method == http.MethodGet {
		_, _ = w.Write(body) // the client is gone if this fails
	}
}

func (f *Faces) serveAbsent(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.Itoa(len(f.absent)))
	w.WriteHeader(http.StatusServiceUnavailable)
	if r.Method == http.MethodGet {
		_, _ = w.Write(f.absent)
	}
}

// acceptsGzip reads Accept-Encoding; a weight of zero is a refusal (RFC 9110,
// section 12.5.3).
func acceptsGzip(headers []string) bool {
	for coding := range strings.SplitSeq(strings.Join(headers, ","), ",") {
		name, weight, _ := strings.Cut(coding, ";")
		name = strings.ToLower(strings.TrimSpace(name))
		if name != "gzip" && name != "x-gzip" && name != "*" {
			continue
		}
		q, given := strings.CutPrefix(strings.ReplaceAll(weight, " ", ""), "q=")
		if v, err := strconv.ParseFloat(q, 64); given && err == nil && v == 0 {
			continue
		}
		return true
	}
	return false
}

// matches compares weakly, as If-None-Match asks (RFC 9110, section 13.1.2).
func matches(headers []string, tag string) bool {
	for candidate := range strings.SplitSeq(strings.Join(headers, ","), ",") {
		candidate = strings.TrimPrefix(strings.TrimSpace(candidate), "W/")
		if candidate == tag || candidate == "*" {
			return true
		}
	}
	return false
}

func gunzip(body []byte) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

//go:embed absent.html
var absentSource string

// absentPage says in every language how the faces are built.
func absentPage(messages *i18n.Catalog) ([]byte, error) {
	page, err := template.New("absent").Funcs(template.FuncMap{
		"t": func(lang, key string) string { return messages.T(lang, key) },
	}).Parse(absentSource)
	if err != nil {
		return nil, fmt.Errorf("parse absent.html: %w", err)
	}
	var out bytes.Buffer
	if err := page.Execute(&out, messages.Languages()); err != nil {
		return nil, fmt.Errorf("write absent.html: %w", err)
	}
	return out.Bytes(), nil
}
