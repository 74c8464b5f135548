package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"tianhai/cmd/internal/store"
	"tianhai/farm"
)

// maxImport is how many devices one file may hold.
const maxImport = 100_000

// importColumns are those of a file of devices; the first four must be there.
var importColumns = [...]string{"id", "tenant", "model", "name_zh", "name_en", "site", "from"}

type deviceImportCommand struct {
	configFlags
	File        string `arg:"" type:"existingfile" help:"CSV file in UTF-8 with a header: id, tenant, model, name_zh and, where wanted, name_en, site, from (RFC 3339)."`
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
		known, err := readRegister(ctx, db)
		if err != nil {
			return err
		}
		devices, faults, err := known.parse(in)
		if err != nil {
			return fmt.Errorf("%s: %w", c.File, err)
		}
		for _, f := range faults {
			fmt.Printf("%s:%d: %s: %s\n", c.File, f.line, f.column, f.reason)
		}
		if len(faults) > 0 {
			return fmt.Errorf("%d faults; nothing was imported", len(faults))
		}
		if c.DryRun {
			fmt.Printf("%d devices, all in order; nothing was imported\n", len(devices))
			return nil
		}
		im := importer{store: db, now: time.Now().UTC()}
		err = errors.Join(im.run(ctx, farms{Devices: devices}), writeCredentials(c.Credentials, im.devices))
		fmt.Printf("%d new devices\n", len(im.devices))
		return err
	})
}

// A register is what lines of a file may refer to.
type register struct {
	tenants, models, devices map[string]bool
	sites                    map[string]string // tenant, by site
}

func readRegister(ctx context.Context, db *store.Store) (register, error) {
	r := register{tenants: map[string]bool{}, models: map[string]bool{}, devices: map[string]bool{}, sites: map[string]string{}}
	tenants, err1 := db.Tenants(ctx)
	for _, t := range tenants {
		r.tenants[t.ID] = true
	}
	models, err2 := db.Models(ctx)
	for _, m := range models {
		r.models[m.ID] = true
	}
	devices, err3 := db.Devices(ctx, store.DeviceFilter{})
	for _, d := range devices {
		r.devices[d.ID] = true
	}
	sites, err4 := db.Sites(ctx, store.SiteFilter{})
	for _, s := range sites {
		r.sites[s.ID] = s.Tenant
	}
	return r, errors.Join(err1, err2, err3, err4)
}

// A lineFault says what is wrong with one column of one line of a file.
type lineFault struct {
	line           int
	column, reason string
}

// parse returns the devices of a file and everything that is wrong with it. The
// error is that of a file that cannot be read as CSV at all.
func (r register) parse(in io.Reader) (devices []farmDevice, faults []lineFault, err error) {
	rows := csv.NewReader(in)
	rows.FieldsPerRecord = -1
	header, err := rows.Read()
	if err != nil {
		return nil, nil, fmt.Errorf("read header: %w", err)
	}
	header[0] = strings.TrimPrefix(header[0], "\ufeff") // as spreadsheets write it
	if faults := checkHeader(header); len(faults) > 0 {
		return nil, faults, nil
	}
	for len(devices) <= maxImport {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return devices, faults, nil
		}
		if err != nil {
			return nil, nil, err // which names the line
		}
		line, _ := rows.FieldPos(0)
		if len(row) != len(header) {
			faults = append(faults, lineFault{line, "line", fmt.Sprintf("%d fields instead of %d", len(row), len(header))})
			continue
		}
		cells := map[string]string{}
		for i, column := range header {
			cells[column] = strings.TrimSpace(row[i])
		}
		d, wrong := r.device(line, cells)
		devices, faults = append(devices, d), append(faults, wrong...)
		r.devices[d.ID] = true
	}
	return nil, nil, fmt.Errorf("more than %d devices", maxImport)
}

func checkHeader(header []string) (faults []lineFault) {
	for i, column := range header {
		if !slices.Contains(importColumns[:], column) {
			faults = append(faults, lineFault{1, column, "unknown column"})
		}
		if slices.Contains(header[:i], column) {
			faults = append(faults, lineFault{1, column, "is there twice"})
		}
	}
	for _, column := range importColumns[:4] {
		if !slices.Contains(header, column) {
			faults = append(faults, lineFault{1, column, "missing column"})
		}
	}
	return faults
}

// device reads one line.
func (r register) device(line int, cells map[string]string) (d farmDevice, faults []lineFault) {
	fault := func(column, format string, args ...any) {
		faults = append(faults, lineFault{line, column, fmt.Sprintf(format, args...)})
	}
	d = farmDevice{
		ID: cells["id"], Tenant: cells["tenant"], Model: cells["model"], Site: cells["site"],
		Name: farm.Text{Zh: cells["name_zh"], En: cells["name_en"]},
	}
	if err := farm.CheckID(d.ID); err != nil {
		fault("id", "%v", err)
	} else if r.devices[d.ID] {
		fault("id", "%s is there already", d.ID)
	}
	if !r.tenants[d.Tenant] {
		fault("tenant", "%q is not registered", d.Tenant)
	}
	if !r.models[d.Model] {
		fault("model", "%q is not registered", d.Model)
	}
	if d.Name.Zh == "" {
		fault("name_zh", "is missing")
	}
	if owner, ok := r.sites[d.Site]; d.Site != "" && (!ok || owner != d.Tenant) {
		fault("site", "%q is none of %s's", d.Site, d.Tenant)
	}
	if from := cells["from"]; from != "" {
		var err error
		if d.From, err = time.Parse(time.RFC3339, from); err != nil {
			fault("from", "%q is not a time such as 2026-07-01T08:00:00+08:00", from)
		} else if d.Site == "" {
			fault("from", "there is no site")
		}
	}
	return d, faults
}
