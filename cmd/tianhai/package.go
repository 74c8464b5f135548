package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"tianhai/cmd/internal/store"
	"tianhai/i18n"
	"tianhai/trace/catalog"
	"tianhai/trace/parcel"
)

type packageCommand struct {
	configFlags
	Operator string `arg:"" help:"ID of the operator."`
	From     string `required:"" help:"First day, as it is in Beijing." placeholder:"YYYY-MM-DD"`
	To       string `required:"" help:"Last day." placeholder:"YYYY-MM-DD"`
	Out      string `required:"" help:"File to write, .json or .xlsx; it must not be there." placeholder:"FILE"`
}

// Run writes a whole package or none.
func (c *packageCommand) Run(ctx context.Context) error {
	period, err := parcel.Days(c.From, c.To)
	if bad, ok := errors.AsType[*parcel.FieldError](err); ok {
		return fmt.Errorf("--%s %s", map[string]string{"first": "from", "last": "to"}[bad.Field], bad.Reason)
	}
	ending := filepath.Ext(c.Out)
	if ending != ".json" && ending != ".xlsx" {
		return errors.New("--out ends neither in .json nor in .xlsx")
	}
	cfg, err := c.load()
	if err != nil {
		return err
	}
	db, err := openStore(ctx, cfg)
	if err != nil {
		return err
	}
	catalogs, err := catalog.Open(ctx, db, cfg.logger())
	if err != nil {
		return errors.Join(err, db.Close())
	}
	texts, err := i18n.Load()
	if err != nil {
		return errors.Join(err, db.Close())
	}
	// It holds personal data: nobody but its owner reads the file.
	file, err := os.OpenFile(c.Out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return errors.Join(err, db.Close())
	}
	var doc, book io.Writer
	if ending == ".json" {
		doc = file
	} else {
		book = file
	}
	composer := &parcel.Composer{Source: packed{db}, Catalogs: catalogs, Word: chinese(texts)}
	if cfg.HTTP.PublicURL != "" {
		composer.Schema = strings.TrimSuffix(cfg.HTTP.PublicURL, "/") + parcel.SchemaPath
	}
	n, err := composer.Compose(ctx, c.Operator, period, doc, book, func(int) error { return nil })
	if err = errors.Join(err, file.Sync(), file.Close(), db.Close()); err != nil {
		return errors.Join(fmt.Errorf("package of %s: %w", c.Operator, err), os.Remove(c.Out))
	}
	fmt.Printf("wrote %d records to %s\n", n.Records, c.Out)
	return nil
}

// packed is the records database as packages are made of it.
type packed struct{ *store.Store }

// Facts returns what a package says of its operator.
func (p packed) Facts(ctx context.Context, operator string) (f parcel.Facts, err error) {
	if f.Operator, err = p.Tenant(ctx, operator); err != nil {
		return f, err
	}
	if f.Sites, err = p.Sites(ctx, store.SiteFilter{Tenant: operator}); err != nil {
		return f, err
	}
	if f.Licences, err = p.Licences(ctx, operator); err != nil {
		return f, err
	}
	f.Logs, err = p.Logs(ctx)
	return f, err
}
