package store

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"tianhai/farm"
	"tianhai/trace/scan"
)

// Limits of what is read at once.
const (
	MaxSightings = 5000 // of the codes of a second
	scanRows     = 500  // written by a statement
)

type scanTotalRow struct {
	bun.BaseModel `bun:"table:scan_codes,alias:c"`

	Code  string
	Looks int64
	First instant
	Last  instant
}

type sightingRow struct {
	bun.BaseModel `bun:"table:scan_sightings,alias:s"`

	Code   string
	Day    int64
	Device string
	Region string
	Cell   string
	Looks  int64
	First  instant
	Last   instant
}

func newSightingRow(s scan.Sighting) sightingRow {
	row := sightingRow{
		Code: s.Code, Day: int64(s.Day), Device: hex.EncodeToString(s.Device[:]), Region: s.Place.Region,
		Looks: s.Count, First: instant{s.First}, Last: instant{s.Last},
	}
	if s.Place.Located {
		row.Cell = fmt.Sprintf("%d,%d", s.Place.Cell.Latitude, s.Place.Cell.Longitude)
	}
	return row
}

func (r sightingRow) sighting() scan.Sighting {
	s := scan.Sighting{Code: r.Code, Day: int(r.Day), Count: r.Looks, First: r.First.Time, Last: r.Last.Time, Place: scan.Place{Region: r.Region}}
	_, _ = hex.Decode(s.Device[:], []byte(r.Device)) // as written above
	n, err := fmt.Sscanf(r.Cell, "%d,%d", &s.Place.Cell.Latitude, &s.Place.Cell.Longitude)
	s.Place.Located = err == nil && n == 2
	return s
}

