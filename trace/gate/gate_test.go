package gate_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"tianhai/farm"
	"tianhai/trace/gate"
	"tianhai/trace/input"
)

func beijing() *time.Location { return time.FixedZone("UTC+8", 8*3600) }

// at reads a time in Beijing.
func at(t *testing.T, s string) time.Time {
	t.Helper()
	out, err := time.ParseInLocation("2006-01-02 15:04", s, beijing())
	if err != nil {
		t.Fatal(err)
	}
	return out.UTC()
}

func days(n int) *int { return &n }

func tea() input.Target { return input.Target{Group: "tea", Species: "tea"} }

func pesticide(wait input.Wait) input.Product {
	return input.Product{
		ID: "p1", Kind: input.Pesticide, Name: farm.Text{Zh: "示例"}, Actives: []input.Active{{Name: "示例"}},
		Labels: []input.Label{{Species: "tea", Wait: wait, MaxUses: 2, Dose: input.Dose{Min: 10, Max: 20, Unit: "mL", Basis: input.PerArea, Per: "mu"}, Source: "label"}},
	}
}

func gates(rs []gate.Refusal) []gate.Gate {
	var out []gate.Gate
	for _, r := range rs {
		out = append(out, r.Gate)
	}
	return out
}

// TestInterval holds the first allowed day against the calendar: Beijing's days,
// not the machine's and not 24 hours.
func TestInterval(t *testing.T) {
	tests := map[string]struct {
		days          int
		used, harvest string
		earliest      string // "": allowed
	}{
		"the last day inside":           {7, "2026-05-01 18:00", "2026-05-07 23:59", "2026-05-08"},
		"the first allowed day":         {7, "2026-05-01 18:00", "2026-05-08 00:00", ""},
		"sprayed before dawn":           {7, "2026-05-01 00:30", "2026-05-07 12:00", "2026-05-08"},
		"over the end of a month":       {14, "2026-02-20 09:00", "2026-03-05 09:00", "2026-03-06"},
		"the day of a leap year":        {1, "2028-02-28 09:00", "2028-02-28 20:00", "2028-02-29"},
		"none needed":                   {0, "2026-05-01 18:00", "2026-05-01 18:01", ""},
		"harvested before it was used":  {7, "2026-05-01 18:00", "2026-05-01 17:00", ""},
		"long after":                    {7, "2026-05-01 18:00", "2027-05-01 18:00", ""},
		"a day in Beijing, none in UTC": {1, "2026-05-01 23:00", "2026-05-02 06:00", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			h := gate.History{Uses: []gate.Use{{ID: "op", At: at(t, tt.used), Target: tea(), Product: pesticide(input.Wait{Days: days(tt.days)})}}}
			got := gate.Check(gate.Act{Kind: gate.Harvest, At: at(t, tt.harvest), Target: tea()}, h)
			if tt.earliest == "" {
				if len(got) != 0 {
					t.Fatalf("refused: %+v", got)
				}
				return
			}
			if len(got) != 1 || got[0].Gate != gate.Interval || got[0].Earliest != tt.earliest {
				t.Fatalf("got %+v, want earliest %s", got, tt.earliest)
			}
			if r := got[0]; r.Product != "p1" || r.Date != tt.used[:10] || r.Operation != "op" || r.Limit != float64(tt.days) || r.Estimate {
				t.Errorf("the refusal does not name product, date and days: %+v", r)
			}
		})
	}
}

// TestAtTheEarliestDay: what a refusal names is allowed, the day before is not.
func TestAtTheEarliestDay(t *testing.T) {
	h := gate.History{Uses: []gate.Use{{At: at(t, "2026-05-01 18:00"), Target: tea(), Product: pesticide(input.Wait{Days: days(21)})}}}
	first := gate.Check(gate.Act{Kind: gate.Sale, At: at(t, "2026-05-02 08:00"), Target: tea()}, h)[0].Earliest
	if got := gate.Check(gate.Act{Kind: gate.Sale, At: at(t, first+" 00:00"), Target: tea()}, h); len(got) != 0 {
		t.Errorf("refused on the day that was named: %+v", got)
	}
	if got := gate.Check(gate.Act{Kind: gate.Sale, At: at(t, first+" 00:00").Add(-time.Minute), Target: tea()}, h); len(got) != 1 {
		t.Error("allowed before the day that was named")
	}
}

