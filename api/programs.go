package api

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gin-gonic/gin"
	"github.com/oklog/ulid/v2"

	"tianhai/api/auth"
)

// Programs keeps the programs of operators. What does not exist is farm.ErrNotFound.
type Programs interface {
	Programs(ctx context.Context, tenant string) ([]auth.Program, error)
	AddProgram(ctx context.Context, p auth.Program) error // auth.ErrPrograms
	DeleteProgram(ctx context.Context, tenant, id string) error
}

// programView is a program without its token.
type programView struct {
	ID      string     `json:"id"`
	Name    string     `json:"name"`
	Account string     `json:"account"`
	Writes  bool       `json:"writes"`
	Created time.Time  `json:"created"`
	Expires time.Time  `json:"expires"`
	Used    *time.Time `json:"used,omitempty"` // last, to the hour
}

func newProgramView(p auth.Program) programView {
	v := programView{ID: p.ID, Name: p.Name, Account: p.Account, Writes: p.Writes, Created: p.Created, Expires: p.Expires}
	if !p.Used.IsZero() {
		v.Used = &p.Used
	}
	return v
}

func (s *server) listPrograms() listing[programView] {
	return listing[programView]{
		name: "programs",
		key:  func(v programView) string { return v.ID },
		read: func(c *gin.Context, _ page) ([]programView, error) {
			t, err := s.tenant(c, auth.Administer)
			if err != nil {
				return nil, err
			}
			all, err := s.Programs.Programs(c.Request.Context(), t.ID)
			views := make([]programView, len(all))
			for i, p := range all {
				views[i] = newProgramView(p)
			}
			return views, err
		},
	}
}

type addProgramRequest struct {
	Name   string `json:"name"`
	Writes bool   `json:"writes"`
	Days   int    `json:"days"` // that its token is good
}

// addedProgramView is a new program and its token, which is shown once.
type addedProgramView struct {
	programView
	Token string `json:"token"`
}

func (s *server) addProgram(c *gin.Context) error {
	t, err := s.tenant(c, auth.Administer)
	if err != nil {
		return err
	}
	var in addProgramRequest
	if err := body(c, &in); err != nil {
		return err
	}
	name := strings.TrimSpace(in.Name)
	switch {
	case name == "" || utf8.RuneCountInString(name) > maxAccountName:
		return &invalidError{"name", "has no characters or more than 100"}
	case in.Days < 1 || in.Days > auth.MaxProgramDays:
		return &invalidError{"days", fmt.Sprintf("is not from 1 to %d", auth.MaxProgramDays)}
	}
	now := s.Now().UTC().Truncate(time.Microsecond)
	p, token := auth.NewProgram(auth.Program{ID: ulid.Make().String(), Tenant: t.ID, Name: name, Account: who(c).Login, Writes: in.Writes, Created: now, Expires: now.AddDate(0, 0, in.Days)})
	ctx := c.Request.Context()
	if err := s.Programs.AddProgram(ctx, p); err != nil {
		return err
	}
	s.Logger.InfoContext(ctx, "program added", "program", p.ID, "tenant", t.ID, "writes", p.Writes, "by", p.Account)
	c.JSON(http.StatusCreated, addedProgramView{newProgramView(p), token})
	return nil
}

func (s *server) deleteProgram(c *gin.Context) error {
	t, err := s.tenant(c, auth.Administer)
	if err != nil {
		return err
	}
	ctx, id := c.Request.Context(), c.Param("program")
	if err := s.Programs.DeleteProgram(ctx, t.ID, id); err != nil {
		return err
	}
	s.Logger.InfoContext(ctx, "program taken away", "program", id, "tenant", t.ID, "by", who(c).Login)
	c.Status(http.StatusNoContent)
	return nil
}
