package main

import (
	"context"
	"errors"
	"fmt"
	"os/user"

	"tianhai/api/auth"
	"tianhai/cmd/internal/store"
	"tianhai/farm"
	"tianhai/trace"
)

type eraseCommand struct {
	Tenant  eraseTenantCommand  `cmd:"" help:"Erase the personal data of a household, vessel or other natural person. It cannot be undone."`
	Person  erasePersonCommand  `cmd:"" help:"Erase a name, such as a buyer's or a vet's, from all operations of a tenant. It cannot be undone."`
	Account eraseAccountCommand `cmd:"" help:"Erase the name of a tenant's account and end it. It cannot be undone."`
}

type eraseFlags struct {
	configFlags
	Yes bool   `required:"" help:"It is meant: what is erased is gone for good."`
	By  string `help:"Who orders it, for the record; the user of this shell when not given. It is sealed: use an office, not a name."`
}

// orders is who orders it.
func (f eraseFlags) orders() (string, error) {
	if f.By != "" {
		return f.By, nil
	}
	u, err := user.Current()
	if err != nil {
		return "", fmt.Errorf("--by: %w", err)
	}
	return "shell:" + u.Username, nil
}

// open opens the records, and says who orders what is to be done to them.
func (f eraseFlags) open(ctx context.Context) (db *store.Store, by string, err error) {
	cfg, err := f.load()
	if err != nil {
		return nil, "", err
	}
	if by, err = f.orders(); err != nil {
		return nil, "", err
	}
	db, err = openStore(ctx, cfg)
	return db, by, err
}

type eraseTenantCommand struct {
	eraseFlags
	Tenant string `arg:"" help:"Its identifier, which stays."`
}

// Run erases. Every receipt stays good.
func (c *eraseTenantCommand) Run(ctx context.Context) error {
	db, by, err := c.open(ctx)
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

type erasePersonCommand struct {
	eraseFlags
	Tenant string `required:"" help:"Whose operations name the person."`
	Name   string `arg:"" help:"The name, or whatever was written, exactly as it was."`
}

// Run erases. Every receipt stays good.
func (c *erasePersonCommand) Run(ctx context.Context) error {
	db, by, err := c.open(ctx)
	if err != nil {
		return err
	}
	n, err := (&trace.Service{Store: db}).EraseNamed(ctx, db, c.Tenant, c.Name, by)
	err = errors.Join(err, db.Close())
	if errors.Is(err, farm.ErrNotFound) {
		return fmt.Errorf("no operation of %s names just that", c.Tenant)
	}
	if err != nil {
		return err
	}
	fmt.Printf("erased: the name in %d place(s) of operations of %s. A record says so, without it; all receipts stay good.\nCopies of the database from before still hold it.\n", n, c.Tenant)
	return nil
}

type eraseAccountCommand struct {
	eraseFlags
	Login string `arg:"" help:"Login name, which stays: operations name it."`
}

// Run erases the name and ends the account.
func (c *eraseAccountCommand) Run(ctx context.Context) error {
	db, by, err := c.open(ctx)
	if err != nil {
		return err
	}
	if err := errors.Join(c.erase(ctx, db, by), db.Close()); err != nil {
		return err
	}
	fmt.Printf("erased: the name of %s, which can no longer log in. A record says that an account was erased; all receipts stay good.\n", c.Login)
	return nil
}

func (c *eraseAccountCommand) erase(ctx context.Context, db *store.Store, by string) error {
	account, err := db.Account(ctx, c.Login)
	if err != nil {
		return err
	}
	if account.Tenant == "" {
		return fmt.Errorf("%s is an account of the %s, not of a tenant, and holds an office", c.Login, account.Role)
	}
	phc, err := auth.HashPassword(newPassword()) // which nobody is told
	if err != nil {
		return err
	}
	rec, err := (&trace.Service{}).Erasure(account.Tenant, true, by)
	if err != nil {
		return err
	}
	return db.EraseAccount(ctx, c.Login, phc, rec)
}
