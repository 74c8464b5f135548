package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"tianhai/ingest/history"
)

type backfillCommand struct {
	configFlags
	File     string            `arg:"" type:"existingfile" help:"CSV (UTF-8, GB18030; commas, semicolons or tabs) or .xlsx, with a header, at most 200 MiB."`
	Device   string            `help:"Whose measurements they are, unless a column says so."`
	Zone     string            `default:"Asia/Shanghai" help:"Zone of times that name none."`
	Sheet    string            `help:"Of a workbook; the first when left out."`
	Map      map[string]string `help:"What a column is: --map '水温=temperature'. A channel or quantity of the device's model, or time, date, device, or - for one that is not read. Repeat for more." placeholder:"COLUMN=WHAT" mapsep:"none"`
	Measured bool              `help:"The values are final: apply no calibration."`
	DryRun   bool              `help:"Only say what would be stored, and every line that is wrong."`
	Wait     bool              `help:"Show the progress until the job has ended."`
}

// Run orders a backfill, or says what it would do.
func (c *backfillCommand) Run(ctx context.Context) error {
	file, err := os.Open(c.File)
	if err != nil {
		return err
	}
	defer file.Close() //nolint:errcheck // it was only read
	return c.withDesk(ctx, func(d *deskSession) error {
		order := history.Backfill{
			File: filepath.Base(c.File), Device: c.Device, Zone: c.Zone, Sheet: c.Sheet, Columns: c.Map, Measured: c.Measured,
		}
		tenant, err := d.tenantOf(ctx, c.Device)
		if err != nil {
			return err
		}
		if c.DryRun {
			v, err := d.desk.Preview(ctx, tenant, order, file)
			if err != nil {
				return err
			}
			return printPreview(v, c.File)
		}
		j, err := d.desk.Backfill(ctx, tenant, operator(), order, file)
		if err != nil {
			return err
		}
		return d.ordered(ctx, j, c.Wait)
	})
}

// printPreview says what a backfill would do.
func printPreview(v history.Preview, file string) error {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "column\tis\tunit")
	for _, c := range v.Columns {
		is := c.Use
		if c.Channel != "" {
			is = c.Channel + " (" + c.Quantity + ")"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", c.Name, is, c.Unit)
	}
	if len(v.First) > 0 {
		fmt.Fprintln(w, "\nline\tdevice\tsite\ttime\tvalues")
	}
	for _, r := range v.First {
		var values []string
		for _, x := range r.Values {
			values = append(values, fmt.Sprintf("%s=%g", x.Quantity, x.Value))
		}
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\n", r.Line, r.Device, r.Site, r.Time.Format(time.RFC3339), strings.Join(values, " "))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	printProblems(v.Problems, v.Refused, file)
	fmt.Printf("%d rows: %d would be stored, %d have something wrong; nothing was stored\n", v.Rows, v.Usable, v.Refused)
	return nil
}
