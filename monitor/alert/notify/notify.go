// Package notify carries notices to people, one file per service.
//
// A notifier makes one attempt, says whether another is worth making, and never
// lets a secret into an error. Whoever calls it decides when to try again.
package notify

import (
	"context"
	"log/slog"
	"strconv"
	"time"

	"tianhai/farm"
	"tianhai/i18n"
	"tianhai/monitor/alert"
)

// A Secret is a text that is never printed: neither by fmt, log/slog nor any
// encoder that asks for text.
type Secret string

const redacted = "<secret>"

// String returns a placeholder.
func (Secret) String() string { return redacted }

// GoString returns a placeholder.
func (Secret) GoString() string { return redacted }

// LogValue returns a placeholder.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns a placeholder.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Sites knows the names of sites.
type Sites interface {
	Site(ctx context.Context, id string) (farm.Site, error)
}

// beijing is the time that people in Guangxi live by; there is no summer time.
func beijing() *time.Location { return time.FixedZone("CST", 8*60*60) }

// A writer puts notices into words.
type writer struct {
	catalog *i18n.Catalog
	sites   Sites
}

// words returns title and text of a notice in one language.
func (w writer) words(lang string, n alert.Notice, site farm.Text) (title, text string) {
	a := n.Alert
	q, measured := farm.LookupQuantity(a.Quantity)
	quantity := w.catalog.T(lang, "notice.any_quantity")
	if measured {
		quantity = w.catalog.T(lang, "quantity."+a.Quantity)
	}
	limit := amount(a.Limit, q)
	silence := a.Value == nil
	if silence {
		limit = strconv.FormatFloat(a.Limit/60, 'f', -1, 64)
	}
	key, head, at := "notice.measured", "notice.firing", a.Began
	if a.State == alert.Resolved {
		key, head, at = "notice.cleared", "notice.resolved", a.Ended
	}
	switch {
	case a.Reason != "":
		key = "notice.closed"
	case silence && a.State == alert.Resolved:
		key = "notice.heard"
	case silence:
		key = "notice.silent"
	}
	value := ""
	if a.Value != nil {
		value = amount(*a.Value, q)
	}
	title = w.catalog.T(lang, head, "severity", w.catalog.T(lang, "severity."+string(a.Severity)), "title", a.Title.In(lang))
	text = w.catalog.T(lang, key,
		"site", site.In(lang), "device", a.Device, "quantity", quantity, "value", value, "limit", limit,
		"time", at.In(beijing()).Format("2006-01-02 15:04"), "reason", w.catalog.T(lang, "alert_reason."+a.Reason))
	return title, text
}

// siteName returns the name people know a site by, or its ID where none is to be had.
func (w writer) siteName(ctx context.Context, id string) farm.Text {
	if w.sites != nil {
		if s, err := w.sites.Site(ctx, id); err == nil {
			return s.Name
		}
	}
	return farm.Text{Zh: id, En: id}
}

// amount writes a value with the digits and the unit it is shown with.
func amount(v float64, q farm.Quantity) string {
	s := strconv.FormatFloat(v, 'f', q.Digits, 64)
	if q.Symbol != "" {
		s += " " + q.Symbol
	}
	return s
}
