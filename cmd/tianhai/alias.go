package main

import (
	"context"
	"fmt"
	"time"

	"tianhai/cmd/internal/store"
	"tianhai/ingest/device"
)

type deviceAliasCommand struct {
	configFlags
	Remove bool   `help:"Take the name away. A running server may know it for two more minutes."`
	Device string `arg:""`
	Alias  string `arg:"" optional:"" help:"A DevEUI as on the label, or group/node/device of an edge node, group/node of the node itself. None: list."`
}

// Run gives a device a name by which others know it, takes it away, or lists.
func (c *deviceAliasCommand) Run(ctx context.Context) error {
	alias := device.FoldAlias(c.Alias)
	return c.withStore(ctx, func(db *store.Store) error {
		switch {
		case c.Alias == "":
			all, err := db.Aliases(ctx, c.Device)
			for _, a := range all {
				fmt.Println(a.Alias)
			}
			return err
		case c.Remove:
			return db.DeleteAlias(ctx, c.Device, alias)
		}
		if err := device.CheckAlias(alias); err != nil {
			return err
		}
		return db.AddAlias(ctx, device.Alias{Alias: alias, Device: c.Device, Account: operator(), Created: time.Now()})
	})
}
