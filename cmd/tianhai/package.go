package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"tianhai/cmd/internal/store"
	"tianhai/trace"
)

// packageVersion is that of the form that docs/packages.md describes.
const packageVersion = 1

type packageCommand struct {
	configFlags
	Operator string    `arg:"" help:"ID of the operator."`
	From     time.Time `required:"" format:"2006-01-02" help:"First day, as it is in Beijing." placeholder:"YYYY-MM-DD"`
	To       time.Time `required:"" format:"2006-01-02" help:"Last day." placeholder:"YYYY-MM-DD"`
	Out      string    `required:"" help:"File to write; it must not be there." placeholder:"FILE"`
}

// beijing is what days in a package are reckoned by.
var beijing = time.FixedZone("UTC+8", 8*3600)

// period returns the instants from ≤ t < to that the days stand for.
func (c *packageCommand) period() (from, to time.Time, err error) {
	day := func(t time.Time) time.Time { return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, beijing) }
	from, to = day(c.From), day(c.To).AddDate(0, 0, 1)
	if !from.Before(to) {
		return from, to, errors.New("--to is before --from")
	}
	return from.UTC(), to.UTC(), nil
}

// Run writes a whole package or none.
func (c *packageCommand) Run(ctx context.Context) error {
	from, to, err := c.period()
	if err != nil {
		return err
	}
	cfg, err := c.load()
	if err != nil {
		return err
	}
	db, err := openStore(ctx, cfg)
	if err != nil {
		return err
	}
	// It holds personal data: nobody but its owner reads the file.
	file, err := os.OpenFile(c.Out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return errors.Join(err, db.Close())
	}
	buffered := bufio.NewWriter(file)
	n, err := writePackage(ctx, db, packageHead{Operator: c.Operator, From: from, To: to}, buffered)
	if err = errors.Join(err, buffered.Flush(), file.Sync(), file.Close(), db.Close()); err != nil {
		return errors.Join(fmt.Errorf("package of %s: %w", c.Operator, err), os.Remove(c.Out))
	}
	fmt.Printf("wrote %d records to %s\n", n, c.Out)
	return nil
}

// A packageHead says what a package is of.
type packageHead struct {
	Operator string
	From, To time.Time
}

// packagedRecord is one line of a package.
type packagedRecord struct {
	ID      string          `json:"id"`
	Kind    string          `json:"kind"`
	At      time.Time       `json:"at"`
	Leaf    json.RawMessage `json:"leaf"`    // as it is in the public log: the hash of salt and body
	Opening json.RawMessage `json:"opening"` // from which anyone makes the leaf again
	Receipt string          `json:"receipt,omitempty"`
}

// writePackage writes JSON lines: what the package is of, each record, and how many
// there were, so that one that was cut off is known by its end.
func writePackage(ctx context.Context, db *store.Store, head packageHead, w io.Writer) (n int, err error) {
	operator, err := db.Tenant(ctx, head.Operator)
	if err != nil {
		return 0, err
	}
	sites, err := db.Sites(ctx, store.SiteFilter{Tenant: head.Operator})
	if err != nil {
		return 0, err
	}
	out := json.NewEncoder(w)
	if err := out.Encode(map[string]any{
		"format": "tianhai-package", "v": packageVersion, "operator": operator, "sites": sites, "from": head.From, "to": head.To,
	}); err != nil {
		return 0, err
	}
	unsealed := 0
	err = db.EachRecord(ctx, head.Operator, head.From, head.To, func(r trace.Record) error {
		opening, err := r.Opening()
		if err != nil {
			return err
		}
		if n++; r.Receipt == "" {
			unsealed++
		}
		return out.Encode(packagedRecord{r.ID, r.Kind, r.At, r.Leaf(), opening, r.Receipt})
	})
	if err != nil {
		return n, err
	}
	return n, out.Encode(map[string]int{"records": n, "unsealed": unsealed})
}
