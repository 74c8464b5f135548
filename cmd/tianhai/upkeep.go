package main

import (
	"context"

	"tianhai/cmd/internal/store"
	"tianhai/ingest/device"
)

// upkeep is the store, and has the registry learn what changed.
type upkeep struct {
	*store.Store
	registry *device.Registry
}

// AddCalibration records a calibration, which counts from the next frame on.
func (u upkeep) AddCalibration(ctx context.Context, c device.Calibration) error {
	defer u.registry.Forget(c.Device)
	return u.Store.AddCalibration(ctx, c)
}

// Install moves a device.
func (u upkeep) Install(ctx context.Context, in device.Installation) error {
	defer u.registry.Forget(in.Device)
	return u.Store.Install(ctx, in)
}

// AddAlias gives a device another name, which counts from the next frame on.
func (u upkeep) AddAlias(ctx context.Context, a device.Alias) error {
	defer u.registry.Forget(a.Device)
	return u.Store.AddAlias(ctx, a)
}

// DeleteAlias takes a name away.
func (u upkeep) DeleteAlias(ctx context.Context, id, alias string) error {
	defer u.registry.Forget(id)
	return u.Store.DeleteAlias(ctx, id, alias)
}

// models is the store, and has the registry learn what changed.
type models struct {
	*store.Store
	registry *device.Registry
}

// PutModel changes a model, which counts from the next frame on.
func (m models) PutModel(ctx context.Context, c device.ModelChange) error {
	defer m.registry.ForgetAll()
	return m.Store.PutModel(ctx, c)
}
