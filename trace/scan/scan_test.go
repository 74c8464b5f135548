package scan_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tianhai/trace/scan"
)

// A desk keeps sightings and alarms in memory.
type desk struct {
	mu        sync.Mutex
	fails     bool
	sightings []scan.Sighting
	forgotten int // salts of days before
	markets   map[string][]string
	alarms    []scan.Alarm
}

func (d *desk) AddSightings(_ context.Context, all []scan.Sighting) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fails {
		return errors.New("disk full")
	}
	d.sightings = append(d.sightings, all...)
	return nil
}

func (d *desk) Total(_ context.Context, code string) (t scan.Total, _ error) {
	for _, s := range d.sightings {
		if s.Code == code {
			t.Count += s.Count
			t.First = s.First
		}
	}
	return t, nil
}

func (d *desk) Salt(_ context.Context, day int) ([]byte, error) {
	return fmt.Appendf(nil, "salt of %d", day), nil
}

func (d *desk) Forget(_ context.Context, salts, _ int) error {
	d.forgotten = salts
	return nil
}

func (d *desk) Sightings(_ context.Context, codes []string, since int) (all []scan.Sighting, _ error) {
	for _, s := range d.sightings {
		if slices.Contains(codes, s.Code) && s.Day >= since {
			all = append(all, s)
		}
	}
	return all, nil
}

func (d *desk) Markets(context.Context) (map[string][]string, error) { return d.markets, nil }

func (d *desk) RaiseAlarm(_ context.Context, a scan.Alarm) (bool, error) {
	d.alarms = append(d.alarms, a)
	return true, nil
}

var quiet = slog.New(slog.DiscardHandler)

func TestRecorder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{fails: true}
		var seen []scan.Look
		r := scan.NewRecorder(d, quiet, func(_ context.Context, l []scan.Look) { seen = append(seen, l...) })
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- r.Run(ctx) }()
		synctest.Wait()

		tea := scan.Subject{Code: "TEA", Tenant: "tea"}
		phone, other := scan.Visitor{Address: "192.0.2.1", Agent: "WeChat"}, scan.Visitor{Address: "192.0.2.2", Agent: "WeChat"}
		start := time.Now()
		for _, v := range []scan.Visitor{phone, phone, other, {}} {
			if !r.Saw(tea, v, time.Now()) {
				t.Fatal("dropped")
			}
		}
		r.Saw(scan.Subject{Code: "FRUIT"}, phone, time.Now())
		time.Sleep(2 * scan.WriteEvery)
		synctest.Wait()
		if got := r.Stats(); got != (scan.Stats{Waiting: 5}) {
			t.Errorf("while nothing can be written: %+v", got)
		}
		d.mu.Lock()
		d.fails = false
		d.mu.Unlock()
		time.Sleep(2 * scan.WriteEvery)
		synctest.Wait()
		if got := r.Stats(); got != (scan.Stats{Written: 5}) {
			t.Errorf("when everything is written: %+v", got)
		}
		if len(d.sightings) != 4 || d.sightings[0].Count != 2 || !d.sightings[0].First.Equal(start) || d.sightings[0].Device == d.sightings[1].Device || d.sightings[2].Device != (scan.Device{}) {
			t.Errorf("sightings are %+v", d.sightings)
		}
		if len(seen) != 2 || seen[0].Subject != tea || len(seen[0].Sightings) != 3 {
			t.Errorf("told of %+v", seen)
		}

		// What is remembered counts on.
		first, err := r.Total(ctx, "TEA")
		r.Saw(tea, phone, time.Now())
		time.Sleep(2 * scan.WriteEvery)
		synctest.Wait()
		if second, err2 := r.Total(ctx, "TEA"); err != nil || err2 != nil || first.Count != 4 || second.Count != 5 || !second.First.Equal(start) {
			t.Errorf("totals are %+v and %+v, %v, %v", first, second, err, err2)
		}

		// The next day has other keys, and those of yesterday go.
		today := d.sightings[0].Device
		time.Sleep(24 * time.Hour)
		r.Saw(tea, phone, time.Now())
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if last := d.sightings[len(d.sightings)-1]; last.Device == today || last.Device == (scan.Device{}) || d.forgotten != scan.Day(time.Now()) {
			t.Errorf("tomorrow's sighting is %+v, keys before %d are gone", last, d.forgotten)
		}
	})
}