// AddSightings adds looks at codes, all or none.
func (s *Store) AddSightings(ctx context.Context, all []scan.Sighting) error {
	rows, totals := each(all, newSightingRow), []scanTotalRow{}
	at := map[string]int{}
	for _, r := range rows {
		i, known := at[r.Code]
		if !known {
			i = len(totals)
			at[r.Code] = i
			totals = append(totals, scanTotalRow{Code: r.Code, First: r.First, Last: r.Last})
		}
		t := &totals[i]
		t.Looks += r.Looks
		t.First.Time, t.Last.Time = earlier(t.First.Time, r.First.Time), later(t.Last.Time, r.Last.Time)
	}
	// Always in the same order, so that two processes do not wait for each other.
	slices.SortFunc(totals, func(a, b scanTotalRow) int { return strings.Compare(a.Code, b.Code) })
	return fail("add looks at codes", s.inLooks(ctx, func(ctx context.Context, tx bun.Tx) error {
		for part := range slices.Chunk(totals, scanRows) {
			_, err := tx.NewInsert().Model(&part).On("CONFLICT (code) DO UPDATE").Set("looks = c.looks + EXCLUDED.looks").
				Set("last = CASE WHEN EXCLUDED.last > c.last THEN EXCLUDED.last ELSE c.last END").
				Set("first = CASE WHEN EXCLUDED.first < c.first THEN EXCLUDED.first ELSE c.first END").Exec(ctx)
			if err != nil {
				return err
			}
		}
		for part := range slices.Chunk(rows, scanRows) {
			_, err := tx.NewInsert().Model(&part).On("CONFLICT (code, day, device, region, cell) DO UPDATE").
				Set("looks = s.looks + EXCLUDED.looks").Set("last = EXCLUDED.last").Exec(ctx)
			if err != nil {
				return err
			}
		}
		return nil
	}))
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// Total returns all looks at a code; none where nobody looked.
func (s *Store) Total(ctx context.Context, code string) (scan.Total, error) {
	var rows []scanTotalRow
	err := s.looks.read.NewSelect().Model(&rows).Where("c.code = ?", code).Scan(ctx)
	if err != nil || len(rows) == 0 {
		return scan.Total{}, fail("read looks at a code", err)
	}
	return scan.Total{Code: code, Count: rows[0].Looks, First: rows[0].First.Time, Last: rows[0].Last.Time}, nil
}

// Sightings returns those of codes since a day, the latest MaxSightings.
func (s *Store) Sightings(ctx context.Context, codes []string, since int) ([]scan.Sighting, error) {
	var all []scan.Sighting
	for part := range slices.Chunk(codes, scanRows) {
		var rows []sightingRow
		err := s.looks.read.NewSelect().Model(&rows).Where("s.code IN (?)", bun.List(part)).Where("s.day >= ?", since).
			Order("s.last DESC").Limit(MaxSightings).Scan(ctx)
		if err != nil {
			return nil, fail("read sightings of codes", err)
		}
		all = append(all, each(rows, sightingRow.sighting)...)
	}
	return all, nil
}

// Salt returns the key of a day's device hashes, and makes one where there is none.
func (s *Store) Salt(ctx context.Context, day int) ([]byte, error) {
	var text string
	_, err := s.looks.write.NewRaw("INSERT INTO scan_salts (day, salt) VALUES (?, ?) ON CONFLICT (day) DO NOTHING", day, rand.Text()).Exec(ctx)
	if err == nil {
		err = s.looks.write.NewRaw("SELECT salt FROM scan_salts WHERE day = ?", day).Scan(ctx, &text)
	}
	return []byte(text), fail("key of a day", err)
}

// Forget deletes keys of days before one, and sightings of days before another.
func (s *Store) Forget(ctx context.Context, saltsBefore, sightingsBefore int) error {
	_, err := s.looks.write.NewRaw("DELETE FROM scan_salts WHERE day < ?", saltsBefore).Exec(ctx)
	if err == nil {
		_, err = s.looks.write.NewRaw("DELETE FROM scan_sightings WHERE day < ?", sightingsBefore).Exec(ctx)
	}
	return fail("forget sightings", err)
}

// Markets returns where each tenant says that its products are sold.
func (s *Store) Markets(ctx context.Context) (map[string][]string, error) {
	var rows []struct{ Tenant, Regions string }
	err := s.read.NewRaw("SELECT tenant, regions FROM markets").Scan(ctx, &rows)
	all := map[string][]string{}
	for _, r := range rows {
		if r.Regions != "" {
			all[r.Tenant] = strings.Split(r.Regions, " ")
		}
	}
	return all, fail("read places of sale", err)
}

// SetMarkets stores where a tenant says that its products are sold.
func (s *Store) SetMarkets(ctx context.Context, tenant string, regions []string, account string, at time.Time) error {
	_, err := s.write.NewRaw(`INSERT INTO markets (tenant, regions, account, at) VALUES (?, ?, ?, ?)
		ON CONFLICT (tenant) DO UPDATE SET regions = EXCLUDED.regions, account = EXCLUDED.account, at = EXCLUDED.at`,
		tenant, strings.Join(regions, " "), account, instant{at}).Exec(ctx)
	return fail("store places of sale", err)
}

type scanAlarmRow struct {
	bun.BaseModel `bun:"table:scan_alarms,alias:a"`

	ID           string
	Reason       scan.Reason
	Code         string
	Tenant       string `bun:",nullzero"`
	Batch        string `bun:",nullzero"`
	Region       string
	Raised       instant
	Evidence     scan.Evidence `bun:"type:text"`
	Told         instant
	Acknowledged instant
	Account      string `bun:",nullzero"`
	Finding      string `bun:",nullzero"`
}

func (r scanAlarmRow) alarm() scan.Alarm {
	return scan.Alarm{
		ID: r.ID, Reason: r.Reason, Code: r.Code, Tenant: r.Tenant, Batch: r.Batch, Region: r.Region, Raised: r.Raised.Time,
		Evidence: r.Evidence, Acknowledged: r.Acknowledged.Time, By: r.Account, Finding: r.Finding,
	}
}

// RaiseAlarm stores an alarm, with the region of its batch's site where it has one;
// false where one of its code and reason is open, or was acknowledged less than
// scan.QuietAfter ago.
func (s *Store) RaiseAlarm(ctx context.Context, a scan.Alarm) (raised bool, err error) {
	row := scanAlarmRow{
		ID: a.ID, Reason: a.Reason, Code: a.Code, Tenant: a.Tenant, Batch: a.Batch, Region: a.Region,
		Raised: instant{a.Raised}, Evidence: a.Evidence,
	}
	err = s.inTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		n, err := tx.NewSelect().Model((*scanAlarmRow)(nil)).Where("a.code = ? AND a.reason = ?", a.Code, a.Reason).
			Where("a.acknowledged IS NULL OR a.acknowledged > ?", instant{a.Raised.Add(-scan.QuietAfter)}).Count(ctx)
		if err != nil || n > 0 {
			return err
		}
		if a.Batch != "" {
			err := tx.NewRaw("SELECT s.region FROM batches AS b JOIN sites AS s ON s.id = b.site WHERE b.id = ?", a.Batch).Scan(ctx, &row.Region)
			if err != nil {
				return err
			}
		}
		res, err := tx.NewInsert().Model(&row).On("CONFLICT DO NOTHING").Exec(ctx)
		if err != nil {
			return err
		}
		added, err := res.RowsAffected()
		raised = added > 0
		return err
	})
	return raised, fail("raise an alarm about a code", err)
}

