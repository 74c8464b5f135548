package api

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"net/url"
	"time"

	"github.com/gin-gonic/gin"

	"tianhai/api/auth"
	"tianhai/trace/recall"
)

// Hooks knows where tenants want to be told of recalls; farm.ErrNotFound where one has
// not said.
type Hooks interface {
	Hook(ctx context.Context, tenant string) (recall.Hook, error)
	PutHook(ctx context.Context, h recall.Hook) error
	DeleteHook(ctx context.Context, tenant string) error
}

// A hookView is where a tenant wants to be told. Of the address only the host is
// shown, since many services put a key into the rest.
type hookView struct {
	Host string    `json:"host"`
	Set  time.Time `json:"set"`
	// Key is what messages are signed with. It is shown once, when it is made.
	Key string `json:"key,omitempty"`
}

func viewOf(h recall.Hook) hookView {
	v := hookView{Set: h.Set}
	if u, err := url.Parse(h.URL); err == nil {
		v.Host = u.Host
	}
	return v
}

func (s *server) getHook(c *gin.Context) error {
	t, err := s.tenant(c, auth.Administer)
	if err != nil {
		return err
	}
	h, err := s.Hooks.Hook(c.Request.Context(), t.ID)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, viewOf(h))
	return nil
}

type putHookRequest struct {
	URL string `json:"url"`
}

// putHook takes an address and makes a new key for it.
func (s *server) putHook(c *gin.Context) error {
	t, err := s.tenant(c, auth.Administer)
	if err != nil {
		return err
	}
	var in putHookRequest
	if err := body(c, &in); err != nil {
		return err
	}
	u, err := url.Parse(in.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || len(in.URL) > 2000 {
		return &invalidError{"url", "is not of the form https://host/path"}
	}
	key := make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		return err
	}
	h := recall.Hook{Tenant: t.ID, URL: in.URL, Key: "whsec_" + base64.StdEncoding.EncodeToString(key), Account: who(c).Login, Set: s.Now().UTC()}
	if err := s.Hooks.PutHook(c.Request.Context(), h); err != nil {
		return err
	}
	v := viewOf(h)
	v.Key = h.Key
	c.JSON(http.StatusOK, v)
	return nil
}

func (s *server) deleteHook(c *gin.Context) error {
	t, err := s.tenant(c, auth.Administer)
	if err != nil {
		return err
	}
	if err := s.Hooks.DeleteHook(c.Request.Context(), t.ID); err != nil {
		return err
	}
	c.Status(http.StatusNoContent)
	return nil
}
