package api

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/oklog/ulid/v2"

	"tianhai/api/auth"
	"tianhai/farm"
	"tianhai/trace"
	"tianhai/trace/gate"
)

// Overrides keeps what farms ask to be allowed against the gates and what officers
// decided, and which uses of inputs came too late for the gates.
type Overrides interface {
	Override(ctx context.Context, id string) (trace.Override, error) // farm.ErrNotFound
	// ListOverrides returns those asked for last first.
	ListOverrides(ctx context.Context, q OverrideQuery) ([]trace.Override, error)
	AskOverride(ctx context.Context, o trace.Override) (trace.Override, error)
	DecideOverride(ctx context.Context, id string, d trace.Decision) (trace.Override, error)
	// ListLateUses returns those found last first; open does not narrow it.
	ListLateUses(ctx context.Context, q OverrideQuery) ([]trace.FoundLate, error)
}

// An OverrideQuery asks for overrides, or late uses, behind a place.
type OverrideQuery struct {
	Scope
	Open  bool // those that nobody has decided
	After Place
	Limit int
}

// listOverrides lists the caller's farm's, or those of the officer's region.
func (s *server) listOverrides() listing[trace.Override] {
	return listing[trace.Override]{
		name: "overrides", falling: true, pages: true, key: func(o trace.Override) string { return timeKey(o.Asked, o.ID) },
		read: func(c *gin.Context, p page) ([]trace.Override, error) {
			open := c.Query("state") == "open"
			if state := c.Query("state"); state != "" && !open {
				return nil, &invalidError{"state", "is not open"}
			}
			in, ok := scopeOf(who(c))
			if !ok {
				return nil, nil
			}
			return s.Overrides.ListOverrides(c.Request.Context(), OverrideQuery{Scope: in, Open: open, After: timePlace(p.after), Limit: p.limit})
		},
		sees: func(c *gin.Context, o *trace.Override) (bool, error) { return s.seesSite(c, o.Site) },
	}
}

// askOverrideRequest is the body.
type askOverrideRequest struct {
	ID       string         `json:"id"`
	Batch    string         `json:"batch"`
	Acts     []gate.ActKind `json:"acts"`
	Refusals []gate.Refusal `json:"refusals"`
	Reason   string         `json:"reason"`
}

// askOverride is the manager's. Refusals are named by their keys, as the gates give
// them.
func (s *server) askOverride(c *gin.Context) error {
	site, err := s.site(c, auth.Administer)
	if err != nil {
		return err
	}
	var in askOverrideRequest
	if err := body(c, &in); err != nil {
		return err
	}
	if in.Batch != "" {
		if _, err := ulid.ParseStrict(in.Batch); err != nil {
			return &invalidError{"batch", "is not a ULID"}
		}
	}
	o, err := s.Overrides.AskOverride(c.Request.Context(), trace.Override{
		ID: in.ID, Tenant: site.Tenant, Site: site.ID, Batch: in.Batch, Acts: in.Acts, Refusals: in.Refusals,
		Reason: strings.TrimSpace(in.Reason), Account: who(c).Login,
	})
	if err != nil {
		return err
	}
	c.JSON(http.StatusCreated, o)
	return nil
}

// decideOverrideRequest is the body.
type decideOverrideRequest struct {
	Granted *bool     `json:"granted"`
	Reason  string    `json:"reason"`
	Until   time.Time `json:"until"`
}

// decideOverride is for officers of the site's region, and for nobody else.
func (s *server) decideOverride(c *gin.Context) error {
	ctx := c.Request.Context()
	if _, err := ulid.ParseStrict(c.Param("id")); err != nil {
		return farm.ErrNotFound
	}
	o, err := s.Overrides.Override(ctx, c.Param("id"))
	if err != nil {
		return err
	}
	site, err := s.Farms.Site(ctx, o.Site)
	if err != nil {
		return err
	}
	if err := allow(who(c), auth.Override, siteObject(site)); err != nil {
		return err
	}
	var in decideOverrideRequest
	if err := body(c, &in); err != nil {
		return err
	}
	if in.Granted == nil {
		return &invalidError{"granted", "is missing"}
	}
	o, err = s.Overrides.DecideOverride(ctx, o.ID, trace.Decision{
		Granted: *in.Granted, Reason: strings.TrimSpace(in.Reason), Until: in.Until, Region: who(c).Region, Account: who(c).Login,
	})
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, o)
	return nil
}

// listLateUses lists batches for whose harvest the record of an input came too late.
func (s *server) listLateUses() listing[trace.FoundLate] {
	return listing[trace.FoundLate]{
		name: "late_uses", falling: true, pages: true, key: func(l trace.FoundLate) string { return timeKey(l.Found, l.Operation+l.Batch) },
		read: func(c *gin.Context, p page) ([]trace.FoundLate, error) {
			in, ok := scopeOf(who(c))
			if !ok {
				return nil, nil
			}
			return s.Overrides.ListLateUses(c.Request.Context(), OverrideQuery{Scope: in, After: timePlace(p.after), Limit: p.limit})
		},
		sees: func(c *gin.Context, l *trace.FoundLate) (bool, error) { return s.seesSite(c, l.Site) },
	}
}