func TestTooManyLooks(t *testing.T) {
	d := &desk{}
	r := scan.NewRecorder(d, quiet, nil)
	for range scan.MaxWaiting + 10 {
		r.Saw(scan.Subject{Code: "TEA"}, scan.Visitor{}, time.Now())
	}
	if got := r.Stats(); got.Waiting != scan.MaxWaiting || got.Dropped != 10 {
		t.Errorf("%+v", got)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := r.Run(ctx); err != nil || r.Stats().Written != scan.MaxWaiting {
		t.Errorf("written at the end: %+v, %v", r.Stats(), err)
	}
	for i := range scan.MaxUnknown + 7 {
		r.Saw(scan.Subject{Code: fmt.Sprint(i), State: scan.Unknown}, scan.Visitor{}, time.Now())
	}
	if err := r.Run(ctx); err != nil || r.Stats().Dropped != 17 {
		t.Errorf("of codes that nobody issued: %+v, %v", r.Stats(), err)
	}
}

func TestVisitor(t *testing.T) {
	doors := scan.Doors{Proxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, Region: "X-Region", Latitude: "X-Lat", Longitude: "X-Lon"}
	beihai := scan.Place{Region: "45", Cell: scan.Cell{Latitude: 43, Longitude: 218}, Located: true}
	for name, test := range map[string]struct {
		from, forwarded, region, lat, lon string
		want                              scan.Visitor
	}{
		"through the proxy":   {"10.1.1.1:5", "198.51.100.7, 192.0.2.9", "CN-GX", "21.48", "109.12", scan.Visitor{Address: "192.0.2.9", Place: beihai}},
		"through two":         {"10.1.1.1:5", "192.0.2.9, 10.2.2.2", "450000", "21.48", "109.12", scan.Visitor{Address: "192.0.2.9", Place: beihai}},
		"past it":             {"192.0.2.9:5", "198.51.100.7", "CN-GX", "21.48", "109.12", scan.Visitor{Address: "192.0.2.9"}},
		"nobody forwarded":    {"10.1.1.1:5", "", "vn", "", "", scan.Visitor{Address: "10.1.1.1", Place: scan.Place{Region: "VN"}}},
		"nonsense":            {"10.1.1.1:5", "x", "Guangxi", "91", "NaN", scan.Visitor{Address: "10.1.1.1"}},
		"a city, IPv6":        {"[::ffff:10.0.0.1]:5", "2001:db8::1", "450500", "", "", scan.Visitor{Address: "2001:db8::/64", Place: scan.Place{Region: "4505"}}},
		"no number of places": {"10.1.1.1:5", "192.0.2.9", "45", "21.48", "one", scan.Visitor{Address: "192.0.2.9", Place: scan.Place{Region: "45"}}},
	} {
		r := &http.Request{RemoteAddr: test.from, Header: http.Header{}}
		for k, v := range map[string]string{"X-Forwarded-For": test.forwarded, "X-Region": test.region, "X-Lat": test.lat, "X-Lon": test.lon} {
			if v != "" {
				r.Header.Set(k, v)
			}
		}
		if got := doors.Visitor(r); got != test.want {
			t.Errorf("%s: %+v, want %+v", name, got, test.want)
		}
	}
}

func TestRules(t *testing.T) {
	noon := time.Now().Truncate(time.Second)
	at := func(minutes int, device byte, region string, lat, lon float64) scan.Sighting {
		s := scan.Sighting{Code: "C", Day: scan.Day(noon), Device: scan.Device{device}, Count: 1, Place: scan.Place{Region: region}}
		s.First = noon.Add(time.Duration(minutes) * time.Minute)
		s.Last = s.First
		if lat != 0 {
			s.Place.Cell, s.Place.Located = scan.Cell{Latitude: int16(lat * 2), Longitude: int16(lon * 2)}, true
		}
		return s
	}
	from := func(n int, region string) (all []scan.Sighting) {
		for i := range n {
			all = append(all, at(0, byte(i+1), region, 0, 0))
		}
		return all
	}
	packet, lot := scan.Subject{Code: "C", Unit: true, Tenant: "tea"}, scan.Subject{Code: "C", Tenant: "tea"}
	state := func(s scan.State) scan.Subject { return scan.Subject{Code: "C", State: s, Tenant: "tea"} }
	nobody := scan.Subject{Code: "C", State: scan.Unknown}
	north, south := at(0, 1, "11", 40, 116.5), at(59, 2, "45", 21.5, 109)
	for name, test := range map[string]struct {
		subject scan.Subject
		seen    []scan.Sighting
		want    string
	}{
		"at home":                 {packet, from(20, "45"), ""},
		"a crowd":                 {packet, from(21, "45"), "many_devices"},
		"a crowd at a lot":        {lot, from(21, "45"), ""},
		"north and south":         {packet, []scan.Sighting{north, south}, "impossible_travel outside_market"},
		"the other way round":     {packet, []scan.Sighting{south, north}, "impossible_travel outside_market"},
		"a lot in both":           {lot, []scan.Sighting{north, south}, ""},
		"a day between":           {packet, []scan.Sighting{at(-61, 1, "45", 40, 116.5), at(0, 2, "45", 21.5, 109)}, ""},
		"the next town":           {packet, []scan.Sighting{at(0, 1, "45", 22.8, 108.3), at(1, 2, "45", 21.5, 109)}, ""},
		"a packet abroad":         {packet, from(1, "VN"), "outside_market"},
		"four tourists":           {lot, from(4, "11"), ""},
		"five tourists":           {lot, from(5, "11"), "outside_market"},
		"somewhere in China":      {lot, from(9, "CN"), ""},
		"nobody knows where":      {packet, from(9, ""), ""},
		"in a city of the market": {packet, from(1, "4505"), ""},
		"not printed":             {state(scan.Unprinted), from(1, ""), "never_printed"},
		"on no product":           {state(scan.Unbound), from(1, ""), "unbound"},
		"recalled":                {state(scan.Recalled), from(1, ""), "recalled"},
		"void":                    {state(scan.Void), from(1, ""), "voided"},
		"not harvested":           {state(scan.Unharvested), from(1, ""), "not_yet_harvested"},
		"typed wrong, twice":      {nobody, from(2, ""), ""},
		"nobody's":                {nobody, from(3, ""), "never_issued"},
	} {
		d := &desk{sightings: test.seen, markets: map[string][]string{"tea": {"45"}, "fruit": {"11"}}}
		told := 0
		w := scan.Watch{Files: d, Log: quiet, Raised: func() { told++ }}
		for range 2 { // each alarm once
			w.Look(t.Context(), []scan.Look{{Subject: test.subject, Sightings: test.seen[len(test.seen)-1:]}})
		}
		var got []string
		for _, a := range d.alarms {
			got = append(got, string(a.Reason))
			if !slices.Contains(scan.Reasons(), a.Reason) || a.ID == "" || a.Evidence.Looks == 0 {
				t.Errorf("%s: alarm %+v", name, a)
			}
		}
		if slices.Sort(got); strings.Join(got, " ") != test.want || (told > 0) != (test.want != "") || told > 1 {
			t.Errorf("%s: alarms %q, told %d times; want %q", name, got, told, test.want)
		}
	}
}

func TestParseMarkets(t *testing.T) {
	got, err := scan.ParseMarkets([]string{"450000", "vn", "4501", "CN-GD", "45"})
	if want := []string{"44", "45", "4501", "VN"}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
	many := make([]string, scan.MaxMarkets+1)
	for i := range many {
		many[i] = fmt.Sprint(1101 + i)
	}
	for _, bad := range [][]string{{"45", "Guangxi"}, {"450"}, {""}, many} {
		if got, err := scan.ParseMarkets(bad); err == nil {
			t.Errorf("%q are places %v", bad, got)
		}
	}
}

// What are places once are the same places ever after.
func FuzzParseMarkets(f *testing.F) {
	for _, seed := range []string{"45,4501,vn", "CN-GD,cn", "450000, 440000", "CN-00", "0000", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, names string) {
		once, err := scan.ParseMarkets(strings.Split(names, ","))
		if err != nil {
			return
		}
		if twice, err := scan.ParseMarkets(once); err != nil || !slices.Equal(twice, once) || len(once) > scan.MaxMarkets || !slices.IsSorted(once) {
			t.Errorf("%q are %q, and those %q, %v", names, once, twice, err)
		}
	})
}

