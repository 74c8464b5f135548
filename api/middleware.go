package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/oklog/ulid/v2"

	"tianhai/api/auth"
	"tianhai/farm"
	"tianhai/ingest"
	"tianhai/ingest/history"
	"tianhai/trace/photo"
)

// Keys of what middleware leaves with a request.
const (
	keyRequest   = "request"
	keyPrincipal = "principal"
)

func requestID(c *gin.Context) string { return c.GetString(keyRequest) }

// who returns who is asking. It panics on an open route, which has nobody.
func who(c *gin.Context) auth.Principal { return c.MustGet(keyPrincipal).(auth.Principal) }

// handle joins a handler to gin: its error becomes the answer.
func (s *server) handle(h func(*gin.Context) error) gin.HandlerFunc {
	return func(c *gin.Context) {
		if err := h(c); err != nil {
			s.fail(c, err)
		}
	}
}

// outermost names the request, logs it, and turns a panic into an answer.
func (s *server) outermost(c *gin.Context) {
	began := s.Now()
	id := ulid.Make().String()
	c.Set(keyRequest, id)
	c.Header("X-Request-Id", id)
	c.Header("Cache-Control", "no-store")
	c.Header("X-Content-Type-Options", "nosniff")
	ctx := c.Request.Context()
	defer func() {
		if r := recover(); r != nil {
			if err, ok := r.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(r)
			}
			// The deadline's context ended while the panic passed through.
			c.Request = c.Request.WithContext(ctx)
			s.fail(c, fmt.Errorf("panic: %v\n%s", r, debug.Stack()))
		}
		s.Logger.DebugContext(ctx, "request", slog.String("request", id), slog.String("method", c.Request.Method),
			slog.String("route", c.FullPath()), slog.Int("status", c.Writer.Status()), slog.Duration("took", s.Now().Sub(began)))
	}()
	c.Next()
}

// around gives a route what all of its method have.
func (s *server) around(r route) func(*gin.Context) error {
	return func(c *gin.Context) error {
		switch r.method {
		case http.MethodGet:
			return s.tagged(c, r.handler)
		case http.MethodPost:
			return s.answeredOnce(c, r)
		}
		return s.guarded(c, r)
	}
}

// protect refuses what another site made a browser send.
func (s *server) protect(c *gin.Context) {
	if err := s.origins.Check(c.Request); err != nil {
		s.fail(c, errOrigin)
	}
}

// limit bounds what a request may send and how long it may take. A live stream
// takes as long as it likes, and sends nothing.
func (s *server) limit(c *gin.Context) {
	most, longest := int64(MaxBody), RequestTimeout
	if c.FullPath() == prefix+backfillsPath {
		most, longest = history.MaxFile+MaxBody, uploadTimeout
	}
	if c.FullPath() == prefix+photosPath || c.FullPath() == prefix+reportFilesPath {
		most, longest = photo.MaxBytes, photoTimeout
	}
	if c.FullPath() == prefix+importsPath {
		most, longest = MaxImport, importTimeout
	}
	if slices.Contains([]string{prefix + batchLabelsPath, prefix + deviceLabelsPath, prefix + certificatePrintPath, prefix + rollLabelsPath, prefix + rollCodesPath, prefix + packageFilePath}, c.FullPath()) {
		longest = labelTimeout
	}
	if c.Request.ContentLength > most {
		c.Header("Connection", "close")
		s.fail(c, errTooLarge)
		return
	}
	c.Request.Body = http.MaxBytesReader(c.Writer, c.Request.Body, most)
	if c.FullPath() == prefix+livePath {
		return
	}
	// A recorder in a test has no deadlines; a server does.
	_ = http.NewResponseController(c.Writer).SetReadDeadline(time.Now().Add(longest))
	ctx, cancel := context.WithTimeout(c.Request.Context(), longest)
	defer cancel()
	c.Request = c.Request.WithContext(ctx)
	c.Next()
}

// authenticate finds out who is asking, by session or as a device by its secret,
// and refuses whoever shows neither.
func (s *server) authenticate(c *gin.Context) {
	p, err := s.principal(c)
	if err != nil {
		s.fail(c, err)
		return
	}
	c.Set(keyPrincipal, p)
}

func (s *server) principal(c *gin.Context) (auth.Principal, error) {
	ctx := c.Request.Context()
	if dev, secret, ok := c.Request.BasicAuth(); ok {
		return s.deviceItself(c, dev, secret)
	}
	token, err := c.Cookie(CookieName)
	if err != nil || token == "" {
		return auth.Principal{}, errUnauthenticated
	}
	p, err := s.Sessions.Principal(ctx, token)
	if errors.Is(err, auth.ErrDenied) {
		err = errUnauthenticated
	}
	return p, err
}

// deviceItself returns the principal that a device's secret makes.
func (s *server) deviceItself(c *gin.Context, dev, secret string) (auth.Principal, error) {
	ctx := c.Request.Context()
	if farm.CheckID(dev) != nil {
		return auth.Principal{}, errUnauthenticated
	}
	err := s.Door.Admit(ctx, dev, c.Request.RemoteAddr, []byte(secret))
	if errors.Is(err, ingest.ErrDenied) {
		err = errUnauthenticated
	}
	if err != nil {
		return auth.Principal{}, err
	}
	d, err := s.Devices.Device(ctx, dev)
	return auth.Principal{Login: d.ID, Name: d.Name.Zh, Role: auth.Device, Tenant: d.Tenant}, err
}

// administrator refuses everybody else: what it guards counts for all.
func administrator(c *gin.Context) error {
	if !auth.Can(who(c), auth.Administer, auth.Object{}) {
		return errForbidden
	}
	return nil
}

// allow is nil when p may do a to o. Who may not read it is told that it does
// not exist.
func allow(p auth.Principal, a auth.Action, o auth.Object) error {
	if !auth.Can(p, auth.Read, o) {
		return farm.ErrNotFound
	}
	if !auth.Can(p, a, o) {
		return errForbidden
	}
	return nil
}

// scopeOf returns the most that p may list; false when that is nothing.
func scopeOf(p auth.Principal) (Scope, bool) {
	switch p.Role {
	case auth.Administrator:
		return Scope{}, true
	case auth.Bureau, auth.Inspector:
		return Scope{Region: p.Region}, p.Region != ""
	case auth.Manager, auth.Farmer:
		return Scope{Tenant: p.Tenant}, p.Tenant != ""
	}
	return Scope{}, false
}
