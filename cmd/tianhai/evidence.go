package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"tianhai/farm"
	"tianhai/trace"
	"tianhai/trace/evidence"
	"tianhai/trace/ledger"
)

type evidenceCommand struct {
	Export evidenceExportCommand `cmd:"" help:"Write the readings behind a sealed record, in canonical form, as files that anyone can keep."`
	Verify evidenceVerifyCommand `cmd:"" help:"Make every number of a sealed record again from the readings; exit 0 if all hold."`
}

type evidenceVerifyCommand struct {
	configFlags
	Record  string   `type:"existingfile" required:"" help:"The record as downloaded from its page or exported." placeholder:"FILE"`
	Receipt string   `type:"existingfile" help:"Its receipt: also check that the record is what was sealed." placeholder:"FILE"`
	Key     string   `sep:"none" help:"The log's public key, for the receipt." placeholder:"VKEY"`
	Files   []string `arg:"" optional:"" type:"existingfile" help:"Series in canonical form. With --data or --config the series kept there are taken for those not given, and all are also compared with what InfluxDB holds now: rows that came since, changed or are gone are named."`
}

// Run recomputes and compares; it says everything before it fails.
func (c *evidenceVerifyCommand) Run(ctx context.Context) error {
	raw, err := os.ReadFile(c.Record)
	if err != nil {
		return err
	}
	rec, err := trace.ParseOpening(raw)
	if err != nil {
		return err
	}
	if c.Receipt != "" || c.Key != "" {
		if err := c.checkReceipt(rec); err != nil {
			return fmt.Errorf("not verified: %w", err)
		}
		fmt.Println("holds: the record is the one that was sealed")
	}
	if rec.Kind == trace.ArrivalRecord {
		return c.shipment(rec)
	}
	public, err := trace.ParsePublicRecord(rec.Body)
	if err != nil {
		return err
	}
	if public.Evidence.Version != trace.EvidenceVersion {
		return trace.ErrOldEvidence
	}
	v := &evidenceCheck{out: os.Stdout, evidence: public.Evidence, good: map[string]string{}}
	for _, name := range c.Files {
		if err := v.file(name); err != nil {
			return err
		}
	}
	if c.Data != "" || c.Config != "" {
		if err := c.stored(ctx, rec, v); err != nil {
			return err
		}
	}
	var series []string
	for _, s := range public.Evidence.Series {
		series = append(series, s.Quantity)
	}
	return v.verdict(series)
}

// shipment recomputes what the loggers of a shipment said.
func (c *evidenceVerifyCommand) shipment(rec trace.Record) error {
	if c.Data != "" || c.Config != "" {
		return errors.New("give the loggers' series as files: shipments are not compared with InfluxDB")
	}
	sh, err := trace.ReadShipment(rec)
	if err != nil {
		return err
	}
	v := &evidenceCheck{out: os.Stdout, good: map[string]string{}}
	for _, name := range c.Files {
		raw, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		logger, findings, err := sh.Recompute(raw)
		v.say(name, logger, findings, err)
	}
	for _, t := range sh.Trips { // loggers that said nothing said the same
		for _, other := range sh.Trips {
			if v.good[other.Device] != "" && other.SHA256 == t.SHA256 {
				v.good[t.Device] = v.good[other.Device]
			}
		}
	}
	return v.verdict(sh.Loggers)
}

func (c *evidenceVerifyCommand) checkReceipt(rec trace.Record) error {
	if c.Receipt == "" || c.Key == "" {
		return errors.New("--receipt and --key are given together")
	}
	receipt, err := os.ReadFile(c.Receipt)
	if err != nil {
		return err
	}
	proof, err := ledger.Verify(c.Key, string(receipt))
	if err != nil {
		return err
	}
	if string(rec.Leaf()) != string(proof.Leaf) {
		return errors.New("the record is not the one that was sealed")
	}
	return nil
}

// An evidenceCheck is the course of a verification.
type evidenceCheck struct {
	out      io.Writer
	evidence trace.PublicEvidence
	good     map[string]string // the file, by quantity, of which everything held
	faults   int
}

