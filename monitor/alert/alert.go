// Package alert decides when readings are a reason to wake somebody, and sees
// to it that they are told.
//
// A rule is watched per device. Its state goes inactive → pending → firing →
// resolved and is stored with every change, together with the notices that the
// change calls for: a crash repeats a notice rather than losing one.
package alert

import (
	"context"
	"time"

	"tianhai/farm"
)

// Severity is how much a firing rule matters.
type Severity string

// The severities.
const (
	Warning  Severity = "warning"
	Critical Severity = "critical"
)

// State is where an alert stands.
type State string

// The states. Inactive is a pending alert whose condition passed before it
// fired: nobody was told, and a store may forget it.
const (
	Inactive State = "inactive"
	Pending  State = "pending" // the condition holds, but not yet for long enough
	Firing   State = "firing"
	Resolved State = "resolved"
)

// Why an alert ended, where it was not that its condition passed.
const (
	RuleRemoved   = "rule_removed"   // the rule is no longer in force, or now watches something else
	DeviceRemoved = "device_removed" // the device is no longer watched
	DeviceMoved   = "device_moved"   // the device now stands on another site
	LimitsEnded   = "limits_ended"   // limits of its own, such as a shipment's, hold no longer
)

// A Rule is one condition under which somebody must be told. Exactly one of
// Above, Below and NoDataFor is set.
type Rule struct {
	ID        string          `json:"id" yaml:"id"`
	Title     farm.Text       `json:"title" yaml:"title"`
	Severity  Severity        `json:"severity" yaml:"severity"`
	SiteKinds []farm.SiteKind `json:"site_kinds,omitempty" yaml:"site_kinds"` // empty: all
	Devices   []string        `json:"devices,omitempty" yaml:"-"`             // of a Charge: its only ones; empty: all
	Quantity  string          `json:"quantity,omitempty" yaml:"quantity"`     // farm.Quantity.ID; with NoDataFor, empty means any
	Above     *float64        `json:"above,omitempty" yaml:"above"`           // fires when value > Above
	Below     *float64        `json:"below,omitempty" yaml:"below"`           // fires when value < Below
	// Clear is the value at which a firing alert resolves; it lies on the good
	// side of the threshold, which it equals when not given.
	Clear     *float64      `json:"clear,omitempty" yaml:"clear"`
	For       time.Duration `json:"for" yaml:"for"`                 // how long the condition must hold before the alert fires
	NoDataFor time.Duration `json:"no_data_for" yaml:"no_data_for"` // fires when no usable reading came for this long
}

// An Alert is one rule's state for one device.
type Alert struct {
	ID       string    `json:"id"` // ULID, the same whenever the same episode is worked out again
	Rule     string    `json:"rule"`
	Title    farm.Text `json:"title"`
	Severity Severity  `json:"severity"`
	Tenant   string    `json:"tenant"`
	Region   string    `json:"region"`
	Site     string    `json:"site"`
	Device   string    `json:"device"`
	Quantity string    `json:"quantity"`
	State    State     `json:"state"`
	Value    *float64  `json:"value,omitempty"` // the reading that led to State; nil for no data
	Limit    float64   `json:"limit"`           // the threshold crossed; for no data the silence allowed, in seconds
	Began    time.Time `json:"began"`           // when the condition began to hold
	Fired    time.Time `json:"fired,omitzero"`
	Ended    time.Time `json:"ended,omitzero"`
	Reason   string    `json:"reason,omitempty"` // why it ended; empty when the condition passed
}

// A Notice is one message about an alert to one channel.
type Notice struct {
	ID       string // ULID; receivers may use it to drop repeats
	Alert    Alert  // as it was at the change that is told of
	Channel  string
	Attempts int
	Next     time.Time // not before
}

// Store keeps alerts and notices in the records database.
type Store interface {
	// SaveAlert writes the alert's state and the notices it calls for, all or
	// none. A notice whose ID is known already is left as it is.
	SaveAlert(ctx context.Context, a Alert, notices []Notice) error
	// OpenAlerts returns every alert that is pending or firing.
	OpenAlerts(ctx context.Context) ([]Alert, error)
	// DueNotices returns unsent notices whose time has come, oldest first.
	DueNotices(ctx context.Context, now time.Time, limit int) ([]Notice, error)
	// NoticeSent marks a notice as delivered at a time.
	NoticeSent(ctx context.Context, id string, at time.Time) error
	// NoticeFailed counts an attempt and stores the reason and the time of the
	// next one. The zero time means never: the notice is not due again.
	NoticeFailed(ctx context.Context, id, reason string, next time.Time) error
}
