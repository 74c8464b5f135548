package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"tianhai/api"
	"tianhai/cmd/internal/store"
	"tianhai/farm"
	"tianhai/i18n"
	"tianhai/ingest/device"
	"tianhai/trace/label"
	"tianhai/trace/label/press"
)

// sheetFlags say how labels are printed.
type sheetFlags struct {
	Stock string `default:"plain" help:"What is printed on: plain paper with marks for cutting (plain, plain-80x60); A4 sheets of labels by their size: 63.5x38.1 (Avery L7160), 63.5x33.9 (L7159), 70x37 (3474), 99.1x38.1 (L7163), 99.1x57 (L7173), 99.1x67.7 (L7165); rolls: roll-40x30, -50x30, -60x40, -70x50, -80x60, -100x60, -100x80; or your own, such as columns=4,rows=10,width=48.5,height=25.4 or roll,width=60,height=40."`
	Skip  int    `help:"Labels of the first sheet that are used already."`
	Lang  string `default:"zh-CN" help:"Language of the labels: zh-CN or en."`
	URL   string `help:"Address that the codes point at, where http.public_url does not say." placeholder:"URL"`
}

// prepare returns the sheet without its tags, and who fills it. It fails before
// anything is done for labels that could not be printed.
func (f *sheetFlags) prepare(cfg config) (label.Sheet, api.Labels, error) {
	public := strings.TrimSuffix(cmp.Or(f.URL, cfg.HTTP.PublicURL), "/")
	if public == "" {
		return label.Sheet{}, api.Labels{}, errors.New("the codes on the labels need an address that stays: set http.public_url, or say it with --url")
	}
	if err := checkURL(public, []string{"http", "https"}); err != nil {
		return label.Sheet{}, api.Labels{}, fmt.Errorf("--url: %w", err)
	}
	texts, err := i18n.Load()
	if err != nil {
		return label.Sheet{}, api.Labels{}, err
	}
	if !slices.Contains(texts.Languages(), f.Lang) {
		return label.Sheet{}, api.Labels{}, fmt.Errorf("--lang: %q is none of %s", f.Lang, strings.Join(texts.Languages(), ", "))
	}
	labels := api.Labels{Catalog: texts, Schemes: label.NewSchemes(public), PublicURL: public}
	sheet := labels.Sheet(f.Lang)
	if sheet.Stock, err = label.ParseStock(f.Stock); err != nil {
		return sheet, labels, fmt.Errorf("--stock: %w", err)
	}
	if sheet.Skip = f.Skip; f.Skip < 0 || f.Skip >= sheet.Stock.PerSheet() {
		return sheet, labels, fmt.Errorf("--skip: %d is not within 0 and %d", f.Skip, sheet.Stock.PerSheet()-1)
	}
	return sheet, labels, nil
}

// newFile makes a file that was not there, readable by its owner alone.
func newFile(name string) (*os.File, error) {
	return os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
}

type deviceLabelsCommand struct {
	configFlags
	sheetFlags
	Device []string `help:"Names of devices."`
	Site   string   `help:"All that stand at this site."`
	Tenant string   `help:"All of this tenant's."`
	Out    string   `required:"" help:"New file: .html to be printed from a browser, or .pdf, .zpl (thermal printers) or .zip (print shops)." placeholder:"FILE"`
}

// Run draws labels without claim codes.
func (c *deviceLabelsCommand) Run(ctx context.Context) error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	sheet, labels, err := c.prepare(cfg)
	if err != nil {
		return err
	}
	return c.withStore(ctx, func(db *store.Store) error {
		devices, err := db.Devices(ctx, store.DeviceFilter{Tenant: c.Tenant, Site: c.Site})
		if err != nil {
			return err
		}
		if len(c.Device) > 0 {
			devices = slices.DeleteFunc(devices, func(d device.Placed) bool { return !slices.Contains(c.Device, d.ID) })
		}
		if len(devices) == 0 {
			return fmt.Errorf("devices: %w", farm.ErrNotFound)
		}
		sheet.Tags = labels.Known(c.Lang, devices)
		return writeTags(ctx, c.Out, labels, sheet)
	})
}

// writeTags makes a new file of labels. What cannot be printed leaves none.
func writeTags(ctx context.Context, name string, labels api.Labels, sheet label.Sheet) error {
	out, err := newFile(name)
	if err != nil {
		return err
	}
	if err := fillTags(ctx, out, labels, sheet); err != nil {
		return errors.Join(err, os.Remove(name))
	}
	return nil
}

// fillTags writes labels as what the file's name says, and closes it.
func fillTags(ctx context.Context, out *os.File, labels api.Labels, sheet label.Sheet) error {
	if err := errors.Join(printTags(ctx, out, out.Name(), labels, sheet), out.Sync(), out.Close()); err != nil {
		return err
	}
	fmt.Printf("%d labels, see %s\n", len(sheet.Tags), out.Name())
	return nil
}

func printTags(ctx context.Context, w io.Writer, name string, labels api.Labels, sheet label.Sheet) error {
	p, err := press.New()
	if err != nil {
		return err
	}
	format, ok := formatByName(name)
	if !ok {
		sheet.Draw = labels.Draw(p, sheet)
		return sheet.Write(w)
	}
	designs := make([]press.Design, len(sheet.Tags))
	for i, tag := range sheet.Tags {
		designs[i] = labels.Device(sheet.Lang, tag)
	}
	job := press.Job{Stock: sheet.Stock, Skip: sheet.Skip, Readme: labels.Readme()}
	job.Count, job.Labels = press.Of(designs...)
	return p.Write(ctx, w, format, job)
}

// formatByName returns the format that a file's name ends in, unless that is a page
// for a browser.
func formatByName(name string) (press.Format, bool) {
	f := press.Format(strings.ToLower(strings.TrimPrefix(filepath.Ext(name), ".")))
	return f, slices.Contains(press.Formats(), f)
}
