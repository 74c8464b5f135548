package trace_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/oklog/ulid/v2"

	"tianhai/farm"
	"tianhai/trace"
	"tianhai/trace/catalog"
	"tianhai/trace/chain"
	series "tianhai/trace/evidence"
	"tianhai/trace/label"
)

var noon = time.Date(2026, 11, 20, 4, 0, 0, 0, time.UTC)

var uploaded = strings.Repeat("0a", 32) // the hash of the farm's one picture

func newService(m *memory, e trace.Evidence) *trace.Service {
	b := newBooks()
	b.now = b.before
	return &trace.Service{
		Store: m, Journal: m, Chain: m, Evidence: e, Catalogs: b,
		HasPhoto: func(_ context.Context, tenant, hash string) (bool, error) {
			return tenant == "maowei" && hash == uploaded, nil
		},
		NewCode: func() (string, error) { return label.NewCode(rand.Reader) },
		Now:     func() time.Time { return noon },
	}
}

func operation(kind string, at time.Time) trace.Operation {
	return trace.Operation{
		ID: ulid.Make().String(), Tenant: "maowei", Site: "raft-1", Kind: kind, At: at, Person: "account-of-wei",
		Items: []trace.Item{{Key: "quantity", Value: "200", Unit: "kg"}},
	}
}

func batch() trace.Batch {
	return trace.Batch{
		Tenant: "maowei", Site: "raft-1", Product: "oyster", Lot: "MW-2026-11", Quantity: 320.5, Unit: "kg",
		Began: noon.AddDate(0, -2, 0), Harvest: noon.Add(-24 * time.Hour),
	}
}

func add(t *testing.T, s *trace.Service, op trace.Operation) trace.Operation {
	t.Helper()
	stored, added, err := s.AddOperation(t.Context(), op)
	if err != nil || !added {
		t.Fatalf("add %s: added %v, %v", op.Kind, added, err)
	}
	return stored
}

