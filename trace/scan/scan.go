// Package scan keeps what is known of the looks at a code: how many there were,
// since when, from which coarse places, and from how many devices of a day. It says
// where that looks like a copy, and why.
//
// It keeps nothing of a person (个人信息保护法 §6): no address, no cookie, and of a
// device a keyed hash whose key is thrown away with the day.
package scan

import (
	"context"
	"time"

	"tianhai/farm"
)

// Limits.
const (
	MaxWaiting  = 1 << 16             // looks that wait to be written; further ones are dropped and counted
	WriteEvery  = time.Second         // how long a look waits at most, as long as the database answers
	KeepDevices = 30 * 24 * time.Hour // how long sightings are kept; totals stay
	MaxUnknown  = 10_000              // looks of a day, at codes that were never issued
)

// Day returns the day of a time in China, as days since 1970.
func Day(t time.Time) int { return int(t.Add(8*time.Hour).Unix() / (24 * 60 * 60)) }

// State is what a code turned out to be when somebody looked at it.
type State string

// The states. All but the first are reasons for an alarm.
const (
	Good        State = ""
	Unknown     State = "never_issued"      // written rightly, and nobody's
	Unprinted   State = "never_printed"     // issued
	Unbound     State = "unbound"           // printed, and on no product yet
	Unharvested State = "not_yet_harvested" // of a batch whose harvest is to come
	Void        State = "voided"
	Recalled    State = "recalled"
)

// A Subject is the code that somebody looked at, as far as it is known.
type Subject struct {
	Code   string
	State  State
	Unit   bool   // of a single packet; else many packets have the same
	Tenant string // "" where the code is unknown
	Batch  string
}

// A Place is where somebody was, coarsely, as the operator's own reverse proxy
// says. The zero Place is an unknown one.
type Place struct {
	// Region is a GB/T 2260 code of 2, 4 or 6 digits, or a country of ISO 3166-1,
	// such as VN.
	Region string
	// Cell is the position in half degrees, about 50 km; Located says that it is
	// known.
	Cell    Cell
	Located bool
}

// A Cell is a position in half degrees.
type Cell struct{ Latitude, Longitude int16 }

// Position returns the middle of the cell.
func (c Cell) Position() farm.Position {
	return farm.Position{Longitude: float64(c.Longitude) / 2, Latitude: float64(c.Latitude) / 2}
}

// A Device is a keyed hash of what a browser sends, under a key of its day. The
// zero Device is an unknown one.
type Device [16]byte

// A Sighting is one device's looks at a code on one day from one place.
type Sighting struct {
	Code   string
	Day    int // see Day
	Device Device
	Place  Place
	Count  int64
	First  time.Time
	Last   time.Time
}

// A Total is all looks at a code.
type Total struct {
	Code  string
	Count int64
	First time.Time
	Last  time.Time
}

// Store keeps sightings.
type Store interface {
	// AddSightings adds looks to what is known, all or none.
	AddSightings(ctx context.Context, s []Sighting) error
	// Total returns all looks at a code; the zero Total where there were none.
	Total(ctx context.Context, code string) (Total, error)
	// Salt returns the key of a day's hashes, and makes one where there is none.
	Salt(ctx context.Context, day int) ([]byte, error)
	// Forget deletes the keys of days before one, and sightings older than that.
	Forget(ctx context.Context, saltsBefore, sightingsBefore int) error
}
