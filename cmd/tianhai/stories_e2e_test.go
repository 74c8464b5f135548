package main_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/oklog/ulid/v2"

	"tianhai/ingest"
	"tianhai/trace"
	"tianhai/trace/catalog"
)

// A sentOperation is an operation as a phone hands it in.
type sentOperation struct {
	Site  string         `json:"site"`
	ID    string         `json:"id"`
	Kind  string         `json:"kind"`
	At    time.Time      `json:"at"`
	Items []catalog.Item `json:"items"`
}

// demanded is an operation that says what the shipped catalog demands of its kind.
func demanded(site, kind string, at time.Time) sentOperation {
	c := catalog.Default()
	o, _ := c.Operation(kind)
	op := sentOperation{Site: site, ID: ulid.Make().String(), Kind: kind, At: at}
	for _, k := range c.Missing(o, nil) {
		item := catalog.Item{Key: k.Key, Value: "示例"}
		switch k.Type {
		case catalog.Number:
			item.Value = "10"
			if len(k.Units) > 0 {
				item.Unit = k.Units[0]
			}
		case catalog.Choice:
			item.Value = k.Choices[0].Key
		case catalog.Date:
			item.Value = at.Format(time.DateOnly)
		case catalog.Lot, catalog.Batch:
			item.Value = catalog.Dash
		default:
		}
		op.Items = append(op.Items, item)
	}
	return op
}

// record hands operations in at once and returns what became of each.
func (b *browser) record(ops ...sentOperation) (outcomes []string) {
	b.t.Helper()
	raw, err := json.Marshal(map[string]any{"operations": ops})
	if err != nil {
		b.t.Fatal(err)
	}
	status, answer := b.send("POST", "/api/v1/operations", raw)
	var got struct {
		Outcomes []struct {
			Outcome string
			Problem json.RawMessage
		}
	}
	if err := json.Unmarshal(answer, &got); err != nil || status != http.StatusOK {
		b.t.Fatalf("record: %d %s", status, answer)
	}
	for i, o := range got.Outcomes {
		if o.Outcome != "created" && o.Outcome != "exists" {
			b.t.Errorf("%s: %s %s", ops[i].Kind, o.Outcome, o.Problem)
		}
		outcomes = append(outcomes, o.Outcome)
	}
	return outcomes
}

// A story is a batch of demo.yaml.
type story struct {
	Site, Product, Lot string
	Quantity           float64
	Unit               string
	Began, Harvest     string
	Operations         []storyOperation
	Refused            []struct {
		Because   string
		Operation storyOperation `yaml:",inline"`
	}
}

// A storyOperation is one that is told of a site.
type storyOperation struct {
	Kind, Ago, Stop string
	Items           []catalog.Item
}

// sent is the operation as a phone hands it in, with lots of inputs by their IDs.
func (o storyOperation) sent(t *testing.T, site string, now time.Time, lots map[string]string) sentOperation {
	items := slices.Clone(o.Items)
	if o.Stop != "" {
		items = append(items, catalog.Item{Key: "stop", Value: before(t, now, o.Stop).Format(time.DateOnly)})
	}
	for i, item := range items {
		if id, known := lots[item.Value]; known && item.Key == "lot" {
			items[i].Value = id
		}
	}
	return sentOperation{Site: site, ID: ulid.Make().String(), Kind: o.Kind, At: before(t, now, o.Ago), Items: items}
}

// before is so long before now as demo.yaml writes it: 28d, 30h.
func before(t *testing.T, now time.Time, ago string) time.Time {
	t.Helper()
	if days, ok := strings.CutSuffix(ago, "d"); ok {
		n, err := strconv.ParseFloat(days, 64)
		if err != nil {
			t.Fatal(err)
		}
		return now.Add(-time.Duration(n * 24 * float64(time.Hour)))
	}
	d, err := time.ParseDuration(ago)
	if err != nil {
		t.Fatal(err)
	}
	return now.Add(-d)
}

