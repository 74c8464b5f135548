package store_test

import (
	"testing"
	"time"

	"tianhai/cmd/internal/store"
	"tianhai/farm"
	"tianhai/trace"
	"tianhai/trace/scan"
)

func testScans(t *testing.T, s *store.Store) {
	seed(t, s)
	ctx, day := t.Context(), scan.Day(noon)
	beihai := scan.Place{Region: "4505", Cell: scan.Cell{Latitude: 43, Longitude: 218}, Located: true}
	first := []scan.Sighting{
		{Code: "CODE2", Day: day, Device: scan.Device{1}, Place: beihai, Count: 2, First: noon, Last: noon.Add(time.Minute)},
		{Code: "CODE1", Day: day, Device: scan.Device{1}, Count: 1, First: noon, Last: noon},
		{Code: "CODE2", Day: day, Device: scan.Device{2}, Place: beihai, Count: 1, First: noon.Add(time.Second), Last: noon.Add(time.Second)},
	}
	check(t, s.AddSightings(ctx, nil))
	check(t, s.AddSightings(ctx, first))
	again := first[0]
	again.Count, again.First, again.Last = 3, noon.Add(time.Hour), noon.Add(2*time.Hour)
	check(t, s.AddSightings(ctx, []scan.Sighting{again}))
	equal(t, "total", scan.Total{Code: "CODE2", Count: 6, First: noon, Last: again.Last})(s.Total(ctx, "CODE2"))
	equal(t, "no look", scan.Total{})(s.Total(ctx, "CODE3"))
	again.Count, again.First = 5, noon
	equal(t, "sightings", []scan.Sighting{again, first[2]})(s.Sightings(ctx, []string{"CODE2", "CODE3"}, day))
	equal(t, "later ones", []scan.Sighting(nil))(s.Sightings(ctx, nil, day+1))

	salt, err := s.Salt(ctx, day)
	check(t, err)
	equal(t, "the same key", salt)(s.Salt(ctx, day))
	check(t, s.Forget(ctx, day+1, day))
	if other, err := s.Salt(ctx, day); err != nil || string(other) == string(salt) || len(salt) < 20 {
		t.Errorf("the key of a day is %q and then %q, %v; want another, long one", salt, other, err)
	}
	check(t, s.Forget(ctx, day, day+1))
	equal(t, "forgotten", []scan.Sighting(nil))(s.Sightings(ctx, []string{"CODE2"}, 0))
	equal(t, "total, still", scan.Total{Code: "CODE2", Count: 6, First: noon, Last: noon.Add(2 * time.Hour)})(s.Total(ctx, "CODE2"))

	check(t, s.SetMarkets(ctx, "tea", []string{"44", "45"}, "wei", noon))
	check(t, s.SetMarkets(ctx, "tea", []string{"45", "VN"}, "wei", noon))
	wantErr(t, "nobody's places", s.SetMarkets(ctx, "nobody", nil, "wei", noon), farm.ErrNotFound)
	equal(t, "places of sale", map[string][]string{"tea": {"45", "VN"}})(s.Markets(ctx))
}

func testScanAlarms(t *testing.T, s *store.Store) {
	seed(t, s)
	ctx := t.Context()
	check(t, s.AddBatch(ctx, trace.Batch{ID: "b1", Tenant: "tea", Site: "garden-1", Product: "liubao", Lot: "L1", Quantity: 1, Unit: "kg", Began: yesterday, Harvest: noon, Opened: noon}))
	raise := func(id string, a scan.Alarm, at time.Time) bool {
		t.Helper()
		a.ID, a.Raised = id, at
		raised, err := s.RaiseAlarm(ctx, a)
		check(t, err)
		return raised
	}
	a := scan.Alarm{Reason: scan.Travel, Code: "CODE1", Tenant: "tea", Batch: "b1", Region: farm.GuangxiCode, Evidence: scan.Evidence{Distance: 900, Minutes: 20}}
	if !raise("01", a, noon) || raise("02", a, noon.Add(time.Hour)) {
		t.Error("an alarm is not raised once")
	}
	other := scan.Alarm{Reason: scan.Reason(scan.Unknown), Code: "CODE9", Region: farm.GuangxiCode}
	if !raise("03", other, noon.Add(time.Minute)) {
		t.Error("another is not raised")
	}
	a.ID, a.Raised = "01", noon
	other.ID, other.Raised = "03", noon.Add(time.Minute)
	site, err := s.Site(ctx, "garden-1")
	check(t, err)
	a.Region = site.Region
	equal(t, "all", []scan.Alarm{other, a})(s.ScanAlarms(ctx, store.ScanFilter{Open: true, Untold: true}))
	equal(t, "the farm's", []scan.Alarm{a})(s.ScanAlarms(ctx, store.ScanFilter{Tenant: "tea"}))
	equal(t, "another's", []scan.Alarm{})(s.ScanAlarms(ctx, store.ScanFilter{Tenant: "oysters"}))
	equal(t, "the city's", []scan.Alarm{a})(s.ScanAlarms(ctx, store.ScanFilter{Region: site.Region}))
	equal(t, "the province's", []scan.Alarm{other, a})(s.ScanAlarms(ctx, store.ScanFilter{Region: farm.GuangxiCode}))

	equal(t, "the batch's", []scan.Alarm{a})(s.ScanAlarms(ctx, store.ScanFilter{Batch: "b1"}))
	equal(t, "since", []scan.Alarm{other})(s.ScanAlarms(ctx, store.ScanFilter{From: noon.Add(time.Second)}))
	equal(t, "until", []scan.Alarm{a})(s.ScanAlarms(ctx, store.ScanFilter{From: noon, To: noon.Add(time.Minute)}))
	equal(t, "acknowledged ones", []scan.Alarm{})(s.ScanAlarms(ctx, store.ScanFilter{Acknowledged: true}))
	equal(t, "behind the first", []scan.Alarm{a})(s.ScanAlarms(ctx, store.ScanFilter{After: store.Place{At: other.Raised, ID: other.ID}, Limit: 1}))

	check(t, s.ToldScanAlarm(ctx, "01", noon))
	equal(t, "untold", []scan.Alarm{other})(s.ScanAlarms(ctx, store.ScanFilter{Untold: true}))
	check(t, s.AcknowledgeScanAlarm(ctx, "01", "wei", "a lorry", noon.Add(time.Hour)))
	wantErr(t, "acknowledged twice", s.AcknowledgeScanAlarm(ctx, "01", "li", "no", noon), farm.ErrConflict)
	a.Acknowledged, a.By, a.Finding = noon.Add(time.Hour), "wei", "a lorry"
	equal(t, "acknowledged", a)(s.ScanAlarm(ctx, "01"))
	equal(t, "acknowledged ones", []scan.Alarm{a})(s.ScanAlarms(ctx, store.ScanFilter{Acknowledged: true}))
	_, err = s.ScanAlarm(ctx, "99")
	wantErr(t, "no alarm", err, farm.ErrNotFound)
	if raise("04", a, noon.Add(scan.QuietAfter)) || !raise("05", a, noon.Add(scan.QuietAfter+2*time.Hour)) {
		t.Error("an acknowledged alarm is not quiet for its time, or stays so")
	}
}
