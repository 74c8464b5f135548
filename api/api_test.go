package api_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tianhai/api"
	"tianhai/api/auth"
	"tianhai/farm"
	"tianhai/i18n"
	"tianhai/ingest"
	"tianhai/ingest/device"
	"tianhai/monitor/alert"
	"tianhai/trace"
)

type problem struct {
	Type, Title, Detail, Code, Field, Request string
	Status                                    int
	Faults                                    []device.Fault
	Missing                                   []struct {
		Kind, Link string
		Name       farm.Text
	}
}

func (a answer) problem(t testing.TB) problem {
	t.Helper()
	var p problem
	a.decode(t, &p)
	if ct := a.header.Get("Content-Type"); ct != "application/problem+json" {
		t.Errorf("content type %q of a problem", ct)
	}
	want(t, "status in the body", a.status, p.Status)
	return p
}

func oxygen(at time.Time, value float64, flag ingest.Flag) ingest.Observation {
	q, _ := farm.LookupQuantity("water.dissolved_oxygen")
	return ingest.Observation{
		Device: "do-1", Place: ingest.Place{Tenant: "oyster", Region: "450512", Site: "raft-1", Kind: farm.Raft},
		Time: at, Received: at, Readings: []ingest.Reading{{Quantity: q, Value: value, Flag: flag}},
	}
}

func TestSession(t *testing.T) {
	w := newWorld()
	base, _ := serve(t, w)
	c := client{t, base, ""}
	a := c.do("POST", "/session", `{"login":"farmer","password":"pw-farmer"}`)
	want(t, "principal", `{"login":"farmer","name":"蚝农","role":"farmer","tenant":"oyster"}`, a.body)
	want(t, "cookie", "th_session=token-farmer; Path=/; Max-Age=604800; HttpOnly; SameSite=Lax", a.header.Get("Set-Cookie"))

	want(t, "wrong password", "bad_login", c.do("POST", "/session", `{"login":"farmer","password":"x"}`).problem(t).Code)
	want(t, "comes from", "127.0.0.1", w.remote)
	c.do("POST", "/session", `{"login":"farmer","password":"x"}`, "X-Forwarded-For", "10.0.0.7")
	want(t, "a client does not say where it comes from", "127.0.0.1", w.remote)
	want(t, "no password", "login", c.do("POST", "/session", `{"login":"farmer"}`).problem(t).Field)

	c.as = "farmer"
	a = c.do("DELETE", "/session", "")
	want(t, "cookie is taken back", "th_session=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax", a.header.Get("Set-Cookie"))
	want(t, "afterwards", "unauthenticated", c.do("GET", "/session", "").problem(t).Code)
}

func TestSites(t *testing.T) {
	w := newWorld()
	base, hub := serve(t, w)
	if err := hub.Observe(t.Context(), []ingest.Observation{oxygen(noon, 6.5, ingest.Good)}); err != nil {
		t.Fatal(err)
	}
	c := client{t, base, "farmer"}
	const site = `"id":"raft-1","tenant":"oyster","region":"450512","kind":"raft","name":{"zh":"一号蚝排","en":"Raft 1"},"town":{"zh":""},"latitude":21.6,"longitude":0,` +
		`"devices":1,"online":1,"firing":1,"latest":{"water.dissolved_oxygen":{"value":6.5,"flag":1,"time":"2026-07-01T04:00:00Z","device":"do-1"}}`
	want(t, "list", `{"sites":[{`+site+`}]}`, c.do("GET", "/sites", "").body)
	want(t, "one", `{`+site+`,"device_list":[{"id":"do-1","tenant":"oyster","model":"pond","name":{"zh":"溶氧仪"},"created":"2026-07-01T04:00:00Z","online":true,"state":"active"}]}`,
		c.do("GET", "/sites/raft-1", "").body)
	want(t, "a site without anything", `{"sites":[{"id":"garden-1","tenant":"tea","region":"450421","kind":"garden","name":{"zh":"一号茶园"},"town":{"zh":""},"latitude":0,"longitude":0,"devices":1,"online":0,"firing":0,"latest":{}}]}`,
		client{t, base, "stranger"}.do("GET", "/sites", "").body)
}

