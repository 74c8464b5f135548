package api

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"tianhai/api/auth"
	"tianhai/farm"
)

const (
	livePath = "/live"
	// heartbeat keeps proxies from closing a quiet stream. The session is looked
	// at again with each, so that a stream does not outlive it.
	heartbeat = 15 * time.Second
	// stalled is how long a client may refuse to take what is sent.
	stalled = 10 * time.Second
)

// live streams what happens as server-sent events, until the client goes, falls
// behind, loses its session, or the hub is closed. The client then connects
// again and reads what it missed from the other routes.
//
// Source: WHATWG HTML §9.2, Server-sent events.
func (s *server) live(c *gin.Context) error {
	site, dev := c.Query("site"), c.Query("device")
	if err := s.mayFollow(c, site, dev); err != nil {
		return err
	}
	st, err := s.Hub.follow(who(c), site, dev)
	if err != nil {
		return err
	}
	defer s.Hub.end(st)
	rc := http.NewResponseController(c.Writer)
	// A deadline for reading the request would end the stream with it.
	if err := rc.SetReadDeadline(time.Time{}); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return fmt.Errorf("open stream: %w", err)
	}
	c.Header("Content-Type", "text/event-stream")
	c.Header("X-Accel-Buffering", "no") // nginx would hold events back
	c.Writer.WriteHeader(http.StatusOK)
	s.pump(c, rc, st)
	return nil
}

// pump writes events until the stream ends. Errors of writing mean that the
// client is gone, and are nobody's fault.
func (s *server) pump(c *gin.Context, rc *http.ResponseController, st *stream) {
	write := func(events ...[]byte) bool {
		_ = rc.SetWriteDeadline(time.Now().Add(stalled))
		for _, event := range events {
			if _, err := c.Writer.Write(event); err != nil {
				return false
			}
		}
		return rc.Flush() == nil
	}
	var events [][]byte
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	open := write([]byte("retry: 2000\n\n"))
	for open {
		select {
		case <-c.Request.Context().Done():
			return
		case <-st.done:
			return
		case <-st.more:
			events = s.Hub.take(st, events)
			open = write(events...)
		case <-beat.C:
			open = s.stillWelcome(c, st) && write([]byte(":\n\n"))
		}
	}
}

// stillWelcome reports whether the client's session has not ended and says the
// same of it. A session that cannot be looked up just now is no reason to go.
func (s *server) stillWelcome(c *gin.Context, st *stream) bool {
	token, err := c.Cookie(CookieName)
	if err != nil {
		return false
	}
	p, err := s.Sessions.Principal(c.Request.Context(), token)
	if err != nil {
		return !errors.Is(err, auth.ErrDenied)
	}
	return p == st.principal
}

// mayFollow is nil when the caller may read what it asks to follow.
func (s *server) mayFollow(c *gin.Context, site, dev string) error {
	ctx, p := c.Request.Context(), who(c)
	if site != "" {
		if farm.CheckID(site) != nil {
			return farm.ErrNotFound
		}
		found, err := s.Farms.Site(ctx, site)
		if err != nil {
			return err
		}
		if err := allow(p, auth.Read, siteObject(found)); err != nil {
			return err
		}
	}
	if dev != "" {
		if farm.CheckID(dev) != nil {
			return farm.ErrNotFound
		}
		found, err := s.find(ctx, dev)
		if err != nil {
			return err
		}
		return allow(p, auth.Read, found.object())
	}
	return nil
}
