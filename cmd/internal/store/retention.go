package store

import (
	"context"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/uptrace/bun"

	"tianhai/farm"
	"tianhai/ingest"
)

type retentionRow struct {
	bun.BaseModel `bun:"table:retentions,alias:k"`

	ID        string
	Tenant    string `bun:",nullzero"`
	Medium    farm.Medium
	Kind      string
	RawDays   int64
	HourDays  int64
	DayDays   int64
	At        instant
	Effective instant
	Account   string
}

const setRetention, clearRetention = "set", "clear"

func (r retentionRow) change() ingest.RetentionChange {
	return ingest.RetentionChange{
		Retention: ingest.Retention{Tenant: r.Tenant, Medium: r.Medium, Raw: int(r.RawDays), Hour: int(r.HourDays), Day: int(r.DayDays)},
		Clear:     r.Kind == clearRetention, At: r.At.Time, Effective: r.Effective.Time, Account: r.Account,
	}
}

// ChangeRetention appends a change of retention; farm.ErrNotFound when its tenant
// is unknown.
func (s *Store) ChangeRetention(ctx context.Context, c ingest.RetentionChange) error {
	row := retentionRow{
		ID: ulid.Make().String(), Tenant: c.Tenant, Medium: c.Medium, Kind: setRetention,
		RawDays: int64(c.Raw), HourDays: int64(c.Hour), DayDays: int64(c.Day),
		At: instant{c.At}, Effective: instant{c.Effective}, Account: c.Account,
	}
	if c.Clear {
		row.Kind, row.RawDays, row.HourDays, row.DayDays = clearRetention, 0, 0, 0
	}
	_, err := s.write.NewInsert().Model(&row).Exec(ctx)
	return fail("change retention", err)
}

// Retentions returns all changes of retention, oldest first.
func (s *Store) Retentions(ctx context.Context) (ingest.Retentions, error) {
	var rows []retentionRow
	err := s.read.NewSelect().Model(&rows).Order("k.at", "k.id").Scan(ctx)
	return each(rows, retentionRow.change), fail("read retention", err)
}

// OpenBatches returns since when the oldest batch that is not closed has grown, by
// site.
func (s *Store) OpenBatches(ctx context.Context) (map[string]time.Time, error) {
	var rows []struct {
		Site  string
		Began instant
	}
	err := s.read.NewSelect().Model((*batchRow)(nil)).ColumnExpr("b.site, MIN(b.began) AS began").
		Where("b.code IS NULL").Group("b.site").Scan(ctx, &rows)
	began := make(map[string]time.Time, len(rows))
	for _, r := range rows {
		began[r.Site] = r.Began.Time
	}
	return began, fail("read open batches", err)
}
