package api

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gin-gonic/gin"
	"github.com/oklog/ulid/v2"

	"tianhai/api/auth"
	"tianhai/farm"
	"tianhai/trace/scan"
)

// Scans knows which codes look like copies, and where products are sold.
type Scans interface {
	// ListScanAlarms returns those that are asked for, those raised last first.
	ListScanAlarms(ctx context.Context, q NoticeQuery) ([]scan.Alarm, error)
	ScanAlarm(ctx context.Context, id string) (scan.Alarm, error) // farm.ErrNotFound
	// AcknowledgeScanAlarm stores what was found; farm.ErrConflict where somebody has.
	AcknowledgeScanAlarm(ctx context.Context, id, account, finding string) (scan.Alarm, error)
	Markets(ctx context.Context, tenant string) ([]string, error)
	SetMarkets(ctx context.Context, tenant string, regions []string, account string) error
}

// An alarm about a code that is nobody's is for the officers of its region.
func alarmObject(a scan.Alarm) auth.Object { return auth.Object{Tenant: a.Tenant, Region: a.Region} }

// A NoticeQuery asks for alarms about codes, or for complaints, behind a place; what is
// zero is any.
type NoticeQuery struct {
	Scope
	State    string
	Batch    string
	From, To time.Time
	After    Place
	Limit    int
}

// noticeQuery reads the parameters of a list of notices, which have these states; ok is
// false where the caller sees none.
func noticeQuery(c *gin.Context, p page, states ...string) (q NoticeQuery, ok bool, err error) {
	q = NoticeQuery{State: c.Query("state"), Batch: c.Query("batch"), After: timePlace(p.after), Limit: p.limit}
	if q.State != "" && !slices.Contains(states, q.State) {
		return q, false, &invalidError{"state", "is not one of " + strings.Join(states, ", ")}
	}
	if q.Batch != "" {
		if _, err := ulid.ParseStrict(q.Batch); err != nil {
			return q, false, &invalidError{"batch", "is not the ID of a batch"}
		}
	}
	if q.From, err = queryTime(c, "from", time.Time{}); err != nil {
		return q, false, err
	}
	if q.To, err = queryTime(c, "to", time.Time{}); err != nil {
		return q, false, err
	}
	if !q.To.IsZero() && !q.From.Before(q.To) {
		return q, false, &invalidError{"from", "is not before to"}
	}
	q.Scope, ok = scopeOf(who(c))
	return q, ok, nil
}

func (s *server) listScanAlarms() listing[scan.Alarm] {
	return listing[scan.Alarm]{
		name: "scan_alarms", falling: true, pages: true, key: func(a scan.Alarm) string { return timeKey(a.Raised, a.ID) },
		read: func(c *gin.Context, p page) ([]scan.Alarm, error) {
			q, ok, err := noticeQuery(c, p, "open", "acknowledged")
			if err != nil || !ok {
				return nil, err
			}
			return s.Scans.ListScanAlarms(c.Request.Context(), q)
		},
		sees: func(c *gin.Context, a *scan.Alarm) (bool, error) {
			return auth.Can(who(c), auth.Read, alarmObject(*a)), nil
		},
	}
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
