package store

import (
	"context"
	"errors"
	"time"

	"github.com/uptrace/bun"

	"tianhai/farm"
	"tianhai/ingest/history"
)

// How many jobs are returned at most.
const (
	DefaultJobs = 100
	MaxJobs     = 1001
)

// unfinished chooses jobs that wait or run.
const unfinished = "j.state IN ('waiting', 'running')"

type jobRow struct {
	bun.BaseModel `bun:"table:jobs,alias:j"`

	ID       string
	Kind     history.Kind
	Tenant   string `bun:",nullzero"`
	Account  string
	State    history.State
	Params   jobParams
	Progress history.Progress
	Cursor   history.Cursor
	Error    string
	Tries    int64
	Created  instant
	Started  instant
	Updated  instant
	Ended    instant
}

// jobParams is a job's order; one of the two is set.
type jobParams struct {
	Backfill *history.Backfill `json:"backfill,omitempty"`
	Replay   *history.Replay   `json:"replay,omitempty"`
}

func newJobRow(j *history.Job) *jobRow {
	return &jobRow{
		ID: j.ID, Kind: j.Kind, Tenant: j.Tenant, Account: j.Account, State: j.State,
		Params: jobParams{j.Backfill, j.Replay}, Progress: j.Progress, Cursor: j.Progress.Cursor,
		Error: j.Error, Tries: int64(j.Tries),
		Created: instant{j.Created}, Started: instant{j.Started}, Updated: instant{j.Updated}, Ended: instant{j.Ended},
	}
}

func (r jobRow) job() history.Job {
	j := history.Job{
		ID: r.ID, Kind: r.Kind, Tenant: r.Tenant, Account: r.Account, State: r.State,
		Backfill: r.Params.Backfill, Replay: r.Params.Replay, Progress: r.Progress,
		Error: r.Error, Tries: int(r.Tries),
		Created: r.Created.Time, Started: r.Started.Time, Updated: r.Updated.Time, Ended: r.Ended.Time,
	}
	j.Progress.Cursor = r.Cursor
	return j
}

// A JobFilter chooses jobs. Its zero value chooses the newest of all.
type JobFilter struct {
	Tenant string
	After  Place
	Limit  int // 0: DefaultJobs; at most MaxJobs
}

// CreateJob adds a job and forgets those that ended history.KeepJobs ago;
// history.ErrTooMany when the tenant has history.MaxOpen already, which jobs of
// the system do not count among, farm.ErrNotFound when the tenant is unknown.
func (s *Store) CreateJob(ctx context.Context, j history.Job) error {
	return fail("create job", s.inTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewDelete().Model((*jobRow)(nil)).Where("j.ended < ?", instant{s.now().Add(-history.KeepJobs)}).Exec(ctx)
		if err != nil {
			return err
		}
		if j.Account != history.System {
			n, err := tx.NewSelect().Model((*jobRow)(nil)).Where(unfinished).
				Where("coalesce(j.tenant, '') = ? AND j.account <> ?", j.Tenant, history.System).Count(ctx)
			if err != nil {
				return err
			}
			if n >= history.MaxOpen {
				return history.ErrTooMany
			}
		}
		_, err = tx.NewInsert().Model(newJobRow(&j)).Exec(ctx)
		return err
	}))
}

// TakeJob returns the job to work on: one that runs, or else the one that has
// waited longest, which runs from now on. Its Tries count this one.
// farm.ErrNotFound when there is none.
func (s *Store) TakeJob(ctx context.Context, now time.Time) (history.Job, error) {
	var row jobRow
	err := s.inTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		err := tx.NewSelect().Model(&row).Where(unfinished).
			OrderExpr("CASE j.state WHEN 'running' THEN 0 ELSE 1 END").Order("j.created", "j.id").Limit(1).Scan(ctx)
		if err != nil {
			return err
		}
		row.State, row.Tries = history.Running, row.Tries+1
		if row.Started.IsZero() {
			row.Started = instant{now}
		}
		_, err = tx.NewUpdate().Model(&row).Column("state", "tries", "started").Where("j.id = ?", row.ID).Exec(ctx)
		return err
	})
	return row.job(), fail("take job", err)
}

// SaveJob writes what a running job has done; farm.ErrConflict when it does not
// run any more.
func (s *Store) SaveJob(ctx context.Context, j history.Job) error {
	res, err := s.write.NewUpdate().Model(newJobRow(&j)).Column("state", "progress", "cursor", "error", "tries", "updated", "ended").
		Where("j.id = ? AND j.state = ?", j.ID, history.Running).Exec(ctx)
	return fail("save job", changed(res, err, farm.ErrConflict))
}

