package main

import (
	"context"
	"fmt"
	"os"
	"text/tabwriter"
	"time"

	"tianhai/cmd/internal/store"
	"tianhai/trace/catalog"
)

// catalogCommand works on the records database. A running server checks by what is
// saved within seconds.
type catalogCommand struct {
	Check    catalogCheckCommand    `cmd:"" help:"Read a catalog and say what is wrong with it; nothing is saved."`
	Show     catalogShowCommand     `cmd:"" help:"Print the catalog in force, another version, or the one shipped with this program."`
	Save     catalogSaveCommand     `cmd:"" help:"Save a new version of the catalog."`
	Versions catalogVersionsCommand `cmd:"" help:"List who saved which version."`
}

type catalogCheckCommand struct {
	File string `arg:"" type:"existingfile" help:"The catalog, in YAML."`
}

// Run prints what the catalog holds, or every fault with its line.
func (c *catalogCheckCommand) Run(context.Context) error {
	doc, err := os.ReadFile(c.File)
	if err != nil {
		return fmt.Errorf("read catalog: %w", err)
	}
	k, err := catalog.Parse(doc)
	if err != nil {
		return err
	}
	fmt.Printf("%d products, %d operations, %d items, %d stages\n", len(k.Products), len(k.Operations), len(k.Items), len(k.Stages))
	return nil
}

type catalogShowCommand struct {
	configFlags
	Version int  `help:"Default: the newest." placeholder:"N"`
	Shipped bool `help:"The one that this program was shipped with."`
}

// Run prints a catalog as it was saved.
func (c *catalogShowCommand) Run(ctx context.Context) error {
	if c.Shipped {
		_, err := os.Stdout.Write(catalog.Shipped())
		return err
	}
	return c.withStore(ctx, func(db *store.Store) error {
		v, err := db.CatalogVersion(ctx, c.Version)
		if err != nil {
			return err
		}
		_, err = fmt.Print(v.Doc)
		return err
	})
}

type catalogSaveCommand struct {
	configFlags
	Base int    `help:"Refuse where the newest version is another than this." placeholder:"N"`
	File string `arg:"" type:"existingfile" help:"The catalog, in YAML."`
}

// Run saves and prints the version.
func (c *catalogSaveCommand) Run(ctx context.Context) error {
	doc, err := os.ReadFile(c.File)
	if err != nil {
		return fmt.Errorf("read catalog: %w", err)
	}
	return c.withStore(ctx, func(db *store.Store) error {
		all, err := catalog.Open(ctx, db, nil)
		if err != nil {
			return err
		}
		v, err := all.Save(ctx, string(doc), operator(), c.Base)
		if err != nil {
			return err
		}
		fmt.Printf("catalog version %d\n", v.Version)
		return nil
	})
}

type catalogVersionsCommand struct{ configFlags }

// Run prints one line for each version.
func (c *catalogVersionsCommand) Run(ctx context.Context) error {
	return c.withStore(ctx, func(db *store.Store) error {
		all, err := db.CatalogVersions(ctx)
		if err != nil {
			return err
		}
		w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "version\tsaved\tby")
		for _, v := range all {
			fmt.Fprintf(w, "%d\t%s\t%s\n", v.Version, v.Created.Local().Format(time.DateTime), v.Account)
		}
		return w.Flush()
	})
}
