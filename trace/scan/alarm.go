package scan

import (
	"context"
	"encoding/json"
	"log/slog"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"tianhai/farm"
)

// Reason says why looks at a code look like a copy. The states of a code other than
// Good are reasons too.
type Reason string

// The reasons that are found by looking at many looks.
const (
	Travel      Reason = "impossible_travel"
	Outside     Reason = "outside_market"
	ManyDevices Reason = "many_devices"
)

// Reasons returns all of them.
func Reasons() []Reason {
	return []Reason{Travel, Outside, ManyDevices, Reason(Unknown), Reason(Unprinted), Reason(Unbound), Reason(Unharvested), Reason(Void), Reason(Recalled)}
}

// From where on looks are an alarm.
const (
	// TravelFar within TravelTime is more than a packet can do, with the coarseness
	// of two cells taken off.
	TravelFar   = 300_000 // metres
	TravelTime  = time.Hour
	travelSlack = 80_000
	// UnitDevices in a day are more than a household and its guests that look at one
	// packet.
	UnitDevices = 20
	// OutsideDevices in a day are more than people who took a packet along, for a code
	// that many packets have; one is enough for a packet's own code.
	OutsideDevices = 5
	// UnknownLooks at a code that was never issued are more than a slip of a finger
	// that the check character let pass: one in 32 does.
	UnknownLooks = 3
	// QuietAfter is how long the same alarm is not raised again after somebody has
	// acknowledged it.
	QuietAfter = 30 * 24 * time.Hour
)

// An Alarm is a reason to think that a code was copied. Of one code and reason there
// is one that is open.
type Alarm struct {
	ID       string    `json:"id"` // ULID
	Reason   Reason    `json:"reason"`
	Code     string    `json:"code"`
	Tenant   string    `json:"tenant,omitempty"` // "" where the code is nobody's
	Batch    string    `json:"batch,omitempty"`
	Region   string    `json:"region"` // of the bureau that is told
	Raised   time.Time `json:"raised"`
	Evidence Evidence  `json:"evidence"`

	Acknowledged time.Time `json:"acknowledged,omitzero"`
	By           string    `json:"acknowledged_by,omitempty"`
	Finding      string    `json:"finding,omitempty"` // what was found out
}

// Evidence is what an alarm was raised for, as far as it is of the alarm's kind.
type Evidence struct {
	Looks    int64    `json:"looks,omitempty"`   // of the day
	Devices  int      `json:"devices,omitempty"` // of the day
	Regions  []string `json:"regions,omitempty"` // where it was looked at
	Markets  []string `json:"markets,omitempty"` // where it is sold
	Distance int      `json:"distance_km,omitempty"`
	Minutes  int      `json:"minutes,omitempty"`
}

// String returns the evidence as JSON.
func (e Evidence) String() string {
	raw, _ := json.Marshal(e) // of numbers and strings
	return string(raw)
}

// Files keeps alarms and what rules need.
type Files interface {
	// Sightings returns those of codes since a day.
	Sightings(ctx context.Context, codes []string, since int) ([]Sighting, error)
	// Markets returns where each tenant says that its products are sold.
	Markets(ctx context.Context) (map[string][]string, error)
	// RaiseAlarm stores an alarm, with the region of its batch's site where it has a
	// batch; false where one of its code and reason is open, or was acknowledged less
	// than QuietAfter ago.
	RaiseAlarm(ctx context.Context, a Alarm) (bool, error)
}

// A Watch raises alarms.
type Watch struct {
	Files Files
	Log   *slog.Logger
	// Raised is told that there are new alarms; it must not block. nil: nobody.
	Raised func()

	day  int
	done map[string]bool // reason and code of alarms of the day that need not be raised again
}

// Look holds what a Recorder wrote against the rules. What cannot be read is logged
// and found at the next look. It is for one goroutine.
func (w *Watch) Look(ctx context.Context, seen []Look) {
	if today := Day(time.Now()); w.done == nil || w.day != today || len(w.done) > 50_000 {
		w.day, w.done = today, map[string]bool{}
	}
	found, err := w.find(ctx, seen)
	if err != nil {
		w.Log.WarnContext(ctx, "looks at codes cannot be held against the rules", "error", err)
		return
	}
	raised := false
	for _, a := range found {
		key := string(a.Reason) + a.Code
		if w.done[key] {
			continue
		}
		a.ID, a.Raised = ulid.Make().String(), time.Now()
		fresh, err := w.Files.RaiseAlarm(ctx, a)
		if err != nil {
			w.Log.WarnContext(ctx, "an alarm about a code cannot be stored", "code", a.Code, "reason", a.Reason, "error", err)
			continue
		}
		w.done[key] = true
		if fresh {
			raised = true
			w.Log.WarnContext(ctx, "a code looks like a copy", "code", a.Code, "reason", a.Reason, "evidence", a.Evidence.String())
		}
	}
	if raised && w.Raised != nil {
		w.Raised()
	}
}