func TestDevice(t *testing.T) {
	w := newWorld()
	base, hub := serve(t, w)
	if err := hub.Observe(t.Context(), []ingest.Observation{oxygen(noon, 0, ingest.Missing)}); err != nil {
		t.Fatal(err)
	}
	c := client{t, base, "farmer"}
	want(t, "device", `{"id":"do-1","tenant":"oyster","name":{"zh":"溶氧仪"},"created":"2026-07-01T04:00:00Z","online":true,"state":"active",`+
		`"model":{"id":"pond","name":{"zh":""},"format":"json","channels":[{"key":"t","quantity":"water.temperature"}],"commands":["aerator"],"interval":90},`+
		`"place":{"tenant":"oyster","region":"450512","site":"raft-1","kind":"raft"},"site_name":{"zh":"一号蚝排","en":"Raft 1"},"interval":90,`+
		`"latest":{"water.dissolved_oxygen":{"value":null,"flag":9,"time":"2026-07-01T04:00:00Z","device":"do-1"}}}`,
		c.do("GET", "/devices/do-1", "").body)
	var shelf struct {
		Place  *struct{}
		Latest map[string]any
	}
	c.do("GET", "/devices/shelf", "").decode(t, &shelf)
	if shelf.Place != nil || shelf.Latest == nil {
		t.Errorf("a device on the shelf is %+v", shelf)
	}
}

func TestSeries(t *testing.T) {
	w := newWorld()
	w.summary = farm.Summary{
		Interval: 90 * time.Second,
		Points:   []farm.Point{{Time: noon, Min: 1, Mean: 2, Max: 3, N: 4}},
		Gaps:     []farm.Gap{{From: noon, To: noon.Add(time.Hour)}},
		Quality:  []farm.Quality{{Time: noon, Good: 3, Total: 5}},
	}
	base, _ := serve(t, w)
	c := client{t, base, "farmer"}
	a := c.do("GET", "/sites/raft-1/series?quantity=water.ph&from=2026-06-30T12:00:00%2B08:00&to=2026-07-01T00:00:00Z&points=17", "")
	want(t, "series", `{"gaps":[{"from":"2026-07-01T04:00:00Z","to":"2026-07-01T05:00:00Z"}],"interval":90,"points":[{"t":"2026-07-01T04:00:00Z","min":1,"mean":2,"max":3,"n":4}],"quality":[{"t":"2026-07-01T04:00:00Z","good":3,"total":5}],"quantity":"water.ph"}`, a.body)
	ph, _ := farm.LookupQuantity("water.ph")
	want(t, "question", [...]any{"oyster", "raft-1", ph, noon.Add(-24 * time.Hour), noon.Add(-4 * time.Hour), 17},
		[...]any{w.asked.Tenant, w.asked.Site, w.asked.Quantity, w.asked.From, w.asked.To, w.asked.Points})

	w.summary = farm.Summary{}
	a = c.do("GET", "/sites/raft-1/series?quantity=water.ph", "")
	want(t, "nothing", `{"gaps":[],"interval":0,"points":[],"quality":[],"quantity":"water.ph"}`, a.body)
	want(t, "the last day", [2]time.Time{noon.Add(-24 * time.Hour), noon}, [2]time.Time{w.asked.From, w.asked.To})

	for query, field := range map[string]string{
		"":                                             "quantity",
		"?quantity=water.phlogiston":                   "quantity",
		"?quantity=water.ph&from=now":                  "from",
		"?quantity=water.ph&to=never":                  "to",
		"?quantity=water.ph&points=0":                  "points",
		"?quantity=water.ph&points=2e":                 "points",
		"?quantity=water.ph&points=2001":               "points",
		"?quantity=water.ph&from=2027-01-01T00:00:00Z": "from",
		"?quantity=water.ph&from=2016-01-01T00:00:00Z": "from",
		"?quantity=water.ph&from=0001-01-01T00:00:00Z": "from",
	} {
		p := c.do("GET", "/sites/raft-1/series"+query, "").problem(t)
		if p.Code != "invalid" || p.Field != field || p.Detail == "" {
			t.Errorf("%q: %+v, want field %s", query, p, field)
		}
	}
}

