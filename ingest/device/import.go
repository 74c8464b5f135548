package device

import (
	"context"
	"fmt"
	"io"
	"time"

	"tianhai/farm"
)

// Limits of a file of devices.
const (
	MaxImport      = 100_000  // devices
	MaxImportBytes = 32 << 20 // of the file
	MaxFaults      = 1000     // that are told; there may be more
)

// A NewDevice is one that is registered for its owner, without being claimed.
type NewDevice struct {
	ID         string
	Tenant     string
	Model      string
	Name       farm.Text
	Site       string    // empty: nowhere yet
	From       time.Time // since when it stands there
	SecretHash []byte
	Created    time.Time
	Account    string // who registers it
}

// References are what the lines of a file may refer to.
type References struct {
	Tenants, Models map[string]bool
	Sites           map[string]string // tenant, by site
}

// ImportStore is what an importer asks of the records database.
type ImportStore interface {
	// References returns those of one tenant, or of all where it is empty.
	References(ctx context.Context, tenant string) (References, error)
	// Taken returns which of these identifiers are some device's already.
	Taken(ctx context.Context, ids []string) (map[string]bool, error)
	// CreateDevices stores all, with their places and events, or none;
	// farm.ErrConflict where an ID is taken.
	CreateDevices(ctx context.Context, devices []NewDevice) error
}

// An Importer registers devices by the file.
type Importer struct {
	Store ImportStore
	Now   func() time.Time // nil: time.Now
}

// Check reads a CSV file, as ParseCSV does, for one tenant or, where that is
// empty, for all. It returns the devices and everything that is wrong with them,
// line by line; an error is not the file's fault.
func (im *Importer) Check(ctx context.Context, file io.Reader, tenant string) ([]NewDevice, []Fault, error) {
	known, err := im.Store.References(ctx, tenant)
	if err != nil {
		return nil, nil, fmt.Errorf("check devices: %w", err)
	}
	sheet, err := ParseCSV(file, known, tenant)
	if err != nil {
		return nil, nil, fmt.Errorf("check devices: %w", err)
	}
	ids := make([]string, len(sheet.devices))
	for i, d := range sheet.devices {
		ids[i] = d.ID
	}
	taken, err := im.Store.Taken(ctx, ids)
	if err != nil {
		return nil, nil, fmt.Errorf("check devices: %w", err)
	}
	for i, d := range sheet.devices {
		if taken[d.ID] {
			sheet.fault(sheet.lines[i], "id", "%s is there already", d.ID)
		}
	}
	return sheet.devices, sheet.sorted(), nil
}

// Import registers the devices of a file, all or none, and returns their labels,
// the only time that the secrets are seen.
func (im *Importer) Import(ctx context.Context, account string, devices []NewDevice) ([]Label, error) {
	now := time.Now
	if im.Now != nil {
		now = im.Now
	}
	at := now().UTC()
	labels := make([]Label, len(devices))
	for i := range devices {
		d := &devices[i]
		labels[i] = Label{ID: d.ID, Model: d.Model}
		labels[i].Secret, d.SecretHash = NewSecret()
		d.Created, d.Account = at, account
		if d.From.IsZero() {
			d.From = at
		}
	}
	if err := im.Store.CreateDevices(ctx, devices); err != nil {
		return nil, err
	}
	return labels, nil
}
