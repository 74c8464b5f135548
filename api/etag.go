package api

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"
)

// tagged gives every JSON answer its ETag, and answers 304 to who has it already. An
// answer of another kind passes as it is.
func (s *server) tagged(c *gin.Context, h func(*gin.Context) error) error {
	w := &tagWriter{ResponseWriter: c.Writer}
	c.Writer = w
	defer func() { c.Writer = w.ResponseWriter }()
	if err := h(c); err != nil {
		return err
	}
	if !w.held {
		return nil
	}
	tag := etag(w.body.Bytes())
	w.Header().Set("ETag", tag)
	if matches(c.GetHeader("If-None-Match"), tag) {
		w.Header().Del("Content-Type")
		w.WriteHeader(http.StatusNotModified)
		w.WriteHeaderNow()
		return nil
	}
	_, _ = w.ResponseWriter.Write(w.body.Bytes()) // a client that is gone needs no answer
	return nil
}

// etag is the tag of an answer. It is strong: the same bytes, the same tag.
func etag(body []byte) string {
	sum := sha256.Sum256(body)
	return `"` + hex.EncodeToString(sum[:16]) + `"`
}

// matches reports whether a header lists a tag, or * for whatever there is. Weak tags
// match too, since proxies that compress make them of strong ones.
func matches(header, tag string) bool {
	for part := range strings.SplitSeq(header, ",") {
		if part = strings.TrimPrefix(strings.TrimSpace(part), "W/"); part == tag || part == "*" {
			return true
		}
	}
	return false
}

// A tagWriter holds a whole JSON answer back until its tag is known.
type tagWriter struct {
	gin.ResponseWriter
	body   bytes.Buffer
	held   bool
	passed bool
}

func (w *tagWriter) Write(b []byte) (int, error) {
	if !w.held && !w.passed {
		w.held = w.Status() == http.StatusOK && w.Header().Get("ETag") == "" && strings.HasPrefix(w.Header().Get("Content-Type"), "application/json")
		w.passed = !w.held
	}
	if w.held {
		return w.body.Write(b)
	}
	return w.ResponseWriter.Write(b)
}

func (w *tagWriter) WriteString(s string) (int, error) { return w.Write([]byte(s)) }

// Unwrap lets http.ResponseController reach the connection.
func (w *tagWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// changedError says that what was edited is no longer what it was.
type changedError struct {
	tag     string
	current []byte // JSON
}

func (e *changedError) Error() string { return "changed meanwhile" }

// guarded carries a change out only if what If-Match names is what is there. From the
// look to the change nobody else changes it, on any server, who says If-Match too.
func (s *server) guarded(c *gin.Context, r route) error {
	header := c.GetHeader("If-Match")
	if header == "" || r.guards == alone {
		return r.handler(c)
	}
	path := c.Request.URL.Path
	if r.guards != "" {
		path = prefix + r.guards
		for _, p := range c.Params {
			path = strings.Replace(path, "/:"+p.Key, "/"+p.Value, 1)
		}
	}
	ctx := c.Request.Context()
	hold, err := s.Once.Hold(ctx, path)
	if err != nil {
		return err
	}
	defer s.drop(ctx, hold)
	there := s.look(c, path)
	if there.status != http.StatusOK {
		// It is not the change that is refused but the look at what it is about.
		if there.status == http.StatusNotFound && !slices.Contains(strings.Split(header, ","), "*") {
			return &changedError{}
		}
		return r.handler(c)
	}
	tag := there.header.Get("ETag")
	if !matches(header, tag) {
		return &changedError{tag, there.body.Bytes()}
	}
	return r.handler(c)
}

// look asks our own API for a path, as the caller.
func (s *server) look(c *gin.Context, path string) *recorder {
	req := c.Request.Clone(c.Request.Context())
	req.Method, req.Body, req.ContentLength = http.MethodGet, http.NoBody, 0
	req.URL.Path, req.URL.RawPath, req.URL.RawQuery = path, "", ""
	for _, name := range []string{"If-Match", "If-None-Match", "Accept"} {
		req.Header.Del(name)
	}
	rec := &recorder{header: http.Header{}, status: http.StatusOK}
	s.engine.ServeHTTP(rec, req)
	return rec
}

// A recorder takes an answer of our own.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) WriteHeader(status int)      { r.status = status }
func (r *recorder) Write(b []byte) (int, error) { return r.body.Write(b) }