// file recomputes the series in a file.
func (v *evidenceCheck) file(name string) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	v.series(name, file)
	return file.Close()
}

// kept recomputes from the shelf what no file was given for.
func (v *evidenceCheck) kept(shelf *evidence.Shelf) error {
	for _, s := range v.evidence.Series {
		if v.good[s.Quantity] != "" {
			continue
		}
		text, err := shelf.Open(s.SHA256)
		if errors.Is(err, farm.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		v.series("what was kept", text)
		if err := text.Close(); err != nil {
			return err
		}
	}
	return nil
}

// series recomputes a series and says of each statement whether it holds.
func (v *evidenceCheck) series(name string, text io.Reader) {
	quantity, findings, err := v.evidence.Recompute(text)
	v.say(name, quantity, findings, err)
}

// say tells of every statement about a thing, by the readings of a file, whether it
// holds.
func (v *evidenceCheck) say(name, of string, findings []trace.Finding, err error) {
	if err != nil {
		v.fault("%s: %v", name, err)
		return
	}
	good := 0
	for _, f := range findings {
		if f.Holds() {
			good++
			continue
		}
		v.fault("%s: %s is sealed as %s, the readings say %s", of, f.Name, f.Sealed, f.Found)
	}
	if good == len(findings) {
		v.good[of] = name
		fmt.Fprintf(v.out, "holds: %s: the hash and all %d numbers, by %s\n", of, good-1, name)
	}
}

func (v *evidenceCheck) fault(format string, args ...any) {
	v.faults++
	fmt.Fprintf(v.out, "does not hold: "+format+"\n", args...)
}

// verdict is nil where all that should be was recomputed and holds.
func (v *evidenceCheck) verdict(all []string) error {
	unseen := slices.DeleteFunc(slices.Clone(all), func(of string) bool { return v.good[of] != "" })
	switch {
	case v.faults > 0:
		return errors.New("not verified")
	case len(unseen) > 0:
		return fmt.Errorf("not verified: no readings were given for %s", strings.Join(unseen, ", "))
	}
	fmt.Fprintln(v.out, "verified: the readings lead to what was sealed. It does not show that a sensor was right, or stood where it was said to stand.")
	return nil
}

// maxRows is how many rows of a difference are printed.
const maxRows = 20

// stored compares what InfluxDB holds now with what was sealed.
func (c *evidenceVerifyCommand) stored(ctx context.Context, rec trace.Record, v *evidenceCheck) error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	db, err := openStore(ctx, cfg)
	if err != nil {
		return err
	}
	own, err := db.RecordByCode(ctx, rec.Code)
	if err == nil && !slices.Equal(own.Body, rec.Body) {
		err = errors.New("this server has another record under this code")
	}
	var tenant, site string
	if err == nil {
		tenant, site, err = grewAt(ctx, db, own.Subject)
	}
	if err := errors.Join(err, db.Close()); err != nil {
		return fmt.Errorf("code %s: %w", rec.Code, err)
	}
	client, err := dialSeries(ctx, cfg)
	if err != nil {
		return err
	}
	defer client.Close()
	shelf := &evidence.Shelf{Dir: cfg.path("evidence")}
	if err := v.kept(shelf); err != nil {
		return err
	}
	now, err := newStoredNow(v, site, shelf)
	if err != nil {
		return err
	}
	defer now.close()
	q := trace.ReadingsQuery{Tenant: tenant, Site: site, From: v.evidence.From, To: v.evidence.To}
	if err := (series{client}).Readings(ctx, q, now.add); err != nil {
		return err
	}
	return now.end(v)
}

// storedNow is what InfluxDB holds, held against what was sealed, quantity by
// quantity.
type storedNow struct {
	of   map[string]*storedSeries
	more map[string]int // readings of quantities of which nothing was sealed
}

type storedSeries struct {
	sealed  trace.Series
	draft   *evidence.Draft
	text    io.Closer
	compare *evidence.Compare // nil where nobody has the sealed rows
	added   []farm.Sample     // the first ones
	lost    []farm.Sample
	n       [2]int // added, lost
	rows    int
}