func TestOperations(t *testing.T) {
	w := newWorld()
	base, _ := serve(t, w)
	c := client{t, base, "farmer"}
	const op = `{"id":"01JZ00000000000000000000P9","kind":"feed","at":"2026-07-01T03:00:00Z","items":[{"key":"dose","value":"2","unit":"kg"}]}`
	a := c.do("POST", "/sites/raft-1/operations", op)
	want(t, "new", 201, a.status)
	got := w.ops["01JZ00000000000000000000P9"]
	want(t, "stored", trace.Operation{
		ID: "01JZ00000000000000000000P9", Tenant: "oyster", Site: "raft-1", Kind: "feed", At: noon.Add(-time.Hour),
		Person: "farmer", Items: []trace.Item{{Key: "dose", Value: "2", Unit: "kg"}},
	}, got)
	want(t, "the same again", 200, c.do("POST", "/sites/raft-1/operations", op).status)
	want(t, "another under its ID", "conflict", c.do("POST", "/sites/raft-1/operations", strings.Replace(op, "feed", "spray", 1)).problem(t).Code)
	want(t, "a field the service refuses", "kind", c.do("POST", "/sites/raft-1/operations", strings.Replace(op, "feed", "", 1)).problem(t).Field)

	var list struct{ Operations []trace.Operation }
	c.do("GET", "/sites/raft-1/operations", "").decode(t, &list)
	want(t, "listed", 2, len(list.Operations))
	c.do("GET", "/sites/raft-1/operations?to=2026-01-01T00:00:00Z", "").decode(t, &list)
	want(t, "before this year", 0, len(list.Operations))
}

// Strict: what we do not understand we do not half obey.
func TestBodies(t *testing.T) {
	for name, tt := range map[string]struct {
		body, code, field string
	}{
		"unknown member": {`{"login":"a","password":"b","otp":1}`, "invalid", "otp"},
		"another type":   {`{"login":7,"password":"b"}`, "invalid", "login"},
		"not JSON":       {`login=a`, "bad_json", ""},
		"cut off":        {`{"login":"a"`, "bad_json", ""},
		"two values":     {`{"login":"a","password":"b"}{}`, "bad_json", ""},
		"U+0000":         {`{"login":"a\u0000","password":"b"}`, "invalid", ""},
		"too large":      {`{"login":"` + strings.Repeat("a", 1<<20) + `"}`, "too_large", ""},
	} {
		t.Run(name, func(t *testing.T) {
			base, _ := serve(t, newWorld())
			p := client{t, base, ""}.do("POST", "/session", tt.body).problem(t)
			want(t, "problem", [2]string{tt.code, tt.field}, [2]string{p.Code, p.Field})
		})
	}
}

// A body that does not say how long it is stops at the limit too.
func TestEndlessBody(t *testing.T) {
	base, _ := serve(t, newWorld())
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+"/api/v1/session", endless{})
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	want(t, "status", http.StatusRequestEntityTooLarge, resp.StatusCode)
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

func TestCommands(t *testing.T) {
	w := newWorld()
	base, _ := serve(t, w)
	c := client{t, base, "farmer"}
	a := c.do("POST", "/devices/do-1/commands", `{"name":"aerator","value":"on"}`)
	want(t, "status", 202, a.status)
	want(t, "the queue was told", 1, w.woken)
	rec := w.commands[0]
	want(t, "recorded", device.CommandRecord{
		Command: ingest.Command{ID: rec.ID, Device: "do-1", Name: "aerator", Value: "on", Expires: noon.Add(10 * time.Minute)},
		Tenant:  "oyster", Account: "farmer", State: device.Queued, Created: noon,
	}, rec)
	want(t, "answer", fmt.Sprintf(`{"id":%q,"name":"aerator","value":"on","expires":"2026-07-01T04:10:00Z","tenant":"oyster","account":"farmer","state":"queued","created":"2026-07-01T04:00:00Z"}`, rec.ID), a.body)

	for body, field := range map[string]string{
		`{"name":"feeder","value":"on"}`:                               "name",
		`{"name":"aerator","value":"on","good":-1}`:                    "good",
		`{"name":"aerator","value":"on","good":604801}`:                "good",
		`{"name":"aerator"}`:                                           "value",
		`{"name":"aerator","value":"` + strings.Repeat("x", 65) + `"}`: "value",
	} {
		want(t, body, field, c.do("POST", "/devices/do-1/commands", body).problem(t).Field)
	}
	want(t, "a model that obeys nothing", "name", c.do("POST", "/devices/shelf/commands", `{"name":"aerator","value":"on"}`).problem(t).Field)
	want(t, "nothing else was recorded", 1, len(w.commands))

	w.mu.Lock()
	w.commands[0].Expires = noon
	w.mu.Unlock()
	var list struct {
		Commands []struct{ State device.CommandState }
	}
	c.do("GET", "/devices/do-1/commands", "").decode(t, &list)
	want(t, "one that nobody answered", device.Expired, list.Commands[0].State)
}

