package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"tianhai/cmd/internal/store"
	"tianhai/ingest/device"
)

type deviceImportCommand struct {
	configFlags
	File        string `arg:"" type:"existingfile" help:"CSV file as spreadsheets write it, with a header: id, tenant, model, name_zh and, where wanted, name_en, site, from (RFC 3339)."`
	DryRun      bool   `help:"Only say what is wrong with the file."`
	Credentials string `help:"Write the secrets of the devices to this CSV file (id,secret,kind), readable by you alone. They cannot be shown again." placeholder:"FILE"`
}

// Run begins only when every line is in order.
func (c *deviceImportCommand) Run(ctx context.Context) error {
	if !c.DryRun && c.Credentials == "" {
		return errors.New("say with --credentials where the secrets shall be written")
	}
	in, err := os.Open(c.File)
	if err != nil {
		return err
	}
	defer in.Close() //nolint:errcheck // it was only read
	return c.withStore(ctx, func(db *store.Store) error {
		im := device.Importer{Store: db}
		devices, faults, err := im.Check(ctx, in, "")
		if err != nil {
			return fmt.Errorf("%s: %w", c.File, err)
		}
		for _, f := range faults {
			fmt.Printf("%s:%d: %s: %s\n", c.File, f.Line, f.Field, f.Reason)
		}
		if len(faults) > 0 {
			return fmt.Errorf("%d faults; nothing was imported", len(faults))
		}
		if c.DryRun {
			fmt.Printf("%d devices, all in order; nothing was imported\n", len(devices))
			return nil
		}
		if err := writeCredentials(c.Credentials, nil); err != nil {
			return err
		}
		labels, err := im.Import(ctx, operator(), devices)
		if err != nil {
			return err
		}
		creds := make([]credential, len(labels))
		for i, l := range labels {
			creds[i] = credential{l.ID, l.Secret, l.Model}
		}
		fmt.Printf("%d new devices\n", len(labels))
		return writeCredentials(c.Credentials, creds)
	})
}
