// Package farm says who owns a farm, where it lies and what is measured there.
// It is the vocabulary that ingest, monitor and trace share, and so it imports
// nothing but the standard library and does nothing but name things.
package farm

import (
	"errors"
	"fmt"
	"strings"
)

// ErrNotFound reports that no object has the asked-for identifier, or that the
// asker may not know of it. Stores return it wrapped.
var ErrNotFound = errors.New("not found")

// ErrConflict reports that an object with this identifier exists and differs.
var ErrConflict = errors.New("conflict")

// MaxIDLength is the longest identifier that CheckID accepts, in bytes.
const MaxIDLength = 64

// CheckID reports why s cannot be an identifier of a tenant, site or device.
// An identifier is 1 to 64 lower-case letters, digits, '-' or '_', and begins
// with a letter or digit: it is safe, unescaped, as an MQTT topic level, a NATS
// subject token, an InfluxDB tag value and a URL path segment.
func CheckID(s string) error {
	if s == "" {
		return errors.New("identifier is empty")
	}
	if len(s) > MaxIDLength {
		return fmt.Errorf("identifier is %d bytes long, at most %d are allowed", len(s), MaxIDLength)
	}
	for i := range len(s) {
		c := s[i]
		letter := 'a' <= c && c <= 'z' || '0' <= c && c <= '9'
		if !letter && (i == 0 || c != '-' && c != '_') {
			return fmt.Errorf("identifier %q: byte %d is %q; use a-z, 0-9, and after the first - or _", s, i, c)
		}
	}
	return nil
}

// Text is a name in Chinese and, where someone wrote it, in English.
type Text struct {
	Zh string `json:"zh" yaml:"zh"`
	En string `json:"en,omitempty" yaml:"en"`
}

// In returns the text in the language of the BCP 47 tag lang: the Chinese for
// every "zh…", otherwise the English, and the other one where that is empty.
func (t Text) In(lang string) string {
	if t.En == "" || t.Zh != "" && strings.HasPrefix(strings.ToLower(lang), "zh") {
		return t.Zh
	}
	return t.En
}

// A Tenant is one operator: an enterprise, co-operative, household or vessel.
// Every site, device and batch belongs to exactly one.
type Tenant struct {
	ID         string       `json:"id"`
	Kind       OperatorKind `json:"kind,omitempty"` // empty where nobody said
	Name       Text         `json:"name"`
	CreditCode string       `json:"credit_code,omitempty"` // 统一社会信用代码, GB 32100; empty for a natural person
	Phone      string       `json:"phone,omitempty"`       // the number consumers may call
	Region     string       `json:"region"`                // GB/T 2260
}

// A Region is an administrative division of Guangxi.
type Region struct {
	Code string `json:"code"` // GB/T 2260, six digits
	Name Text   `json:"name"`
}

// SiteKind is what a site is used as.
type SiteKind string

// The kinds of site.
const (
	Garden     SiteKind = "garden" // tea
	Orchard    SiteKind = "orchard"
	Greenhouse SiteKind = "greenhouse"
	Plot       SiteKind = "plot"
	Barn       SiteKind = "barn"
	Pen        SiteKind = "pen"
	Pond       SiteKind = "pond"
	Cage       SiteKind = "cage"
	Raft       SiteKind = "raft"
	SeaArea    SiteKind = "sea_area"
	Vessel     SiteKind = "vessel"
)

// SiteKinds lists every kind of site.
func SiteKinds() []SiteKind {
	return []SiteKind{Garden, Orchard, Greenhouse, Plot, Barn, Pen, Pond, Cage, Raft, SeaArea, Vessel}
}

// A Site is one place of a tenant where things grow.
type Site struct {
	ID     string   `json:"id"`
	Tenant string   `json:"tenant"`
	Region string   `json:"region"` // GB/T 2260
	Kind   SiteKind `json:"kind"`
	Name   Text     `json:"name"`
	Town   Text     `json:"town"` // the finest place that consumers may see
	// Latitude and Longitude are WGS 84 degrees of a point inside the site.
	// Only the tenant and the bureau see them.
	Latitude  float64 `json:"latitude"`
	Longitude float64 `json:"longitude"`
	Area      float64 `json:"area,omitempty"` // m²; 0 when unknown
	// Boundary is as confidential as the point.
	Boundary Boundary `json:"boundary,omitzero"`
}
