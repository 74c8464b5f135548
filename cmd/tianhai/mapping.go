package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"text/tabwriter"
	"time"

	"tianhai/cmd/internal/store"
	"tianhai/ingest"
	"tianhai/ingest/device"
	"tianhai/ingest/mapping"
)

// mappingCommand works on the records database. A running server reads by what is
// saved within seconds.
type mappingCommand struct {
	List   mappingListCommand   `cmd:"" help:"List mappings."`
	Show   mappingShowCommand   `cmd:"" help:"Print a mapping, the newest version or another."`
	Try    mappingTryCommand    `cmd:"" help:"Read a sample by a mapping and print what would be stored; nothing is."`
	Save   mappingSaveCommand   `cmd:"" help:"Save a new version of a mapping."`
	Delete mappingDeleteCommand `cmd:"" help:"Delete a mapping; its versions stay."`
}

type mappingListCommand struct{ configFlags }

// Run prints one line for each mapping.
func (c *mappingListCommand) Run(ctx context.Context) error {
	return c.withStore(ctx, func(db *store.Store) error {
		all, err := (&mapping.Desk{Store: db}).List(ctx)
		if err != nil {
			return err
		}
		w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "mapping\tversion\tsaved\tby")
		for _, v := range all {
			fmt.Fprintf(w, "%s\t%d\t%s\t%s\n", v.Name, v.Version, v.Created.Local().Format(time.DateTime), v.Account)
		}
		return w.Flush()
	})
}

type mappingShowCommand struct {
	configFlags
	Version int    `help:"Default: the newest." placeholder:"N"`
	Name    string `arg:""`
}

// Run prints a mapping as it was saved.
func (c *mappingShowCommand) Run(ctx context.Context) error {
	return c.withStore(ctx, func(db *store.Store) error {
		all, err := db.MappingVersions(ctx, c.Name)
		if err != nil {
			return err
		}
		i := len(all) - 1
		if c.Version != 0 {
			i = slices.IndexFunc(all, func(v mapping.Version) bool { return v.Version == c.Version })
		}
		switch {
		case i < 0:
			return fmt.Errorf("mapping %s has no version %d", c.Name, c.Version)
		case all[i].Deleted:
			return fmt.Errorf("mapping %s was deleted on %s by %s", c.Name, all[i].Created.Local().Format(time.DateTime), all[i].Account)
		}
		_, err = fmt.Print(all[i].Doc)
		return err
	})
}

type mappingSaveCommand struct {
	configFlags
	Name string `arg:"" help:"Models and topics use it: format \"mapped;mapping=NAME\"."`
	File string `arg:"" type:"existingfile" help:"The mapping, in YAML or JSON."`
}

// Run saves and prints the version.
func (c *mappingSaveCommand) Run(ctx context.Context) error {
	doc, err := os.ReadFile(c.File)
	if err != nil {
		return fmt.Errorf("read mapping: %w", err)
	}
	return c.withStore(ctx, func(db *store.Store) error {
		v, err := (&mapping.Desk{Store: db}).Save(ctx, c.Name, string(doc), operator(), 0)
		if err != nil {
			return err
		}
		fmt.Printf("%s version %d\n", v.Name, v.Version)
		return nil
	})
}

type mappingDeleteCommand struct {
	configFlags
	Name string `arg:""`
}

// Run deletes.
func (c *mappingDeleteCommand) Run(ctx context.Context) error {
	return c.withStore(ctx, func(db *store.Store) error {
		return (&mapping.Desk{Store: db}).Delete(ctx, c.Name, operator())
	})
}

type mappingTryCommand struct {
	configFlags
	Model  string `help:"Show what would be stored for a device of this model." placeholder:"MODEL"`
	File   string `arg:"" type:"existingfile" help:"The mapping, in YAML or JSON."`
	Sample string `arg:"" optional:"" type:"existingfile" help:"The payload; standard input if none."`
}

// Run prints one reading a line, as JSON, or where the mapping or the sample is at
// fault.
func (c *mappingTryCommand) Run(ctx context.Context) error {
	doc, err := os.ReadFile(c.File)
	if err != nil {
		return fmt.Errorf("read mapping: %w", err)
	}
	in := io.Reader(os.Stdin)
	if c.Sample != "" {
		f, err := os.Open(c.Sample)
		if err != nil {
			return fmt.Errorf("read sample: %w", err)
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	sample, err := io.ReadAll(io.LimitReader(in, ingest.MaxPayload+1))
	if err != nil {
		return fmt.Errorf("read sample: %w", err)
	}
	if len(sample) > ingest.MaxPayload {
		return fmt.Errorf("the sample is larger than %d bytes", ingest.MaxPayload)
	}
	trial := mapping.Trial{Doc: string(doc), Sample: sample, Received: time.Now()}
	if c.Model != "" {
		if trial.Model, err = c.model(ctx); err != nil {
			return err
		}
	}
	return printOutcome(os.Stdout, mapping.Try(ctx, trial))
}

func (c *mappingTryCommand) model(ctx context.Context) (m *device.Model, err error) {
	err = c.withStore(ctx, func(db *store.Store) error {
		models, err := db.Models(ctx)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(models, func(m device.Model) bool { return m.ID == c.Model })
		if i < 0 {
			return fmt.Errorf("model %q is not known", c.Model)
		}
		m = &models[i]
		return nil
	})
	return m, err
}

func printOutcome(w io.Writer, out mapping.Outcome) error {
	if f := out.Fault; f != nil {
		where := map[string]string{"doc": "mapping", "sample": "sample"}[f.In]
		if f.Line > 0 {
			where += fmt.Sprintf(" line %d", f.Line)
		}
		if f.Column > 0 {
			where += fmt.Sprintf(" column %d", f.Column)
		}
		if name := f.Key + f.Member; name != "" {
			where += ": " + name
		}
		return errors.New(where + ": " + f.Message)
	}
	lines := json.NewEncoder(w)
	lines.SetEscapeHTML(false)
	for _, r := range out.Readings {
		if err := lines.Encode(r); err != nil {
			return fmt.Errorf("print readings: %w", err)
		}
	}
	return nil
}