func openBatch(t *testing.T, s *trace.Service) trace.Batch {
	t.Helper()
	b, err := s.OpenBatch(t.Context(), batch(), "wei")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestOpenBatch: a batch is told as the harvest that makes it, so that none has a
// maker that nobody knows.
func TestOpenBatch(t *testing.T) {
	m := newMemory()
	s := newService(m, &evidence{})
	b := openBatch(t, s)
	want := chain.Movement{
		Tenant: "maowei", Kind: chain.Harvest, At: b.Harvest, Recorded: noon, Person: "wei", Site: "raft-1",
		Outputs: []chain.Output{{Batch: b.ID, Product: "oyster", Lot: "MW-2026-11", Amount: chain.Amount{N: 320_500_000, Unit: "kg"}, Began: b.Began, Harvest: b.Harvest}},
	}
	got := m.moved[0]
	want.ID = got.ID
	if diff := cmp.Diff(want, got); diff != "" || len(m.moved) != 1 {
		t.Error(diff)
	}
	r := m.records[0]
	if r.Kind != trace.MovementRecord || r.Subject != got.ID || strings.Contains(string(r.Body), "person") || !strings.Contains(string(r.Body), b.ID) {
		t.Errorf("its record: %+v %s", r, r.Body)
	}
	ahead := batch()
	ahead.Harvest = noon.Add(6 * time.Hour) // of tonight, written down now
	if _, err := s.OpenBatch(t.Context(), ahead, "wei"); err != nil || !m.moved[1].At.Equal(noon) {
		t.Errorf("tonight's harvest: %+v, %v", m.moved[1], err)
	}
}

// sample is a reading so long before noon.
func sample(quantity, device string, before time.Duration, v float64, flag int) farm.Sample {
	return farm.Sample{Quantity: quantity, Device: device, Time: noon.Add(-before).UnixMilli(), Value: v, Flag: flag}
}

// From opening to closing, with a mistake corrected on the way.
func TestBatchStory(t *testing.T) {
	m := newMemory()
	day := 24 * time.Hour
	ev := &evidence{samples: []farm.Sample{
		sample("air.rain", "mast", 3*day, 1.23, 1), sample("air.rain", "mast", 3*day-time.Hour, 3, 1),
		sample("water.salinity", "raft-1-water", 3*day, 17.24999, 1), sample("water.salinity", "raft-1-water", 3*day-time.Hour, 25.5, 3),
		sample("water.salinity", "raft-1-water", 3*day-2*time.Hour, 99, 4),
	}}
	s := newService(m, ev)
	s.Series = &series.Shelf{Dir: t.TempDir()}
	s.Sensors = registry{}

	before := add(t, s, operation("prune", noon.AddDate(-1, 0, 0)))
	stock := add(t, s, operation("stock", noon.AddDate(0, -2, 1)))
	wrong := add(t, s, operation("harvest", noon.Add(-20*time.Hour)))
	right := operation("harvest", noon.Add(-25*time.Hour))
	right.Corrects = wrong.ID
	right.Items = append(right.Items, trace.Item{Key: "grade", Value: "first"}, trace.Item{Key: "buyer", Value: "account-of-wei"})
	right = add(t, s, right)
	// Entered under the wrong year; the correction moves it into the growing time.
	misdated := add(t, s, operation("inspect", noon.AddDate(-1, 0, -5)))
	dated := operation("inspect", noon.AddDate(0, 0, -5))
	dated.Corrects = misdated.ID
	dated = add(t, s, dated)

	b := openBatch(t, s)
	closed, err := s.CloseBatch(t.Context(), b.ID)
	if err != nil {
		t.Fatal(err)
	}
	if code, err := label.ParseCode(closed.Code); err != nil || code != closed.Code || !closed.Closed.Equal(noon) {
		t.Errorf("closed as %+v: %v", closed, err)
	}
	if want := (trace.ReadingsQuery{Tenant: "maowei", Site: "raft-1", From: b.Began, To: b.Harvest}); ev.asked != want {
		t.Errorf("sensors were asked %+v, want %+v", ev.asked, want)
	}

	rec, err := m.RecordByCode(t.Context(), closed.Code)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"account-of-wei", "21.83", "108.57", "latitude"} {
		if bytes.Contains(rec.Body, []byte(secret)) {
			t.Errorf("the public record holds %q", secret)
		}
	}
	got, err := trace.ParsePublicRecord(rec.Body)
	if err != nil {
		t.Fatal(err)
	}
	public := func(op trace.Operation, by string) trace.PublicOperation {
		return trace.PublicOperation{ID: op.ID, Kind: op.Kind, At: op.At, Recorded: noon, Items: op.Items, Corrects: op.Corrects, CorrectedBy: by}
	}
	right.Items = right.Items[:2] // the buyer is private
	word := func(kind string) trace.OperationWord {
		return trace.OperationWord{Name: farm.Text{Zh: "做" + kind, En: "Do " + kind}, Stage: "all"}
	}
	sum := 4.23
	at := func(before time.Duration) time.Time { return noon.Add(-before) }
	gaps := []farm.Gap{{From: b.Began, To: at(3 * day)}, {From: at(3*day - time.Hour), To: b.Harvest}}
	want := trace.PublicRecord{
		Version: 1, Code: closed.Code, Batch: b.ID, Product: m.product,
		Producer: trace.Producer{Name: m.tenant.Name, CreditCode: m.tenant.CreditCode, Phone: m.tenant.Phone},
		Origin: trace.Origin{
			Region: "450702", Prefecture: farm.Text{Zh: "钦州市", En: "Qinzhou"}, Town: m.sites["raft-1"].Town,
			Kind: farm.Raft, Site: m.sites["raft-1"].Name,
		},
		Lot: "MW-2026-11", Quantity: 320.5, Unit: "kg", Began: b.Began, Harvest: b.Harvest, Closed: noon,
		Operations: []trace.PublicOperation{public(misdated, dated.ID), public(stock, ""), public(dated, ""), public(right, ""), public(wrong, right.ID)},
		Words: &trace.Words{
			Operations: map[string]trace.OperationWord{"inspect": word("inspect"), "stock": word("stock"), "harvest": word("harvest")},
			Items: map[string]trace.ItemWord{
				"quantity": {Name: farm.Text{Zh: "数量", En: "Quantity"}, Type: catalog.Number},
				"grade":    {Name: farm.Text{Zh: "等级", En: "Grade"}, Type: catalog.Choice},
			},
			Choices: map[string]farm.Text{"grade.first": {Zh: "一级", En: "first"}},
		},
		Evidence: trace.PublicEvidence{Version: 2, From: b.Began, To: b.Harvest, Recorded: true, Series: []trace.Series{
			{
				Quantity: "water.salinity", Unit: "1", Devices: []string{"raft-1-water"}, N: 2, Rejected: 1, Min: 17.25, Mean: 21.37, Max: 25.5,
				Interval: 43200, Coverage: 0.0007, Gaps: gaps,
				Points:  []farm.Point{{Time: at(3 * day), Min: 17.25, Mean: 21.37, Max: 25.5, N: 2}},
				Sensors: []trace.Sensor{{Device: "raft-1-water", Model: "sonde", Calibration: &trace.Calibration{At: b.Harvest, Slope: 1.1, By: "manager"}}},
			},
			{
				Quantity: "air.rain", Unit: "mm", Devices: []string{"mast"}, N: 2, Min: 1.23, Mean: 2.12, Max: 3, Sum: &sum, Interval: 43200, Coverage: 0.0007,
				Gaps: gaps, Points: []farm.Point{{Time: at(3 * day), Min: 1.23, Mean: 2.12, Max: 3, N: 2}},
				Sensors: []trace.Sensor{{Device: "mast"}},
			},
		}},
	}
	for i := range want.Evidence.Series { // the reader of the text itself is tested with the package
		want.Evidence.Series[i].SHA256 = kept(t, s.Series, got.Evidence.Series[i])
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("public record (-want +got):\n%s", diff)
	}
	if bytes.Contains(rec.Body, []byte(before.ID)) {
		t.Error("an operation of an earlier growing time is in the record")
	}
	if _, err := s.CloseBatch(t.Context(), b.ID); !errors.Is(err, farm.ErrConflict) {
		t.Errorf("closed twice: %v", err)
	}
}