// TestStories is one story per product in the real program: what was done from sowing
// or stocking on is recorded by the farm's manager, the gates refuse what may not be, the
// harvest becomes a batch, the batch gets its code, a stranger opens the page, and the
// proof verifies offline.
func TestStories(t *testing.T) {
	raw, err := os.ReadFile("demo.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var told struct {
		Tenants  []struct{ ID string }
		Sites    []struct{ ID, Tenant string }
		Products []trace.Product
		Lots     []storyLot
		Batches  []story
	}
	if err := yaml.Unmarshal(raw, &told); err != nil {
		t.Fatal(err)
	}
	farms, _, _ := strings.Cut(string(raw), "\nbatches:")
	farms, _, _ = strings.Cut(farms, "\naccounts:")
	farms += "\naccounts:\n  - {login: admin, name: 管理员, role: administrator}\n"
	for _, tenant := range told.Tenants {
		farms += fmt.Sprintf("  - {login: m-%[1]s, name: 场长, role: manager, tenant: %[1]s}\n", tenant.ID)
	}
	data := t.TempDir()
	_, printed := importAccounts(t, data, farms)
	s := startServer(t, "serve", data)
	_, key := newBrowser(t, s.HTTP).send("GET", "/log/key", nil)
	admin := newBrowser(t, s.HTTP)
	admin.login("admin", passwordOf(t, printed, "admin"))
	lots := admin.buy(t, told.Lots)
	warmed(t, s, ingest.Place{Tenant: "guangpo-shrimp", Site: "guangpo-pond-3", Region: "450602"}, 25)
	c, done := catalog.Default(), map[string]bool{}
	for _, b := range told.Batches {
		product := told.Products[slices.IndexFunc(told.Products, func(p trace.Product) bool { return p.ID == b.Product })]
		tenant := told.Sites[slices.IndexFunc(told.Sites, func(s struct{ ID, Tenant string }) bool { return s.ID == b.Site })].Tenant
		species, known := c.Product(product.Species)
		if !known {
			t.Fatalf("%s is of no product of the catalog", b.Product)
		}
		t.Run(species.ID, func(t *testing.T) {
			farm := newBrowser(t, s.HTTP)
			farm.login("m-"+tenant, passwordOf(t, printed, "m-"+tenant))
			code := farm.tell(t, b, species, lots)
			checkPage(t, newBrowser(t, s.HTTP), strings.TrimSpace(string(key)), code, product, b)
		})
		done[species.ID] = true
	}
	for _, p := range c.Products {
		if !done[p.ID] {
			t.Errorf("no story of %s", p.ID)
		}
	}
	checkStock(t, admin, told.Lots, told.Batches)
	checkAudit(t, s, data)
}

// tell lives a story and returns its code.
func (b *browser) tell(t *testing.T, st story, species catalog.Product, lots map[string]string) string {
	t.Helper()
	now := time.Now().UTC()
	var ops, uses []sentOperation
	for _, o := range st.Operations {
		op := o.sent(t, st.Site, now, lots)
		if slices.ContainsFunc(o.Items, func(i catalog.Item) bool { return i.Key == "lot" && lots[i.Value] != "" }) {
			uses = append(uses, op) // before there is a batch, which is held against them
			continue
		}
		ops = append(ops, op)
	}
	if len(uses) > 0 {
		b.record(uses...)
	}
	for _, r := range st.Refused {
		if got := b.refusal(r.Operation.sent(t, st.Site, now, lots)); got.Code != r.Because {
			t.Errorf("%s %s ago: %+v, want %s", r.Operation.Kind, r.Operation.Ago, got, r.Because)
		}
	}
	open := func() (int, []byte) {
		return b.send("POST", "/api/v1/batches", fmt.Appendf(nil, `{"site":%q,"product":%q,"lot":%q,"quantity":%v,"unit":%q,"began":%q,"harvest":%q}`,
			st.Site, st.Product, st.Lot, st.Quantity, st.Unit, before(t, now, st.Began).Format(time.RFC3339), before(t, now, st.Harvest).Format(time.RFC3339)))
	}
	status, raw := open()
	wanted := species.Close
	if exit := slices.IndexFunc(ops, func(o sentOperation) bool { return o.Kind == "exit" }); exit >= 0 {
		// Animals are no batch before somebody has written down their quarantine.
		if status != http.StatusConflict || !strings.Contains(string(raw), "gate_no_quarantine") {
			t.Errorf("animals without quarantine: %d %s", status, raw)
		}
		b.record(ops[exit])
		ops = slices.Delete(ops, exit, exit+1)
		wanted = slices.DeleteFunc(slices.Clone(wanted), func(kind string) bool { return kind == "exit" })
		status, raw = open()
	}
	var batch struct{ ID, Code string }
	if err := json.Unmarshal(raw, &batch); err != nil || status != http.StatusCreated {
		t.Fatalf("open the batch: %d %s", status, raw)
	}
	// Too early: everything that is missing is named at once, with a way to record it.
	status, raw = b.send("POST", "/api/v1/batches/"+batch.ID+"/close", []byte("{}"))
	var refused struct {
		Code    string
		Missing []struct {
			Kind string
			Name struct{ Zh, En string }
			Link string
		}
	}
	if err := json.Unmarshal(raw, &refused); err != nil || status != http.StatusConflict || refused.Code != "batch_incomplete" {
		t.Fatalf("a batch without records: %d %s", status, raw)
	}
	var kinds []string
	for _, m := range refused.Missing {
		kinds = append(kinds, m.Kind)
		if m.Name.Zh == "" || m.Name.En == "" || m.Link != "/field/#/record/"+st.Site+"?kind="+m.Kind {
			t.Errorf("%s is missing as %+v", m.Kind, m)
		}
	}
	if !slices.Equal(kinds, wanted) {
		t.Errorf("missing %v, want %v", kinds, wanted)
	}
	for i, want := range []string{"created", "exists"} { // a phone that did not hear the answer sends it again
		for _, got := range b.record(ops...) {
			if got != want {
				t.Fatalf("sent the %d. time: %s", i+1, got)
			}
		}
	}
	status, raw = b.send("POST", "/api/v1/batches/"+batch.ID+"/close", []byte("{}"))
	if err := json.Unmarshal(raw, &batch); err != nil || status != http.StatusOK || batch.Code == "" {
		t.Fatalf("close the batch: %d %s", status, raw)
	}
	return batch.Code
}

