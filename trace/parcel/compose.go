package parcel

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"

	"tianhai/farm"
	"tianhai/table"
	"tianhai/trace"
)

// A Composer writes packages.
type Composer struct {
	Source   Source
	Catalogs Catalogs
	Word     func(key string) string // the Chinese of a key of i18n, "" where there is none; nil has none
	Schema   string                  // where the schema is to be had; empty means SchemaID
	Now      func() time.Time        // nil means time.Now
}

// A Tally is what a package holds.
type Tally struct {
	Records  int `json:"records"`
	Unsealed int `json:"unsealed"` // without a receipt, because the log had not answered yet
}

// head is what the JSON document begins with.
type head struct {
	Schema   string         `json:"$schema"`
	Format   string         `json:"format"`
	Version  int            `json:"v"`
	Operator farm.Tenant    `json:"operator"`
	Sites    []farm.Site    `json:"sites"`
	Licences []farm.Licence `json:"licences"`
	Period
	Made     time.Time `json:"made"`
	Complete bool      `json:"complete"` // the period was over
	Logs     []logHead `json:"logs"`
}

// logHead is a transparency log as it stood when the package was made.
type logHead struct {
	Number     int    `json:"number"`
	Key        string `json:"key"`
	Size       int64  `json:"size"`
	Checkpoint string `json:"checkpoint"`
}

// member is a record in the JSON document.
type member struct {
	ID      string          `json:"id"`
	Kind    string          `json:"kind"`
	Stage   string          `json:"stage"` // of the sheet that it stands on
	At      time.Time       `json:"at"`
	Codes   []string        `json:"codes"` // trace codes of the batches that it is of
	Log     int             `json:"log,omitempty"`
	Index   *int64          `json:"index,omitempty"` // of the leaf, absent as the receipt is
	Leaf    json.RawMessage `json:"leaf"`            // as it is in the public log: the hash of salt and body
	Opening json.RawMessage `json:"opening"`         // from which anyone makes the leaf again
	Receipt string          `json:"receipt,omitempty"`
}

// Compose writes a package: as JSON, as a workbook, or as both; what is nil is not
// written. Tell is told how many records are done, and ends it with an error. Memory
// does not grow with the records but for the codes of batches that operations went
// into. Errors: farm.ErrNotFound for the operator, ErrTooMany.
func (c *Composer) Compose(ctx context.Context, operator string, p Period, doc, book io.Writer, tell func(done int) error) (Tally, error) {
	var n Tally
	now := time.Now
	if c.Now != nil {
		now = c.Now
	}
	facts, err := c.Source.Facts(ctx, operator)
	if err != nil {
		return n, err
	}
	made := now().UTC().Truncate(time.Millisecond)
	h := head{
		Schema: cmp.Or(c.Schema, SchemaID), Format: Format, Version: Version, Operator: facts.Operator, Sites: orEmpty(facts.Sites), Licences: orEmpty(facts.Licences),
		Period: p, Made: made, Complete: !made.Before(p.To), Logs: []logHead{},
	}
	for _, l := range facts.Logs {
		h.Logs = append(h.Logs, logHead{l.Number, l.VerifierKey, l.Size, l.Checkpoint})
	}
	codes, err := c.codesOf(ctx, operator, p)
	if err != nil {
		return n, err
	}
	read := &reader{source: c.Source, catalogs: c.Catalogs, codes: codes, names: facts.names(), dict: c.Word}
	var outs []output
	if doc != nil {
		outs = append(outs, &document{out: bufio.NewWriter(doc)})
	}
	if book != nil {
		w := &workbook{book: table.NewBook(book), current: c.Catalogs.Current(), dict: c.Word}
		defer func() { _ = w.book.Discard() }() // what is closed already has nothing left
		outs = append(outs, w)
	}
	for _, o := range outs {
		if err := o.begin(h); err != nil {
			return n, err
		}
	}
	err = c.Source.EachRecord(ctx, operator, p.From, p.To, func(r trace.Record) error {
		if n.Records++; n.Records > MaxRecords {
			return ErrTooMany
		}
		if r.Receipt == "" {
			n.Unsealed++
		}
		e, err := read.entry(ctx, r)
		if err != nil {
			return fmt.Errorf("record %s: %w", r.ID, err)
		}
		for _, o := range outs {
			if err := o.add(e); err != nil {
				return fmt.Errorf("record %s: %w", r.ID, err)
			}
		}
		return tell(n.Records)
	})
	for _, o := range outs {
		if err == nil {
			err = o.end(h, n)
		}
	}
	return n, err
}

func orEmpty[T any](all []T) []T {
	if all == nil {
		return []T{}
	}
	return all
}

// names returns what people call the operator's sites.
func (f Facts) names() map[string]string {
	names := map[string]string{}
	for _, s := range f.Sites {
		names[s.ID] = s.Name.Zh
	}
	return names
}

// codesOf returns, by operation, the codes of the batches whose records count it.
// Only a batch that was closed after the operation was recorded can.
func (c *Composer) codesOf(ctx context.Context, operator string, p Period) (map[string][]string, error) {
	codes := map[string][]string{}
	err := c.Source.EachBatchRecord(ctx, operator, p.From, func(r trace.Record) error {
		public, err := trace.ParsePublicRecord(r.Body)
		if err != nil {
			return fmt.Errorf("record %s: %w", r.ID, err)
		}
		for _, op := range public.Operations {
			if !op.Recorded.Before(p.From) && op.Recorded.Before(p.To) && !slices.Contains(codes[op.ID], r.Code) {
				codes[op.ID] = append(codes[op.ID], r.Code)
			}
		}
		return nil
	})
	return codes, err
}

// An output is one file of a package.
type output interface {
	begin(head) error
	add(entry) error
	end(head, Tally) error
}

// document is the JSON document, a record on each line.
type document struct {
	out   *bufio.Writer
	begun bool
}

func (d *document) begin(h head) error {
	raw, err := encode(h)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(d.out, "%s,\"records\":[", bytes.TrimSuffix(raw, []byte("}")))
	return err
}

func (d *document) add(e entry) error {
	opening, err := e.rec.Opening()
	if err != nil {
		return err
	}
	m := member{ID: e.rec.ID, Kind: e.rec.Kind, Stage: e.stage, At: e.rec.At, Codes: orEmpty(e.codes), Leaf: e.rec.Leaf(), Opening: opening, Receipt: e.rec.Receipt}
	if e.rec.Receipt != "" {
		m.Log, m.Index = e.rec.Log, &e.rec.Index
	}
	raw, err := encode(m)
	if err != nil {
		return err
	}
	between := "\n"
	if d.begun {
		between = ",\n"
	}
	d.begun = true
	_, err = fmt.Fprintf(d.out, "%s%s", between, raw)
	return err
}

func (d *document) end(_ head, n Tally) error {
	if _, err := fmt.Fprintf(d.out, "\n],\"count\":%d,\"unsealed\":%d}\n", n.Records, n.Unsealed); err != nil {
		return err
	}
	return d.out.Flush()
}

// encode writes JSON without escaping <, > and &, which receipts have none of and
// texts should be readable with.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}
