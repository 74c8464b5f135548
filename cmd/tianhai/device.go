package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"tianhai/api"
	"tianhai/cmd/internal/store"
	"tianhai/farm"
	"tianhai/ingest/device"
	"tianhai/trace/label"
)

// deviceCommand works on the records database. A running server obeys within
// seconds.
type deviceCommand struct {
	List    deviceListCommand    `cmd:"" help:"List devices."`
	Issue   deviceIssueCommand   `cmd:"" help:"Make devices with claim codes, for labels to print."`
	Labels  deviceLabelsCommand  `cmd:"" help:"Draw labels to print for devices that were claimed or registered."`
	Import  deviceImportCommand  `cmd:"" help:"Register devices from a CSV file, unless a line of it is wrong."`
	Reissue deviceReissueCommand `cmd:"" help:"Give a device that nobody claimed another claim code, which is printed once."`
	Suspend deviceSuspendCommand `cmd:"" help:"Keep a device out for now."`
	Resume  deviceResumeCommand  `cmd:"" help:"Let a suspended device in again."`
	Retire  deviceRetireCommand  `cmd:"" help:"Keep a device out for ever."`
	Rotate  deviceRotateCommand  `cmd:"" help:"Give a device a new secret, which is printed once."`
	Alias   deviceAliasCommand   `cmd:"" help:"Names by which others know a device: list, add, remove."`
	Revoke  deviceRevokeCommand  `cmd:"" help:"Take a device's secrets and certificates away."`
	CA      deviceCACommand      `cmd:"" name:"ca" help:"Make an authority for certificates of devices."`
	Cert    deviceCertCommand    `cmd:"" help:"Make a key and a certificate for a device."`
}

// withStore opens the records database for the length of do.
func (c *configFlags) withStore(ctx context.Context, do func(*store.Store) error) error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	db, err := openStore(ctx, cfg)
	if err != nil {
		return err
	}
	return errors.Join(do(db), db.Close())
}

// operator names who sits at this machine, for the audit.
func operator() string {
	if u, err := user.Current(); err == nil {
		return "shell:" + u.Username
	}
	return "shell:" + strconv.Itoa(os.Getuid())
}

type deviceListCommand struct {
	configFlags
	Tenant string `help:"Only this tenant's."`
	Site   string `help:"Only what stands at this site."`
}

// Run prints one line for each device.
func (c *deviceListCommand) Run(ctx context.Context) error {
	return c.withStore(ctx, func(db *store.Store) error {
		devices, err := db.Devices(ctx, store.DeviceFilter{Tenant: c.Tenant, Site: c.Site})
		if err != nil {
			return err
		}
		w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "device\tmodel\ttenant\tsite\tstate\tlast seen")
		for _, d := range devices {
			seen := "-"
			if !d.Seen.IsZero() {
				seen = d.Seen.Local().Format(time.DateTime)
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", d.ID, d.Model, d.Tenant, cmp.Or(d.Site, "-"), d.State, seen)
		}
		return w.Flush()
	})
}

type deviceIssueCommand struct {
	configFlags
	Model string `required:"" help:"Of the devices."`
	Count int    `required:"" help:"How many, at most 1000."`
	Out   string `required:"" help:"New CSV file (id,model,secret,claim_code), readable by you alone. Secrets and codes cannot be shown again." placeholder:"FILE"`
	Sheet string `help:"New file of labels: .html to be printed from a browser, or .pdf, .zpl or .zip. It holds the claim codes and no secrets." placeholder:"FILE"`
	sheetFlags
}