// A command may be good for longer, for a device that sleeps.
func TestCommandGoodForHours(t *testing.T) {
	w := newWorld()
	base, _ := serve(t, w)
	want(t, "status", 202, client{t, base, "farmer"}.do("POST", "/devices/do-1/commands", `{"name":"aerator","value":"on","good":7200}`).status)
	want(t, "expires", noon.Add(2*time.Hour), w.commands[0].Expires)
}

func TestAlerts(t *testing.T) {
	w := newWorld()
	base, _ := serve(t, w)
	c := client{t, base, "farmer"}
	var list struct{ Alerts []alert.Alert }
	c.do("GET", "/alerts", "").decode(t, &list)
	want(t, "firing", w.alerts, list.Alerts)
	want(t, "pending", `{"alerts":[]}`, c.do("GET", "/alerts?state=pending", "").body)
	want(t, "unknown state", "state", c.do("GET", "/alerts?state=inactive", "").problem(t).Field)
}

func TestBatches(t *testing.T) {
	w := newWorld()
	base, _ := serve(t, w)
	c := client{t, base, "farmer"}
	a := c.do("POST", "/batches", `{"site":"raft-1","product":"oysters","lot":"l","quantity":1.5,"unit":"kg","began":"2026-06-01T00:00:00Z","harvest":"2026-06-30T00:00:00Z"}`)
	var b trace.Batch
	a.decode(t, &b)
	want(t, "opened", trace.Batch{
		ID: "01JZ0000000000000000000BA2", Tenant: "oyster", Site: "raft-1", Product: "oysters", Lot: "l", Quantity: 1.5, Unit: "kg",
		Began: noon.Add(-30*24*time.Hour - 4*time.Hour), Harvest: noon.Add(-24*time.Hour - 4*time.Hour), Opened: noon,
	}, b)
	c.do("POST", "/batches/"+b.ID+"/close", "").decode(t, &b)
	want(t, "code", "4Q7XH2M9KTB3D", b.Code)
	want(t, "closed twice", "conflict", c.do("POST", "/batches/"+b.ID+"/close", "").problem(t).Code)
	want(t, "bad site", "site", c.do("POST", "/batches", `{"site":"../x","product":"oysters"}`).problem(t).Field)
	lacking := &trace.IncompleteError{Site: "raft-1", Missing: []trace.Missing{{Kind: "stock", Name: farm.Text{Zh: "放养", En: "Stocking"}}, {Kind: "feed", Operation: opID}}}
	p := failing(t, fmt.Errorf("close: %w", lacking))
	want(t, "incomplete", "batch_incomplete", p.Code)
	want(t, "two are missing", 2, len(p.Missing))
	want(t, "where to record one", "/field/#/record/raft-1?kind=stock", p.Missing[0].Link)
	want(t, "and mend the other", "/field/#/record/raft-1?corrects="+opID+"&kind=feed", p.Missing[1].Link)
	want(t, "in words", "放养", p.Missing[0].Name.Zh)
	want(t, "no evidence", "no_evidence", failing(t, fmt.Errorf("close: %w", trace.ErrNoEvidence)).Code)
}

