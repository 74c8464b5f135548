package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"tianhai/api/auth"
	"tianhai/cmd/internal/store"
	"tianhai/farm"
)

type accountCommand struct {
	Add accountAddCommand `cmd:"" help:"Create an account; its password is printed once."`
}

type accountAddCommand struct {
	configFlags
	Login  string    `arg:"" help:"Login name: a-z, 0-9, - and _."`
	Name   string    `help:"Name shown on screens; the login when not given."`
	Role   auth.Role `required:"" enum:"administrator,bureau,manager,farmer" help:"One of ${enum}."`
	Tenant string    `help:"Of a manager or farmer."`
	Region string    `help:"Of a bureau officer: GB/T 2260 code, such as 450000."`
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
	if err := checkAccount(a); err != nil {
		return err
	}
	if a.Name == "" {
		a.Name = a.Login
	}
	hash, err := auth.HashPassword(password)
	if err != nil {
		return err
	}
	return db.CreateAccount(ctx, auth.Account{Login: a.Login, Name: a.Name, Role: a.Role, Tenant: a.Tenant, Region: a.Region, Password: hash, Created: now})
}

func checkAccount(a farmAccount) error {
	if err := farm.CheckID(a.Login); err != nil {
		return err
	}
	switch a.Role {
	case auth.Administrator:
		if a.Tenant != "" || a.Region != "" {
			return errors.New("an administrator has neither tenant nor region")
		}
	case auth.Bureau:
		if a.Tenant != "" {
			return errors.New("a bureau officer has a region, no tenant")
		}
		return checkRegion(a.Region)
	case auth.Manager, auth.Farmer:
		if a.Region != "" || a.Tenant == "" {
			return fmt.Errorf("a %s has a tenant, no region", a.Role)
		}
	default:
		return fmt.Errorf("role %q is none of administrator, bureau, manager, farmer", a.Role)
	}
	return nil
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
