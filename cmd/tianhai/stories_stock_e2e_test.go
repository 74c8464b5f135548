package main_test

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"tianhai/farm"
	"tianhai/ingest"
	"tianhai/ingest/influx"
	"tianhai/trace/catalog"
	"tianhai/trace/gate"
)

// A storyLot is a lot of demo.yaml.
type storyLot struct {
	Tenant, Product, Batch  string
	Made, Expires, Supplier string
	Quantity                float64
	Unit                    string
}

// buy registers the demo's products and buys lots of them, and returns their IDs by
// batch.
func (b *browser) buy(t *testing.T, told []storyLot) map[string]string {
	t.Helper()
	products, err := os.ReadFile("demoinputs.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if status, raw := b.send("POST", "/api/v1/inputs/import", products); status != http.StatusCreated {
		t.Fatalf("import the inputs: %d %s", status, raw)
	}
	lots := map[string]string{}
	for _, l := range told {
		id := ulid.Make().String()
		body := fmt.Appendf(nil, `{"id":%q,"product":%q,"batch":%q,"made":%q,"expires":%q,"supplier":%q,"quantity":%v,"unit":%q}`, id, l.Product, l.Batch,
			before(t, time.Now(), l.Made).Format(time.RFC3339), before(t, time.Now(), l.Expires).Format(time.RFC3339), l.Supplier, l.Quantity, l.Unit)
		if status, raw := b.send("POST", "/api/v1/tenants/"+l.Tenant+"/lots", body); status != http.StatusCreated {
			t.Fatalf("buy %s: %d %s", l.Batch, status, raw)
		}
		lots[l.Batch] = id
	}
	return lots
}

// A refusedAct is a problem of the API, with the reasons of the gates.
type refusedAct struct {
	Code     string
	Refusals []gate.Refusal
}

// refusal hands in an operation that must be refused.
func (b *browser) refusal(op sentOperation) (got refusedAct) {
	b.t.Helper()
	raw, err := json.Marshal(op)
	if err != nil {
		b.t.Fatal(err)
	}
	status, answer := b.send("POST", "/api/v1/sites/"+op.Site+"/operations", without(raw, "site"))
	if err := json.Unmarshal(answer, &got); err != nil || status != http.StatusConflict {
		b.t.Errorf("%s: %d %s, want a refusal", op.Kind, status, answer)
	}
	return got
}

// without takes a member out of a JSON object.
func without(raw []byte, member string) []byte {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(raw, &all); err != nil {
		return raw
	}
	delete(all, member)
	out, err := json.Marshal(all)
	if err != nil {
		return raw
	}
	return out
}

// leftOf is what is left of a lot.
type leftOf struct {
	Batch string
	Left  float64
}

// checkStock sees what is left of each lot: what was bought less what the stories drew.
// What was refused has drawn nothing.
func checkStock(t *testing.T, b *browser, lots []storyLot, batches []story) {
	t.Helper()
	inUnit := map[string]float64{"L": 1, "mL": 0.001, "kg": 1, "g": 0.001}
	for _, l := range lots {
		want := l.Quantity
		for _, st := range batches {
			for _, o := range st.Operations {
				named := slices.ContainsFunc(o.Items, func(i catalog.Item) bool { return i.Key == "lot" && i.Value == l.Batch })
				for _, i := range o.Items {
					if amount := 0.0; named && i.Key == "amount" {
						fmt.Sscan(i.Value, &amount) //nolint:errcheck // 0 is seen below
						want -= amount * inUnit[i.Unit] / inUnit[l.Unit]
					}
				}
			}
		}
		var got struct{ Lots []leftOf }
		b.getJSON("/api/v1/tenants/"+l.Tenant+"/lots", &got)
		i := slices.IndexFunc(got.Lots, func(s leftOf) bool { return s.Batch == l.Batch })
		if i < 0 || math.Abs(got.Lots[i].Left-want) > 1e-9 {
			t.Errorf("of lot %s: %+v, want %v left", l.Batch, got.Lots, want)
		}
	}
}

