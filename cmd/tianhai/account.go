package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"tianhai/api/auth"
	"tianhai/cmd/internal/store"
)

type accountCommand struct {
	Add accountAddCommand `cmd:"" help:"Create an account; its password is printed once."`
}

type accountAddCommand struct {
	configFlags
	Login  string    `arg:"" help:"Login name: a-z, 0-9, - and _."`
	Name   string    `help:"Name shown on screens; the login when not given."`
	Role   auth.Role `required:"" enum:"administrator,bureau,inspector,manager,farmer,laboratory" help:"One of ${enum}."`
	Tenant string    `help:"Of a manager, farmer or laboratory."`
	Region string    `help:"Of a bureau officer or inspector: GB/T 2260 code, such as 450000."`
}

// Run creates the account.
func (c *accountAddCommand) Run(ctx context.Context) error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	db, err := openStore(ctx, cfg)
	if err != nil {
		return err
	}
	password := newPassword()
	a := farmAccount{Login: c.Login, Name: c.Name, Role: c.Role, Tenant: c.Tenant, Region: c.Region}
	if err := errors.Join(createAccount(ctx, db, a, password, time.Now().UTC()), db.Close()); err != nil {
		return err
	}
	fmt.Printf("account %s, password %s\nIt is not shown again.\n", c.Login, password)
	return nil
}

func createAccount(ctx context.Context, db *store.Store, a farmAccount, password string, now time.Time) error {
	account := auth.Account{Login: a.Login, Name: cmp.Or(a.Name, a.Login), Role: a.Role, Tenant: a.Tenant, Region: a.Region, Created: now}
	if err := account.Check(); err != nil {
		return err
	}
	var err error
	if account.Password, err = auth.HashPassword(password); err != nil {
		return err
	}
	return db.CreateAccount(ctx, account)
}

// newPassword returns 60 random bits that can be read aloud and typed on a phone.
func newPassword() string {
	const letters = "abcdefghijkmnpqrstuvwxyz23456789" // no l and o, which look like 1 and 0
	raw := make([]byte, 12)
	rand.Read(raw) //nolint:errcheck // crypto/rand.Read never fails (Go 1.24)
	var b strings.Builder
	for i, c := range raw {
		if i > 0 && i%4 == 0 {
			b.WriteByte('-')
		}
		b.WriteByte(letters[c%32])
	}
	return b.String()
}
