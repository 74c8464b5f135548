package consumer_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"net/netip"
	"sync"
	"testing"
	"time"

	"tianhai/dashboards/consumer"
	"tianhai/farm"
	"tianhai/i18n"
	"tianhai/trace"
	"tianhai/trace/label"
	"tianhai/trace/ledger"
	"tianhai/trace/scan"
)

var noon = time.Date(2026, 11, 20, 4, 0, 0, 0, time.UTC) // 12:00 in Beijing

// oysters is a full record: six quantities of 200 points with gaps, forty
// operations, a correction, a late entry.
func oysters(code string) trace.PublicRecord {
	began, harvest := noon.AddDate(0, -2, 0), noon.Add(-24*time.Hour)
	r := trace.PublicRecord{
		Version: 1, Code: code, Batch: "01JD8Z0000000000000000000B",
		Product:  trace.Product{ID: "oyster", Kind: trace.Aquatic, Name: farm.Text{Zh: "钦州大蚝", En: "Qinzhou oysters"}},
		Producer: trace.Producer{Name: farm.Text{Zh: "茅尾海蚝业专业合作社", En: "Maowei Bay Oyster Co-operative"}, CreditCode: "93450702MA5KTESTX0", Phone: "0777-2820000"},
		Origin: trace.Origin{
			Region: "450702", Prefecture: farm.Text{Zh: "钦州市", En: "Qinzhou"}, Town: farm.Text{Zh: "尖山街道", En: "Jianshan"},
			Kind: farm.Raft, Site: farm.Text{Zh: "一号蚝排", En: "Raft 1"},
		},
		Lot: "MW-2026-11-19", Quantity: 1250.5, Unit: "kg", Began: began, Harvest: harvest, Closed: noon,
	}
	for i := range 36 {
		at := began.Add(time.Duration(i) * 40 * time.Hour)
		r.Operations = append(r.Operations, trace.PublicOperation{
			ID: fmt.Sprintf("inspect-%02d", i), Kind: "inspect", At: at, Recorded: at.Add(time.Minute),
			Items: []trace.Item{{Key: "result", Value: "苗体正常，无脱落"}},
		})
	}
	r.Operations = append(r.Operations,
		trace.PublicOperation{ID: "wrong", Kind: "harvest", At: harvest.Add(-2 * time.Hour), Recorded: harvest, CorrectedBy: "right", Items: []trace.Item{{Key: "quantity", Value: "12505", Unit: "kg"}}},
		trace.PublicOperation{ID: "right", Kind: "harvest", At: harvest.Add(-2 * time.Hour), Recorded: harvest.Add(time.Hour), Corrects: "wrong", Items: []trace.Item{{Key: "quantity", Value: "1250.5", Unit: "kg"}}},
		trace.PublicOperation{ID: "late", Kind: "depurate", At: harvest.Add(-4 * time.Hour), Recorded: noon.Add(12 * time.Hour), Items: []trace.Item{{Key: "method", Value: "<紫外线> & 净化 24 小时"}}},
		trace.PublicOperation{ID: "test", Kind: "test", At: harvest.Add(-time.Hour), Recorded: harvest, Items: []trace.Item{{Key: "agency", Value: "钦州市农产品检测中心"}, {Key: "result", Value: "合格"}}},
	)
	r.Evidence = trace.PublicEvidence{From: began, To: harvest, Recorded: true}
	for i, q := range []string{"water.temperature", "water.salinity", "water.ph", "water.dissolved_oxygen", "water.turbidity"} {
		mid, swing := []float64{24, 21.5, 7.9, 6.2, 35}[i], []float64{4, 5, 0.3, 1.8, 30}[i]
		r.Evidence.Series = append(r.Evidence.Series, wave(q, mid, swing, began, harvest))
	}
	rain := wave("air.rain", 2, 2, began, harvest)
	sum := 236.4
	rain.Sum = &sum
	for i := range rain.Points {
		if i%9 > 2 {
			rain.Points[i].Mean, rain.Points[i].Max, rain.Points[i].Min = 0, 0, 0
		}
	}
	r.Evidence.Series = append(r.Evidence.Series, rain)
	return r
}

