package store

import (
	"context"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"tianhai/api/auth"
	"tianhai/farm"
	"tianhai/trace"
	"tianhai/trace/cert"
	"tianhai/trace/photo"
	"tianhai/trace/recall"
)

type sampleRow struct {
	bun.BaseModel `bun:"table:samples,alias:sa"`

	ID         string
	Tenant     string
	Batch      string
	Laboratory string
	Number     string
	Asked      instant
	Account    string
}

func (r sampleRow) sample() cert.Sample {
	return cert.Sample{ID: r.ID, Tenant: r.Tenant, Batch: r.Batch, Laboratory: r.Laboratory, Number: r.Number, Asked: r.Asked.Time, Account: r.Account}
}

type reportRow struct {
	bun.BaseModel `bun:"table:reports,alias:rp"`

	ID       string
	Tenant   string
	Batch    string
	Source   cert.Source
	Verdict  cert.Verdict
	File     string `bun:",nullzero"`
	Corrects string `bun:",nullzero"`
	Recorded instant
}

type certificateRow struct {
	bun.BaseModel `bun:"table:certificates,alias:ce"`

	ID     string
	Tenant string
	Batch  string
	Year   int64
	N      int64
	Issued instant
}

type voidRow struct {
	bun.BaseModel `bun:"table:voids,alias:v"`

	ID          string
	Tenant      string
	Report      string `bun:",nullzero"`
	Certificate string `bun:",nullzero"`
	At          instant
}

type numberRow struct {
	bun.BaseModel `bun:"table:certificate_numbers,alias:cn"`

	Tenant string
	Year   int64
	Last   int64
}

// AddSample stores that a laboratory was asked to test a batch; farm.ErrConflict when
// its ID or, for this tenant and laboratory, its number is taken, farm.ErrNotFound
// when the laboratory is unknown or the batch is not the tenant's.
func (s *Store) AddSample(ctx context.Context, in cert.Sample) error {
	row := sampleRow{ID: in.ID, Tenant: in.Tenant, Batch: in.Batch, Laboratory: in.Laboratory, Number: in.Number, Asked: instant{in.Asked}, Account: in.Account}
	_, err := s.write.NewInsert().Model(&row).Exec(ctx)
	return fail("add sample", err)
}

// A SampleFilter chooses samples; what is empty does not narrow it.
type SampleFilter struct {
	Laboratory string
	Batch      string
	Number     string
	After      Place
	Limit      int // 0: MaxPage, which is the most
}

// Samples returns those that f chooses, the newest first.
func (s *Store) Samples(ctx context.Context, f SampleFilter) ([]cert.Sample, error) {
	var rows []sampleRow
	q := s.read.NewSelect().Model(&rows).Order("sa.asked DESC", "sa.id DESC").Limit(bounded(f.Limit, MaxPage, MaxPage))
	if f.Laboratory != "" {
		q = q.Where("sa.laboratory = ?", f.Laboratory)
	}
	if f.Batch != "" {
		q = q.Where("sa.batch = ?", f.Batch)
	}
	if f.Number != "" {
		q = q.Where("sa.number = ?", f.Number)
	}
	err := behind(q, "sa.asked", "sa.id", f.After).Scan(ctx)
	return each(rows, sampleRow.sample), fail("read samples", err)
}

// Laboratories returns the tenants that an account with that role works for, by ID.
func (s *Store) Laboratories(ctx context.Context) ([]farm.Tenant, error) {
	var rows []tenantRow
	err := s.read.NewSelect().Model(&rows).Where("t.id IN (SELECT tenant FROM accounts WHERE role = ?)", auth.Laboratory).Order("t.id").Scan(ctx)
	return each(rows, func(r tenantRow) farm.Tenant { return r.Tenant }), fail("read laboratories", err)
}

// AddReport stores a report and its record. farm.ErrConflict when its ID is taken or
// what it corrects has another correction; farm.ErrNotFound when the batch is not
// the tenant's, its file was not uploaded, or what it corrects is not there.
func (s *Store) AddReport(ctx context.Context, r cert.Report, rec trace.Record) error {
	if rec.Subject != r.ID || rec.Tenant != r.Tenant || rec.Kind != trace.ReportRecord {
		return fmt.Errorf("add report: record %s is not about report %s", rec.ID, r.ID)
	}
	row := reportRow{ID: r.ID, Tenant: r.Tenant, Batch: r.Batch, Source: r.Source, Verdict: r.Verdict, Corrects: r.Corrects, Recorded: instant{r.Recorded}}
	if r.File != nil {
		row.File = r.File.Hash
	}
	return fail("add report", s.inTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		if _, err := tx.NewInsert().Model(&row).Exec(ctx); err != nil {
			return err
		}
		return addRecord(ctx, tx, rec)
	}))
}

