package main_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tianhai/trace"
	"tianhai/trace/catalog"
	"tianhai/trace/epcis"
)

func readAll(resp *http.Response) string {
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return ""
	}
	return string(raw)
}

// A webhook is somebody who wants to be told.
type webhook struct {
	URL string
	mu  sync.Mutex
	got []string
}

func newWebhook(t *testing.T) *webhook {
	w := &webhook{}
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		raw, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.got = append(w.got, string(raw))
	}))
	t.Cleanup(srv.Close)
	w.URL = srv.URL
	return w
}

// heard reports whether some notice holds all the words.
func (w *webhook) heard(words ...string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.ContainsFunc(w.got, func(body string) bool {
		return !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(body, word) })
	})
}

// publishLow reports an oxygen at which shellfish die until somebody is told.
func publishLow(t *testing.T, addr, device, secret string, hook *webhook) {
	t.Helper()
	c, err := dialRaw(addr, device, secret)
	if err != nil {
		t.Fatal(err)
	}
	defer c.conn.Close()
	id := uint16(0)
	waitFor(t, "a notice of low oxygen", 2*time.Minute, func() bool {
		id++
		payload := fmt.Appendf(nil, `{"ts":%d,"dissolved_oxygen":0.9}`, time.Now().UnixMilli())
		if _, err := c.conn.Write(publishPacket("th/"+device+"/up", id, payload)); err != nil {
			t.Fatal(err)
		}
		if _, err := c.readAck(); err != nil {
			t.Fatal(err)
		}
		return hook.heard(device, "firing", "water.dissolved_oxygen")
	})
}

// A demo is a running `tianhai demo` and what it printed for its user.
type demo struct {
	*server
	codes     []string
	passwords map[string]string
}

// How many batches the demo tells of, one of each product at least, how many more are
// made of others, and of how many sites.
const (
	demoStories = 12
	demoChains  = 3
	demoSites   = 14
)

func startDemo(t *testing.T, env ...string) *demo {
	t.Helper()
	for _, kv := range env {
		name, value, _ := strings.Cut(kv, "=")
		t.Setenv(name, value)
	}
	d := &demo{server: startServer(t, "demo", t.TempDir(), "--seed", "7"), passwords: map[string]string{}}
	code := regexp.MustCompile(`/t/([0-9A-Za-z]{13})\s+[0-9A-Z]`) // of batches: their lot stands behind
	account := regexp.MustCompile(`(?m)^\s+([a-z]+)\s+([0-9a-z-]{8,})\s`)
	waitFor(t, "a code for each story", 2*time.Minute, func() bool {
		var codes []string
		for _, m := range code.FindAllStringSubmatch(d.log.String(), -1) {
			codes = append(codes, m[1])
		}
		slices.Sort(codes)
		d.codes = slices.Compact(codes)
		return len(d.codes) == demoStories+demoChains
	})
	for _, m := range account.FindAllStringSubmatch(d.log.String(), -1) {
		d.passwords[m[1]] = m[2]
	}
	b := newBrowser(t, d.HTTP)
	for _, c := range d.codes {
		waitFor(t, "the receipt of "+c, time.Minute, func() bool {
			status, _ := b.send("GET", "/t/"+c+"/receipt", nil)
			return status == http.StatusOK
		})
	}
	return d
}

