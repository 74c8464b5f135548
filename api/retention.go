package api

import (
	"errors"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"tianhai/farm"
	"tianhai/ingest"
)

// retentionView is the rule of a tenant and medium with what becomes of it.
type retentionView struct {
	ingest.RetentionChange
	Pending bool `json:"pending"` // until effective, what the rule before it keeps longer is kept
}

// retentionsView is every rule in force and how each came about.
type retentionsView struct {
	Changes    []ingest.RetentionChange `json:"changes"`
	DelayHours int                      `json:"delay_hours"` // until a change counts
	Deletes    bool                     `json:"deletes"`     // whether the store can
	FloorDays  int                      `json:"floor_days"`  // the least that can be set
	Retentions []retentionView          `json:"retentions"`
}

// purgesView is what would go at a time.
type purgesView struct {
	At     time.Time      `json:"at"`
	Purges []ingest.Purge `json:"purges"`
}

func (s *server) listRetentions(c *gin.Context) error {
	if err := administrator(c); err != nil {
		return err
	}
	all, err := s.Retentions.Retentions(c.Request.Context())
	if err != nil {
		return err
	}
	now := s.Now()
	views := []retentionView{}
	for _, r := range all.Latest(now) {
		views = append(views, retentionView{r, r.Effective.After(now)})
	}
	deletes := s.Retentions.CanDelete(c.Request.Context())
	c.JSON(http.StatusOK, retentionsView{
		Changes: list(all), DelayHours: int(ingest.RetentionDelay.Hours()), Deletes: !errors.Is(deletes, ingest.ErrNoDelete),
		FloorDays: int(ingest.RetentionFloor.Hours() / 24), Retentions: views,
	})
	return nil
}

// setRetention is refused where nothing would come of it.
func (s *server) setRetention(c *gin.Context) error {
	if err := administrator(c); err != nil {
		return err
	}
	var in ingest.Retention
	if err := body(c, &in); err != nil {
		return err
	}
	if err := in.Check(); err != nil {
		return err
	}
	if err := s.Retentions.CanDelete(c.Request.Context()); errors.Is(err, ingest.ErrNoDelete) {
		return err
	}
	return s.changeRetention(c, ingest.RetentionChange{Retention: in})
}

func (s *server) clearRetention(c *gin.Context) error {
	if err := administrator(c); err != nil {
		return err
	}
	rule := ingest.Retention{Tenant: c.Query("tenant"), Medium: farm.Medium(c.Query("medium"))}
	if err := rule.Check(); err != nil {
		return err
	}
	return s.changeRetention(c, ingest.RetentionChange{Retention: rule, Clear: true})
}

func (s *server) changeRetention(c *gin.Context, change ingest.RetentionChange) error {
	change.At = s.Now().UTC()
	change.Effective = change.At.Add(ingest.RetentionDelay)
	change.Account = who(c).Login
	if err := s.Retentions.ChangeRetention(c.Request.Context(), change); err != nil {
		return err
	}
	c.JSON(http.StatusOK, retentionView{change, true})
	return nil
}

// previewRetention says what would go at a time up to a year ahead, which is now
// unless the parameter at says otherwise.
func (s *server) previewRetention(c *gin.Context) error {
	if err := administrator(c); err != nil {
		return err
	}
	now := s.Now().UTC()
	at, err := queryTime(c, "at", now)
	if err != nil {
		return err
	}
	if at.Before(now) || at.After(now.Add(366*24*time.Hour)) {
		return &invalidError{"at", "is in the past, or more than a year ahead"}
	}
	purges, err := s.Retentions.PreviewRetention(c.Request.Context(), at)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, purgesView{at, list(purges)})
	return nil
}