// failing asks for something while every store fails, and returns the problem.
func failing(t *testing.T, err error) problem {
	t.Helper()
	w := newWorld()
	w.fail = err
	base, _ := serve(t, w)
	a := client{t, base, "farmer"}.do("GET", "/products", "")
	for _, secret := range []string{"pq:", "password", "tianhai", "panic", ".go:"} {
		if strings.Contains(a.body, secret) {
			t.Errorf("the answer tells %q: %s", secret, a.body)
		}
	}
	if after := map[int]string{429: "90", 503: "5"}[a.status]; a.header.Get("Retry-After") != after {
		t.Errorf("status %d with Retry-After %q, want %q", a.status, a.header.Get("Retry-After"), after)
	}
	return a.problem(t)
}

// What went wrong inside is the log's business; the client gets a code.
func TestErrors(t *testing.T) {
	for code, err := range map[string]error{
		"internal":  errBroken,
		"busy":      fmt.Errorf("append: %w", ingest.ErrBusy),
		"not_found": fmt.Errorf("read product: %w", farm.ErrNotFound),
		"conflict":  errors.Join(errBroken, farm.ErrConflict),
		"too_many":  fmt.Errorf("log in: %w", &auth.TooManyError{Retry: 90 * time.Second}),
	} {
		p := failing(t, err)
		want(t, "code", code, p.Code)
		if (p.Request != "") != (p.Status >= 500) {
			t.Errorf("%s: request %q; only what is in the log is worth looking up", code, p.Request)
		}
	}
	w := newWorld()
	w.panics = true
	base, _ := serve(t, w)
	a := client{t, base, "farmer"}.do("GET", "/products", "")
	want(t, "a panic", "internal", a.problem(t).Code)
	want(t, "request ID", a.header.Get("X-Request-Id"), a.problem(t).Request)
}

// What takes too long ends, and says so.
func TestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.hangs = true
		w.tokens["token-farmer"] = accounts["farmer"]
		req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/api/v1/products", nil)
		req.AddCookie(&http.Cookie{Name: "th_session", Value: "token-farmer"})
		rec := httptest.NewRecorder()
		began := time.Now()
		handler(t, w, &api.Hub{}).ServeHTTP(rec, req)
		want(t, "time", api.RequestTimeout, time.Since(began))
		want(t, "code", "timeout", answer{rec.Code, rec.Header(), rec.Body.String()}.problem(t).Code)
	})
}

// On https, and behind something that ends it, the cookie never travels in the
// clear; and a proxy that we trust says where a client comes from.
func TestBehindProxy(t *testing.T) {
	w := newWorld()
	cfg := config(t, w, &api.Hub{})
	cfg.Secure, cfg.Proxies = true, []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	srv := httptest.NewServer(api.New(cfg))
	defer srv.Close()
	a := client{t, srv.URL, ""}.do("POST", "/session", `{"login":"farmer","password":"pw-farmer"}`, "X-Forwarded-For", "10.0.0.7")
	want(t, "remote", "10.0.0.7", w.remote)
	if c := a.header.Get("Set-Cookie"); !strings.HasSuffix(c, "; HttpOnly; Secure; SameSite=Lax") {
		t.Errorf("cookie %q", c)
	}
}

// People read problems in their language, and every one has words.
func TestProblemWords(t *testing.T) {
	base, _ := serve(t, newWorld())
	c := client{t, base, ""}
	want(t, "Chinese", "请先登录。", c.do("GET", "/sites", "").problem(t).Title)
	want(t, "English", "Please sign in.", c.do("GET", "/sites", "", "Accept-Language", "en-GB").problem(t).Title)
	catalog, err := i18n.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, lang := range catalog.Languages() {
		for _, code := range []string{
			"unauthenticated", "bad_login", "forbidden", "cross_origin", "method_not_allowed", "too_large", "unsupported_type", "bad_json",
			"invalid", "too_many", "not_found", "conflict", "no_evidence", "busy", "timeout", "internal",
		} {
			if k := "problem." + code; catalog.T(lang, k) == k {
				t.Errorf("%s has no words for %s", lang, k)
			}
		}
	}
}

// What stands behind the interfaces in our own server.
var (
	_ api.Sessions = (*auth.Sessions)(nil)
	_ api.Recorder = (*trace.Service)(nil)
)