// TestDemo goes through the whole chain as its users do.
func TestDemo(t *testing.T) {
	hook := newWebhook(t)
	d := startDemo(t, "TIANHAI_ALERTS_WEBHOOK_URL="+hook.URL)
	if !strings.Contains(d.log.String(), "█") {
		t.Error("no code was drawn in the terminal")
	}
	t.Run("receipts verify offline", func(t *testing.T) { checkReceipts(t, d) })
	t.Run("one story per product", func(t *testing.T) { checkStories(t, d) })
	t.Run("recall", func(t *testing.T) { checkRecall(t, d) })
	t.Run("certificates", func(t *testing.T) { checkCertificates(t, d) })
	t.Run("accounts see their own", func(t *testing.T) { checkAccounts(t, d) })
	t.Run("operations are EPCIS events", func(t *testing.T) { checkEvents(t, d) })
	t.Run("live", func(t *testing.T) { checkLive(t, d) })
	t.Run("aerator obeys and the alarm ends", func(t *testing.T) { checkPond(t, d, hook) })
	t.Run("consumer page in a browser", func(t *testing.T) { checkConsumer(t, d) })
	t.Run("consumer page in every language", func(t *testing.T) { checkLanguages(t, d) })
	t.Run("consumer page without script", func(t *testing.T) { checkNoScript(t, d) })
	t.Run("consumer page on paper", func(t *testing.T) { checkPaper(t, d) })
	t.Run("consumer page on slow 3G", func(t *testing.T) { checkBudget(t, d) })
	t.Run("consumer page by lighthouse", func(t *testing.T) { checkLighthouse(t, d) })
	t.Run("bureau page in a browser", func(t *testing.T) { checkBureau(t, d) })
	t.Run("field page in a browser", func(t *testing.T) { checkField(t, d) })
	t.Run("nothing is quarantined", func(t *testing.T) {
		b := newBrowser(t, d.HTTP)
		b.login("admin", d.passwords["admin"])
		var q struct{ Frames []any }
		b.getJSON("/api/v1/quarantine", &q)
		if len(q.Frames) != 0 {
			t.Errorf("%d frames of our own devices cannot be read: %v", len(q.Frames), q.Frames[0])
		}
	})
}

// checkStories reads each consumer page: every product of the catalog has one, and it
// begins with what was sown or stocked and tells all that the catalog demands.
func checkStories(t *testing.T, d *demo) {
	b := newBrowser(t, d.HTTP)
	c, told := catalog.Default(), map[string]bool{}
	for _, code := range d.codes {
		_, opening := b.send("GET", "/t/"+code+"/record", nil)
		rec, err := trace.ParseOpening(opening)
		if err != nil {
			t.Fatal(err)
		}
		r, err := trace.ParsePublicRecord(rec.Body)
		if err != nil {
			t.Fatal(err)
		}
		_, page := b.send("GET", "/t/"+code, nil)
		if r.Kin != nil {
			checkChain(t, r, string(page))
			continue
		}
		told[r.Product.Species] = true
		stages := map[string]bool{}
		for _, o := range r.Operations {
			kind, _ := c.Operation(o.Kind)
			stages[kind.Stage] = true
			if err := c.Check(kind, o.Items); err != nil {
				t.Errorf("%s: %s: %v", r.Product.ID, o.Kind, err)
			}
			if !strings.Contains(string(page), kind.Name.Zh) {
				t.Errorf("the page of %s does not tell of %s", r.Product.ID, kind.Name.Zh)
			}
		}
		if !stages["harvest"] || !stages["process"] || !stages["origin"] {
			t.Errorf("the story of %s has only the stages %v", r.Product.ID, stages)
		}
	}
	for _, p := range c.Products {
		if !told[p.ID] {
			t.Errorf("no story of %s", p.ID)
		}
	}
}

// checkRecall reads the recall of the oysters that failed their test. The blend has
// oysters of the same raft, but of a harvest a week before, and none of that batch: by
// its genealogy it is outside.
func checkRecall(t *testing.T, d *demo) {
	b := newBrowser(t, d.HTTP)
	b.login("bureau", d.passwords["bureau"])
	var list struct{ Recalls []struct{ ID string } }
	b.getJSON("/api/v1/recalls", &list)
	if len(list.Recalls) != 1 {
		t.Fatalf("recalls: %+v", list.Recalls)
	}
	var r struct {
		Holdings []struct{ Lot string }
		Found    []struct{ Lot string }
		Tally    []struct {
			Holder   string
			Recalled struct{ Quantity float64 }
		}
	}
	b.getJSON("/api/v1/recalls/"+list.Recalls[0].ID, &r)
	if len(r.Holdings) != 1 || r.Holdings[0].Lot != "MW-1122-B" || len(r.Found) != 0 {
		t.Errorf("the recall is of %+v, found %+v", r.Holdings, r.Found)
	}
	if len(r.Tally) != 2 || r.Tally[0].Recalled.Quantity != 800 || r.Tally[1].Holder != "maowei-oyster" {
		t.Errorf("in sum %+v", r.Tally)
	}
	blends := 0
	for _, code := range d.codes {
		if _, page := b.send("GET", "/t/"+code, nil); strings.Contains(string(page), "MW-PP-01") {
			blends++
			if strings.Contains(string(page), "请勿食用") {
				t.Error("the blend is red")
			}
		}
	}
	if blends == 0 {
		t.Error("no page of the blend")
	}
}