// AddCertificate gives a certificate the next number of its tenant and year, and
// stores it with the record that issue makes of the number. farm.ErrConflict when its
// ID is taken or a certificate of the batch is in force, farm.ErrNotFound when the
// batch is not the tenant's, *recall.Refused when it is recalled, trace.ErrMoved where a site is not as it was seen. Who
// issues at the same time waits in line.
func (s *Store) AddCertificate(ctx context.Context, c cert.Certificate, seen []trace.Seen, issue func(n int) (trace.Record, error)) error {
	return fail("add certificate", s.inTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		if err := refuseRecalled(ctx, tx, []string{c.Batch}, func(recall.Recall) bool { return false }); err != nil {
			return err
		}
		number := numberRow{Tenant: c.Tenant, Year: int64(cert.YearOf(c.Issued)), Last: 1}
		_, err := tx.NewInsert().Model(&number).On("CONFLICT (tenant, year) DO UPDATE").Set("last = cn.last + 1").Returning("last").Exec(ctx, &number.Last)
		if err != nil {
			return err
		}
		// The row above is locked, so nobody else of this tenant is behind this line.
		inForce, err := tx.NewSelect().Model((*certificateRow)(nil)).Where("ce.batch = ?", c.Batch).
			Where("NOT EXISTS (SELECT 1 FROM voids WHERE voids.certificate = ce.id)").Exists(ctx)
		if err != nil {
			return err
		}
		if inForce {
			return fmt.Errorf("a certificate of batch %s is in force: %w", c.Batch, farm.ErrConflict)
		}
		for _, site := range seen {
			if err := grow(ctx, tx, site.Site, site.Tenant, site.Version); err != nil {
				return err
			}
		}
		row := certificateRow{ID: c.ID, Tenant: c.Tenant, Batch: c.Batch, Year: number.Year, N: number.Last, Issued: instant{c.Issued}}
		if _, err := tx.NewInsert().Model(&row).Exec(ctx); err != nil {
			return err
		}
		rec, err := issue(int(number.Last))
		if err != nil {
			return err
		}
		if rec.Subject != c.ID || rec.Tenant != c.Tenant || rec.Kind != trace.CertificateRecord {
			return fmt.Errorf("record %s is not about certificate %s", rec.ID, c.ID)
		}
		return addRecord(ctx, tx, rec)
	}))
}

// AddVoids stores what takes reports or certificates back, each with its record; what
// is void already is passed over. farm.ErrNotFound when a tenant has no such one.
func (s *Store) AddVoids(ctx context.Context, voids []cert.Void, records []trace.Record) error {
	return fail("add voids", s.inTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		for i, v := range voids {
			if err := addVoid(ctx, tx, v, records[i]); err != nil {
				return err
			}
		}
		return nil
	}))
}

func addVoid(ctx context.Context, tx bun.Tx, v cert.Void, rec trace.Record) error {
	if rec.Subject != v.Voids || rec.Tenant != v.Tenant || rec.Kind != trace.VoidRecord {
		return fmt.Errorf("record %s is not about void %s", rec.ID, v.ID)
	}
	row := voidRow{ID: v.ID, Tenant: v.Tenant, Certificate: v.Voids, At: instant{v.At}}
	report, err := tx.NewSelect().Model((*reportRow)(nil)).Where("rp.id = ?", v.Voids).Exists(ctx)
	if err != nil {
		return err
	}
	if report {
		row.Report, row.Certificate = v.Voids, ""
	}
	res, err := tx.NewInsert().Model(&row).On("CONFLICT DO NOTHING").Exec(ctx)
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return err
	}
	return addRecord(ctx, tx, rec)
}

// Statements returns the records about a batch's tests and certificates, oldest first,
// with the personal data that they commit to and that were not erased.
func (s *Store) Statements(ctx context.Context, batch string) ([]trace.Record, error) {
	reports := s.read.NewSelect().Model((*reportRow)(nil)).Column("id").Where("rp.batch = ?", batch)
	certificates := s.read.NewSelect().Model((*certificateRow)(nil)).Column("id").Where("ce.batch = ?", batch)
	records, err := s.statements(ctx, reports, certificates)
	return records, fail("read statements", err)
}