// warmed writes a month of water of one temperature, hour by hour, into the InfluxDB of
// a server.
func warmed(t *testing.T, s *server, place ingest.Place, celsius float64) {
	t.Helper()
	token, err := influx.ServerToken(filepath.Join(s.dir, "influx"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := influx.Open(t.Context(), influx.Options{URL: s.Influx, Token: token})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	temperature, _ := farm.LookupQuantity("water.temperature")
	var obs []ingest.Observation
	now := time.Now().UTC().Truncate(time.Hour)
	for at := now.AddDate(0, 0, -30); at.Before(now); at = at.Add(time.Hour) {
		obs = append(obs, ingest.Observation{
			Device: "thermometer", Place: place, Time: at.Add(time.Minute), Received: at.Add(time.Minute),
			Readings: []ingest.Reading{{Quantity: temperature, Value: celsius, Flag: ingest.Good}},
		})
	}
	if err := c.Write(t.Context(), obs); err != nil {
		t.Fatal(err)
	}
}

const twoPonds = `
tenants: [{id: shrimp, name: {zh: 虾场}, region: "450602"}]
sites:
  - {id: pond-1, tenant: shrimp, region: "450602", kind: pond, name: {zh: 一号塘, en: Pond 1}, latitude: 21.7, longitude: 108.4}
  - {id: pond-2, tenant: shrimp, region: "450602", kind: pond, name: {zh: 二号塘, en: Pond 2}, latitude: 21.7, longitude: 108.4}
models: [{id: probe, name: {zh: 水温计}, format: json, interval: 1h, channels: [{key: t, quantity: water.temperature}]}]
devices: [{id: thermometer, tenant: shrimp, model: probe, name: {zh: 水温计}, site: pond-1}]
products: [{id: vannamei, kind: aquatic, species: shrimp, name: {zh: 对虾, en: Shrimp}}]
accounts:
  - {login: admin, name: 管理员, role: administrator}
  - {login: xia, name: 塘主, role: manager, tenant: shrimp}
`

// TestDegreeDays has the running program read its own InfluxDB: a withdrawal in
// degree-days bars a catch while nobody has measured the pond, and while only the pond
// beside it is warm; with the pond's own month of 25 °C the sum is what a person reckons,
// the early catch is refused with a day, and the later one is recorded.
func TestDegreeDays(t *testing.T) {
	data := t.TempDir()
	_, printed := importAccounts(t, data, twoPonds)
	s := startServer(t, "serve", data)
	admin, b := newBrowser(t, s.HTTP), newBrowser(t, s.HTTP)
	admin.login("admin", passwordOf(t, printed, "admin"))
	b.login("xia", passwordOf(t, printed, "xia"))
	lots := admin.buy(t, []storyLot{{Tenant: "shrimp", Product: "demo-florfenicol", Batch: "F-1", Made: "90d", Expires: "-400d", Supplier: "渔药店", Quantity: 2, Unit: "kg"}})
	now := time.Now()
	item := func(key, value, unit string) catalog.Item { return catalog.Item{Key: key, Value: value, Unit: unit} }
	use := demanded("pond-1", "medicate", now.AddDate(0, 0, -20))
	stated := map[string]catalog.Item{
		"lot": item("lot", lots["F-1"], ""), "withdrawal": item("withdrawal", "300", "Cel.d"), "dose": item("dose", "1.5", "g/kg"),
		"stop": item("stop", beijing(now.AddDate(0, 0, -20)).Format(time.DateOnly), ""),
	}
	for i, said := range use.Items {
		if better, ok := stated[said.Key]; ok {
			use.Items[i] = better
		}
	}
	use.Items = append(use.Items, item("amount", "150", "g"), item("treated_mass", "100", "kg"), item("crop", "shrimp", ""))
	b.record(use)
	catch := func(ago int) sentOperation { return demanded("pond-1", "catch", now.AddDate(0, 0, -ago)) }
	refused := func(when string, ago int, want gate.Refusal) {
		t.Helper()
		got := b.refusal(catch(ago))
		if got.Code != "gate_degree_days" || len(got.Refusals) != 1 {
			t.Fatalf("%s: %+v", when, got)
		}
		r := got.Refusals[0]
		if r.Have != want.Have || len(r.Missing) != len(want.Missing) || r.Limit != 300 || r.Earliest != want.Earliest || r.Product != "demo-florfenicol" {
			t.Errorf("%s: %+v, want %+v", when, r, want)
		}
	}
	refused("nobody measures", 2, gate.Refusal{Missing: make([]string, 17)})
	warmed(t, s, ingest.Place{Tenant: "shrimp", Site: "pond-2", Region: "450602"}, 30)
	refused("the pond beside it is warm", 2, gate.Refusal{Missing: make([]string, 17)})
	warmed(t, s, ingest.Place{Tenant: "shrimp", Site: "pond-1", Region: "450602"}, 25)
	// Nine whole days lie between the 20th and the 10th day ago, 300 °C·d take twelve.
	refused("too early", 10, gate.Refusal{Have: 225, Earliest: beijing(now.AddDate(0, 0, -7)).Format(time.DateOnly)})
	var open struct {
		Allowed  bool
		Refusals []gate.Refusal
	}
	for ago, want := range map[int]bool{8: false, 7: true} {
		b.getJSON("/api/v1/sites/pond-1/gates?act=catch&product=vannamei&at="+now.AddDate(0, 0, -ago).UTC().Format(time.RFC3339), &open)
		if open.Allowed != want {
			t.Errorf("%d days ago it may be: %v, want %v: %+v", ago, open.Allowed, want, open.Refusals)
		}
	}
	b.record(catch(7))
}

func beijing(t time.Time) time.Time { return t.In(time.FixedZone("UTC+8", 8*60*60)) }