// checkChain reads the page of a batch that is made of others.
func checkChain(t *testing.T, r trace.PublicRecord, page string) {
	t.Helper()
	want := []string{"由哪些批次制成", "<svg"}
	switch {
	case strings.HasPrefix(r.Lot, "JC-1122-"): // behind the truck that carried what it was
		want = append(want, "光坡镇", "分批", "随此次运输的是", "防城港市 → 南宁市", "超出要求 1 次", "平均动力学温度")
	case r.Blend:
		want = append(want, "龙门港镇", "拼配合批", `href="/t/`)
	default:
		want = append(want, "六堡镇", "萎凋", "杀青", "揉捻", "干燥", "包装", "分批")
	}
	for _, w := range want {
		if !strings.Contains(page, w) {
			t.Errorf("the page of lot %s does not say %s", r.Lot, w)
		}
	}
	if strings.Contains(page, "骑楼城") {
		t.Error("the page names a buyer")
	}
}

func checkReceipts(t *testing.T, d *demo) {
	b := newBrowser(t, d.HTTP)
	status, key := b.send("GET", "/log/key", nil)
	if status != http.StatusOK {
		t.Fatalf("GET /log/key: %d", status)
	}
	for _, code := range d.codes {
		status, receipt := b.send("GET", "/t/"+code+"/receipt", nil)
		if status != http.StatusOK {
			t.Fatalf("GET receipt of %s: %d", code, status)
		}
		_, record := b.send("GET", "/t/"+code+"/record", nil)
		dir := t.TempDir()
		good, bad, rec := filepath.Join(dir, "good"), filepath.Join(dir, "bad"), filepath.Join(dir, "record.json")
		damaged := strings.Replace(string(receipt), "index ", "index 1", 1)
		for file, content := range map[string]string{good: string(receipt), bad: damaged, rec: string(record)} {
			if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		vkey := strings.TrimSpace(string(key))
		if out, err := runTianhai(t, "verify", "--key", vkey, "--record", rec, good); err != nil {
			t.Errorf("%s: the receipt does not verify: %v\n%s", code, err, out)
		}
		if out, err := runTianhai(t, "verify", "--key", vkey, bad); err == nil {
			t.Errorf("%s: a damaged receipt verifies:\n%s", code, out)
		}
		forged := strings.Replace(string(record), `kg`, `km`, 1)
		if err := os.WriteFile(rec, []byte(forged), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := runTianhai(t, "verify", "--key", vkey, "--record", rec, good); err == nil {
			t.Errorf("%s: a forged record verifies:\n%s", code, out)
		}
	}
}

type siteView struct {
	ID, Tenant              string
	Devices, Online, Firing int
	Latest                  map[string]struct {
		Value float64
		Time  time.Time
	}
}

// checkEvents reads what the demo's farms did as events of EPCIS: all of it right by the
// standard, each event provable by its record's leaf, and of others nothing.
func checkEvents(t *testing.T, d *demo) {
	events := func(login, query string) (raw string, list []map[string]any) {
		resp, raw := newPartner(t, d.HTTP, login, d.passwords[login]).do("GET", "/events?perPage=1000"+query, "")
		var doc struct {
			Body struct {
				Results struct {
					Body struct {
						Events []map[string]any `json:"eventList"`
					} `json:"resultsBody"`
				} `json:"queryResults"`
			} `json:"epcisBody"`
		}
		if err := json.Unmarshal([]byte(raw), &doc); err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: %d %.300s, %v", login, resp.StatusCode, raw, err)
		}
		return raw, doc.Body.Results.Body.Events
	}
	var raw string
	var all []map[string]any
	waitFor(t, "every code in an event", time.Minute, func() bool {
		raw, all = events("admin", "")
		return !slices.ContainsFunc(d.codes, func(c string) bool { return !strings.Contains(raw, "/t/"+c+`"`) })
	})
	doc, err := epcis.Parse([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	if faults := doc.Validate(); len(faults) > 0 {
		t.Errorf("%d faults, such as %s", len(faults), faults[0])
	}
	hashes, err := doc.Hashes()
	if err != nil {
		t.Fatal(err)
	}
	leaves := map[string]bool{}
	for _, c := range d.codes {
		_, body := newBrowser(t, d.HTTP).send("GET", "/t/"+c+"/record", nil)
		rec, err := trace.ParseOpening(body)
		if err != nil {
			t.Fatal(err)
		}
		_, hash, _ := strings.Cut(string(rec.Leaf()), `"h":"`)
		leaves[hash[:64]] = true
	}
	proven := 0
	for i, e := range all {
		if e["eventID"] != hashes[i] {
			t.Errorf("event %v hashes to %s", e["eventID"], hashes[i])
		}
		if leaves[fmt.Sprint(e["tianhai:leaf"])] {
			proven++
		}
	}
	if proven != len(d.codes) {
		t.Errorf("%d events name the leaf of a code's record, of %d", proven, len(d.codes))
	}
	checkPartner(t, d, all)
	if _, tea := events("tea", ""); len(tea) == 0 || len(tea) >= len(all) || slices.ContainsFunc(tea, func(e map[string]any) bool {
		where, _ := e["bizLocation"].(map[string]any)
		return where != nil && !strings.HasSuffix(fmt.Sprint(where["id"]), "/site/yunling-garden-1")
	}) {
		t.Errorf("the tea grower sees %d of %d events, among them others'", len(tea), len(all))
	}
	if _, sprays := events("bureau", "&EQ_bizStep="+url.QueryEscape(d.HTTP+"/epcis/voc/BizStep-spray")); len(sprays) == 0 {
		t.Error("no spraying is found")
	}
}

// batch returns the ID of the batch with a trace code.
func (d *demo) batch(t *testing.T, code string) string {
	t.Helper()
	b := newBrowser(t, d.HTTP)
	b.login("admin", d.passwords["admin"])
	var all struct{ Batches []struct{ ID, Code string } }
	b.getJSON("/api/v1/batches?limit=1000", &all)
	for _, one := range all.Batches {
		if one.Code == code {
			return one.ID
		}
	}
	t.Fatalf("no batch has code %s", code)
	return ""
}

// checkPartner lets another farm capture what it made of the tea grower's batch: who calls
// the batch by the code on its label is heard, who calls it by GTIN and lot, which anybody
// can guess, is not.
func checkPartner(t *testing.T, d *demo, all []map[string]any) {
	var code, name string
	for _, e := range all {
		if where, _ := e["bizLocation"].(map[string]any); e["tianhai:traceCode"] != nil && strings.HasSuffix(fmt.Sprint(where["id"]), "/site/yunling-garden-1") {
			code = fmt.Sprint(e["tianhai:traceCode"])
			goods, _ := e["quantityList"].([]any)
			named, _ := goods[0].(map[string]any)
			name = fmt.Sprint(named["epcClass"])
		}
	}
	if !strings.HasPrefix(name, "https://id.gs1.org/01/09521234543213/10/") {
		t.Errorf("a batch of tea, for which there is a GTIN, is called %s", name)
	}
	batch := d.batch(t, path.Base(code))
	blend := func(id, of string) string {
		return fmt.Sprintf(`{"@context": "https://ref.gs1.org/standards/epcis/epcis-context.jsonld", "type": "TransformationEvent", "eventID": "urn:uuid:%s", "eventTime": "2026-11-20T08:00:00+08:00", "eventTimeZoneOffset": "+08:00", "inputQuantityList": [{"epcClass": %q}], "outputQuantityList": [{"epcClass": "https://citrus.example/jelly"}]}`, id, of)
	}
	citrus := newPartner(t, d.HTTP, "citrus", d.passwords["citrus"])
	for _, event := range []string{blend("jelly", code), blend("guess", name)} {
		if resp, body := citrus.do("POST", "/events", event); resp.StatusCode != http.StatusCreated {
			t.Fatalf("%d %s", resp.StatusCode, body)
		}
	}
	for login, want := range map[string]int{"tea": 1, "bureau": 1} {
		b := newBrowser(t, d.HTTP)
		b.login(login, d.passwords[login])
		var kin struct {
			Captured []struct {
				Event, Operator string
				Into            []string
			}
			Events string
		}
		b.getJSON("/api/v1/batches/"+batch+"/genealogy", &kin)
		if len(kin.Captured) != want || kin.Captured[0].Event != "urn:uuid:jelly" || !slices.Equal(kin.Captured[0].Into, []string{"https://citrus.example/jelly"}) {
			t.Errorf("%s is told of %s: %+v", login, batch, kin.Captured)
		}
		if status, raw := b.send("GET", kin.Events, nil); status != http.StatusOK || !strings.Contains(string(raw), `"tianhai:traceCode":"`+code+`"`) || strings.Contains(string(raw), "jelly") != (login == "bureau") {
			t.Errorf("%s downloads %d %s", login, status, raw)
		}
	}
	c := newChrome(t, 390, 844)
	c.open(d.HTTP + "/manage/#/batches/" + batch)
	c.login("tea", d.passwords["tea"])
	c.says("合作方上报的事件")
	c.says("https://citrus.example/jelly")
	c.axe("a batch of which a partner made something")
}

func checkAccounts(t *testing.T, d *demo) {
	sites := func(login string) []string {
		b := newBrowser(t, d.HTTP)
		b.login(login, d.passwords[login])
		var list struct{ Sites []siteView }
		b.getJSON("/api/v1/sites", &list)
		var ids []string
		for _, s := range list.Sites {
			ids = append(ids, s.ID)
		}
		return ids
	}
	if got := sites("bureau"); len(got) != demoSites {
		t.Errorf("the bureau sees %v, want all %d sites", got, demoSites)
	}
	if got := sites("tea"); !slices.Equal(got, []string{"yunling-garden-1"}) {
		t.Errorf("the tea grower sees %v", got)
	}
	stranger := newBrowser(t, d.HTTP)
	if status, _ := stranger.send("GET", "/api/v1/sites", nil); status != http.StatusUnauthorized {
		t.Errorf("a stranger gets %d for the sites", status)
	}
	tea := newBrowser(t, d.HTTP)
	tea.login("tea", d.passwords["tea"])
	if status, body := tea.send("GET", "/api/v1/sites/maowei-raft-1", nil); status != http.StatusNotFound || strings.Contains(string(body), "maowei-oyster") {
		t.Errorf("the tea grower gets %d %s for an oyster raft", status, body)
	}
	if status, _ := tea.send("POST", "/api/v1/devices/pond-1/commands", []byte(`{"name":"aerator","value":"off"}`)); status != http.StatusNotFound {
		t.Errorf("the tea grower gets %d for switching off a stranger's aerator", status)
	}
}

// checkLive listens as the bureau's screen does.
func checkLive(t *testing.T, d *demo) {
	b := newBrowser(t, d.HTTP)
	b.login("bureau", d.passwords["bureau"])
	b.Timeout = 0
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", d.HTTP+"/api/v1/live", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := b.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	seen := map[string]bool{}
	lines := bufio.NewScanner(resp.Body)
	for len(seen) < 6 && lines.Scan() {
		var ob struct{ Site string }
		if data, ok := strings.CutPrefix(lines.Text(), "data:"); ok && json.Unmarshal([]byte(data), &ob) == nil && ob.Site != "" {
			seen[ob.Site] = true
		}
	}
	if len(seen) < 6 {
		t.Errorf("live readings came from %v only: %v", seen, lines.Err())
	}
}

// checkPond waits for the demo's night of low oxygen to be told, switches the
// aerator on as the owner would, and waits for the all-clear.
func checkPond(t *testing.T, d *demo, hook *webhook) {
	waitFor(t, "the alarm of the pond", 3*time.Minute, func() bool { return hook.heard("guangpo-pond-3", "firing", "water.dissolved_oxygen") })
	b := newBrowser(t, d.HTTP)
	b.login("shrimp", d.passwords["shrimp"])
	status, answer := b.send("POST", "/api/v1/devices/pond-1/commands", []byte(`{"name":"aerator","value":"on"}`))
	if status != http.StatusAccepted {
		t.Fatalf("switch on the aerator: %d %s", status, answer)
	}
	waitFor(t, "the aerator's answer", time.Minute, func() bool {
		var list struct {
			Commands []struct{ Name, State string }
		}
		b.getJSON("/api/v1/devices/pond-1/commands", &list)
		return len(list.Commands) > 0 && list.Commands[0].State == "done"
	})
	waitFor(t, "the all-clear", 5*time.Minute, func() bool { return hook.heard("guangpo-pond-3", "resolved", "water.dissolved_oxygen") })
}