// statements returns the records about reports and certificates, whose IDs are listed
// or selected, and about their voids.
func (s *Store) statements(ctx context.Context, subjects ...any) ([]trace.Record, error) {
	var all []trace.Record
	var rows []recordRow
	var open []openingRow
	q := s.read.NewSelect().Model(&rows).Where("r.kind IN (?)", bun.List([]string{trace.ReportRecord, trace.CertificateRecord, trace.VoidRecord})).Order("r.at", "r.id")
	q = q.WhereGroup(" AND ", func(q *bun.SelectQuery) *bun.SelectQuery {
		for _, ids := range subjects {
			q = q.WhereOr("r.subject IN (?)", ids)
		}
		return q
	})
	if err := q.Scan(ctx); err != nil {
		return nil, err
	}
	at := map[string]int{}
	for i, row := range rows {
		all = append(all, row.record())
		at[row.ID] = i
	}
	if len(rows) == 0 {
		return all, nil
	}
	ids := make([]string, len(rows))
	for i, row := range rows {
		ids[i] = row.ID
	}
	if err := s.read.NewSelect().Model(&open).Where("o.record IN (?)", bun.List(ids)).Order("o.path").Scan(ctx); err != nil {
		return nil, err
	}
	for _, o := range open {
		rec := &all[at[o.Record]]
		rec.Personal = append(rec.Personal, trace.Personal{Path: o.Path, Salt: o.Salt, Text: o.Text})
	}
	return all, nil
}

// A StatementFilter chooses reports or certificates; what is empty does not narrow it.
type StatementFilter struct {
	Tenant  string
	Region  string       // GB/T 2260, of the batch's site
	Verdict cert.Verdict // of reports
	After   Place
	Limit   int // 0: DefaultBatches; at most MaxPage
}

// Reports returns the reports that f chooses and what became of each, newest first.
func (s *Store) Reports(ctx context.Context, f StatementFilter) ([]cert.Tested, error) {
	q := s.read.NewSelect().Model((*reportRow)(nil)).Column("rp.id").Join("JOIN batches AS b ON b.id = rp.batch").Join("JOIN sites AS s ON s.id = b.site").
		Order("rp.recorded DESC", "rp.id DESC").Limit(bounded(f.Limit, DefaultBatches, MaxPage))
	if f.Verdict != "" {
		q = q.Where("rp.verdict = ?", f.Verdict)
	}
	ids, err := idsOf(ctx, behind(within(q, "rp.tenant", f.Tenant, "s.region", f.Region), "rp.recorded", "rp.id", f.After))
	if err != nil || len(ids) == 0 {
		return []cert.Tested{}, fail("read reports", err)
	}
	// What corrects one of them may stand on another page, or have another verdict.
	corrections := s.read.NewSelect().Model((*reportRow)(nil)).Column("rp.id").Where("rp.corrects IN (?)", bun.List(ids))
	d, err := s.dossier(ctx, bun.List(ids), corrections)
	if err != nil {
		return nil, fail("read reports", err)
	}
	all, err := inOrder(ids, d.Reports, func(t cert.Tested) string { return t.ID })
	return all, fail("read reports", err)
}

// Certificates returns the certificates that f chooses and what became of each, newest
// first.
func (s *Store) Certificates(ctx context.Context, f StatementFilter) ([]cert.Issued, error) {
	q := s.read.NewSelect().Model((*certificateRow)(nil)).Column("ce.id").Join("JOIN batches AS b ON b.id = ce.batch").Join("JOIN sites AS s ON s.id = b.site").
		Order("ce.issued DESC", "ce.id DESC").Limit(bounded(f.Limit, DefaultBatches, MaxPage))
	ids, err := idsOf(ctx, behind(within(q, "ce.tenant", f.Tenant, "s.region", f.Region), "ce.issued", "ce.id", f.After))
	if err != nil || len(ids) == 0 {
		return []cert.Issued{}, fail("read certificates", err)
	}
	d, err := s.dossier(ctx, bun.List(ids))
	if err != nil {
		return nil, fail("read certificates", err)
	}
	all, err := inOrder(ids, d.Certificates, func(i cert.Issued) string { return i.ID })
	return all, fail("read certificates", err)
}

func idsOf(ctx context.Context, q *bun.SelectQuery) (ids []string, err error) {
	err = q.Scan(ctx, &ids)
	return ids, err
}

// dossier reads what the records say of reports and certificates, whose IDs are listed
// or selected.
func (s *Store) dossier(ctx context.Context, subjects ...any) (cert.Dossier, error) {
	records, err := s.statements(ctx, subjects...)
	if err != nil {
		return cert.Dossier{}, err
	}
	return trace.ReadDossier(records)
}

// inOrder returns the one of all that has each ID.
func inOrder[T any](ids []string, all []T, id func(T) string) ([]T, error) {
	by := make(map[string]T, len(all))
	for _, one := range all {
		by[id(one)] = one
	}
	out := make([]T, len(ids))
	for i, want := range ids {
		one, ok := by[want]
		if !ok {
			return nil, fmt.Errorf("%s has no record", want)
		}
		out[i] = one
	}
	return out, nil
}

// StatementBatch returns the ID of the batch that a report or certificate is about;
// farm.ErrNotFound.
func (s *Store) StatementBatch(ctx context.Context, id string) (batch string, err error) {
	err = s.read.NewSelect().Model((*reportRow)(nil)).Column("batch").Where("rp.id = ?", id).
		UnionAll(s.read.NewSelect().Model((*certificateRow)(nil)).Column("batch").Where("ce.id = ?", id)).Scan(ctx, &batch)
	return batch, fail("read statement", err)
}

