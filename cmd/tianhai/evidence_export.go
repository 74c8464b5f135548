package main

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"tianhai/cmd/internal/store"
	"tianhai/farm"
	"tianhai/trace"
	"tianhai/trace/evidence"
	"tianhai/trace/label"
)

type evidenceExportCommand struct {
	configFlags
	Code string `arg:"" help:"Trace code."`
	Out  string `required:"" help:"Directory for the files; made where it is missing." placeholder:"DIR"`
}

// Run writes what was kept when the record was sealed. Where that is gone it is made
// again from InfluxDB, and said so; what comes out otherwise than it was sealed bears
// another name, and the command fails.
func (c *evidenceExportCommand) Run(ctx context.Context) error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	sealed, err := readSealed(ctx, cfg, c.Code)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(c.Out, 0o755); err != nil {
		return err
	}
	e := &export{out: c.Out, shelf: &evidence.Shelf{Dir: cfg.path("evidence")}, dial: func() (trace.Evidence, func(), error) {
		client, err := dialSeries(ctx, cfg)
		if err != nil {
			return nil, nil, err
		}
		return series{client}, client.Close, nil
	}}
	defer e.hangUp()
	if err := e.batch(ctx, sealed); err != nil {
		return err
	}
	for _, way := range sealed.ways {
		if err := e.shipment(ctx, sealed.rec.Code, way.Record); err != nil {
			return err
		}
	}
	fmt.Printf("wrote %d files to %s\n", e.wrote, c.Out)
	if e.faults > 0 {
		return fmt.Errorf("of %d series what was sealed could not be written; the lines above say which", e.faults)
	}
	return nil
}

// sealedBatch is the record behind a code, those of the shipments with which the batch
// went, or that of which it was made, and whose sensors speak of it.
type sealedBatch struct {
	rec          trace.Record
	ways         []trace.Carriage
	tenant, site string
}

func readSealed(ctx context.Context, cfg config, typed string) (s sealedBatch, err error) {
	code, err := label.ParseCode(typed)
	if err != nil {
		return s, err
	}
	db, err := openStore(ctx, cfg)
	if err != nil {
		return s, err
	}
	if err := errors.Join(s.read(ctx, db, code), db.Close()); err != nil {
		return s, fmt.Errorf("code %s: %w", code, err)
	}
	return s, nil
}

func (s *sealedBatch) read(ctx context.Context, db *store.Store, code string) (err error) {
	if s.rec, err = db.RecordByCode(ctx, code); err != nil {
		return err
	}
	if s.ways, err = db.Carriages(ctx, s.rec.Subject); err != nil {
		return err
	}
	s.tenant, s.site, err = grewAt(ctx, db, s.rec.Subject)
	return err
}

// grewAt returns whose sensors, and of which site, speak of a batch.
func grewAt(ctx context.Context, db *store.Store, batch string) (tenant, site string, err error) {
	b, err := db.Batch(ctx, batch)
	if err != nil {
		return "", "", err
	}
	return (&trace.Service{Store: db, Chain: db}).GrewAt(ctx, b)
}

// An export writes files, and says what became of each that is not as it was kept.
type export struct {
	out    string
	shelf  *evidence.Shelf
	dial   func() (trace.Evidence, func(), error) // InfluxDB, where it is needed
	stored trace.Evidence
	close  func()
	wrote  int
	faults int
}

func (e *export) hangUp() {
	if e.close != nil {
		e.close()
	}
}

func (e *export) batch(ctx context.Context, s sealedBatch) error {
	public, err := trace.ParsePublicRecord(s.rec.Body)
	if err != nil {
		return err
	}
	if err := e.record(s.rec.Code, s.rec); err != nil {
		return err
	}
	if public.Evidence.Version != trace.EvidenceVersion {
		return nil
	}
	for _, sealed := range public.Evidence.Series {
		h := evidence.Header{Site: s.site, Quantity: sealed.Quantity, Unit: sealed.Unit, From: public.Evidence.From, To: public.Evidence.To}
		q := trace.ReadingsQuery{Tenant: s.tenant, Site: s.site, From: h.From, To: h.To}
		if err := e.series(ctx, s.rec.Code+"-"+sealed.Quantity, sealed.SHA256, h, q); err != nil {
			return err
		}
	}
	return nil
}

func (e *export) shipment(ctx context.Context, code string, rec trace.Record) error {
	sh, err := trace.ReadShipment(rec)
	if err != nil {
		return err
	}
	name := code + "-shipment-" + sh.ID
	if err := e.record(name, rec); err != nil {
		return err
	}
	quantity, _ := farm.LookupQuantity(sh.Quantity)
	for _, trip := range sh.Trips {
		h := evidence.Header{Shipment: sh.ID, Quantity: sh.Quantity, Unit: quantity.Unit, From: sh.Departed, To: sh.Arrived}
		q := trace.ReadingsQuery{Tenant: sh.Tenant, Device: trip.Device, From: h.From, To: h.To}
		if err := e.series(ctx, name+"-"+trip.Device, trip.SHA256, h, q); err != nil {
			return err
		}
	}
	return nil
}