// CancelJob ends a job that waits or runs; farm.ErrConflict for one that has
// ended, farm.ErrNotFound for one that there is not.
func (s *Store) CancelJob(ctx context.Context, id string) error {
	res, err := s.write.NewUpdate().Model((*jobRow)(nil)).Set("state = ?, ended = ?", history.Cancelled, instant{s.now()}).
		Where("j.id = ?", id).Where(unfinished).Exec(ctx)
	err = changed(res, err, farm.ErrConflict)
	if err != nil {
		if _, missing := s.Job(ctx, id); missing != nil {
			err = missing
		}
	}
	return fail("cancel job", err)
}

// Job returns a job; farm.ErrNotFound.
func (s *Store) Job(ctx context.Context, id string) (history.Job, error) {
	var row jobRow
	err := s.read.NewSelect().Model(&row).Where("j.id = ?", id).Scan(ctx)
	return row.job(), fail("read job", err)
}

// Jobs returns the jobs that f chooses, newest first.
func (s *Store) Jobs(ctx context.Context, f JobFilter) ([]history.Job, error) {
	var rows []jobRow
	q := s.read.NewSelect().Model(&rows).Order("j.created DESC", "j.id DESC").Limit(bounded(f.Limit, DefaultJobs, MaxJobs))
	q = behind(q, "j.created", "j.id", f.After)
	if f.Tenant != "" {
		q = q.Where("j.tenant = ?", f.Tenant)
	}
	err := q.Scan(ctx)
	return each(rows, jobRow.job), fail("read jobs", err)
}

// OpenJobs returns the IDs of jobs that wait or run.
func (s *Store) OpenJobs(ctx context.Context) ([]string, error) {
	ids := []string{}
	err := s.read.NewSelect().Model((*jobRow)(nil)).Column("j.id").Where(unfinished).Order("j.id").Scan(ctx, &ids)
	return ids, fail("read open jobs", err)
}

// Owner returns the tenant of a device, by its ID or another name of it;
// farm.ErrNotFound.
func (s *Store) Owner(ctx context.Context, id string) (string, error) {
	d, err := s.Device(ctx, id)
	if !errors.Is(err, farm.ErrNotFound) {
		return d.Tenant, err
	}
	if id, err = s.DeviceOfAlias(ctx, id); err != nil {
		return "", err
	}
	d, err = s.Device(ctx, id)
	return d.Tenant, err
}

// DevicesOf returns the devices of a tenant, by ID.
func (s *Store) DevicesOf(ctx context.Context, tenant string) ([]string, error) {
	ids := []string{}
	err := s.read.NewSelect().Model((*deviceRow)(nil)).Column("d.id").Where("d.tenant = ?", tenant).Order("d.id").Scan(ctx, &ids)
	return ids, fail("read devices of tenant", err)
}

type mendRow struct {
	bun.BaseModel `bun:"table:mends,alias:m"`

	Device      string
	Fingerprint string
}

// Mends returns how devices were read when their quarantine was last replayed.
func (s *Store) Mends(ctx context.Context) (map[string]string, error) {
	var rows []mendRow
	err := s.read.NewSelect().Model(&rows).Scan(ctx)
	all := make(map[string]string, len(rows))
	for _, r := range rows {
		all[r.Device] = r.Fingerprint
	}
	return all, fail("read mends", err)
}

// PutMends records how devices are read now.
func (s *Store) PutMends(ctx context.Context, mends map[string]string) error {
	if len(mends) == 0 {
		return nil
	}
	rows := make([]mendRow, 0, len(mends))
	for d, f := range mends {
		rows = append(rows, mendRow{Device: d, Fingerprint: f})
	}
	_, err := s.write.NewInsert().Model(&rows).On("CONFLICT (device) DO UPDATE").Set("fingerprint = EXCLUDED.fingerprint").Exec(ctx)
	return fail("record mends", err)
}

// ForgetMends forgets how devices were read; all where none is named.
func (s *Store) ForgetMends(ctx context.Context, devices ...string) error {
	q := s.write.NewDelete().Model((*mendRow)(nil))
	if len(devices) > 0 {
		q = q.Where("m.device IN ?", bun.Tuple(devices))
	} else {
		q = q.Where("1 = 1")
	}
	_, err := q.Exec(ctx)
	return fail("forget mends", err)
}
