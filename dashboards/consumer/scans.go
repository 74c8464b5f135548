package consumer

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"time"

	"tianhai/trace"
	"tianhai/trace/scan"
)

// Scans counts looks at codes; *scan.Recorder does.
type Scans interface {
	// Saw takes down that somebody looked at a code. It never blocks; false says that
	// too much waits.
	Saw(s scan.Subject, v scan.Visitor, at time.Time) bool
	// Total returns all looks at a code, those of the last seconds excepted.
	Total(ctx context.Context, code string) (scan.Total, error)
}

// saw takes down a look by a person: pages count, not what lies below them nor what
// machines read.
func (s *server) saw(r *http.Request, subject scan.Subject) {
	if s.Scans != nil && r.Method == http.MethodGet && r.PathValue("part") == "" && !wantsJSON(r) {
		s.Scans.Saw(subject, s.Doors.Visitor(r), time.Now())
	}
}

// looks says how often a code was looked at, and since when; "" where that is not
// known.
func (s *server) looks(ctx context.Context, b base, code string) string {
	if s.Scans == nil {
		return ""
	}
	total, err := s.Scans.Total(ctx, code)
	if err != nil {
		s.Logger.WarnContext(ctx, "looks at a code cannot be counted", "code", code, "error", err)
		return ""
	}
	if total.Count == 0 {
		return b.T("consumer.scans.first")
	}
	return b.T("consumer.scans", "n", strconv.FormatInt(total.Count, 10), "date", unbroken(day(total.First)))
}

// subjectOf returns the batch, or the packet of it, that somebody looks at.
func subjectOf(rec trace.Record, scanned *packet, recalls []recalled) scan.Subject {
	subject := scan.Subject{Code: rec.Code, Tenant: rec.Tenant, Batch: rec.Subject}
	if scanned != nil {
		subject.Code, subject.Unit = scanned.code, true
	}
	if slices.ContainsFunc(recalls, recalled.open) {
		subject.State = scan.Recalled
	}
	return subject
}
