package api

import (
	"context"
	"net/http"
	"slices"
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
	// ListOverrides returns those in scope, those asked for last first.
	ListOverrides(ctx context.Context, in Scope, open bool) ([]trace.Override, error)
	AskOverride(ctx context.Context, o trace.Override) (trace.Override, error)
	DecideOverride(ctx context.Context, id string, d trace.Decision) (trace.Override, error)
	// ListLateUses returns those in scope, those found last first.
	ListLateUses(ctx context.Context, in Scope) ([]trace.FoundLate, error)
}

// listOverrides lists the caller's farm's, or those of the officer's region.
func (s *server) listOverrides(c *gin.Context) error {
	open := c.Query("state") == "open"
	if state := c.Query("state"); state != "" && !open {
		return &invalidError{"state", "is not open"}
	}
	all := []trace.Override{}
	if in, ok := scopeOf(who(c)); ok {
		found, err := s.Overrides.ListOverrides(c.Request.Context(), in, open)
		if err != nil {
			return err
		}
		if all, err = visible(c, s, found, func(o trace.Override) string { return o.Site }); err != nil {
			return err
		}
	}
	c.JSON(http.StatusOK, gin.H{"overrides": all})
	return nil
}

// visible leaves out what lies on sites that the caller may not read, whatever a
// store returned.
func visible[T any](c *gin.Context, s *server, all []T, siteOf func(T) string) ([]T, error) {
	may := map[string]bool{}
	for _, v := range all {
		id := siteOf(v)
		if _, asked := may[id]; asked {
			continue
		}
		site, err := s.Farms.Site(c.Request.Context(), id)
		if err != nil {
			return nil, err
		}
		may[id] = auth.Can(who(c), auth.Read, siteObject(site))
	}
	return slices.DeleteFunc(list(all), func(v T) bool { return !may[siteOf(v)] }), nil
}

// askOverride is the manager's. Refusals are named by their keys, as the gates give
// them.
func (s *server) askOverride(c *gin.Context) error {
	site, err := s.site(c, auth.Administer)
	if err != nil {
		return err
	}
	var in struct {
		ID       string         `json:"id"`
		Batch    string         `json:"batch"`
		Acts     []gate.ActKind `json:"acts"`
		Refusals []gate.Refusal `json:"refusals"`
		Reason   string         `json:"reason"`
	}
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
	var in struct {
		Granted *bool     `json:"granted"`
		Reason  string    `json:"reason"`
		Until   time.Time `json:"until"`
	}
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
func (s *server) listLateUses(c *gin.Context) error {
	all := []trace.FoundLate{}
	if in, ok := scopeOf(who(c)); ok {
		found, err := s.Overrides.ListLateUses(c.Request.Context(), in)
		if err != nil {
			return err
		}
		if all, err = visible(c, s, found, func(l trace.FoundLate) string { return l.Site }); err != nil {
			return err
		}
	}
	c.JSON(http.StatusOK, gin.H{"late_uses": all})
	return nil
}
