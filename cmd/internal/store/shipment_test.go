package store_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/oklog/ulid/v2"

	"tianhai/cmd/internal/store"
	"tianhai/farm"
	"tianhai/trace"
	"tianhai/trace/catalog"
	"tianhai/trace/chain"
	"tianhai/trace/evidence"
)

// truck is what one logger says on its way: 3 °C, and 9 °C for the third hour.
type truck struct {
	from time.Time
	err  error
}

func (k truck) Readings(_ context.Context, q trace.ReadingsQuery, each func(farm.Sample) error) error {
	if k.err != nil || q.Tenant != "tea" || q.Device != "leaf-1" {
		return k.err
	}
	for m := 0; m < 300; m += 5 {
		s := farm.Sample{Quantity: "air.temperature", Device: q.Device, Time: k.from.Add(time.Duration(m) * time.Minute).UnixMilli(), Value: 3, Flag: 1}
		if m >= 120 && m < 180 {
			s.Value = 9
		}
		if err := each(s); err != nil {
			return err
		}
	}
	return nil
}

func testShipments(t *testing.T, s *store.Store) {
	ctx := t.Context()
	seed(t, s)
	for _, id := range []string{"b1", "b2"} {
		check(t, s.AddBatch(ctx, newBatch(id)))
	}
	books, err := catalog.Open(ctx, s, nil)
	check(t, err)
	now := noon.Truncate(time.Millisecond)
	left := now.Add(-6 * time.Hour)
	road := &truck{from: left}
	service := &trace.Service{
		Store: s, Journal: s, Catalogs: books, Evidence: road, Shipments: s, Series: &evidence.Shelf{Dir: t.TempDir()}, Now: func() time.Time { return now },
	}
	lo, hi := 0.0, 4.0
	sh := trace.Shipment{
		ID: ulid.Make().String(), Tenant: "tea", Batches: []string{"b1", "b2"}, Origin: "450400", Destination: "450100", Carrier: "老黄运输", Vehicle: "桂D12345",
		Loggers: []string{"leaf-1"}, Limits: evidence.Limits{Min: &lo, Max: &hi, Source: "本场"}, Departed: left, Account: "tea",
	}
	stored, added, err := service.Depart(ctx, sh)
	if err != nil || !added || stored.Quantity != "air.temperature" {
		t.Fatalf("depart: %+v, added %v, %v", stored, added, err)
	}
	now = now.Add(time.Minute)
	again, added, err := service.Depart(ctx, sh)
	if err != nil || added || cmp.Diff(stored, again) != "" {
		t.Errorf("the same again: added %v, %v, %s", added, err, cmp.Diff(stored, again))
	}
	other := sh
	other.Vehicle = "桂D99999"
	_, _, err = service.Depart(ctx, other)
	wantErr(t, "another with its ID", err, farm.ErrConflict)

	for name, spoil := range map[string]func(*trace.Shipment){
		"a stranger":          func(x *trace.Shipment) { x.Tenant = "oysters" },
		"no batch":            func(x *trace.Shipment) { x.Batches = []string{"none"} },
		"a stranger's logger": func(x *trace.Shipment) { x.Loggers = []string{"buoy-1"} },
		"no logger":           func(x *trace.Shipment) { x.Loggers = []string{"none"} },
	} {
		x := sh
		x.ID = ulid.Make().String()
		spoil(&x)
		_, _, err := service.Depart(ctx, x)
		wantErr(t, name, err, farm.ErrNotFound)
		_, err = s.Shipment(ctx, x.ID)
		wantErr(t, name+" leaves nothing", err, farm.ErrNotFound)
	}
	x := sh
	x.ID, x.Limits = ulid.Make().String(), evidence.Limits{}
	var bad *trace.FieldError
	if _, _, err := service.Depart(ctx, x); !errors.As(err, &bad) || bad.Field != "limits" {
		t.Errorf("nobody knows how cold tea should be, and yet: %v", err)
	}

	records, err := s.Carriages(ctx, "b2")
	check(t, err)
	if len(records) != 1 || len(records[0].Of) != 1 || records[0].Of[0].Batch != "b2" || records[0].Personal != nil || records[0].Kind != trace.ShipmentRecord || strings.Contains(string(records[0].Body), "桂D") || strings.Contains(string(records[0].Body), "老黄") {
		t.Errorf("on its way: %d records, %s", len(records), records[0].Body)
	}

	way, err := s.OnTheWay(ctx, left)
	check(t, err)
	if len(way) != 1 || way[0].ID != sh.ID || *way[0].Limits.Max != 4 || way[0].Loggers[0] != "leaf-1" || way[0].Vehicle != "" {
		t.Errorf("on their way: %+v", way)
	}
	equal(t, "that left since", []trace.Shipment{})(s.OnTheWay(ctx, left.Add(time.Second)))

	// The database is away: nothing is said, and the shipment goes on.
	road.err = errors.New("connection refused")
	_, err = service.Arrive(ctx, "tea", sh.ID, left.Add(5*time.Hour))
	wantErr(t, "no evidence", err, trace.ErrNoEvidence)
	road.err = nil
	_, err = service.Arrive(ctx, "oysters", sh.ID, left.Add(5*time.Hour))
	wantErr(t, "a stranger arrives", err, farm.ErrNotFound)
	if _, err = service.Arrive(ctx, "tea", sh.ID, left); !errors.As(err, &bad) || bad.Field != "arrived" {
		t.Errorf("it arrives before it leaves: %v", err)
	}

	// Several say at once that it is there: once is enough.
	var all sync.WaitGroup
	var mu sync.Mutex
	conflicts := 0
	for i := range 4 {
		all.Go(func() {
			_, err := service.Arrive(ctx, "tea", sh.ID, left.Add(5*time.Hour+time.Duration(i)*time.Minute))
			mu.Lock()
			defer mu.Unlock()
			if errors.Is(err, farm.ErrConflict) {
				conflicts++
			} else if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if conflicts != 3 {
		t.Errorf("%d of 4 arrivals were refused, want 3", conflicts)
	}
	got, err := s.Shipment(ctx, sh.ID)
	check(t, err)
	if len(got.Trips) != 1 || got.Carrier != "老黄运输" || got.Account != "tea" || got.Trips[0].Device != "leaf-1" {
		t.Fatalf("arrived as %+v", got)
	}
	trip := got.Trips[0]
	if trip.N != 60 || trip.Count != 1 || trip.Max != 9 || trip.Outside < 1 || trip.Outside > 1.2 || trip.Kinetic == nil || *trip.Kinetic <= trip.Mean || !trip.Excursions[0].Above {
		t.Errorf("%+v, kinetic %v", trip, trip.Kinetic)
	}
	courses, err := service.Courses(ctx, got)
	check(t, err)
	if len(courses) != 1 || !courses[0].Kept || cmp.Diff(courses[0].Excursions, trip.Excursions) != "" || *courses[0].Kinetic != *trip.Kinetic || len(courses[0].Points) == 0 {
		t.Errorf("the course of what was sealed: %+v", courses)
	}
	shelf := service.Series
	service.Series = &evidence.Shelf{Dir: t.TempDir()}
	if courses, err = service.Courses(ctx, got); err != nil || courses[0].Kept || courses[0].Count != 1 {
		t.Errorf("its folder is gone: %+v, %v", courses, err)
	}
	road.err = errors.New("connection refused")
	_, err = service.Courses(ctx, got)
	wantErr(t, "and InfluxDB too", err, trace.ErrNoEvidence)
	road.err, service.Series = nil, shelf
	text, err := service.Series.Open(trip.SHA256)
	check(t, err)
	defer text.Close()
	raw, err := io.ReadAll(text)
	check(t, err)
	logger, findings, err := got.Recompute(raw)
	check(t, err)
	if logger != "leaf-1" || len(findings) < 10 || slices.ContainsFunc(findings, func(f trace.Finding) bool { return !f.Holds() }) {
		t.Errorf("recomputed: %+v", findings)
	}
	equal(t, "the same arrival again", got)(service.Arrive(ctx, "tea", sh.ID, got.Arrived))

	equal(t, "on their way after arrival", []trace.Shipment{})(s.OnTheWay(ctx, left))
	records, err = s.Carriages(ctx, "b1")
	check(t, err)
	if len(records) != 1 || records[0].Kind != trace.ArrivalRecord {
		t.Errorf("after arrival: %+v", records)
	}
	equal(t, "shipments of the farm", []trace.Shipment{got})(s.Shipments(ctx, store.ShipmentFilter{Tenant: "tea"}))
	equal(t, "shipments of the region", []trace.Shipment{got})(s.Shipments(ctx, store.ShipmentFilter{Region: "450400"}))
	equal(t, "shipments of a stranger", []trace.Shipment(nil))(s.Shipments(ctx, store.ShipmentFilter{Tenant: "oysters"}))

	// What may be erased can be, and breaks nothing.
	rec, err := service.Erasure("tea", false, "office")
	check(t, err)
	_, err = s.ErasePersonal(ctx, "tea", rec)
	check(t, err)
	if got, err = s.Shipment(ctx, sh.ID); err != nil || got.Carrier != "" || got.Vehicle != "" || len(got.Trips) != 1 {
		t.Errorf("after erasure: %+v, %v", got, err)
	}
}

// A batch shows the ways of what it was made of, as far as they were its own: not those
// of what remained behind, and not a neighbour's who keeps them to himself.
func testCarriages(t *testing.T, s *store.Store) {
	ctx := t.Context()
	seed(t, s)
	truck := func(id, tenant, logger string, departed time.Time, batches ...string) {
		t.Helper()
		sh := trace.Shipment{ID: id, Tenant: tenant, Batches: batches, Loggers: []string{logger}, Departed: departed, Account: tenant}
		rec := trace.Record{ID: "r-" + id, Tenant: tenant, Kind: trace.ShipmentRecord, Subject: id, Body: []byte(`{}`), Salt: []byte("0123456789abcdef"), At: noon, Index: -1, Log: 1}
		check(t, s.AddShipment(ctx, sh, rec))
	}
	ways := func(batch string) string {
		t.Helper()
		all, err := s.Carriages(ctx, batch)
		check(t, err)
		said := []string{}
		for _, c := range all {
			said = append(said, c.Subject)
			for _, of := range c.Of {
				said = append(said, of.Batch)
			}
		}
		return strings.Join(said, " ")
	}
	move(t, s, "m1", chain.Harvest, nil, out("a", kg(100)), out("z", kg(50)))
	truck("early", "tea", "leaf-1", noon.Add(-2*time.Hour), "a", "z")
	move(t, s, "m2", chain.Split, []chain.Input{in("a", kg(60))}, out("b", kg(60)))
	truck("late", "tea", "leaf-1", noon.Add(2*time.Hour), "a")
	truck("own", "tea", "leaf-1", noon.Add(time.Hour), "b")
	move(t, s, "m3", chain.Merge, []chain.Input{in("b", kg(60)), in("z", kg(50))}, out("c", kg(110)))
	for batch, want := range map[string]string{"a": "early a late a", "b": "early a own b", "z": "early z", "c": "early a z", "none": ""} {
		if got := ways(batch); got != want {
			t.Errorf("ways of %s: %q, want %q", batch, got, want)
		}
	}
	void, _, rec := moved("m4", chain.Void, nil)
	void.Corrects, void.Reason = "m3", "x"
	check(t, s.Move(ctx, void, nil, rec))
	if got := ways("c"); got != "" {
		t.Errorf("of a merge that was taken back: %q", got)
	}

	// The oyster farm takes over what the tea farm has shipped, without a code and with one.
	give := func(id, batch string) {
		t.Helper()
		m, _, rec := moved(id, chain.Sell, []chain.Input{in(batch, kg(1))})
		m.To = "oysters"
		check(t, s.Move(ctx, m, nil, rec))
		r := chain.Movement{
			ID: id + "r", Tenant: "oysters", Kind: chain.Receive, At: m.At.Add(time.Hour), Recorded: m.At, Person: "chen", Handover: id,
			Inputs: []chain.Input{in(batch, kg(1))}, Outputs: []chain.Output{out("got-"+batch, kg(1))},
		}
		check(t, s.Move(ctx, r, madeOf(r, "raft-1"), recordOf(r)))
	}
	give("s1", "b")
	give("s2", "z")
	if got := ways("got-b"); got != "" {
		t.Errorf("a stranger reads of %q", got)
	}
	b, err := s.Batch(ctx, "z")
	check(t, err)
	done, doneRec := closed(b, "CODEZ")
	check(t, s.CloseBatch(ctx, done, doneRec))
	if got := ways("got-z"); got != "early z" {
		t.Errorf("of what has a page of its own: %q", got)
	}
}

// The database refuses what no method would do.
func testShipmentsStay(t *testing.T, s *store.Store) {
	testShipments(t, s)
	for _, statement := range []string{
		"UPDATE shipments SET doc = '{}'", "UPDATE shipments SET arrived = NULL", "UPDATE shipments SET arrival = 'x'", "DELETE FROM shipments",
		"UPDATE shipment_batches SET batch = 'b2' WHERE batch = 'b1'", "DELETE FROM shipment_batches", "UPDATE shipment_loggers SET device = 'x'", "DELETE FROM shipment_loggers",
	} {
		if err := s.Exec(t.Context(), statement); err == nil {
			t.Errorf("%s is done", statement)
		}
	}
}