func TestVoidAndTaken(t *testing.T) {
	use := gate.Use{At: at(t, "2026-05-10 08:00"), Target: tea(), Product: pesticide(input.Wait{Days: days(7)})}
	sale := gate.Act{Kind: gate.Sale, At: at(t, "2026-05-12 08:00"), Target: tea(), Harvested: at(t, "2026-05-09 08:00")}
	if got := gate.Check(sale, gate.History{Uses: []gate.Use{use}}); len(got) != 0 {
		t.Errorf("a spray after the harvest bars the sale of it: %+v", got)
	}
	sale.Harvested = at(t, "2026-05-11 08:00")
	sale.At = at(t, "2026-09-01 08:00")
	if got := gate.Check(sale, gate.History{Uses: []gate.Use{use}}); len(got) != 1 {
		t.Error("what was harvested too early became good by lying")
	}
	use.Void = true
	if got := gate.Check(sale, gate.History{Uses: []gate.Use{use}}); len(got) != 0 {
		t.Errorf("a spray that was taken back bars: %+v", got)
	}
	use.Void, use.Target = false, input.Target{Group: "tea", Species: "tea"}
	sale.Target.Species = "mint"
	if got := gates(gate.Check(sale, gate.History{Uses: []gate.Use{use}})); !slices.Equal(got, []gate.Gate{gate.NoInterval}) {
		t.Errorf("a crop that the label does not name: %v", got)
	}
}

// TestUnsaid: who does not say what is harvested waits for the longest label.
func TestUnsaid(t *testing.T) {
	p := pesticide(input.Wait{Days: days(3)})
	p.Labels = append(p.Labels, input.Label{Species: "mint", Wait: input.Wait{Days: days(9)}}, input.Label{Species: "rice", Wait: input.Wait{Days: days(5)}})
	h := gate.History{Uses: []gate.Use{{At: at(t, "2026-05-01 08:00"), Product: p}}}
	got := gate.Check(gate.Act{Kind: gate.Harvest, At: at(t, "2026-05-02 08:00"), Target: input.Target{Group: "tea"}}, h)
	if len(got) != 1 || got[0].Earliest != "2026-05-10" {
		t.Errorf("got %+v", got)
	}
}

// TestTreatment: the wait begins on the last day of a treatment, and who harvests
// in the middle of it is refused too.
func TestTreatment(t *testing.T) {
	u := gate.Use{At: at(t, "2026-05-01 08:00"), Until: at(t, "2026-05-05 00:00"), Product: pesticide(input.Wait{Days: days(2)})}
	for when, allowed := range map[string]bool{"2026-05-03 08:00": false, "2026-05-06 23:00": false, "2026-05-07 00:00": true} {
		got := gate.Check(gate.Act{Kind: gate.Catch, At: at(t, when), Target: tea()}, gate.History{Uses: []gate.Use{u}})
		if (len(got) == 0) != allowed || !allowed && (got[0].Earliest != "2026-05-07" || got[0].Date != "2026-05-05") {
			t.Errorf("%s: %+v", when, got)
		}
	}
}

