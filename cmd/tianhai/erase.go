package main

import (
	"context"
	"errors"
	"fmt"
	"os/user"

	"tianhai/trace"
)

type eraseCommand struct {
	Tenant eraseTenantCommand `cmd:"" help:"Erase the personal data of a household, vessel or other natural person. It cannot be undone."`
}

type eraseTenantCommand struct {
	configFlags
	Tenant string `arg:"" help:"Its identifier, which stays."`
	Yes    bool   `required:"" help:"It is meant: names and telephone number are gone for good."`
	By     string `help:"Who orders it, for the record; the user of this shell when not given. It is sealed: use an office, not a name."`
}

// Run erases. Every receipt stays good.
func (c *eraseTenantCommand) Run(ctx context.Context) error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	by := c.By
	if by == "" {
		u, err := user.Current()
		if err != nil {
			return fmt.Errorf("--by: %w", err)
		}
		by = "shell:" + u.Username
	}
	db, err := openStore(ctx, cfg)
	if err != nil {
		return err
	}
	n, err := (&trace.Service{Store: db}).ErasePersonal(ctx, db, c.Tenant, by)
	if err := errors.Join(err, db.Close()); err != nil {
		return err
	}
	fmt.Printf("erased: names and telephone number of %s, and %d texts of its records. A record says so; all receipts stay good.\nCopies of the database from before still hold them.\n", c.Tenant, n)
	return nil
}
