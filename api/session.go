package api

import (
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"tianhai/api/auth"
)

const (
	// CookieName is where a browser keeps its session.
	CookieName = "th_session"
	// cookieAge is how long a browser keeps its session; the server decides when it ends.
	cookieAge = auth.DefaultLifetime
)

// loginRequest is the body.
type loginRequest struct {
	Login    string `json:"login"`
	Password string `json:"password"`
}

func (s *server) login(c *gin.Context) error {
	var in loginRequest
	if err := body(c, &in); err != nil {
		return err
	}
	if in.Login == "" || in.Password == "" {
		return &invalidError{"login", "and password are both needed"}
	}
	token, p, err := s.Sessions.Login(c.Request.Context(), in.Login, in.Password, c.ClientIP())
	if err != nil {
		return err
	}
	s.setCookie(c, token, cookieAge)
	c.JSON(http.StatusOK, p)
	return nil
}

func (s *server) whoami(c *gin.Context) error {
	c.JSON(http.StatusOK, who(c))
	return nil
}

func (s *server) logout(c *gin.Context) error {
	token, err := c.Cookie(CookieName)
	if err != nil {
		return errUnauthenticated
	}
	if err := s.Sessions.Logout(c.Request.Context(), token); err != nil {
		return err
	}
	s.setCookie(c, "", -time.Second)
	c.Status(http.StatusNoContent)
	return nil
}

func (s *server) setCookie(c *gin.Context, token string, age time.Duration) {
	http.SetCookie(c.Writer, &http.Cookie{
		Name: CookieName, Value: token, Path: "/", MaxAge: int(age.Seconds()),
		HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: s.Secure || c.Request.TLS != nil,
	})
}
