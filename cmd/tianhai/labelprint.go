package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"strings"
	"unicode/utf8"

	"tianhai/api"
	"tianhai/cmd/internal/store"
	"tianhai/trace/label"
	"tianhai/trace/label/press"
)

type labelPrintCommand struct {
	configFlags
	sheetFlags
	Batch   string `help:"Trace code of a batch." xor:"of" required:"" placeholder:"CODE"`
	List    string `help:"CSV file (UTF-8) with a line for each label. Columns: url, which is needed, title, code, note, line1 to line9." xor:"of" required:"" placeholder:"FILE"`
	Scheme  string `default:"own" help:"Of the code of a batch: own, or gtin for a GS1 Digital Link." placeholder:"NAME"`
	Copies  int    `default:"1" help:"Of each label."`
	DPI     int    `name:"dpi" help:"Of ZPL and PNG: 203, 300 or 600. Default: 203 for ZPL, 300 else."`
	Picture string `enum:"svg,png" default:"svg" help:"In a ZIP: svg or png."`
	Out     string `required:"" help:"New file: .pdf, .zpl (thermal printers), .zip (print shops), .svg or .png (one label)." placeholder:"FILE"`
}

// Run makes the file. One that could not be finished is taken away.
func (c *labelPrintCommand) Run(ctx context.Context) error {
	format, ok := formatByName(c.Out)
	if !ok {
		return fmt.Errorf("--out: %s ends in none of .pdf, .zpl, .zip, .svg and .png", c.Out)
	}
	job := press.Job{Copies: c.Copies, DPI: c.DPI, Picture: press.Format(c.Picture), Skip: c.Skip}
	var err error
	if c.Batch != "" {
		err = c.ofBatch(ctx, &job)
	} else {
		err = c.ofList(&job)
	}
	if err != nil {
		return err
	}
	if job.Count > 1000 {
		job.Progress = func(done int) { fmt.Fprintf(os.Stderr, "\r%d/%d", done, job.Count) }
		defer fmt.Fprintln(os.Stderr)
	}
	p, err := press.New()
	if err != nil {
		return err
	}
	out, err := newFile(c.Out)
	if err != nil {
		return err
	}
	if err := errors.Join(p.Write(ctx, out, format, job), out.Sync(), out.Close()); err != nil {
		return errors.Join(err, os.Remove(c.Out))
	}
	fmt.Printf("%d labels, see %s\n", job.Count*max(job.Copies, 1), c.Out)
	return nil
}

func (c *labelPrintCommand) ofBatch(ctx context.Context, job *press.Job) error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	sheet, labels, err := c.prepare(cfg)
	if err != nil {
		return err
	}
	code, err := label.ParseCode(c.Batch)
	if err != nil {
		return fmt.Errorf("--batch: %w", err)
	}
	job.Stock, job.Readme, job.Title = sheet.Stock, labels.Readme(), code
	return c.withStore(ctx, func(db *store.Store) error {
		facts, err := packetFacts(ctx, db, code)
		if err != nil {
			return fmt.Errorf("batch %s: %w", code, err)
		}
		l, err := labels.Batch(c.Lang, c.Scheme, facts)
		if err != nil {
			return fmt.Errorf("batch %s: %w", code, err)
		}
		job.Count, job.Labels = press.Of(l)
		return nil
	})
}

func packetFacts(ctx context.Context, db *store.Store, code string) (f api.PacketFacts, err error) {
	rec, err := db.RecordByCode(ctx, code)
	if err != nil {
		return f, err
	}
	if f.Batch, err = db.Batch(ctx, rec.Subject); err != nil {
		return f, err
	}
	product, err := db.Product(ctx, f.Batch.Product)
	if err != nil {
		return f, err
	}
	f.Product = product.Name
	if f.Producer, err = db.Tenant(ctx, f.Batch.Tenant); err != nil {
		return f, err
	}
	if f.GTIN, err = db.HeldGTIN(ctx, f.Batch.Tenant, f.Batch.Product); err != nil {
		return f, err
	}
	f.Site, err = db.Site(ctx, f.Batch.Site)
	return f, err
}

// ofList takes labels from a file, which is read again each time they are asked for,
// so that it may be as long as it likes.
func (c *labelPrintCommand) ofList(job *press.Job) error {
	var err error
	if job.Stock, err = label.ParseStock(c.Stock); err != nil {
		return fmt.Errorf("--stock: %w", err)
	}
	job.Labels = listedLabels(c.List)
	for _, err := range job.Labels {
		if err != nil {
			return err
		}
		job.Count++
	}
	if job.Count == 0 {
		return fmt.Errorf("--list: %s has no labels", c.List)
	}
	return nil
}

// listedLabels yields what the lines of a CSV file say.
func listedLabels(name string) iter.Seq2[press.Design, error] {
	return func(yield func(press.Design, error) bool) {
		f, err := os.Open(name)
		if err != nil {
			yield(nil, err)
			return
		}
		defer func() { _ = f.Close() }() // it was only read
		for l, err := range readLabels(f) {
			if err != nil {
				err = fmt.Errorf("%s: %w", name, err)
			}
			if !yield(l, err) {
				return
			}
		}
	}
}

// readLabels reads a list; an error names the line, and is the last.
func readLabels(r io.Reader) iter.Seq2[press.Label, error] {
	return func(yield func(press.Label, error) bool) {
		in := csv.NewReader(r)
		in.ReuseRecord = true
		head, err := in.Read()
		if err != nil {
			yield(press.Label{}, fmt.Errorf("line 1: %w", err))
			return
		}
		columns := map[string]int{}
		for i, name := range head {
			name = strings.ToLower(strings.TrimSpace(strings.TrimPrefix(name, "\ufeff")))
			if !listColumn(name) {
				yield(press.Label{}, fmt.Errorf("line 1: column %q is none of url, title, code, note and line1 to line9", name))
				return
			}
			columns[name] = i
		}
		if _, ok := columns["url"]; !ok {
			yield(press.Label{}, errors.New("line 1: there is no column url"))
			return
		}
		for {
			row, err := in.Read()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil { // it names the line
				yield(press.Label{}, err)
				return
			}
			l, err := listedLabel(row, columns)
			if err != nil {
				line, _ := in.FieldPos(0)
				err = fmt.Errorf("line %d: %w", line, err)
			}
			if !yield(l, err) || err != nil {
				return
			}
		}
	}
}

func listColumn(name string) bool {
	return name == "url" || name == "title" || name == "code" || name == "note" || len(name) == 5 && strings.HasPrefix(name, "line") && name[4] >= '1' && name[4] <= '9'
}

func listedLabel(row []string, columns map[string]int) (press.Label, error) {
	at := func(name string) string {
		if i, ok := columns[name]; ok {
			return strings.Clone(row[i])
		}
		return ""
	}
	l := press.Label{URL: at("url"), Title: at("title"), Code: at("code"), Note: at("note")}
	for n := '1'; n <= '9'; n++ {
		l.Lines = append(l.Lines, at("line"+string(n)))
	}
	for name, i := range columns {
		if !utf8.ValidString(row[i]) {
			return l, fmt.Errorf("%s is not UTF-8", name)
		}
	}
	if l.URL == "" || len(l.URL) > 300 {
		return l, errors.New("url is empty or longer than 300 bytes")
	}
	return l, nil
}