// Run issues devices. The files are there before they are.
func (c *deviceIssueCommand) Run(ctx context.Context) error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	var sheet label.Sheet
	var labels api.Labels
	if c.Sheet != "" {
		if sheet, labels, err = c.prepare(cfg); err != nil {
			return err
		}
	}
	return c.withStore(ctx, func(db *store.Store) error {
		m, err := findModel(ctx, db, c.Model)
		if err != nil {
			return err
		}
		if c.Sheet != "" {
			// What would not fit is found before there are devices.
			sheet.Tags = []label.Tag{labels.Widest(c.Lang, m)}
			if err := printTags(ctx, io.Discard, c.Sheet, labels, sheet); err != nil {
				return err
			}
		}
		out, err := newFile(c.Out)
		if err != nil {
			return err
		}
		var page *os.File
		if c.Sheet != "" {
			if page, err = newFile(c.Sheet); err != nil {
				return errors.Join(err, out.Close(), os.Remove(c.Out))
			}
		}
		issued, err := newIssuer(db).Issue(ctx, operator(), m, c.Count)
		tags, secrets := labels.Issued(c.Lang, m, issued)
		_, failed := out.Write(secrets)
		if err := errors.Join(err, failed, out.Sync(), out.Close()); err != nil {
			return err
		}
		fmt.Printf("%d devices issued, see %s\n", len(issued), c.Out)
		if page == nil {
			return nil
		}
		sheet.Tags = tags
		return fillTags(ctx, page, labels, sheet)
	})
}

func findModel(ctx context.Context, db *store.Store, id string) (device.Model, error) {
	models, err := db.Models(ctx)
	if err != nil {
		return device.Model{}, err
	}
	i := slices.IndexFunc(models, func(m device.Model) bool { return m.ID == id })
	if i < 0 {
		return device.Model{}, fmt.Errorf("model %s: %w", id, farm.ErrNotFound)
	}
	return models[i], nil
}

// deviceOrder is what every change to one device is told.
type deviceOrder struct {
	configFlags
	Device string `arg:"" help:"Name of the device."`
	Reason string `help:"Why, for the audit."`
}

func (c *deviceOrder) do(ctx context.Context, act func(*device.Manager, device.Order) error) error {
	if err := device.CheckReason(c.Reason); err != nil {
		return err
	}
	return c.withStore(ctx, func(db *store.Store) error {
		return act(&device.Manager{Store: db}, device.Order{Device: c.Device, Account: operator(), Reason: strings.TrimSpace(c.Reason)})
	})
}

type deviceReissueCommand struct{ deviceOrder }

// Run prints the new claim code. The code before is no good any more.
func (c *deviceReissueCommand) Run(ctx context.Context) error {
	if err := device.CheckReason(c.Reason); err != nil {
		return err
	}
	return c.withStore(ctx, func(db *store.Store) error {
		code, err := newIssuer(db).Reissue(ctx, device.Order{Device: c.Device, Account: operator(), Reason: strings.TrimSpace(c.Reason)})
		if err != nil {
			return err
		}
		fmt.Printf("device %s, claim code %s\nIt is not shown again.\n", c.Device, label.Group(code))
		return nil
	})
}

type deviceSuspendCommand struct{ deviceOrder }

// Run suspends the device.
func (c *deviceSuspendCommand) Run(ctx context.Context) error {
	return c.do(ctx, func(m *device.Manager, o device.Order) error { return m.SetState(ctx, o, device.Suspended) })
}

type deviceResumeCommand struct{ deviceOrder }

// Run resumes the device.
func (c *deviceResumeCommand) Run(ctx context.Context) error {
	return c.do(ctx, func(m *device.Manager, o device.Order) error { return m.SetState(ctx, o, device.Active) })
}

type deviceRetireCommand struct{ deviceOrder }

// Run retires the device.
func (c *deviceRetireCommand) Run(ctx context.Context) error {
	return c.do(ctx, func(m *device.Manager, o device.Order) error { return m.SetState(ctx, o, device.Retired) })
}

type deviceRotateCommand struct {
	deviceOrder
	Grace time.Duration `help:"How long the secret before stays good, at most 720h; at once it ends when not given."`
}

// Run prints the new secret.
func (c *deviceRotateCommand) Run(ctx context.Context) error {
	return c.do(ctx, func(m *device.Manager, o device.Order) error {
		secret, err := m.Rotate(ctx, o, c.Grace)
		if err != nil {
			return err
		}
		fmt.Printf("device %s, secret %s\nIt is not shown again.\n", o.Device, secret)
		return nil
	})
}

type deviceRevokeCommand struct{ deviceOrder }

// Run revokes the device's secrets.
func (c *deviceRevokeCommand) Run(ctx context.Context) error {
	return c.do(ctx, func(m *device.Manager, o device.Order) error { return m.Revoke(ctx, o) })
}
