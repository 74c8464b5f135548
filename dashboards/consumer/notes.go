package consumer

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"tianhai/farm"
	"tianhai/trace"
	"tianhai/trace/gate"
)

// Notes finds what became of a batch's gates.
type Notes interface {
	// RecordsOf returns the records whose subject is the batch, oldest first.
	RecordsOf(ctx context.Context, batch string) ([]trace.Record, error)
}

// A note is something of a batch that the gates would have refused: an office allowed
// it, or it became known too late.
type note struct {
	Late    bool
	Title   string
	Lines   []string // what would refuse
	Text    string
	Pending bool
}

// notes returns what the sealed record of a batch and the records about it say, each
// against its receipt. One that does not match says nothing.
func (s *server) notes(ctx context.Context, b base, public trace.PublicRecord) ([]note, error) {
	allowed := slices.Clone(public.Overrides)
	late, withdrawn, pending := []trace.LateUse{}, map[string]bool{}, map[string]bool{}
	var records []trace.Record
	if s.Notes != nil {
		var err error
		if records, err = s.Notes.RecordsOf(ctx, public.Batch); err != nil {
			return nil, err
		}
	}
	for _, rec := range records {
		if rec.Kind != trace.OverrideRecord && rec.Kind != trace.LateRecord {
			continue
		}
		err := error(nil)
		if rec.Receipt != "" {
			_, _, err = s.check(rec)
		}
		var id string
		if err == nil && rec.Kind == trace.LateRecord {
			var l trace.LateUse
			if l, err = trace.ParseLateUse(rec.Body); l.Withdrawn {
				withdrawn[l.Operation] = true
			} else {
				late = append(late, l)
			}
			id = l.Operation
		} else if err == nil {
			var o trace.PublicOverride
			var granted bool
			o, granted, err = trace.ParseOverride(rec.Body)
			if granted && !slices.ContainsFunc(allowed, func(p trace.PublicOverride) bool { return p.ID == o.ID }) {
				allowed = append(allowed, o)
			}
			id = o.ID
		}
		if err != nil {
			s.Logger.ErrorContext(ctx, "a sealed record does not match its receipt", "batch", public.Batch, "record", rec.ID, "error", err)
			continue
		}
		pending[id] = rec.Receipt == ""
	}
	var all []note
	for _, l := range late {
		if !withdrawn[l.Operation] {
			all = append(all, note{Late: true, Title: b.T("consumer.late_use.title"), Lines: b.refusals(l.Refusals), Text: b.T("consumer.late_use.text", "time", at(l.Found).Unbroken()), Pending: pending[l.Operation]})
		}
	}
	for _, o := range allowed {
		all = append(all, note{
			Title: b.T("consumer.override.title", "office", b.office(o.Region)), Lines: b.refusals(o.Refusals), Pending: pending[o.ID],
			Text: b.T("consumer.override.text", "reason", o.Reason, "from", at(o.Decided).Unbroken(), "until", at(o.Until).Unbroken()),
		})
	}
	return all, nil
}

// refusals puts what gates refuse into words.
func (b base) refusals(all []gate.Refusal) []string {
	var lines []string
	for _, r := range all {
		lines = append(lines, b.T("problem.gate_"+string(r.Gate), "name", r.Name.In(b.Lang), "date", r.Date, "earliest", cmp.Or(r.Earliest, "—"), "number", r.Number))
	}
	return lines
}

// office names the authority of a division, as far as divisions are named here.
func (b base) office(region string) string {
	place := b.T("consumer.guangxi")
	if p, ok := farm.Prefecture(region); ok && region != farm.GuangxiCode {
		place = p.Name.In(b.Lang)
		if region != p.Code {
			place += fmt.Sprintf(" (%s)", region)
		}
	}
	return b.T("consumer.override.office", "place", place)
}