// registry knows one sensor.
type registry struct{}

func (registry) Sensor(_ context.Context, device, quantity string, at time.Time) (trace.Sensor, error) {
	if device != "raft-1-water" || quantity != "water.salinity" {
		return trace.Sensor{Device: device}, nil
	}
	return trace.Sensor{Device: device, Model: "sonde", Calibration: &trace.Calibration{At: at, Slope: 1.1, By: "manager"}}, nil
}

// kept returns the hash of the text that is kept of a sealed series.
func kept(t *testing.T, shelf *series.Shelf, s trace.Series) string {
	t.Helper()
	text, err := shelf.Open(s.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	defer text.Close()
	r, err := series.NewReader(text)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	sum, err := r.Each(func(farm.Sample) error { n++; return nil })
	if err != nil || n != s.N+s.Rejected || r.Header.Quantity != s.Quantity {
		t.Errorf("%d rows are kept of %+v, error %v", n, r.Header, err)
	}
	return sum
}

// No sensor record is a fact and is sealed as one; an unanswered question is not.
func TestEvidenceMissing(t *testing.T) {
	m := newMemory()
	ev := &evidence{err: errors.New("connection refused"), samples: []farm.Sample{sample("water.ph", "raft-1-water", 49*time.Hour, 8, 1)}}
	s := newService(m, ev)
	s.Series = &series.Shelf{Dir: t.TempDir()}
	b := openBatch(t, s)
	if _, err := s.CloseBatch(t.Context(), b.ID); !errors.Is(err, trace.ErrNoEvidence) || !strings.Contains(err.Error(), "connection refused") {
		t.Fatalf("closed without evidence: %v", err)
	}
	left, err := os.ReadDir(s.Series.Dir)
	if records, _ := m.all(); len(records) != 1 || m.batches[b.ID].Code != "" || len(left) != 0 || err != nil {
		t.Fatalf("a failed closing left something behind: %v, %v", left, err)
	}
	ev.err = nil
	ev.samples = []farm.Sample{sample("water.ph", "raft-1-water", 48*time.Hour, math.NaN(), 9)}
	closed, err := s.CloseBatch(t.Context(), b.ID)
	if err != nil {
		t.Fatalf("closing again: %v", err)
	}
	rec, err := m.RecordByCode(t.Context(), closed.Code)
	if err != nil {
		t.Fatal(err)
	}
	if p, err := trace.ParsePublicRecord(rec.Body); err != nil || p.Evidence.Recorded || !bytes.Contains(rec.Body, []byte(`"recorded":false`)) {
		t.Errorf("the record does not say that there is no sensor record: %+v, %v", p.Evidence, err)
	}
}

func TestOperationAgain(t *testing.T) {
	m := newMemory()
	s := newService(m, &evidence{})
	woken := 0
	s.Added = func() { woken++ }
	op := operation("feed", noon.Add(-time.Hour))
	first := add(t, s, op)
	s.Now = func() time.Time { return noon.Add(time.Minute) }
	again, added, err := s.AddOperation(t.Context(), op)
	if err != nil || added || !again.Recorded.Equal(first.Recorded) {
		t.Errorf("the same again: added %v, recorded %v, %v", added, again.Recorded, err)
	}
	for name, change := range map[string]func(*trace.Operation){
		"kind": func(o *trace.Operation) { o.Kind = "spray" },
		"time": func(o *trace.Operation) { o.At = o.At.Add(time.Second) },
		"item": func(o *trace.Operation) { o.Items = []trace.Item{{Key: "quantity", Value: "201", Unit: "kg"}} },
	} {
		other := op
		change(&other)
		if _, _, err := s.AddOperation(t.Context(), other); !errors.Is(err, farm.ErrConflict) {
			t.Errorf("another %s under the same ID: %v", name, err)
		}
	}
	if records, _ := m.all(); len(records) != 1 || woken != 1 {
		t.Errorf("%d records, woken %d times", len(records), woken)
	}
}

func TestOperationRefused(t *testing.T) {
	m := newMemory()
	s := newService(m, &evidence{})
	fixed := add(t, s, operation("spray", noon.Add(-time.Hour)))
	fix := operation("spray", noon.Add(-time.Hour))
	fix.Corrects = fixed.ID
	add(t, s, fix)
	tests := map[string]struct {
		change func(*trace.Operation)
		field  string // of the FieldError; none where is says
		is     error
	}{
		"no ID":                {func(o *trace.Operation) { o.ID = "1" }, "id", nil},
		"no kind":              {func(o *trace.Operation) { o.Kind = "" }, "kind", nil},
		"kind of many words":   {func(o *trace.Operation) { o.Kind = "two words" }, "kind", nil},
		"no time":              {func(o *trace.Operation) { o.At = time.Time{} }, "at", nil},
		"future":               {func(o *trace.Operation) { o.At = noon.Add(6 * time.Minute) }, "at", nil},
		"empty item":           {func(o *trace.Operation) { o.Items[0].Value = " " }, "items[0].value", nil},
		"long item":            {func(o *trace.Operation) { o.Items[0].Value = strings.Repeat("长", 167) }, "items[0].value", nil},
		"control character":    {func(o *trace.Operation) { o.Items[0].Value = "a\x00b" }, "items[0].value", nil},
		"broken text":          {func(o *trace.Operation) { o.Items[0].Value = "\xff" }, "items[0].value", nil},
		"item key":             {func(o *trace.Operation) { o.Items[0].Key = "<b>" }, "items[0].key", nil},
		"long unit":            {func(o *trace.Operation) { o.Items[0].Unit = strings.Repeat("m", 21) }, "items[0].unit", nil},
		"many items":           {func(o *trace.Operation) { o.Items = make([]trace.Item, 41) }, "items", nil},
		"corrects itself":      {func(o *trace.Operation) { o.Corrects = o.ID }, "corrects", nil},
		"corrects nothing":     {func(o *trace.Operation) { o.Corrects = ulid.Make().String() }, "corrects", nil},
		"void of nothing":      {func(o *trace.Operation) { o.Kind, o.Items = catalog.Void, []trace.Item{{Key: "reason", Value: "x"}} }, "corrects", nil},
		"unknown kind":         {func(o *trace.Operation) { o.Kind = "dance" }, "kind", nil},
		"no place":             {func(o *trace.Operation) { o.Position = &trace.Position{Latitude: math.NaN()} }, "position.latitude", nil},
		"vague":                {func(o *trace.Operation) { o.Position = &trace.Position{Accuracy: -1} }, "position.accuracy", nil},
		"corrects it twice":    {func(o *trace.Operation) { o.Corrects = fixed.ID }, "", farm.ErrConflict},
		"unknown site":         {func(o *trace.Operation) { o.Site = "nowhere" }, "", farm.ErrNotFound},
		"somebody's site":      {func(o *trace.Operation) { o.Site = "pond-9" }, "", farm.ErrNotFound},
		"in a stranger's name": {func(o *trace.Operation) { o.Tenant = "stranger" }, "", farm.ErrNotFound},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			op := operation("spray", noon.Add(-time.Hour))
			tt.change(&op)
			_, _, err := s.AddOperation(t.Context(), op)
			var fe *trace.FieldError
			switch {
			case tt.field != "":
				if !errors.As(err, &fe) || fe.Field != tt.field {
					t.Errorf("error %v, want one of field %s", err, tt.field)
				}
			case !errors.Is(err, tt.is):
				t.Errorf("error %v, want %v", err, tt.is)
			}
		})
	}
	if records, _ := m.all(); len(records) != 2 {
		t.Errorf("%d records were kept", len(records))
	}
}