func newStoredNow(v *evidenceCheck, site string, shelf *evidence.Shelf) (*storedNow, error) {
	now := &storedNow{of: map[string]*storedSeries{}, more: map[string]int{}}
	for _, s := range v.evidence.Series {
		got := &storedSeries{sealed: s}
		now.of[s.Quantity] = got
		var none *evidence.Shelf // only the hash is wanted
		var err error
		h := evidence.Header{Site: site, Quantity: s.Quantity, Unit: s.Unit, From: v.evidence.From, To: v.evidence.To}
		got.draft, err = none.Begin(h)
		if err == nil && v.good[s.Quantity] != "" {
			err = got.open(shelf, v.good[s.Quantity])
		}
		if err != nil {
			now.close()
			return nil, err
		}
	}
	return now, nil
}

// open takes the sealed rows from where they were verified: a file, or the shelf.
func (s *storedSeries) open(shelf *evidence.Shelf, name string) error {
	text, err := shelf.Open(s.sealed.SHA256)
	if errors.Is(err, farm.ErrNotFound) {
		text, err = os.Open(name)
	}
	if err != nil {
		return err
	}
	s.text = text
	r, err := evidence.NewReader(text)
	if err != nil {
		return fmt.Errorf("sealed rows of %s: %w", s.sealed.Quantity, err)
	}
	s.compare = evidence.NewCompare(r, s.differ)
	return nil
}

func (s *storedSeries) differ(d evidence.Difference) error {
	if d.Added {
		s.n[0]++
		s.added = append(s.added, d.Sample)[:min(len(s.added)+1, maxRows)]
	} else {
		s.n[1]++
		s.lost = append(s.lost, d.Sample)[:min(len(s.lost)+1, maxRows)]
	}
	return nil
}

func (now *storedNow) add(r farm.Sample) error {
	s := now.of[r.Quantity]
	if s == nil {
		now.more[r.Quantity]++
		return nil
	}
	s.rows++
	if s.compare != nil {
		if err := s.compare.Add(r); err != nil {
			return err
		}
	}
	return s.draft.Write(r)
}

func (now *storedNow) close() {
	for _, s := range now.of {
		if s.text != nil {
			_ = s.text.Close() // it was only read
		}
	}
}

func (now *storedNow) end(v *evidenceCheck) error {
	for _, sealed := range v.evidence.Series {
		s := now.of[sealed.Quantity]
		sum, err := s.draft.Sum()
		if err != nil {
			return err
		}
		if s.compare != nil {
			if err := s.compare.End(); err != nil {
				return fmt.Errorf("sealed rows of %s: %w", sealed.Quantity, err)
			}
		}
		s.tell(v, sum)
	}
	for quantity, n := range now.more {
		fmt.Fprintf(v.out, "since sealing: %s: %d readings, of which there were none\n", quantity, n)
	}
	return nil
}

// tell says what became of one series. That readings came since then is no fault:
// the record speaks of what was there.
func (s *storedSeries) tell(v *evidenceCheck, sum string) {
	q, was := s.sealed.Quantity, s.sealed.N+s.sealed.Rejected
	switch {
	case sum == s.sealed.SHA256:
		fmt.Fprintf(v.out, "holds: %s: InfluxDB has the %d rows that were sealed, and no other\n", q, was)
	case s.compare == nil:
		v.fault("%s: InfluxDB has %d rows where %d were sealed, and the sealed ones are not at hand to say which differ", q, s.rows, was)
	default:
		if s.n[0] > 0 {
			fmt.Fprintf(v.out, "since sealing: %s: %d rows came or were changed\n", q, s.n[0])
			printRows(v.out, "+", s.added, s.n[0])
		}
		if s.n[1] > 0 {
			v.fault("%s: %d of the %d sealed rows are not in InfluxDB any more", q, s.n[1], was)
			printRows(v.out, "-", s.lost, s.n[1])
		}
	}
}

func printRows(out io.Writer, sign string, rows []farm.Sample, n int) {
	for _, r := range rows {
		fmt.Fprintf(out, "  %s %s", sign, evidence.Row(r))
	}
	if more := n - len(rows); more > 0 {
		fmt.Fprintf(out, "  %s and %d more\n", sign, more)
	}
}
