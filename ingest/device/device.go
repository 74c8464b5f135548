// Package device knows which devices there are, what they measure, where they
// stand, and whether they are who they say.
package device

import (
	"context"
	"time"

	"tianhai/farm"
	"tianhai/ingest"
)

// A Channel of a model maps a member of the payload to a quantity.
type Channel struct {
	Key      string     `json:"key" yaml:"key"`                 // the device's own name
	Quantity string     `json:"quantity" yaml:"quantity"`       // farm.Quantity.ID
	Slope    float64    `json:"slope,omitempty" yaml:"slope"`   // 0 means 1
	Offset   float64    `json:"offset,omitempty" yaml:"offset"` // in the quantity's unit
	Limits   farm.Range `json:"limits,omitzero" yaml:"limits"`  // what the sensor can measure; zero: what the quantity can be
}

// A Model is a kind of device.
type Model struct {
	ID       string        `json:"id"`
	Name     farm.Text     `json:"name"`
	Format   string        `json:"format"` // of its payloads: "json"
	Interval time.Duration `json:"interval"`
	Channels []Channel     `json:"channels"`
	Commands []string      `json:"commands,omitempty"` // names it obeys
}

// A Device is one registered device.
type Device struct {
	ID         string    `json:"id"`
	Tenant     string    `json:"tenant"`
	Model      string    `json:"model"`
	Name       farm.Text `json:"name"`
	SecretHash []byte    `json:"-"` // empty: none is good
	Created    time.Time `json:"created"`
	Online     bool      `json:"online"`
	StatusAt   time.Time `json:"status_at,omitzero"` // when Online last changed
	State      State     `json:"state"`
	StateAt    time.Time `json:"state_at,omitzero"` // when State last changed
	Seen       time.Time `json:"seen,omitzero"`     // when its last reading came, to half a minute
	OldHash    []byte    `json:"-"`                 // of the secret before, which is good until OldUntil
	OldUntil   time.Time `json:"-"`
	CertsAfter time.Time `json:"-"` // a certificate that is not younger is no good
}

// A Placed device is one with where it stands now; all three are empty before it
// is placed.
type Placed struct {
	Device
	Site     string    `json:"site,omitempty"`
	SiteName farm.Text `json:"site_name,omitzero"`
	Region   string    `json:"region,omitempty"` // GB/T 2260
}

// An Installation says where a device stands from a time on.
type Installation struct {
	Device string    `json:"device"`
	Site   string    `json:"site"`
	From   time.Time `json:"from"`
}

// CommandState is how far a command has come.
type CommandState string

// The states of a command.
const (
	Queued  CommandState = "queued" // the device has not been told yet
	Sent    CommandState = "sent"
	Done    CommandState = "done"
	Failed  CommandState = "failed"
	Expired CommandState = "expired"
	// Cancelled was taken back before the device was told.
	Cancelled CommandState = "cancelled"
)

// A CommandRecord is the audit of one command.
type CommandRecord struct {
	ingest.Command
	Tenant  string       `json:"tenant"`
	Account string       `json:"account"` // who asked
	State   CommandState `json:"state"`
	Error   string       `json:"error,omitempty"`
	Created time.Time    `json:"created"`
	Settled time.Time    `json:"settled,omitzero"`
	Sent    time.Time    `json:"sent,omitzero"`   // when it was sent last
	Tries   int          `json:"tries,omitempty"` // how often it was sent

	CancelledBy string `json:"cancelled_by,omitempty"` // account
}

// Directory is what the registry keeps in the records database.
type Directory interface {
	Models(ctx context.Context) ([]Model, error)
	Device(ctx context.Context, id string) (Device, error) // farm.ErrNotFound
	// Installations returns the device's history, oldest first, with the place
	// each site is at.
	Installations(ctx context.Context, device string) ([]ingest.Installation, error)
	// Calibrations returns the device's history, by time and then as recorded.
	Calibrations(ctx context.Context, device string) ([]Calibration, error)
	SetOnline(ctx context.Context, device string, online bool, at time.Time) error
	// SettleCommand records a device's answer; farm.ErrNotFound when the device
	// was never sent this command, and nothing when it is settled already.
	SettleCommand(ctx context.Context, device string, res ingest.CommandResult, at time.Time) error
}