func TestBatchRefused(t *testing.T) {
	tests := map[string]struct {
		change func(*trace.Batch)
		field  string
		is     error
	}{
		"no lot":            {func(b *trace.Batch) { b.Lot = "" }, "lot", nil},
		"no amount":         {func(b *trace.Batch) { b.Quantity = 0 }, "quantity", nil},
		"less than counts":  {func(b *trace.Batch) { b.Quantity = 1e-9 }, "quantity", nil},
		"amount of nothing": {func(b *trace.Batch) { b.Quantity = math.NaN() }, "quantity", nil},
		"endless amount":    {func(b *trace.Batch) { b.Quantity = math.Inf(1) }, "quantity", nil},
		"no unit":           {func(b *trace.Batch) { b.Unit = "" }, "unit", nil},
		"no beginning":      {func(b *trace.Batch) { b.Began = time.Time{} }, "began", nil},
		"future beginning":  {func(b *trace.Batch) { b.Began = noon.Add(time.Hour) }, "began", nil},
		"harvest first":     {func(b *trace.Batch) { b.Harvest = b.Began }, "harvest", nil},
		"harvest far ahead": {func(b *trace.Batch) { b.Harvest = noon.AddDate(0, 0, 2) }, "harvest", nil},
		"unknown product":   {func(b *trace.Batch) { b.Product = "gold" }, "", farm.ErrNotFound},
		"somebody's site":   {func(b *trace.Batch) { b.Site = "pond-9" }, "", farm.ErrNotFound},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			m := newMemory()
			b := batch()
			tt.change(&b)
			_, err := newService(m, &evidence{}).OpenBatch(t.Context(), b, "wei")
			var fe *trace.FieldError
			if tt.field != "" && (!errors.As(err, &fe) || fe.Field != tt.field) || tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("error %v, want %s %v", err, tt.field, tt.is)
			}
			if len(m.batches) != 0 {
				t.Error("it was kept")
			}
		})
	}
	if _, err := newService(newMemory(), &evidence{}).CloseBatch(t.Context(), "none"); !errors.Is(err, farm.ErrNotFound) {
		t.Errorf("closing no batch: %v", err)
	}
}