// checkPage reads the page behind a code in both languages, and proves it offline.
func checkPage(t *testing.T, b *browser, key, code string, product trace.Product, st story) {
	t.Helper()
	var receipt []byte
	waitFor(t, "the receipt", time.Minute, func() bool {
		var status int
		status, receipt = b.send("GET", "/t/"+code+"/receipt", nil)
		return status == http.StatusOK
	})
	_, opening := b.send("GET", "/t/"+code+"/record", nil)
	files := map[string][]byte{"receipt": receipt, "record": opening}
	dir := t.TempDir()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := runTianhai(t, "verify", "--key", key, "--record", filepath.Join(dir, "record"), filepath.Join(dir, "receipt")); err != nil {
		t.Errorf("the proof: %v\n%s", err, out)
	}
	c := catalog.Default()
	for lang, name := range map[string]string{"zh-CN": product.Name.Zh, "en": product.Name.En} {
		status, page := b.send("GET", "/t/"+code+"?lang="+lang, nil)
		if status != http.StatusOK || !strings.Contains(string(page), name) {
			t.Errorf("the page in %s: %d, names %s: %v", lang, status, name, strings.Contains(string(page), name))
		}
		for _, o := range st.Operations {
			kind, _ := c.Operation(o.Kind)
			word := kind.Name.En
			if lang == "zh-CN" {
				word = kind.Name.Zh
			}
			asked := slices.Contains(mustProduct(c, product.Species).Close, o.Kind)
			if asked && !strings.Contains(string(page), word) {
				t.Errorf("the page in %s does not tell of %s", lang, word)
			}
		}
	}
}

func mustProduct(c *catalog.Catalog, id string) catalog.Product {
	p, _ := c.Product(id)
	return p
}

// checkAudit has an administrator run the audit now, and sees every record at its leaf.
func checkAudit(t *testing.T, s *server, data string) {
	t.Helper()
	out, err := runTianhai(t, "account", "add", "root", "--role", "administrator", "--data", data)
	if err != nil {
		t.Fatalf("account: %v\n%s", err, out)
	}
	_, rest, _ := strings.Cut(out, "password ")
	password, _, _ := strings.Cut(rest, "\n")
	b := newBrowser(t, s.HTTP)
	b.login("root", password)
	status, raw := b.send("POST", "/api/v1/audits", []byte("{}"))
	if status != http.StatusAccepted {
		t.Fatalf("run now: %d %s", status, raw)
	}
	var got struct{ Audits []trace.Audit }
	waitFor(t, "the audit", time.Minute, func() bool {
		b.getJSON("/api/v1/audits", &got)
		return len(got.Audits) > 0 && !got.Audits[0].Ended.IsZero()
	})
	if a := got.Audits[0]; a.FaultCount != 0 || a.Records < 70 || a.Records != a.Leaves {
		t.Errorf("the audit found %+v", a)
	}
}

// TestErasePerson has the name of a buyer erased beside a running server: whoever may
// read the record no longer finds it, and not one proof is broken.
func TestErasePerson(t *testing.T) {
	data := t.TempDir()
	_, printed := importAccounts(t, data, householdFarms)
	s := startServer(t, "serve", data)
	b := newBrowser(t, s.HTTP)
	b.login("wei", passwordOf(t, printed, "wei"))
	sale := demanded("raft-1", "sell", time.Now().UTC())
	for i := range sale.Items {
		if sale.Items[i].Key == "buyer" {
			sale.Items[i].Value = "覃小妹"
		}
	}
	b.record(sale)
	list := func() string {
		_, raw := b.send("GET", "/api/v1/sites/raft-1/operations", nil)
		return string(raw)
	}
	if !strings.Contains(list(), "覃小妹") {
		t.Fatalf("the farm does not read its own record: %s", list())
	}
	if out, err := runTianhai(t, "erase", "person", "--tenant", "wei", "--data", data, "--yes", "别人"); err == nil {
		t.Errorf("somebody who is not named was erased: %s", out)
	}
	out, err := runTianhai(t, "erase", "person", "--tenant", "wei", "--data", data, "--yes", "--by", "数据保护办公室", "覃小妹")
	if err != nil || !strings.Contains(out, "1 place") {
		t.Fatalf("erase: %v\n%s", err, out)
	}
	if now := list(); strings.Contains(now, "覃小妹") || !strings.Contains(now, `"commitment"`) {
		t.Errorf("after the erasure: %s", now)
	}
	if got := b.record(sale); got[0] != "exists" {
		t.Errorf("sent once more: %s", got[0])
	}
	waitFor(t, "the erasure sealed", time.Minute, func() bool {
		out, err := runTianhai(t, "audit", "--data", data, "--fresh")
		return err == nil && strings.Contains(out, "2 records at their leaf")
	})
}