// A ScanFilter narrows a list of alarms about codes; zero fields do not.
type ScanFilter struct {
	Tenant, Region, Batch string
	Open, Acknowledged    bool
	Untold                bool
	From, To              time.Time // raised from here until before there
	After                 Place
	Limit                 int // 0: MaxPage
}

// ScanAlarms returns a page of alarms about codes, those raised last first.
func (s *Store) ScanAlarms(ctx context.Context, f ScanFilter) ([]scan.Alarm, error) {
	var rows []scanAlarmRow
	q := newestFirst(s.read.NewSelect().Model(&rows), "a.raised", "a.id", f.After, f.Limit)
	if f.Open {
		q = q.Where("a.acknowledged IS NULL")
	}
	if f.Acknowledged {
		q = q.Where("a.acknowledged IS NOT NULL")
	}
	if f.Untold {
		q = q.Where("a.told IS NULL")
	}
	q = aboutBatch(q, "a.batch", f.Batch, "a.raised", f.From, f.To)
	err := within(q, "a.tenant", f.Tenant, "a.region", f.Region).Scan(ctx)
	return each(rows, scanAlarmRow.alarm), fail("read alarms about codes", err)
}

// newestFirst is a page behind a place; a limit of 0 is MaxPage.
func newestFirst(q *bun.SelectQuery, timeColumn, idColumn string, after Place, limit int) *bun.SelectQuery {
	if limit == 0 {
		limit = MaxPage
	}
	q = q.Order(timeColumn+" DESC", idColumn+" DESC").Limit(bounded(limit, 1, MaxPage))
	return behind(q, timeColumn, idColumn, after)
}

// aboutBatch narrows a list to a batch and a time; what is zero does not.
func aboutBatch(q *bun.SelectQuery, batchColumn, batch, timeColumn string, from, to time.Time) *bun.SelectQuery {
	at := bun.Ident(timeColumn)
	if batch != "" {
		q = q.Where("? = ?", bun.Ident(batchColumn), batch)
	}
	if !from.IsZero() {
		q = q.Where("? >= ?", at, instant{from})
	}
	if !to.IsZero() {
		q = q.Where("? < ?", at, instant{to})
	}
	return q
}

// ScanAlarm returns one; farm.ErrNotFound.
func (s *Store) ScanAlarm(ctx context.Context, id string) (scan.Alarm, error) {
	var row scanAlarmRow
	err := s.read.NewSelect().Model(&row).Where("a.id = ?", id).Scan(ctx)
	return row.alarm(), fail("read an alarm about a code", err)
}

// ToldScanAlarm marks that people were told; again is nothing new.
func (s *Store) ToldScanAlarm(ctx context.Context, id string, at time.Time) error {
	_, err := s.write.NewUpdate().Model((*scanAlarmRow)(nil)).Set("told = ?", instant{at}).Where("a.id = ? AND a.told IS NULL", id).Exec(ctx)
	return fail("mark an alarm told", err)
}

// AcknowledgeScanAlarm stores who looked into an alarm and what was found;
// farm.ErrConflict where somebody has.
func (s *Store) AcknowledgeScanAlarm(ctx context.Context, id, account, finding string, at time.Time) error {
	res, err := s.write.NewUpdate().Model((*scanAlarmRow)(nil)).Set("acknowledged = ?", instant{at}).Set("account = ?", account).
		Set("finding = ?", finding).Where("a.id = ? AND a.acknowledged IS NULL", id).Exec(ctx)
	return fail("acknowledge an alarm about a code", changed(res, err, farm.ErrConflict))
}