func TestUse(t *testing.T) {
	must := func(v float64, unit string) input.Amount {
		a, err := input.Measure(v, unit)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	tests := map[string]struct {
		change func(*gate.Use, *gate.History)
		want   []gate.Gate
	}{
		"by the label":        {func(*gate.Use, *gate.History) {}, nil},
		"at the highest dose": {func(u *gate.Use, _ *gate.History) { u.Quantity = must(60, "mL") }, nil},
		"a drop more":         {func(u *gate.Use, _ *gate.History) { u.Quantity = must(60.01, "mL") }, []gate.Gate{gate.OverDose}},
		"litres":              {func(u *gate.Use, _ *gate.History) { u.Quantity = must(0.0601, "L") }, []gate.Gate{gate.OverDose}},
		"weighed":             {func(u *gate.Use, _ *gate.History) { u.Quantity = must(10, "g") }, []gate.Gate{gate.DoseUnknown}},
		"no area":             {func(u *gate.Use, _ *gate.History) { u.Extent = input.Amount{} }, []gate.Gate{gate.DoseUnknown}},
		"another crop":        {func(u *gate.Use, _ *gate.History) { u.Target.Species = "mint" }, []gate.Gate{gate.NotOnLabel}},
		"expired":             {func(u *gate.Use, _ *gate.History) { u.Lot.Expires = u.At }, []gate.Gate{gate.LotExpired}},
		"a third time": {func(u *gate.Use, h *gate.History) {
			h.Uses = []gate.Use{{ID: "a", At: u.At.AddDate(0, -1, 0), Target: tea(), Product: u.Product}, {ID: "b", At: u.At.AddDate(0, 0, 3), Target: tea(), Product: u.Product}}
		}, []gate.Gate{gate.OverCount}},
		"a third time, one taken back": {func(u *gate.Use, h *gate.History) {
			h.Uses = []gate.Use{{ID: "a", At: u.At.AddDate(0, -1, 0), Target: tea(), Product: u.Product}, {ID: "b", At: u.At.AddDate(0, -2, 0), Target: tea(), Product: u.Product, Void: true}}
		}, nil},
		"in the season before": {func(u *gate.Use, h *gate.History) {
			h.Uses = []gate.Use{{ID: "a", At: u.At.AddDate(-1, 0, -1), Target: tea(), Product: u.Product}, {ID: "b", At: u.At.AddDate(-1, 0, -2), Target: tea(), Product: u.Product}}
		}, nil},
		"banned": {func(u *gate.Use, _ *gate.History) { u.Product.Actives = []input.Active{{Name: "Ｄ.Ｄ.Ｔ"}} }, []gate.Gate{gate.Banned}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			u := gate.Use{ID: "op", At: at(t, "2026-05-01 08:00"), Target: tea(), Product: pesticide(input.Wait{Days: days(7)}), Quantity: must(45, "mL"), Extent: must(3, "mu")}
			u.Lot.Expires = u.At.AddDate(1, 0, 0)
			h := gate.History{Bans: input.Banned()}
			tt.change(&u, &h)
			got := gates(gate.Check(gate.Act{Kind: gate.Apply, At: u.At, Target: u.Target, Use: &u}, h))
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestFlagsOfTheLabel(t *testing.T) {
	p := input.Product{ID: "d", Kind: input.Drug, Labels: []input.Label{{Species: "chicken", NoLayers: true, NoMilked: true, Wait: input.Wait{Days: days(5)}}}}
	for name, want := range map[string]gate.Gate{"laying": gate.Laying, "milked": gate.Milked} {
		u := gate.Use{At: at(t, "2026-05-01 08:00"), Product: p, Target: input.Target{Group: "livestock", Species: "chicken", Laying: name == "laying", Milked: name == "milked"}}
		if got := gates(gate.Check(gate.Act{Kind: gate.Apply, At: u.At, Target: u.Target, Use: &u}, gate.History{})); !slices.Equal(got, []gate.Gate{want}) {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestPapers(t *testing.T) {
	now := at(t, "2026-05-01 08:00")
	pig := input.Target{Group: "livestock", Species: "pig"}
	old := farm.Licence{ID: "1", Kind: farm.SlaughterLicence, Number: "A1", Issued: now.AddDate(-5, 0, 0), Expires: now}
	renewed := farm.Licence{ID: "2", Kind: farm.SlaughterLicence, Number: "A2", Issued: now.AddDate(0, 0, -1), Expires: now.AddDate(5, 0, 0)}
	elsewhere := renewed
	elsewhere.Site = "other"
	tests := map[string]struct {
		act      gate.Act
		licences []farm.Licence
		want     []gate.Gate
	}{
		"no quarantine":                {gate.Act{Kind: gate.Exit}, nil, []gate.Gate{gate.NoQuarantine}},
		"with quarantine":              {gate.Act{Kind: gate.Slaughter, Quarantine: "4501"}, nil, nil},
		"expired this moment":          {gate.Act{Kind: gate.Slaughter, Quarantine: "4501"}, []farm.Licence{old}, []gate.Gate{gate.Licence}},
		"renewed":                      {gate.Act{Kind: gate.Slaughter, Quarantine: "4501"}, []farm.Licence{old, renewed}, nil},
		"renewed for another place":    {gate.Act{Kind: gate.Slaughter, Quarantine: "4501"}, []farm.Licence{old, elsewhere}, []gate.Gate{gate.Licence}},
		"not a thing it is needed for": {gate.Act{Kind: gate.Sale}, []farm.Licence{old}, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			tt.act.Site, tt.act.At, tt.act.Target = "barn", now, pig
			if got := gates(gate.Check(tt.act, gate.History{Licences: tt.licences})); !slices.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

// water returns n measured days from a day on.
func water(t *testing.T, from string, means ...float64) []gate.DayMean {
	t.Helper()
	var out []gate.DayMean
	for i, m := range means {
		out = append(out, gate.DayMean{Day: at(t, from+" 00:00").AddDate(0, 0, i), Mean: m, Coverage: 1})
	}
	return out
}

func TestDegreeDays(t *testing.T) {
	used := "2026-05-01 10:00"
	tests := map[string]struct {
		now      string
		need     float64
		water    []gate.DayMean
		reached  bool
		sum      float64
		earliest string
		missing  []string
	}{
		// 20 °C × 5 whole days after the 1st: the 2nd to the 6th.
		"reached on the last whole day": {"2026-05-07 00:00", 100, water(t, "2026-05-01", 20, 20, 20, 20, 20, 20), true, 100, "", nil},
		"today is not whole":            {"2026-05-06 23:59", 100, water(t, "2026-05-01", 20, 20, 20, 20, 20, 20), false, 80, "2026-05-07", nil},
		"the day of the use":            {"2026-05-01 12:00", 100, water(t, "2026-04-28", 25, 25, 25), false, 0, "", nil},
		"colder than it was":            {"2026-05-04 12:00", 100, water(t, "2026-05-01", 30, 20, 10), false, 30, "2026-05-09", nil},
		"a day without readings":        {"2026-05-05 12:00", 60, append(water(t, "2026-05-02", 20), water(t, "2026-05-04", 20)...), false, 40, "2026-05-06", []string{"2026-05-03"}},
		"a sensor that froze over":      {"2026-05-04 12:00", 60, water(t, "2026-05-02", 20, -5), false, 20, "2026-05-08", nil},
		"nothing known":                 {"2026-05-20 12:00", 60, nil, false, 0, "", nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := gate.Reckon(at(t, used), at(t, tt.now), tt.need, tt.water)
			if name == "the day of the use" {
				tt.earliest = "2026-05-06" // the 2nd to the 5th at 25 °C
			}
			if got.Reached != tt.reached || got.Sum != tt.sum || got.Earliest != tt.earliest {
				t.Errorf("got %+v", got)
			}
			if tt.missing != nil && !slices.Equal(got.Missing, tt.missing) {
				t.Errorf("missing %v, want %v", got.Missing, tt.missing)
			}
			if name == "nothing known" && len(got.Missing) != 18 {
				t.Errorf("%d days are named, want 18", len(got.Missing))
			}
		})
	}
}

func TestHalfADayIsNone(t *testing.T) {
	w := water(t, "2026-05-02", 30, 30)
	w[0].Coverage, w[1].Mean = 0.74, math.NaN()
	if got := gate.Reckon(at(t, "2026-05-01 10:00"), at(t, "2026-05-04 10:00"), 10, w); got.Reached || len(got.Missing) != 2 {
		t.Errorf("got %+v", got)
	}
}

// TestHistories drives Check through random histories and holds it against a model
// that knows nothing of calendars: it walks day by day.
func TestHistories(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 2026))
	start := at(t, "2026-01-01 00:00")
	refused, allowed := 0, 0
	for range 20000 {
		var h gate.History
		for i := range 120 {
			if r.IntN(8) > 0 {
				h.Water = append(h.Water, gate.DayMean{Day: start.AddDate(0, 0, i), Mean: float64(r.IntN(36) - 2), Coverage: r.Float64()*0.6 + 0.4})
			}
		}
		for range r.IntN(5) {
			u := gate.Use{At: start.Add(time.Duration(r.IntN(100*24*60)) * time.Minute), Target: tea(), Void: r.IntN(5) == 0}
			w := input.Wait{}
			if r.IntN(2) == 0 {
				w.Days = days(r.IntN(30))
			} else {
				w.DegreeDays = float64(r.IntN(500) + 1)
			}
			u.Product = pesticide(w)
			h.Uses = append(h.Uses, u)
		}
		act := gate.Act{Kind: gate.Catch, At: start.Add(time.Duration(r.IntN(120*24*60)) * time.Minute), Target: tea()}
		got := gate.Check(act, h)
		want := 0
		for _, u := range h.Uses {
			if !u.Void && !u.At.After(act.At) && !model(u, act.At, h.Water) {
				want++
			}
		}
		if len(got) != want {
			t.Fatalf("%d refusals, the model has %d: %+v\nact %v\nuses %+v", len(got), want, got, act.At, h.Uses)
		}
		if want > 0 {
			refused++
		} else {
			allowed++
		}
	}
	if refused < 2000 || allowed < 2000 {
		t.Errorf("%d refused and %d allowed: the histories are lopsided", refused, allowed)
	}
}

// model counts whole Beijing days by hand: seconds since an epoch that begins at
// Beijing's midnight.
func model(u gate.Use, now time.Time, water []gate.DayMean) bool {
	number := func(t time.Time) int64 { return (t.Unix() + 8*3600) / 86400 }
	wait := u.Product.Labels[0].Wait
	if wait.Days != nil {
		return number(now)-number(u.At) >= int64(*wait.Days)
	}
	sum := 0.0
	for _, w := range water {
		if d := number(w.Day); d > number(u.At) && d < number(now) && w.Coverage >= 0.75 && w.Mean > 0 {
			sum += w.Mean
		}
	}
	return sum >= wait.DegreeDays-1e-9
}
