package main

import (
	"context"
	"errors"
	"time"

	"tianhai/farm"
	"tianhai/ingest/history"
)

type replayCommand struct {
	configFlags
	From           time.Time `help:"Frames received from this time on (RFC 3339); the oldest when left out." placeholder:"TIME"`
	To             time.Time `help:"Frames received before this time; all when left out." placeholder:"TIME"`
	Device         []string  `help:"Only this device's; repeat for more." placeholder:"ID"`
	Tenant         string    `help:"Only this tenant's devices."`
	QuarantineOnly bool      `help:"Only frames that are in quarantine."`
	Wait           bool      `help:"Show the progress until the job has ended."`
}

// Run orders a replay.
func (c *replayCommand) Run(ctx context.Context) error {
	if len(c.Device) == 0 && c.From.IsZero() && c.To.IsZero() && !c.QuarantineOnly {
		return errors.New("say what to replay: --device, --from, --to or --quarantine-only")
	}
	return c.withDesk(ctx, func(d *deskSession) error {
		order := history.Replay{Devices: c.Device, From: c.From, To: c.To, QuarantineOnly: c.QuarantineOnly}
		tenant := c.Tenant
		if tenant == "" && len(c.Device) == 1 {
			owner, err := d.tenantOf(ctx, c.Device[0])
			if err != nil && !errors.Is(err, farm.ErrNotFound) { // a device that nobody registered is replayed, too
				return err
			}
			tenant = owner
		}
		j, err := d.desk.Replay(ctx, tenant, operator(), order)
		if err != nil {
			return err
		}
		return d.ordered(ctx, j, c.Wait)
	})
}