func (e *export) record(name string, rec trace.Record) error {
	opening, err := rec.Opening()
	if err != nil {
		return err
	}
	files := map[string]string{name + ".json": string(opening)}
	if rec.Receipt != "" {
		files[name+".tlog-proof"] = rec.Receipt
	}
	for _, file := range slices.Sorted(maps.Keys(files)) {
		if err := e.write(file, func(w io.Writer) error { _, err := io.WriteString(w, files[file]); return err }); err != nil {
			return err
		}
	}
	return nil
}

func (e *export) write(file string, write func(io.Writer) error) error {
	if err := writeFile(filepath.Join(e.out, file), write); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	e.wrote++
	return nil
}

// series writes a series as it was kept, or makes it again.
func (e *export) series(ctx context.Context, name, sum string, h evidence.Header, q trace.ReadingsQuery) error {
	err := e.write(name+".csv", func(w io.Writer) error { return copySeries(w, e.shelf, sum) })
	if err == nil || !errors.Is(err, errNotKept) {
		return err
	}
	fmt.Printf("%s: %v; making it again from InfluxDB\n", name, err)
	return e.again(ctx, name, sum, h, q)
}

// again makes a series from what InfluxDB holds now. With the sealed hash it is what
// was sealed; else it bears another name, and is a fault.
func (e *export) again(ctx context.Context, name, sum string, h evidence.Header, q trace.ReadingsQuery) error {
	fault := func(format string, args ...any) error {
		e.faults++
		fmt.Printf(name+": "+format+"\n", args...)
		return nil
	}
	if e.stored == nil {
		var err error
		if e.stored, e.close, err = e.dial(); err != nil {
			return fault("NOT written: the kept readings are gone, and InfluxDB is out of reach: %v", err)
		}
	}
	file, rows, found := name+".recomputed.csv", 0, ""
	err := e.write(file, func(w io.Writer) (err error) {
		rows, found, err = rewrite(ctx, w, e.stored, h, q)
		return err
	})
	if err != nil {
		return fault("NOT written: the kept readings are gone, and InfluxDB does not give them: %v", err)
	}
	if found == sum {
		fmt.Printf("%s: recomputed from InfluxDB: %d rows, with the hash that was sealed\n", name, rows)
		return os.Rename(filepath.Join(e.out, file), filepath.Join(e.out, name+".csv"))
	}
	return fault("recomputed from InfluxDB as %s: %d rows, and NOT what was sealed: its hash is %s, that of the record %s", file, rows, found, sum)
}

// rewrite writes what is stored in canonical form.
func rewrite(ctx context.Context, w io.Writer, stored trace.Evidence, h evidence.Header, q trace.ReadingsQuery) (rows int, sum string, err error) {
	text, err := evidence.NewWriter(w, h)
	if err != nil {
		return 0, "", err
	}
	err = stored.Readings(ctx, q, func(r farm.Sample) error {
		if r.Quantity != h.Quantity {
			return nil
		}
		rows++
		return text.Write(r)
	})
	if err != nil {
		return rows, "", err
	}
	sum, err = text.Sum()
	return rows, sum, err
}

// errNotKept reports that the readings behind a record are not on the shelf, or not as
// they were put there.
var errNotKept = errors.New("what was kept when it was sealed is not there any more")

// copySeries writes the text of a series; errNotKept where there is none of its hash.
func copySeries(w io.Writer, shelf *evidence.Shelf, sum string) error {
	text, err := shelf.Open(sum)
	switch {
	case errors.Is(err, farm.ErrNotFound):
		return errNotKept
	case errors.Is(err, gzip.ErrHeader), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF): // a torn file
		return fmt.Errorf("%w: %w", errNotKept, err)
	case err != nil:
		return err
	}
	defer text.Close()
	r, err := evidence.NewReader(io.TeeReader(text, w))
	if err != nil {
		return fmt.Errorf("%w: %w", errNotKept, err)
	}
	found, err := r.Each(func(farm.Sample) error { return nil })
	if err != nil {
		return fmt.Errorf("%w: %w", errNotKept, err)
	}
	if found != sum {
		return fmt.Errorf("%w: the file holds another text, of hash %s", errNotKept, found)
	}
	return nil
}

// writeFile leaves no half of a file behind.
func writeFile(name string, write func(io.Writer) error) error {
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	if err := errors.Join(write(file), file.Close()); err != nil {
		return errors.Join(err, os.Remove(name))
	}
	return nil
}
