package api

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/gin-gonic/gin"
	"github.com/oklog/ulid/v2"

	"tianhai/api/auth"
	"tianhai/farm"
	"tianhai/trace/scan"
)

// Scans knows which codes look like copies, and where products are sold.
type Scans interface {
	// ListScanAlarms returns those in scope, those raised last first.
	ListScanAlarms(ctx context.Context, in Scope, open bool) ([]scan.Alarm, error)
	ScanAlarm(ctx context.Context, id string) (scan.Alarm, error) // farm.ErrNotFound
	// AcknowledgeScanAlarm stores what was found; farm.ErrConflict where somebody has.
	AcknowledgeScanAlarm(ctx context.Context, id, account, finding string) (scan.Alarm, error)
	Markets(ctx context.Context, tenant string) ([]string, error)
	SetMarkets(ctx context.Context, tenant string, regions []string, account string) error
}

// An alarm about a code that is nobody's is for the officers of its region.
func alarmObject(a scan.Alarm) auth.Object { return auth.Object{Tenant: a.Tenant, Region: a.Region} }

func (s *server) listScanAlarms() listing[scan.Alarm] {
	return listing[scan.Alarm]{
		name: "scan_alarms", falling: true, key: func(a scan.Alarm) string { return timeKey(a.Raised, a.ID) },
		read: func(c *gin.Context, _ page) ([]scan.Alarm, error) {
			open, err := openState(c)
			in, ok := scopeOf(who(c))
			if err != nil || !ok {
				return nil, err
			}
			return s.Scans.ListScanAlarms(c.Request.Context(), in, open)
		},
		sees: func(c *gin.Context, a *scan.Alarm) (bool, error) {
			return auth.Can(who(c), auth.Read, alarmObject(*a)), nil
		},
	}
}

// openState reads the parameter state, which is open or absent.
func openState(c *gin.Context) (bool, error) {
	if state := c.Query("state"); state != "" && state != "open" {
		return false, &invalidError{"state", "is not open"}
	}
	return c.Query("state") == "open", nil
}

type acknowledgeRequest struct {
	Finding string `json:"finding"`
}

const maxFinding = 1000 // characters

// acknowledgeScanAlarm is for the producer's manager and the region's officers.
func (s *server) acknowledgeScanAlarm(c *gin.Context) error {
	ctx := c.Request.Context()
	if !namesULID(c) {
		return farm.ErrNotFound
	}
	a, err := s.Scans.ScanAlarm(ctx, c.Param("id"))
	if err != nil {
		return err
	}
	if err := allow(who(c), auth.Answer, alarmObject(a)); err != nil {
		return err
	}
	var in acknowledgeRequest
	if err := body(c, &in); err != nil {
		return err
	}
	finding := strings.TrimSpace(in.Finding)
	if n := utf8.RuneCountInString(finding); n == 0 || n > maxFinding {
		return &invalidError{"finding", "is not 1 to 1000 characters"}
	}
	if a, err = s.Scans.AcknowledgeScanAlarm(ctx, a.ID, who(c).Login, finding); err != nil {
		return err
	}
	c.JSON(http.StatusOK, a)
	return nil
}

// marketsView is where an operator says that its products are sold.
type marketsView struct {
	Regions []string `json:"regions"`
}

func (s *server) getMarkets(c *gin.Context) error {
	t, err := s.tenant(c, auth.Read)
	if err != nil {
		return err
	}
	regions, err := s.Scans.Markets(c.Request.Context(), t.ID)
	if err != nil {
		return err
	}
	if regions == nil {
		regions = []string{}
	}
	c.JSON(http.StatusOK, marketsView{regions})
	return nil
}

func (s *server) putMarkets(c *gin.Context) error {
	t, err := s.tenant(c, auth.Administer)
	if err != nil {
		return err
	}
	var in marketsView
	if err := body(c, &in); err != nil {
		return err
	}
	regions, err := scan.ParseMarkets(in.Regions)
	if err, bad := errors.AsType[*scan.MarketError](err); bad {
		return &invalidError{"regions", err.Error()}
	}
	if err != nil {
		return err
	}
	if err := s.Scans.SetMarkets(c.Request.Context(), t.ID, regions, who(c).Login); err != nil {
		return err
	}
	if regions == nil {
		regions = []string{}
	}
	c.JSON(http.StatusOK, marketsView{regions})
	return nil
}

// namesULID reports whether the path names a ULID; what does not is not found.
func namesULID(c *gin.Context) bool {
	_, err := ulid.ParseStrict(c.Param("id"))
	return err == nil
}