// find returns what the rules say of codes.
func (w *Watch) find(ctx context.Context, seen []Look) ([]Alarm, error) {
	markets, err := w.Files.Markets(ctx)
	if err != nil {
		return nil, err
	}
	of, err := w.history(ctx, seen, markets)
	if err != nil {
		return nil, err
	}
	var found []Alarm
	for _, l := range seen {
		all := of[l.Code]
		if len(all) == 0 {
			all = l.Sightings
		}
		add := func(r Reason, e Evidence) {
			e.Looks, e.Devices = count(all)
			if len(e.Regions) == 0 {
				e.Regions = regions(all)
			}
			found = append(found, Alarm{Reason: r, Code: l.Code, Tenant: l.Tenant, Batch: l.Batch, Region: farm.GuangxiCode, Evidence: e})
		}
		if l.State == Unknown {
			if n, _ := count(all); n >= UnknownLooks {
				add(Reason(Unknown), Evidence{})
			}
			continue
		}
		if l.State != Good {
			add(Reason(l.State), Evidence{})
		}
		if _, devices := count(all); l.Unit && devices > UnitDevices {
			add(ManyDevices, Evidence{})
		}
		if e, far := travel(all); l.Unit && far {
			add(Travel, e)
		}
		if e, n := outside(all, markets[l.Tenant]); n >= OutsideDevices || l.Unit && n > 0 {
			add(Outside, e)
		}
	}
	return found, nil
}

// history returns the sightings since yesterday of codes whose rules need them.
func (w *Watch) history(ctx context.Context, seen []Look, markets map[string][]string) (map[string][]Sighting, error) {
	var codes []string
	for _, l := range seen {
		if l.Unit || l.State == Unknown || len(markets[l.Tenant]) > 0 && len(regions(l.Sightings)) > 0 {
			codes = append(codes, l.Code)
		}
	}
	if len(codes) == 0 {
		return nil, nil
	}
	all, err := w.Files.Sightings(ctx, codes, w.day-1)
	of := map[string][]Sighting{}
	for _, s := range all {
		of[s.Code] = append(of[s.Code], s)
	}
	return of, err
}

// count returns how many looks and devices there were on the day that had most
// devices.
func count(all []Sighting) (looks int64, devices int) {
	byDay := map[int]map[Device]bool{}
	n := map[int]int64{}
	for _, s := range all {
		if byDay[s.Day] == nil {
			byDay[s.Day] = map[Device]bool{}
		}
		byDay[s.Day][s.Device] = true
		n[s.Day] += s.Count
	}
	for day, d := range byDay {
		devices, looks = max(devices, len(d)), max(looks, n[day])
	}
	return looks, devices
}

func regions(all []Sighting) []string {
	var r []string
	for _, s := range all {
		if s.Place.Region != "" && !slices.Contains(r, s.Place.Region) {
			r = append(r, s.Place.Region)
		}
	}
	slices.Sort(r)
	return r
}

// travel returns the fastest way between two looks, if no packet can go it.
func travel(all []Sighting) (e Evidence, far bool) {
	for i, a := range all {
		for _, b := range all[i+1:] {
			if !a.Place.Located || !b.Place.Located || a.Place.Cell == b.Place.Cell {
				continue
			}
			gap := max(b.First.Sub(a.Last), a.First.Sub(b.Last), 0)
			metres := a.Place.Cell.Position().Distance(b.Place.Cell.Position()) - travelSlack
			if gap <= TravelTime && metres > TravelFar && int(metres/1000) > e.Distance {
				e = Evidence{Distance: int(math.Round(metres / 1000)), Minutes: int(gap.Minutes()), Regions: regions([]Sighting{a, b})}
				far = true
			}
		}
	}
	return e, far
}

// outside returns how many devices looked from where nothing is sold, on the day
// that had most.
func outside(all []Sighting, markets []string) (e Evidence, devices int) {
	if len(markets) == 0 {
		return e, 0
	}
	abroad := slices.DeleteFunc(slices.Clone(all), func(s Sighting) bool {
		return s.Place.Region == "" || slices.ContainsFunc(markets, func(m string) bool { return covers(m, s.Place.Region) })
	})
	_, devices = count(abroad)
	return Evidence{Markets: markets, Regions: regions(abroad)}, devices
}

// covers reports whether a look from a place may come from a market: a place that
// is known only as a province may be in any of its cities.
func covers(market, place string) bool {
	switch "CN" {
	case market:
		return digits(place) || place == market
	case place:
		return digits(market)
	}
	return strings.HasPrefix(place, market) || strings.HasPrefix(market, place)
}

// ParseMarkets reads places of sale: provinces, prefectures and counties by their
// digits in GB/T 2260, and countries of ISO 3166-1. CN is all of China. At most
// MaxMarkets; the error names the one that is none.
func ParseMarkets(names []string) ([]string, error) {
	var all []string
	for _, n := range names {
		code := regionOf(n)
		if code == "" {
			return nil, &MarketError{n}
		}
		if !slices.Contains(all, code) {
			all = append(all, code)
		}
	}
	if len(all) > MaxMarkets {
		return nil, &MarketError{all[MaxMarkets]}
	}
	slices.Sort(all)
	return all, nil
}

// MaxMarkets is in how many places a tenant may say that it sells.
const MaxMarkets = 100

// A MarketError is a place that is none, or one too many.
type MarketError struct{ Name string }

func (e *MarketError) Error() string {
	return "place of sale " + e.Name + " is not digits of GB/T 2260, such as 45 or 4501, nor a country of two letters, or is one too many"
}
