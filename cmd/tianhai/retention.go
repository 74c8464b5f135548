package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"tianhai/cmd/internal/store"
	"tianhai/farm"
	"tianhai/ingest"
	"tianhai/ingest/influx"
)

// retentionCommand works on the records database. A running server obeys in the
// night after a change has taken effect.
type retentionCommand struct {
	List    retentionListCommand    `cmd:"" help:"Show how long values are kept."`
	Set     retentionSetCommand     `cmd:"" help:"Change how long values are kept, from tomorrow on."`
	Clear   retentionClearCommand   `cmd:"" help:"Take a rule away, from tomorrow on."`
	Preview retentionPreviewCommand `cmd:"" help:"Show what would be deleted, without deleting it."`
}

type retentionListCommand struct {
	configFlags
	Changes bool `help:"Show every change there was, with who made it."`
}

// Run prints the rules.
func (c *retentionListCommand) Run(ctx context.Context) error {
	return c.withStore(ctx, func(db *store.Store) error {
		all, err := db.Retentions(ctx)
		if err != nil {
			return err
		}
		now := time.Now()
		shown := all.Latest(now)
		if c.Changes {
			shown = all
		}
		if len(shown) == 0 {
			fmt.Println("everything is kept for ever")
			return nil
		}
		return printRetentions(os.Stdout, shown)
	})
}

func printRetentions(out io.Writer, shown []ingest.RetentionChange) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "tenant\tmedium\treadings\thours\tdays\tin effect from\tset by\ton")
	for _, r := range shown {
		keep := [3]string{"cleared", "", ""}
		if !r.Clear {
			keep = [3]string{keptFor(r.Raw), keptFor(r.Hour), keptFor(r.Day)}
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", cmp.Or(r.Tenant, "all"), cmp.Or(string(r.Medium), "all"), keep[0], keep[1], keep[2],
			r.Effective.Local().Format(time.DateTime), r.Account, r.At.Local().Format(time.DateTime))
	}
	return w.Flush()
}

func keptFor(days int) string {
	if days == 0 {
		return "for ever"
	}
	return strconv.Itoa(days) + " d"
}

// retentionScope is what a rule is about.
type retentionScope struct {
	configFlags
	Tenant string      `help:"Only this tenant's values; else those of every tenant without a rule of its own."`
	Medium farm.Medium `enum:",water,soil,air,animal,vessel,device" default:"" help:"Only this medium: water, soil, air, animal, vessel or device."`
	Yes    bool        `help:"Do not ask."`
}

type retentionSetCommand struct {
	retentionScope
	Raw  int `help:"Days to keep readings, at least 30; 0 is for ever."`
	Hour int `help:"Days to keep hours, at least as many; 0 is for ever."`
	Day  int `help:"Days to keep days, at least as many; 0 is for ever."`
}

// Run sets the rule after asking.
func (c *retentionSetCommand) Run(ctx context.Context) error {
	return c.change(ctx, ingest.RetentionChange{Retention: ingest.Retention{Tenant: c.Tenant, Medium: c.Medium, Raw: c.Raw, Hour: c.Hour, Day: c.Day}})
}

type retentionClearCommand struct{ retentionScope }

// Run clears the rule after asking: another, shorter one may then count.
func (c *retentionClearCommand) Run(ctx context.Context) error {
	return c.change(ctx, ingest.RetentionChange{Retention: ingest.Retention{Tenant: c.Tenant, Medium: c.Medium}, Clear: true})
}

func (c *retentionScope) change(ctx context.Context, change ingest.RetentionChange) error {
	change.At = time.Now().UTC()
	change.Effective = change.At.Add(ingest.RetentionDelay)
	change.Account = operator()
	if err := change.Validate(); err != nil {
		return err
	}
	return c.withStore(ctx, func(db *store.Store) error {
		if err := printRetentions(os.Stdout, []ingest.RetentionChange{change}); err != nil {
			return err
		}
		fmt.Println("A batch takes its evidence from readings: keep them for as long as anything grows.")
		fmt.Printf("Until %s nothing goes because of this, and \"tianhai retention set\" or \"clear\" takes it back.\n", change.Effective.Local().Format(time.DateTime))
		if !c.Yes && !confirmed(os.Stdin) {
			return errors.New("nothing was changed")
		}
		return db.ChangeRetention(ctx, change)
	})
}

// confirmed asks whether to go on.
func confirmed(in io.Reader) bool {
	fmt.Print("Type yes to go on: ")
	line, err := bufio.NewReader(in).ReadString('\n')
	return err == nil && strings.TrimSpace(line) == "yes"
}

type retentionPreviewCommand struct {
	configFlags
}

// Run prints what goes tonight, and what goes once every change is in effect.
func (c *retentionPreviewCommand) Run(ctx context.Context) error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	client, err := dialSeries(ctx, cfg)
	if err != nil {
		return err
	}
	defer client.Close()
	return c.withStore(ctx, func(db *store.Store) error {
		r := retention{db, client}
		now := time.Now()
		for _, at := range []time.Time{nextPurge(now), nextPurge(now.Add(ingest.RetentionDelay))} {
			purges, err := r.PreviewRetention(ctx, at)
			if err != nil {
				return err
			}
			fmt.Printf("on %s:\n", at.Local().Format(time.DateTime))
			if err := printPurges(os.Stdout, purges); err != nil {
				return err
			}
		}
		return nil
	})
}

func printPurges(out io.Writer, purges []ingest.Purge) error {
	if len(purges) == 0 {
		_, err := fmt.Fprintln(out, "  nothing")
		return err
	}
	w := tabwriter.NewWriter(out, 2, 0, 2, ' ', 0)
	fmt.Fprintln(w, "  tenant\tmedium\twhat\tfrom\tto\tdays of devices")
	for _, p := range purges {
		fmt.Fprintf(w, "  %s\t%s\t%s\t%s\t%s\t%d\n", p.Tenant, p.Medium, p.What, p.From.Local().Format(time.DateTime), p.To.Local().Format(time.DateTime), p.Days)
	}
	return w.Flush()
}

// dialSeries connects to the InfluxDB that the configuration names, or to the one
// within a server that runs now.
func dialSeries(ctx context.Context, cfg config) (*influx.Client, error) {
	opt := influx.Options{URL: cfg.Influx.URL, Token: string(cfg.Influx.Token), Org: cfg.Influx.Org, Bucket: cfg.Influx.Bucket}
	if opt.URL == "" {
		var running struct{ Influx string }
		raw, err := os.ReadFile(cfg.path(runFile))
		if err == nil {
			err = json.Unmarshal(raw, &running)
		}
		if err != nil || running.Influx == "" {
			return nil, errors.New("no server runs on this data directory, and the values are in its InfluxDB: start it first")
		}
		opt.URL = running.Influx
		if opt.Token, err = influx.ServerToken(cfg.path("influx")); err != nil {
			return nil, err
		}
	}
	client, err := influx.Open(ctx, opt)
	if err != nil {
		return nil, fmt.Errorf("influx.url: %w", err)
	}
	return client, nil
}