// Parents returns the IDs of the batches that one was made of directly, by movements
// that hold.
func (s *Store) Parents(ctx context.Context, batch string) ([]string, error) {
	var ids []string
	err := s.read.NewRaw(`SELECT DISTINCT took.batch FROM movement_batches AS made
		JOIN movements AS m ON m.id = made.movement AND m.voided_by IS NULL
		JOIN movement_batches AS took ON took.movement = made.movement AND NOT took.made
		WHERE made.batch = ? AND made.made ORDER BY took.batch`, batch).Scan(ctx, &ids)
	return ids, fail("read parents of a batch", err)
}

// CertificatesDue returns the batches of f's tenant that have no certificate in force
// though something they were made of directly has one, newest first: what was split,
// merged or bought and may be certified anew. Nothing else of f counts but the page.
func (s *Store) CertificatesDue(ctx context.Context, f StatementFilter) ([]trace.Batch, error) {
	const inForce = `EXISTS (SELECT 1 FROM certificates AS ce WHERE ce.batch = ? AND NOT EXISTS (SELECT 1 FROM voids AS v WHERE v.certificate = ce.id))`
	var rows []batchRow
	q := s.read.NewSelect().Model(&rows).
		Join("JOIN stocks AS st ON st.batch = b.id AND NOT st.void AND st.remains > 0").
		Where("b.tenant = ?", f.Tenant).
		Where("NOT "+inForce, bun.Ident("b.id")).
		Where(`EXISTS (SELECT 1 FROM movement_batches AS made
			JOIN movements AS m ON m.id = made.movement AND m.voided_by IS NULL
			JOIN movement_batches AS took ON took.movement = made.movement AND NOT took.made
			WHERE made.batch = b.id AND made.made AND `+inForce+`)`, bun.Ident("took.batch")).
		Order("b.opened DESC", "b.id DESC").Limit(bounded(f.Limit, DefaultBatches, MaxPage))
	err := behind(q, "b.opened", "b.id", f.After).Scan(ctx)
	return each(rows, batchRow.batch), fail("read certificates due", err)
}

// ReportFiles knows whose files of reports there are, as photo.Shelf asks.
func (s *Store) ReportFiles() photo.Index { return reportFiles{s} }

type reportFiles struct{ store *Store }

type reportFileRow struct {
	bun.BaseModel `bun:"table:report_files,alias:rf"`

	Hash     string
	Tenant   string
	Site     string
	Account  string
	Uploaded instant
	Size     int64
}

// AddPhoto remembers an upload as Store.AddPhoto does.
func (f reportFiles) AddPhoto(ctx context.Context, u photo.Upload) error {
	row := reportFileRow{Hash: u.Hash, Tenant: u.Tenant, Site: u.Site, Account: u.Account, Uploaded: instant{f.store.now()}, Size: u.Size}
	_, err := f.store.write.NewInsert().Model(&row).On("CONFLICT (hash, tenant) DO UPDATE").Set("uploaded = EXCLUDED.uploaded").Exec(ctx)
	return fail("add report file", err)
}

// PhotoUploads returns who uploaded a file, by tenant.
func (f reportFiles) PhotoUploads(ctx context.Context, hash string) ([]photo.Upload, error) {
	var rows []reportFileRow
	err := f.store.read.NewSelect().Model(&rows).Where("rf.hash = ?", hash).Order("rf.tenant").Scan(ctx)
	return each(rows, func(r reportFileRow) photo.Upload {
		return photo.Upload{Hash: r.Hash, Tenant: r.Tenant, Site: r.Site, Account: r.Account, Size: r.Size, Uploaded: r.Uploaded.Time}
	}), fail("read report file", err)
}

// PhotoUse counts a tenant's files and their bytes.
func (f reportFiles) PhotoUse(ctx context.Context, tenant string) (files int, bytes int64, err error) {
	err = f.store.read.NewSelect().Model((*reportFileRow)(nil)).ColumnExpr("COUNT(*), COALESCE(SUM(rf.size), 0)").Where("rf.tenant = ?", tenant).Scan(ctx, &files, &bytes)
	return files, bytes, fail("count report files", err)
}

// DropPhotos forgets uploads before a time that no report names.
func (f reportFiles) DropPhotos(ctx context.Context, before time.Time) error {
	used := f.store.write.NewSelect().Model((*reportRow)(nil)).ColumnExpr("1").Where("rp.file = rf.hash AND rp.tenant = rf.tenant")
	_, err := f.store.write.NewDelete().Model((*reportFileRow)(nil)).Where("rf.uploaded < ?", instant{before}).Where("NOT EXISTS (?)", used).Exec(ctx)
	return fail("drop report files", err)
}
