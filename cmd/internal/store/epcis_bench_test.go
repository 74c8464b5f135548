package store_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"tianhai/cmd/internal/store"
	"tianhai/trace/epcis"
	"tianhai/trace/epcis/query"
	"tianhai/trace/epcis/repository"
)

// How many events there are when queries are asked, and how often each is asked.
var epcisSizes = []int{100_000, 1_000_000}

const epcisAsked = 200

// BenchmarkEPCIS captures documents of a thousand events as jobs do, from the bytes of
// the document to the commit, and asks for pages of thirty.
func BenchmarkEPCIS(b *testing.B) {
	onBoth(b, benchEPCIS)
}

func benchEPCIS(b *testing.B, opt store.Options) {
	s, err := store.Open(b.Context(), opt)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	if err := s.Exec(b.Context(), "INSERT INTO tenants (id, name, credit_code, phone, region) VALUES ('tea', '{}', '', '', '450400')"); err != nil {
		b.Fatal(err)
	}
	rnd := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same events every time
	captured := 0
	for _, size := range epcisSizes {
		b.Run(fmt.Sprintf("%d/capture", size), func(b *testing.B) {
			began, from := time.Now(), captured
			for ; captured < size; captured += repository.MaxEvents {
				if err := benchCapture(b.Context(), s, benchDocument(rnd, captured)); err != nil {
					b.Fatal(err)
				}
			}
			for b.Loop() {
			}
			b.ReportMetric(float64(captured-from)/time.Since(began).Seconds(), "events/s")
			b.ReportMetric(0, "ns/op")
		})
		if err := s.Exec(b.Context(), "ANALYZE"); err != nil {
			b.Fatal(err)
		}
		for _, ask := range []struct{ name, query string }{
			{"one EPC", "MATCH_anyEPC=urn:epc:id:sgtin:4012345.011111.%d"},
			{"one event", "EQ_eventID=urn:uuid:%d"},
			{"business step", "EQ_bizStep=shipping"},
			{"class of EPCs", "MATCH_epc=urn:epc:idpat:sgtin:4012345.011111.*"},
			{"step, place, hour", "EQ_bizStep=receiving&EQ_bizLocation=https://example.com/dock/7&GE_eventTime=2026-03-01T00:00:00Z&LT_eventTime=2026-03-01T01:00:00Z"},
			{"transaction", "EQ_bizTransaction_po=https://example.com/po/%d"},
			{"too warm", "EQ_type=Temperature&GE_value_CEL=9.9"},
			{"extension, oldest first", "EQ_ex:line=%d&orderBy=recordTime&orderDirection=ASC"},
			{"two that never meet", "EQ_bizStep=shipping&EQ_disposition=container_closed"},
		} {
			b.Run(fmt.Sprintf("%d/%s", size, ask.name), func(b *testing.B) { benchAsk(b, s, ask.query, size, rnd) })
		}
	}
}

func benchAsk(b *testing.B, s *store.Store, ask string, size int, rnd *rand.Rand) {
	var took []time.Duration
	for b.Loop() {
		for range epcisAsked {
			text := ask
			if strings.Contains(ask, "%d") {
				text = fmt.Sprintf(ask, rnd.IntN(size))
			}
			params, err := url.ParseQuery(text)
			if err != nil {
				b.Fatal(err)
			}
			began := time.Now()
			q, err := query.Parse(params, epcis.NamesOf())
			if err != nil {
				b.Fatal(err)
			}
			if _, err := s.FindEvents(b.Context(), repository.Ask{Scope: repository.Scope{Tenant: "tea"}, Query: q, Limit: 31}); err != nil {
				b.Fatal(err)
			}
			if took = append(took, time.Since(began)); len(took) >= 5 && took[len(took)-1] > time.Second {
				break // five of such are enough
			}
		}
	}
	slices.Sort(took)
	ms := func(part float64) float64 { return float64(took[int(part*float64(len(took)-1))].Microseconds()) / 1e3 }
	b.ReportMetric(ms(0.5), "p50-ms")
	b.ReportMetric(ms(0.99), "p99-ms")
	b.ReportMetric(0, "ns/op")
}

// benchCapture does what a job with rollback does.
func benchCapture(ctx context.Context, s *store.Store, raw string) error {
	d, err := epcis.Parse([]byte(raw))
	if err != nil {
		return err
	}
	if faults := d.Faults(); len(faults) > 0 {
		return fmt.Errorf("%v", faults[0])
	}
	events, err := d.Events()
	if err != nil {
		return err
	}
	taken, err := s.CaptureEvents(ctx, repository.Batch{Tenant: "tea", Events: events, NewID: func() string { return "" }})
	if err == nil && len(taken) > 0 {
		err = fmt.Errorf("%d are taken", len(taken))
	}
	return err
}

// benchDocument makes a thousand events, a minute apart, that a distributor might
// capture: two EPCs each, every tenth with two readings of sensors.
func benchDocument(rnd *rand.Rand, from int) string {
	steps := []string{"shipping", "receiving", "storing", "picking", "packing"}
	states := []string{"in_transit", "in_progress", "sellable_not_accessible", "in_progress", "container_closed"}
	var events []string
	for i := from; i < from+repository.MaxEvents; i++ {
		at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(i) * time.Minute).Format(time.RFC3339)
		step, sensors := rnd.IntN(len(steps)), ""
		if i%10 == 0 {
			sensors = fmt.Sprintf(`, "sensorElementList": [{"sensorMetadata": {"time": "%s", "deviceID": "https://example.com/d/%d"}, "sensorReport": [{"type": "Temperature", "value": %.1f, "uom": "CEL"}, {"type": "RelativeHumidity", "value": %d, "uom": "A93"}]}]`,
				at, rnd.IntN(50), rnd.Float64()*10, rnd.IntN(100))
		}
		events = append(events, fmt.Sprintf(`{"type": "ObjectEvent", "eventID": "urn:uuid:%d", "eventTime": "%s", "eventTimeZoneOffset": "+08:00", "action": "OBSERVE", "bizStep": "%s", "disposition": "%s",
			"readPoint": {"id": "https://example.com/gate/%d"}, "bizLocation": {"id": "https://example.com/dock/%d"}, "epcList": ["urn:epc:id:sgtin:4012345.011111.%d", "urn:epc:id:sgtin:4012345.022222.%d"],
			"bizTransactionList": [{"type": "po", "bizTransaction": "https://example.com/po/%d"}], "ex:line": %d%s}`,
			i, at, steps[step], states[step], rnd.IntN(20), rnd.IntN(20), i, rnd.IntN(i+1), i/5, rnd.IntN(10000), sensors))
	}
	return epcisDocument(events...)
}
