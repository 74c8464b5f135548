package store

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"tianhai/farm"
	"tianhai/monitor/alert"
)

// How many alerts are returned at most.
const (
	DefaultAlerts = 200
	MaxAlerts     = 1001 // a page of the API, and one more
)

type alertRow struct {
	bun.BaseModel `bun:"table:alerts,alias:a"`

	ID        string
	Rule      string
	Title     farm.Text
	Severity  alert.Severity
	Tenant    string
	Region    string
	Site      string
	Device    string
	Quantity  string
	State     alert.State
	Value     *float64
	Threshold float64
	Began     instant
	Fired     instant
	Ended     instant
	Reason    string
}

func newAlertRow(a alert.Alert) *alertRow {
	return &alertRow{
		ID: a.ID, Rule: a.Rule, Title: a.Title, Severity: a.Severity,
		Tenant: a.Tenant, Region: a.Region, Site: a.Site, Device: a.Device, Quantity: a.Quantity,
		State: a.State, Value: a.Value, Threshold: a.Limit,
		Began: instant{a.Began}, Fired: instant{a.Fired}, Ended: instant{a.Ended}, Reason: a.Reason,
	}
}

func (r alertRow) alert() alert.Alert {
	return alert.Alert{
		ID: r.ID, Rule: r.Rule, Title: r.Title, Severity: r.Severity,
		Tenant: r.Tenant, Region: r.Region, Site: r.Site, Device: r.Device, Quantity: r.Quantity,
		State: r.State, Value: r.Value, Limit: r.Threshold,
		Began: r.Began.Time, Fired: r.Fired.Time, Ended: r.Ended.Time, Reason: r.Reason,
	}
}

type noticeRow struct {
	bun.BaseModel `bun:"table:notices,alias:n"`

	ID       string
	Alert    string
	Body     alert.Alert // as it was at the change
	Channel  string
	Attempts int
	FirstDue instant
	Next     instant
	Sent     instant
	Reason   string
}

func (r noticeRow) notice() alert.Notice {
	return alert.Notice{ID: r.ID, Alert: r.Body, Channel: r.Channel, Attempts: r.Attempts, Next: r.Next.Time}
}

// An AlertFilter chooses alerts. Its zero value chooses the newest of all.
type AlertFilter struct {
	Tenant string
	Region string // GB/T 2260; with all divisions within it
	Site   string
	State  alert.State // empty: every state but inactive
	After  Place
	Limit  int // 0: DefaultAlerts; at most MaxAlerts
}

// SaveAlert writes the alert's state and the notices it calls for. A notice
// whose ID is known already is left as it is. An inactive alert that nobody was
// told of is forgotten.
func (s *Store) SaveAlert(ctx context.Context, a alert.Alert, notices []alert.Notice) error {
	return fail("save alert", s.inTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewInsert().Model(newAlertRow(a)).On("CONFLICT (id) DO UPDATE").
			Set("severity = EXCLUDED.severity, title = EXCLUDED.title, state = EXCLUDED.state").
			Set("value = EXCLUDED.value, threshold = EXCLUDED.threshold, began = EXCLUDED.began").
			Set("fired = EXCLUDED.fired, ended = EXCLUDED.ended, reason = EXCLUDED.reason").Exec(ctx)
		if err != nil {
			return err
		}
		for _, n := range notices {
			if err := saveNotice(ctx, tx, a.ID, n); err != nil {
				return err
			}
		}
		if a.State != alert.Inactive {
			return nil
		}
		_, err = tx.NewDelete().Model((*alertRow)(nil)).Where("a.id = ?", a.ID).
			Where("NOT EXISTS (SELECT 1 FROM notices AS n WHERE n.alert = a.id)").Exec(ctx)
		return err
	}))
}

func saveNotice(ctx context.Context, tx bun.Tx, alert string, n alert.Notice) error {
	due := n.Next
	if due.IsZero() { // at once; only NoticeFailed says never
		due = n.Alert.Began
	}
	row := noticeRow{
		ID: n.ID, Alert: alert, Body: n.Alert, Channel: n.Channel, Attempts: n.Attempts,
		FirstDue: instant{due}, Next: instant{due},
	}
	_, err := tx.NewInsert().Model(&row).On("CONFLICT (id) DO NOTHING").Exec(ctx)
	return err
}

// OpenAlerts returns every alert that is pending or firing, oldest first.
func (s *Store) OpenAlerts(ctx context.Context) ([]alert.Alert, error) {
	var rows []alertRow
	err := s.read.NewSelect().Model(&rows).Where("a.state IN ('pending', 'firing')").Order("a.began", "a.id").Scan(ctx)
	return each(rows, alertRow.alert), fail("read open alerts", err)
}

// Alerts returns the alerts that f chooses, newest first.
func (s *Store) Alerts(ctx context.Context, f AlertFilter) ([]alert.Alert, error) {
	var rows []alertRow
	q := s.read.NewSelect().Model(&rows).Order("a.began DESC", "a.id DESC").Limit(bounded(f.Limit, DefaultAlerts, MaxAlerts))
	q = behind(within(q, "a.tenant", f.Tenant, "a.region", f.Region), "a.began", "a.id", f.After)
	if f.Site != "" {
		q = q.Where("a.site = ?", f.Site)
	}
	if f.State != "" {
		q = q.Where("a.state = ?", f.State)
	} else {
		q = q.Where("a.state <> ?", alert.Inactive)
	}
	err := q.Scan(ctx)
	return each(rows, alertRow.alert), fail("read alerts", err)
}

// DueNotices returns unsent notices whose time has come, in the order of the
// changes they tell of.
func (s *Store) DueNotices(ctx context.Context, now time.Time, limit int) ([]alert.Notice, error) {
	var rows []noticeRow
	err := s.read.NewSelect().Model(&rows).Where("n.sent IS NULL AND n.next <= ?", instant{now}).
		Order("n.first_due", "n.id").Limit(int64(max(limit, 1))).Scan(ctx)
	return each(rows, noticeRow.notice), fail("read due notices", err)
}

// NoticeSent marks a notice as delivered at a time; the first time stays.
// An unknown notice is farm.ErrNotFound.
func (s *Store) NoticeSent(ctx context.Context, id string, at time.Time) error {
	res, err := s.write.NewUpdate().Model((*noticeRow)(nil)).
		Set("sent = coalesce(sent, ?), attempts = attempts + 1", instant{at}).Where("n.id = ?", id).Exec(ctx)
	return fail("mark notice sent", changed(res, err, farm.ErrNotFound))
}

// NoticeFailed counts an attempt and stores the reason and the time of the next
// one; the zero time means never. An unknown notice is farm.ErrNotFound.
func (s *Store) NoticeFailed(ctx context.Context, id, reason string, next time.Time) error {
	res, err := s.write.NewUpdate().Model((*noticeRow)(nil)).
		Set("attempts = attempts + 1, reason = ?, next = ?", reason, instant{next}).Where("n.id = ?", id).Exec(ctx)
	return fail("mark notice failed", changed(res, err, farm.ErrNotFound))
}
