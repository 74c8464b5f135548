package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"tianhai/farm"
	"tianhai/trace"
)

// How many shipments are returned at most.
const (
	DefaultShipments = 200
	MaxShipments     = 1001 // one more than a page shows
)

type shipmentRow struct {
	bun.BaseModel `bun:"table:shipments,alias:h"`

	ID       string
	Tenant   string
	Departed instant
	Arrived  instant
	Account  string
	Doc      trace.Shipment
	Record   string
	Arrival  string `bun:",nullzero"`
}

type shippedRow struct {
	bun.BaseModel `bun:"table:shipment_batches,alias:b"`

	Shipment, Tenant, Batch string
}

type loggerRow struct {
	bun.BaseModel `bun:"table:shipment_loggers,alias:l"`

	Shipment, Tenant, Device string
}

// A ShipmentFilter chooses shipments. Its zero value chooses the newest of all.
type ShipmentFilter struct {
	Tenant string
	Region string // GB/T 2260, of the tenant; with all divisions within it
	After  Place  // only those behind it
	Limit  int    // 0: DefaultShipments; at most MaxShipments
}

// AddShipment stores a shipment and the record of its departure; farm.ErrConflict
// where its ID is taken, farm.ErrNotFound where a batch or a logger is none of its
// tenant's.
func (s *Store) AddShipment(ctx context.Context, sh trace.Shipment, rec trace.Record) error {
	if rec.Kind != trace.ShipmentRecord || rec.Subject != sh.ID || rec.Tenant != sh.Tenant || !sh.Arrived.IsZero() {
		return fmt.Errorf("add shipment: record %s is not about shipment %s", rec.ID, sh.ID)
	}
	row := shipmentRow{ID: sh.ID, Tenant: sh.Tenant, Departed: instant{sh.Departed}, Account: sh.Account, Doc: sh, Record: rec.ID}
	var batches []shippedRow
	for _, id := range sh.Batches {
		batches = append(batches, shippedRow{Shipment: sh.ID, Tenant: sh.Tenant, Batch: id})
	}
	var loggers []loggerRow
	for _, id := range sh.Loggers {
		loggers = append(loggers, loggerRow{Shipment: sh.ID, Tenant: sh.Tenant, Device: id})
	}
	return fail("add shipment", s.inTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		for _, rows := range []any{&row, &batches, &loggers} {
			if _, err := tx.NewInsert().Model(rows).Exec(ctx); err != nil {
				return err
			}
		}
		return addRecord(ctx, tx, rec)
	}))
}

// EndShipment stores the arrival of a shipment and its record, once;
// farm.ErrConflict when it has arrived already, farm.ErrNotFound when the tenant has
// no such shipment.
func (s *Store) EndShipment(ctx context.Context, sh trace.Shipment, rec trace.Record) error {
	if rec.Kind != trace.ArrivalRecord || rec.Subject != sh.ID || rec.Tenant != sh.Tenant || sh.Arrived.IsZero() {
		return fmt.Errorf("end shipment: record %s does not end shipment %s", rec.ID, sh.ID)
	}
	return fail("end shipment", s.inTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		res, err := tx.NewUpdate().Model((*shipmentRow)(nil)).Set("arrived = ?, arrival = ?", instant{sh.Arrived}, rec.ID).
			Where("h.id = ? AND h.tenant = ? AND h.arrived IS NULL", sh.ID, sh.Tenant).Exec(ctx)
		if err := changed(res, err, farm.ErrNotFound); err != nil {
			known, existsErr := false, error(nil)
			if errors.Is(err, farm.ErrNotFound) {
				known, existsErr = tx.NewSelect().Model((*shipmentRow)(nil)).Where("h.id = ? AND h.tenant = ?", sh.ID, sh.Tenant).Exists(ctx)
			}
			if known {
				return farm.ErrConflict
			}
			return errors.Join(existsErr, err)
		}
		return addRecord(ctx, tx, rec)
	}))
}

// Shipment returns a shipment, with what its loggers said once it has arrived;
// farm.ErrNotFound.
func (s *Store) Shipment(ctx context.Context, id string) (trace.Shipment, error) {
	var rows []shipmentRow
	err := s.read.NewSelect().Model(&rows).Where("h.id = ?", id).Scan(ctx)
	if err == nil && len(rows) == 0 {
		err = farm.ErrNotFound
	}
	if err != nil {
		return trace.Shipment{}, fail("read shipment", err)
	}
	all, err := s.told(ctx, rows)
	if err != nil {
		return trace.Shipment{}, fail("read shipment", err)
	}
	return all[0], nil
}

// Shipments returns the shipments that f chooses, those that left last first.
func (s *Store) Shipments(ctx context.Context, f ShipmentFilter) ([]trace.Shipment, error) {
	var rows []shipmentRow
	q := s.read.NewSelect().Model(&rows).Join("JOIN tenants AS t ON t.id = h.tenant").
		Order("h.departed DESC", "h.id DESC").Limit(bounded(f.Limit, DefaultShipments, MaxShipments))
	if err := behind(within(q, "h.tenant", f.Tenant, "t.region", f.Region), "h.departed", "h.id", f.After).Scan(ctx); err != nil {
		return nil, fail("read shipments", err)
	}
	all, err := s.told(ctx, rows)
	return all, fail("read shipments", err)
}

