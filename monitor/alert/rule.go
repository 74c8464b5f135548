package alert

import (
	"crypto/sha256"
	"slices"
	"time"

	"github.com/oklog/ulid/v2"

	"tianhai/farm"
	"tianhai/ingest"
)

// A sample is one usable, live reading as a rule sees it.
type sample struct {
	value    float64
	time     time.Time // when it was measured, at the latest when it was received
	received time.Time
}

func (r *Rule) appliesTo(k farm.SiteKind) bool {
	return len(r.SiteKinds) == 0 || slices.Contains(r.SiteKinds, k)
}

// violatedBy reports whether the condition holds; never for a no-data rule.
func (r *Rule) violatedBy(v float64) bool {
	return r.Above != nil && v > *r.Above || r.Below != nil && v < *r.Below
}

// clearedBy reports whether v ends a firing alert.
func (r *Rule) clearedBy(v float64) bool {
	limit := r.limit()
	if r.Clear != nil {
		limit = *r.Clear
	}
	return r.Above != nil && v <= limit || r.Below != nil && v >= limit
}

// limit returns the threshold, or the seconds of silence allowed.
func (r *Rule) limit() float64 {
	switch {
	case r.Above != nil:
		return *r.Above
	case r.Below != nil:
		return *r.Below
	}
	return r.NoDataFor.Seconds()
}

// next returns what becomes of a threshold rule's alert on a sample. The zero
// Alert stands for inactive. It is a function of its arguments alone, and the
// same sample again changes nothing, so that a repeated batch is harmless.
func (r *Rule) next(a Alert, s sample) Alert {
	switch a.State {
	case Firing:
		if r.clearedBy(s.value) {
			v := s.value
			a.State, a.Ended, a.Value = Resolved, s.received, &v
		}
	case Pending:
		if !r.violatedBy(s.value) {
			a.State, a.Ended = Inactive, s.received
		} else if s.time.Sub(a.Began) >= r.For {
			v := s.value
			a.State, a.Fired, a.Value = Firing, s.received, &v
		}
	default:
		if r.violatedBy(s.value) {
			v := s.value
			a = Alert{State: Pending, Began: s.time, Value: &v}
			if r.For == 0 {
				a.State, a.Fired = Firing, s.received
			}
		}
	}
	return a
}

// begin names a new alert: whose it is, and by which rule.
func (r *Rule) begin(a Alert, device string, at ingest.Place) Alert {
	a.ID = derivedID(a.Began, "alert", r.ID, device, at.Site)
	a.Rule, a.Title, a.Severity, a.Quantity, a.Limit = r.ID, r.Title, r.Severity, r.Quantity, r.limit()
	a.Tenant, a.Region, a.Site, a.Device = at.Tenant, at.Region, at.Site, device
	return a
}

// notices returns what must be said about a change, one notice per channel:
// that an alert fires, and that one which fired has ended.
func notices(a Alert, channels []string) []Notice {
	at := a.Fired
	if a.State == Resolved {
		at = a.Ended
	}
	if a.State != Firing && a.State != Resolved {
		return nil
	}
	out := make([]Notice, len(channels))
	for i, c := range channels {
		out[i] = Notice{ID: derivedID(a.Began, "notice", a.ID, string(a.State), c), Alert: a, Channel: c, Next: at}
	}
	return out
}

// derivedID returns a ULID that is the same for the same arguments: when a batch
// is handed in again after a crash, what it led to before keeps its name. Of the
// time only milliseconds count, since a store may keep no more.
func derivedID(at time.Time, parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		h.Write([]byte(p))
		h.Write([]byte{0})
	}
	var id ulid.ULID
	if ms := at.UnixMilli(); ms > 0 {
		_ = id.SetTime(uint64(ms)) // fails beyond the year 10889
	}
	copy(id[6:], h.Sum(nil))
	return id.String()
}
