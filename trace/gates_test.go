package trace_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"tianhai/farm"
	"tianhai/trace"
	"tianhai/trace/catalog"
	"tianhai/trace/gate"
)

// shelf is one catalog for all times.
type shelf struct{ c *catalog.Catalog }

func (s shelf) Current() *catalog.Catalog                         { return s.c }
func (s shelf) At(context.Context, int) (*catalog.Catalog, error) { return s.c, nil }

// pond is water of 20 °C on every day.
type pond struct{ err error }

func (p pond) DayMeans(_ context.Context, _, _ string, from, to time.Time) ([]gate.DayMean, error) {
	var out []gate.DayMean
	for d := from; d.Before(to); d = d.AddDate(0, 0, 1) {
		out = append(out, gate.DayMean{Day: d, Mean: 20, Coverage: 1})
	}
	return out, p.err
}

func gated(m *memory) *trace.Service {
	s := newService(m, &evidence{})
	c := catalog.Default()
	c.Version = 1
	s.Catalogs, s.Water = shelf{c}, pond{}
	m.product.Species = "oyster"
	return s
}

func medicate(at time.Time, wait, unit string) trace.Operation {
	return trace.Operation{ID: ulid.Make().String(), Tenant: "maowei", Site: "raft-1", Kind: "medicate", At: at, Person: "wei", Items: []trace.Item{
		{Key: "product", Value: "示例药"},
		{Key: "dose", Value: "1", Unit: "mg/L"},
		{Key: "method", Value: "泼洒"},
		{Key: "disease", Value: "弧菌病"},
		{Key: "stop", Value: at.Add(8 * time.Hour).Format(time.DateOnly)},
		{Key: "withdrawal", Value: wait, Unit: unit},
		{Key: "maker", Value: "—"},
		{Key: "registration", Value: "—"},
		{Key: "lot", Value: "—"},
		{Key: "symptom", Value: "—"},
	}}
}

func catchOf(at time.Time) trace.Operation {
	return trace.Operation{ID: ulid.Make().String(), Tenant: "maowei", Site: "raft-1", Kind: "catch", At: at, Person: "wei", Items: []trace.Item{
		{Key: "quantity", Value: "320", Unit: "kg"}, {Key: "spec", Value: "—"},
	}}
}

// refusal returns the one refusal of an error, or fails.
func refusal(t *testing.T, err error) gate.Refusal {
	t.Helper()
	var r *gate.Refused
	if !errors.As(err, &r) || len(r.Refusals) != 1 {
		t.Fatalf("got %v, want one refusal", err)
	}
	return r.Refusals[0]
}

// TestNoCatchInsideAnInterval: the catch, the batch and the code are refused, with
// product, date and day; taking the medication back opens the gate, and so does
// time.
func TestNoCatchInsideAnInterval(t *testing.T) {
	m := newMemory()
	s := gated(m)
	drug := add(t, s, medicate(noon.AddDate(0, 0, -3), "5", "d"))

	_, _, err := s.AddOperation(t.Context(), catchOf(noon))
	got := refusal(t, err)
	if got.Gate != gate.Interval || got.Name.Zh != "示例药" || got.Date != "2026-11-17" || got.Earliest != "2026-11-22" || got.Operation != drug.ID {
		t.Errorf("the catch: %+v", got)
	}
	if _, err := s.OpenBatch(t.Context(), batch(), "wei"); refusal(t, err).Gate != gate.Interval {
		t.Error("the batch was opened")
	}
	void := trace.Operation{ID: ulid.Make().String(), Tenant: "maowei", Site: "raft-1", Kind: catalog.Void, At: noon, Person: "wei", Corrects: drug.ID, Items: []trace.Item{{Key: "reason", Value: "记错了塘"}}}
	add(t, s, void)
	add(t, s, catchOf(noon))
	if _, err := s.OpenBatch(t.Context(), batch(), "wei"); err != nil {
		t.Errorf("after the medication was taken back: %v", err)
	}
}

// TestRecordedLate: what is recorded after the batch was opened keeps it from
// getting a code.
func TestRecordedLate(t *testing.T) {
	m := newMemory()
	s := gated(m)
	b := openBatch(t, s)
	add(t, s, medicate(b.Harvest.AddDate(0, 0, -3), "5", "d"))
	if _, err := s.CloseBatch(t.Context(), b.ID); refusal(t, err).Gate != gate.Interval {
		t.Error("the batch was closed")
	}
	after := medicate(b.Harvest.Add(time.Hour), "5", "d")
	m2 := newMemory()
	s = gated(m2)
	b = openBatch(t, s)
	add(t, s, after)
	for _, kind := range []string{"stock", "inspect", "catch"} {
		add(t, s, told(s.Catalogs.Current(), kind, b.Harvest))
	}
	if _, err := s.CloseBatch(t.Context(), b.ID); err != nil {
		t.Errorf("a medication after the harvest: %v", err)
	}
}

func TestDegreeDaysOfTheSite(t *testing.T) {
	m := newMemory()
	s := gated(m)
	add(t, s, medicate(noon.AddDate(0, 0, -10), "100", "Cel.d"))
	add(t, s, catchOf(noon)) // nine whole days at 20 °C

	add(t, s, medicate(noon.AddDate(0, 0, -3), "100", "Cel.d"))
	_, _, err := s.AddOperation(t.Context(), catchOf(noon))
	// The 18th and 19th have given 40; three more days do, the 20th among them.
	if got := refusal(t, err); got.Gate != gate.DegreeDays || got.Have != 40 || got.Earliest != "2026-11-23" || !got.Estimate {
		t.Errorf("got %+v", got)
	}
	for name, w := range map[string]trace.Water{"out of reach": pond{err: errors.New("connection refused")}, "none": nil} {
		s.Water = w
		if _, _, err := s.AddOperation(t.Context(), catchOf(noon)); !errors.Is(err, trace.ErrNoEvidence) {
			t.Errorf("temperatures %s: %v, want no evidence", name, err)
		}
	}
}

// TestPermitSaysTheSame: what the field app is told beforehand is what recording
// is held against, and a stranger is told nothing.
func TestPermitSaysTheSame(t *testing.T) {
	m := newMemory()
	s := gated(m)
	add(t, s, medicate(noon.AddDate(0, 0, -3), "5", "d"))
	act := gate.Act{Kind: gate.Catch, Site: "raft-1", At: noon}
	told, err := s.Permit(t.Context(), "maowei", act)
	if err != nil || len(told) != 1 {
		t.Fatalf("got %+v, %v", told, err)
	}
	_, _, err = s.AddOperation(t.Context(), catchOf(noon))
	if got := refusal(t, err); got.Key() != told[0].Key() || got.Earliest != told[0].Earliest {
		t.Errorf("told %+v, refused %+v", told[0], got)
	}
	if _, err := s.Permit(t.Context(), "stranger", act); !errors.Is(err, farm.ErrNotFound) {
		t.Errorf("a stranger: %v", err)
	}
}

func TestExpiredLicence(t *testing.T) {
	m := newMemory()
	s := gated(m)
	s.Licences = papers{{ID: "1", Kind: farm.AquacultureLicence, Number: "桂养证 1", Issued: noon.AddDate(-3, 0, 0), Expires: noon.AddDate(0, 0, -1)}}
	_, _, err := s.AddOperation(t.Context(), catchOf(noon))
	if got := refusal(t, err); got.Gate != gate.Licence || got.Number != "桂养证 1" {
		t.Errorf("got %+v", got)
	}
}

type papers []farm.Licence

func (p papers) Licences(context.Context, string) ([]farm.Licence, error) { return p, nil }