// wave makes 200 points with two gaps.
func wave(quantity string, mid, swing float64, from, to time.Time) trace.Series {
	q, _ := farm.LookupQuantity(quantity)
	width := to.Sub(from) / 200
	s := trace.Series{Quantity: quantity, Unit: q.Unit, Devices: []string{"raft-1-water"}, N: 8412, Rejected: 17, Interval: int(width / time.Second), Coverage: 0.9449}
	s.Gaps = []farm.Gap{{From: from.Add(60 * width), To: from.Add(70 * width)}, {From: from.Add(120 * width), To: from.Add(121 * width)}}
	round := func(v float64) float64 { return math.Round(v*1000) / 1000 }
	s.Min, s.Max, s.Mean = round(mid-swing), round(mid+swing), round(mid)
	for i := range 200 {
		if i >= 60 && i < 70 || i == 120 {
			continue
		}
		v := mid + swing*0.7*math.Sin(float64(i)/9) + swing*0.1*math.Sin(float64(i)*1.7)
		s.Points = append(s.Points, farm.Point{Time: from.Add(time.Duration(i) * width), Min: round(v - swing*0.2), Mean: round(v), Max: round(v + swing*0.2), N: 42})
	}
	return s
}

// shelf keeps records by code.
type shelf struct {
	mu      sync.Mutex
	records map[string]trace.Record
	said    []trace.Record   // of tests and certificates, of every batch
	ways    []trace.Record   // of shipments
	carried []trace.Carried  // by all of them; nil: the batch that is asked for
	taken   [][]trace.Record // recalls of every batch
	deaf    error            // what asking for recalls returns
	bought  *bought          // the one packet with a code of its own
	rev     string           // of all of it; where it is empty, it cannot be told
	read    int              // how often a record was
	err     error
}

func (s *shelf) Statements(_ context.Context, _ string) ([]trace.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.said, s.err
}

func (s *shelf) Of(context.Context, string) ([][]trace.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.taken, s.deaf
}

func (s *shelf) Revision(context.Context) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rev == "" {
		return "", errors.New("no revision")
	}
	return s.rev, nil
}

func (s *shelf) RecordByCode(_ context.Context, code string) (trace.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.read++
	if s.err != nil {
		return trace.Record{}, s.err
	}
	r, ok := s.records[code]
	if !ok {
		return trace.Record{}, fmt.Errorf("code %s: %w", code, farm.ErrNotFound)
	}
	return r, nil
}

func (s *shelf) put(r trace.Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records[r.Code] = r
}

// shop is a consumer page over a real ledger.
type shop struct {
	*shelf
	log     *ledger.Ledger
	handler http.Handler
}

func newCode(t testing.TB) string {
	t.Helper()
	code, err := label.NewCode(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return code
}

func newShop(t testing.TB, script string) *shop {
	t.Helper()
	log, err := ledger.Open(t.Context(), ledger.Options{Dir: t.TempDir(), Origin: "tianhai.test/log", CheckpointInterval: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := log.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	catalog, err := i18n.Load()
	if err != nil {
		t.Fatal(err)
	}
	s := &shop{shelf: &shelf{records: map[string]trace.Record{}}, log: log}
	s.handler, err = consumer.New(consumer.Options{
		Units: units{s.shelf}, Records: s.shelf, Recalls: s.shelf, Statements: s.shelf, Shipments: s.shelf, Revision: s.Revision, Key: func(string) string { return log.VerifierKey() }, PublicURL: "https://trace.example.cn/", Catalog: catalog,
		Doors:        scan.Doors{Proxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}},
		Cover:        func(hash string) ([]byte, error) { return []byte("cover " + hash), nil },
		Thumb:        func(hash string) ([]byte, error) { return []byte("thumb " + hash), nil },
		Photo:        func(hash string) ([]byte, error) { return []byte("picture " + hash), nil },
		ReportFile:   func(hash string) ([]byte, string, error) { return []byte("%PDF " + hash), "application/pdf", nil },
		VerifyScript: func() string { return script }, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// record makes a batch's record that is not sealed yet.
func record(t testing.TB, p trace.PublicRecord) trace.Record {
	t.Helper()
	body, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	salt := make([]byte, 16)
	if _, err := rand.Read(salt); err != nil {
		t.Fatal(err)
	}
	return trace.Record{ID: "01JD8Z0000000000000000000R", Tenant: "maowei", Kind: trace.BatchRecord, Subject: p.Batch, Code: p.Code, Body: body, Salt: salt, At: p.Closed, Index: -1}
}

// seal brings a record into the log and onto the shelf.
func (s *shop) seal(t testing.TB, r trace.Record) trace.Record {
	t.Helper()
	var err error
	if r.Index, err = s.log.Append(t.Context(), r.Leaf()); err != nil {
		t.Fatal(err)
	}
	if r.Receipt, err = s.log.Receipt(t.Context(), r.Index); err != nil {
		t.Fatal(err)
	}
	s.put(r)
	return r
}