// Whatever a stranger sends, only what a trusted proxy adds is believed, and a place is
// never finer than a cell of half a degree and the digits of a county.
func FuzzVisitor(f *testing.F) {
	f.Add("10.1.1.1:5", "198.51.100.7, 192.0.2.9", "CN-GX", "21.48", "109.12")
	f.Add("10.1.1.1:5", "", "400050", "19", "NaN")
	f.Add("192.0.2.9:5", "10.1.1.1", "450000", "91", "NaN")
	f.Add("[fe80::1%eth0]:5", "::ffff:10.1.1.1,,2001:db8::1", "000000", "-90", "-180")
	f.Add("@", "x", "CN-", "1e-320", "+0")
	doors := scan.Doors{Proxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, Region: "X-Region", Latitude: "X-Lat", Longitude: "X-Lon"}
	f.Fuzz(func(t *testing.T, from, forwarded, region, lat, lon string) {
		r := &http.Request{RemoteAddr: from, Header: http.Header{"X-Forwarded-For": {forwarded}, "X-Region": {region}, "X-Lat": {lat}, "X-Lon": {lon}}}
		got := doors.Visitor(r)
		direct := doors.Visitor(&http.Request{RemoteAddr: from})
		if !strings.HasPrefix(direct.Address, "10.") && got != direct {
			t.Errorf("%q says of itself %+v, and it is %+v", from, got, direct)
		}
		if p := got.Place; len(p.Region) > 6 || p.Located && (p.Cell.Latitude < -180 || p.Cell.Latitude > 180 || p.Cell.Longitude < -360 || p.Cell.Longitude > 360) {
			t.Errorf("%q, %q, %q is %+v", region, lat, lon, p)
		}
		if addr, err := netip.ParseAddr(got.Address); err == nil && addr.Is6() && !addr.Is4In6() {
			t.Errorf("%q of %q is a single phone", got.Address, from)
		}
	})
}
