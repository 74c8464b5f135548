package store

import (
	"context"
	"errors"
	"time"

	"github.com/uptrace/bun"

	"tianhai/farm"
	"tianhai/ingest"
	"tianhai/ingest/device"
)

// How many commands are returned at most.
const (
	DefaultCommands = 50
	MaxCommands     = 1001
)

// open chooses commands that are neither answered nor given up.
const open = "c.state IN ('queued', 'sent')"

// answerable chooses commands of which a device's answer tells something new: also
// one that was taken back while another server sent it.
const answerable = "c.state IN ('queued', 'sent', 'cancelled')"

type commandRow struct {
	bun.BaseModel `bun:"table:commands,alias:c"`

	ID      string
	Device  string
	Tenant  string
	Account string
	Name    string
	Value   string
	State   device.CommandState
	Error   string
	Created instant
	Expires instant
	Settled instant
	Sent    instant // last
	Tries   int64

	CancelledBy string
}

func (r commandRow) record() device.CommandRecord {
	return device.CommandRecord{
		Command: ingest.Command{ID: r.ID, Device: r.Device, Name: r.Name, Value: r.Value, Expires: r.Expires.Time},
		Tenant:  r.Tenant, Account: r.Account, State: r.State, Error: r.Error,
		Created: r.Created.Time, Settled: r.Settled.Time, Sent: r.Sent.Time, Tries: int(r.Tries), CancelledBy: r.CancelledBy,
	}
}

// OpenCommands returns, of every device that has one, the oldest command that is
// neither answered nor expired.
func (s *Store) OpenCommands(ctx context.Context, now time.Time) ([]device.OpenCommand, error) {
	older := s.read.NewSelect().TableExpr("commands AS o").ColumnExpr("1").
		Where("o.device = c.device AND o.state IN ('queued', 'sent') AND o.expires > ?", instant{now}).
		Where("(o.created < c.created OR o.created = c.created AND o.id < c.id)")
	var rows []commandRow
	err := s.read.NewSelect().Model(&rows).Where(open).Where("c.expires > ?", instant{now}).
		Where("NOT EXISTS (?)", older).Order("c.created", "c.id").Scan(ctx)
	return each(rows, func(r commandRow) device.OpenCommand {
		return device.OpenCommand{Command: r.record().Command, Sent: r.Sent.Time, Tries: int(r.Tries)}
	}), fail("read open commands", err)
}

// CommandSent records that a command was sent, once more perhaps; nothing where
// it was answered or given up meanwhile.
func (s *Store) CommandSent(ctx context.Context, id string, at time.Time) error {
	_, err := s.write.NewUpdate().Model((*commandRow)(nil)).
		Set("state = ?, sent = ?, tries = tries + 1", device.Sent, instant{at}).Where("c.id = ?", id).Where(open).Exec(ctx)
	return fail("record that a command was sent", err)
}

// CreateCommand records a command before it is sent; farm.ErrConflict when its
// ID is taken, farm.ErrNotFound when the tenant has no such device.
func (s *Store) CreateCommand(ctx context.Context, c device.CommandRecord) error {
	row := commandRow{
		ID: c.ID, Device: c.Device, Tenant: c.Tenant, Account: c.Account, Name: c.Name, Value: c.Value,
		State: c.State, Error: c.Error, Created: instant{c.Created}, Expires: instant{c.Expires}, Settled: instant{c.Settled},
	}
	_, err := s.write.NewInsert().Model(&row).Exec(ctx)
	return fail("create command", err)
}

// Commands returns a device's commands, newest first, at most limit of them; 0
// means DefaultCommands.
func (s *Store) Commands(ctx context.Context, device string, created time.Time, id string, limit int) ([]device.CommandRecord, error) {
	var rows []commandRow
	q := s.read.NewSelect().Model(&rows).Where("c.device = ?", device).Order("c.created DESC", "c.id DESC")
	err := behind(q, "c.created", "c.id", Place{created, id}).Limit(bounded(limit, DefaultCommands, MaxCommands)).Scan(ctx)
	return each(rows, commandRow.record), fail("read commands", err)
}

// SettleCommand records a device's answer; farm.ErrNotFound when the device was
// never sent this command, and nothing when it is settled or expired already.
func (s *Store) SettleCommand(ctx context.Context, id string, res ingest.CommandResult, at time.Time) error {
	state := device.Failed
	if res.OK {
		state = device.Done
	}
	return s.settle(ctx, id, res.ID, commandRow{State: state, Error: res.Error, Settled: instant{at}})
}

func (s *Store) settle(ctx context.Context, device, id string, to commandRow) error {
	res, err := s.write.NewUpdate().Model(&to).Column("state", "error", "settled").
		Where("c.id = ? AND c.device = ?", id, device).Where(answerable).Exec(ctx)
	err = changed(res, err, farm.ErrNotFound)
	if errors.Is(err, farm.ErrNotFound) {
		err = s.read.NewSelect().Model((*commandRow)(nil)).Column("c.id").Where("c.id = ? AND c.device = ?", id, device).Scan(ctx, &id)
	}
	return fail("settle command", err)
}

// ExpireCommands gives up commands that were not answered before they expired,
// and returns how many those were.
func (s *Store) ExpireCommands(ctx context.Context, now time.Time) (int, error) {
	res, err := s.write.NewUpdate().Model((*commandRow)(nil)).Set("state = ?, settled = ?", device.Expired, instant{now}).
		Where("c.expires <= ?", instant{now}).Where(open).Exec(ctx)
	if err != nil {
		return 0, fail("expire commands", err)
	}
	n, err := res.RowsAffected()
	return int(n), fail("expire commands", err)
}

// CancelCommand gives up a command that its device was never told; farm.ErrNotFound
// when the device has no such command, farm.ErrConflict when it was sent already.
func (s *Store) CancelCommand(ctx context.Context, dev, id, account string, at time.Time) error {
	res, err := s.write.NewUpdate().Model((*commandRow)(nil)).Set("state = ?, settled = ?, cancelled_by = ?", device.Cancelled, instant{at}, account).
		Where("c.id = ? AND c.device = ? AND c.state = ?", id, dev, device.Queued).Exec(ctx)
	err = changed(res, err, farm.ErrConflict)
	if errors.Is(err, farm.ErrConflict) {
		if found := s.read.NewSelect().Model((*commandRow)(nil)).Column("c.id").Where("c.id = ? AND c.device = ?", id, dev).Scan(ctx, &id); found != nil {
			err = found
		}
	}
	return fail("cancel command", err)
}
