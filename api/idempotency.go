package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"log/slog"
	"net/http"

	"github.com/gin-gonic/gin"

	"tianhai/api/once"
)

const idempotencyHeader = "Idempotency-Key"

// answeredOnce carries a POST that names a key out once: the same again gets the
// answer of before. What was refused changed nothing, and is asked anew.
func (s *server) answeredOnce(c *gin.Context, r route) error {
	key := c.GetHeader(idempotencyHeader)
	if key == "" || r.open {
		return r.handler(c)
	}
	print, err := s.print(c, r)
	if err != nil {
		return err
	}
	ctx := c.Request.Context()
	claim, kept, err := s.Once.Begin(ctx, once.Request{Account: string(who(c).Role) + " " + who(c).Login, Key: key, Print: print})
	if err != nil {
		return err
	}
	if kept != nil {
		for name, values := range kept.Header {
			c.Writer.Header()[name] = values
		}
		c.Header("Idempotent-Replayed", "true")
		c.Data(kept.Status, c.Writer.Header().Get("Content-Type"), kept.Body)
		return nil
	}
	w := &teeWriter{ResponseWriter: c.Writer}
	c.Writer = w
	done := false
	defer func() {
		c.Writer = w.ResponseWriter
		if !done {
			s.drop(ctx, claim)
		}
	}()
	if err := r.handler(c); err != nil {
		return err
	}
	if w.Status() >= http.StatusMultipleChoices {
		return nil
	}
	done = true
	answer := once.Answer{Status: w.Status(), Header: map[string][]string{}, Body: w.body.Bytes()}
	for _, name := range []string{"Content-Type", "Content-Language", "Content-Security-Policy", "Referrer-Policy"} {
		if v := w.Header().Values(name); len(v) > 0 {
			answer.Header[name] = v
		}
	}
	// The client may have gone, and asks again then.
	if err := claim.Keep(context.WithoutCancel(ctx), answer); err != nil {
		s.Logger.ErrorContext(ctx, "answer not kept", slog.String("request", requestID(c)), slog.Any("error", err))
	}
	return nil
}

// drop gives a claim back; one that cannot be given back ends with its lease.
func (s *server) drop(ctx context.Context, claim *once.Claim) {
	if err := claim.Drop(context.WithoutCancel(ctx)); err != nil {
		s.Logger.ErrorContext(ctx, "claim not given back", slog.Any("error", err))
	}
}

// print returns what makes a request this one. Of a file that is larger than a body
// may be otherwise only the length counts.
func (s *server) print(c *gin.Context, r route) (sum [sha256.Size]byte, err error) {
	h := sha256.New()
	req := c.Request
	fmt.Fprintf(h, "%s\n%s\n%s\n%s\n%d\n", req.Method, req.URL.RequestURI(), req.Header.Get("Content-Type"), req.Header.Get("Accept"), req.ContentLength)
	if len(r.files) == 0 || req.ContentLength >= 0 && req.ContentLength <= MaxBody {
		raw, err := io.ReadAll(req.Body)
		if err != nil {
			return sum, bodyError(err)
		}
		h.Write(raw)
		req.Body = io.NopCloser(bytes.NewReader(raw))
	}
	return [sha256.Size]byte(h.Sum(nil)), nil
}

// A teeWriter remembers what is answered.
type teeWriter struct {
	gin.ResponseWriter
	body bytes.Buffer
}

func (w *teeWriter) Write(b []byte) (int, error) {
	if w.body.Len() <= once.MaxBody {
		w.body.Write(b)
	}
	return w.ResponseWriter.Write(b)
}

func (w *teeWriter) WriteString(s string) (int, error) { return w.Write([]byte(s)) }