// The bytes of a leaf are a promise to every verifier there is.
func TestLeaf(t *testing.T) {
	salt := []byte("0123456789abcdef")
	r := trace.Record{Kind: trace.BatchRecord, Subject: "01JD0000000000000000000000", Code: "4Q7XH2M9KTB3D", Body: []byte(`{"v":1}`), Salt: salt}
	// printf '0123456789abcdef{"v":1}' | sha256sum
	const leafHash = "67dfb5d28ece72972b2b258a0fafe61923ca93e559a9354a0724fe9a340899d8"
	want := `{"v":1,"t":"batch","b":"4Q7XH2M9KTB3D","h":"` + leafHash + `"}`
	if got := string(r.Leaf()); got != want {
		t.Errorf("leaf %s\nwant %s", got, want)
	}
	r.Kind = trace.OperationRecord
	want = `{"v":1,"t":"operation","i":"01JD0000000000000000000000","h":"` + leafHash + `"}`
	if got := string(r.Leaf()); got != want {
		t.Errorf("leaf %s\nwant %s", got, want)
	}
	for name, change := range map[string]func(*trace.Record){
		"body": func(r *trace.Record) { r.Body = []byte(`{"v":2}`) },
		"salt": func(r *trace.Record) { r.Salt = []byte("0123456789abcdeg") },
		"kind": func(r *trace.Record) { r.Kind = trace.BatchRecord },
	} {
		other := r
		change(&other)
		if bytes.Equal(other.Leaf(), r.Leaf()) {
			t.Errorf("another %s has the same leaf", name)
		}
	}
}