// OnTheWay returns the shipments that left after a time and have not arrived, in no
// order, as their departure was sealed: without what is personal.
func (s *Store) OnTheWay(ctx context.Context, since time.Time) ([]trace.Shipment, error) {
	var rows []shipmentRow
	err := s.read.NewSelect().Model(&rows).Column("doc").Where("h.arrived IS NULL AND h.departed >= ?", instant{since}).Scan(ctx)
	return each(rows, func(r shipmentRow) trace.Shipment { return r.Doc }), fail("read shipments on their way", err)
}

// told reads what stands in records: who carries it, and what came of it.
func (s *Store) told(ctx context.Context, rows []shipmentRow) ([]trace.Shipment, error) {
	if len(rows) == 0 {
		return nil, nil
	}
	var ids []string
	for _, r := range rows {
		ids = append(ids, r.Record, r.Arrival)
	}
	records, err := s.shipmentRecords(ctx, ids)
	if err != nil {
		return nil, err
	}
	all := make([]trace.Shipment, 0, len(rows))
	for _, r := range rows {
		left, err := trace.ReadShipment(records[r.Record])
		if err != nil {
			return nil, err
		}
		if r.Arrival != "" {
			came, err := trace.ReadShipment(records[r.Arrival])
			if err != nil {
				return nil, err
			}
			left.Arrived, left.Recorded, left.Trips = came.Arrived, came.Recorded, came.Trips
		}
		left.Account, left.Personal = r.Account, nil
		all = append(all, left)
	}
	return all, nil
}

// shipmentRecords returns records by ID, with the personal data that they commit to.
func (s *Store) shipmentRecords(ctx context.Context, ids []string) (map[string]trace.Record, error) {
	var rows []recordRow
	if err := s.read.NewSelect().Model(&rows).Where("r.id IN (?)", bun.List(ids)).Scan(ctx); err != nil {
		return nil, err
	}
	var open []openingRow
	if err := s.read.NewSelect().Model(&open).Where("o.record IN (?)", bun.List(ids)).Order("o.path").Scan(ctx); err != nil {
		return nil, err
	}
	records := map[string]trace.Record{}
	for _, r := range rows {
		records[r.ID] = r.record()
	}
	for _, o := range open {
		rec := records[o.Record]
		rec.Personal = append(rec.Personal, trace.Personal{Path: o.Path, Salt: o.Salt, Text: o.Text})
		records[o.Record] = rec
	}
	return records, nil
}

// carriedRow is a batch on a shipment.
type carriedRow struct {
	Record  string
	Batch   string
	Code    *string
	Product farm.Text
}

// carried begins with a batch and goes on with everything that it was made of, each
// until it was taken for that: a truck that left later with what remained carried
// nothing of it. What others made is told of where it has a page of its own; of what
// has none it is for them to tell.
const carried = `WITH RECURSIVE line (batch, until) AS (
	SELECT b.id, CAST(NULL AS BIGINT) FROM batches AS b WHERE b.id = ?0
	UNION
	SELECT i.batch, m.at FROM line
		JOIN movement_batches AS o ON o.batch = line.batch AND o.made
		JOIN movements AS m ON m.id = o.movement AND m.voided_by IS NULL
		JOIN movement_batches AS i ON i.movement = m.id AND NOT i.made
)
SELECT DISTINCT COALESCE(h.arrival, h.record) AS record, line.batch, ab.code, p.name AS product, h.departed, h.id
FROM line
JOIN shipment_batches AS b ON b.batch = line.batch
JOIN shipments AS h ON h.id = b.shipment AND (line.until IS NULL OR h.departed < line.until)
JOIN batches AS ab ON ab.id = line.batch
JOIN batches AS own ON own.id = ?0 AND (own.tenant = ab.tenant OR ab.code IS NOT NULL)
JOIN products AS p ON p.id = ab.product
ORDER BY h.departed, h.id, line.batch LIMIT ?1`

// Carriages returns the sealed records of the shipments with which a batch went, and
// with which that went of which it was made, oldest first: of each its arrival, or its
// departure while it is on its way. Personal data are not among them.
func (s *Store) Carriages(ctx context.Context, batch string) ([]trace.Carriage, error) {
	var rows []struct {
		carriedRow
		Departed int64
		ID       string
	}
	if err := s.read.NewRaw(carried, batch, MaxShipments).Scan(ctx, &rows); err != nil || len(rows) == 0 {
		return nil, fail("read shipments of a batch", err)
	}
	var all []trace.Carriage
	at := map[string]int{}
	for _, r := range rows {
		i, known := at[r.Record]
		if !known {
			i = len(all)
			at[r.Record] = i
			all = append(all, trace.Carriage{})
		}
		of := trace.Carried{Batch: r.Batch, Product: r.Product}
		if r.Code != nil {
			of.Code = *r.Code
		}
		all[i].Of = append(all[i].Of, of)
	}
	var records []recordRow
	if err := s.read.NewSelect().Model(&records).Where("r.id IN (?)", bun.List(slices.Collect(maps.Keys(at)))).Scan(ctx); err != nil {
		return nil, fail("read shipments of a batch", err)
	}
	for _, r := range records {
		all[at[r.ID]].Record = r.record()
	}
	return all, nil
}
