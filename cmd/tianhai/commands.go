package main

import (
	"context"
	"time"

	"tianhai/ingest"
	"tianhai/ingest/device"
)

// answers has the queue go on when a device has answered.
type answers struct {
	*device.Registry
	queue *device.Queue
}

// SettleCommand records the answer.
func (a answers) SettleCommand(ctx context.Context, id string, res ingest.CommandResult, at time.Time) error {
	defer a.queue.Wake()
	return a.Registry.SettleCommand(ctx, id, res, at)
}

// arrivals has the queue told of devices that come to an outside broker, which
// does not tell when they begin to listen.
type arrivals struct {
	ingest.Presence
	queue *device.Queue
}

// SetOnline records the presence.
func (a arrivals) SetOnline(ctx context.Context, id string, online bool, at time.Time) error {
	err := a.Presence.SetOnline(ctx, id, online, at)
	if err == nil && online {
		a.queue.Listens(id)
	}
	return err
}