func TestOpening(t *testing.T) {
	body := `{"v":1,"lot":"<蚝> & \"quotes\" \\ \u2028"}` + "\u2028 中文"
	for _, r := range []trace.Record{
		{Kind: trace.BatchRecord, Code: "4Q7XH2M9KTB3D", Body: []byte(body), Salt: []byte("0123456789abcdef")},
		{Kind: trace.OperationRecord, Subject: "01JD0000000000000000000000", Body: []byte(body), Salt: []byte("0123456789abcdef")},
	} {
		raw, err := r.Opening()
		if err != nil {
			t.Fatal(err)
		}
		got, err := trace.ParseOpening(raw)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(r, got); diff != "" {
			t.Errorf("opened (-want +got):\n%s", diff)
		}
	}
	if _, err := (trace.Record{Body: []byte("\xff")}).Opening(); err == nil {
		t.Error("a body that JSON cannot carry is opened")
	}
}

func TestParseOpeningRefuses(t *testing.T) {
	good := `{"v":1,"t":"batch","code":"X","salt":"30313233343536373839616263646566","body":"{}"}`
	if _, err := trace.ParseOpening([]byte(good)); err != nil {
		t.Fatal(err)
	}
	for name, raw := range map[string]string{
		"empty":         "",
		"two values":    good + good,
		"unknown field": strings.Replace(good, `"v"`, `"x":1,"v"`, 1),
		"version 3":     strings.Replace(good, `"v":1`, `"v":3`, 1),
		"short salt":    strings.Replace(good, "3031", "30", 1),
		"salt in words": strings.Replace(good, "3031", "salt", 1),
		"too long":      good + strings.Repeat(" ", trace.MaxOpening),
	} {
		if _, err := trace.ParseOpening([]byte(raw)); err == nil {
			t.Errorf("%s is read", name)
		}
	}
}

func FuzzParseOpening(f *testing.F) {
	f.Add([]byte(`{"v":1,"t":"batch","code":"X","salt":"30313233343536373839616263646566","body":"{}"}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := trace.ParseOpening(raw)
		if err != nil || r.Kind != trace.BatchRecord && r.Kind != trace.OperationRecord {
			return
		}
		if r.Kind == trace.BatchRecord {
			r.Subject = ""
		} else {
			r.Code = ""
		}
		again, err := r.Opening()
		if err != nil {
			t.Fatal(err)
		}
		back, err := trace.ParseOpening(again)
		if err != nil || !bytes.Equal(back.Leaf(), r.Leaf()) {
			t.Errorf("%q: %v", raw, err)
		}
	})
}

func FuzzParsePublicRecord(f *testing.F) {
	f.Add([]byte(`{"v":1,"operations":[],"evidence":{"series":[]}}`))
	f.Add([]byte(`{"v":99}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if p, err := trace.ParsePublicRecord(raw); err == nil && (p.Version < 1 || p.Version > trace.PublicVersion) {
			t.Errorf("version %d is read", p.Version)
		}
	})
}
