package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"time"

	"tianhai/firmware-sim/fleet"
)

type replayCmd struct {
	broker
	CSV        string            `required:"" type:"existingfile" help:"The file. Empty cells are sent as null."`
	Device     string            `required:"" help:"Id of the device that the rows are sent as."`
	Mapping    string            `type:"existingfile" help:"YAML file of the mapping, instead of the flags below: time {column, layout, utc_offset or zone}, columns {heading: channel}, missing, decimal, separator, skip_lines."`
	TimeColumn string            `help:"Heading of the time."`
	TimeLayout string            `help:"Its layout: a Go layout such as \"1/2/2006 15:04\", unix or unix_ms; RFC 3339 by default."`
	UTCOffset  string            `name:"utc-offset" help:"Offset of times that do not name theirs, such as -6h."`
	Zone       string            `help:"Or their zone, such as Asia/Shanghai; UTC by default."`
	Map        map[string]string `mapsep:"," placeholder:"HEADING=CHANNEL,…" help:"Columns to send. Others are skipped."`
	Missing    []string          `help:"Cells that mean no value, such as NA."`
	Decimal    string            `help:"\",\" for decimal commas."`
	Separator  string            `help:"Character between cells; \",\" by default."`
	SkipLines  int               `help:"Lines before the headings."`
	Speed      float64           `default:"0" help:"How much faster than measured; 0 is as fast as acknowledged."`
	FromRow    int               `default:"1" help:"Row to begin with; 1 is the first after the headings."`
}

func (c *replayCmd) Run(ctx context.Context) error {
	device, err := c.device()
	if err != nil {
		return err
	}
	mapping, err := c.mapping()
	if err != nil {
		return err
	}
	authorities, err := c.tls()
	if err != nil {
		return err
	}
	file, err := os.Open(c.CSV)
	if err != nil {
		return fmt.Errorf("open measurements: %w", err)
	}
	defer func() { _ = file.Close() }()
	rows, err := fleet.NewRows(file, mapping)
	if err != nil {
		return fmt.Errorf("read %s: %w", c.CSV, err)
	}
	told := time.Now()
	done, err := fleet.Replay{
		Broker: c.Broker, TLS: authorities, Device: device, Speed: c.Speed, FromRow: c.FromRow, Logger: c.logger(),
		Progress: func(row fleet.Row, acknowledged int) {
			if time.Since(told) >= time.Second {
				told = time.Now()
				fmt.Fprintf(os.Stderr, "row %d of %s, %d acknowledged\n", row.Number, row.Time.Format(time.RFC3339), acknowledged)
			}
		},
	}.Run(ctx, rows)
	fmt.Printf("acknowledged %d rows; next is --from-row %d\n", done.Acknowledged, done.Next)
	return err
}

// device finds the credentials of the device.
func (c *replayCmd) device() (fleet.Device, error) {
	if c.Credentials == "" {
		password, err := c.password()
		return fleet.Device{ID: c.Device, User: c.User, Secret: password}, err
	}
	devices, err := c.devices()
	if err != nil {
		return fleet.Device{}, err
	}
	for _, d := range devices {
		if d.ID == c.Device {
			return d, nil
		}
	}
	return fleet.Device{}, fmt.Errorf("no device %q in %s", c.Device, c.Credentials)
}

// mapping comes from the file or from the flags, never from both.
func (c *replayCmd) mapping() (fleet.Mapping, error) {
	if c.Mapping == "" {
		zone, err := fleet.Zone(c.UTCOffset, c.Zone)
		return fleet.Mapping{
			TimeColumn: c.TimeColumn, TimeLayout: c.TimeLayout, Zone: zone, Columns: c.Map,
			Missing: c.Missing, Decimal: c.Decimal, Separator: c.Separator, SkipLines: c.SkipLines,
		}, err
	}
	flags := c.TimeColumn + c.TimeLayout + c.UTCOffset + c.Zone + c.Decimal + c.Separator
	if flags != "" || len(c.Map)+len(c.Missing)+c.SkipLines > 0 {
		return fleet.Mapping{}, errors.New("give --mapping or the flags of a mapping, not both")
	}
	file, err := os.Open(c.Mapping)
	if err != nil {
		return fleet.Mapping{}, fmt.Errorf("open mapping: %w", err)
	}
	defer func() { _ = file.Close() }()
	return fleet.ReadMapping(file)
}

// redact returns a URL without its password.
func redact(broker string) string {
	u, err := url.Parse(broker)
	if err != nil {
		return "the broker"
	}
	return u.Redacted()
}
