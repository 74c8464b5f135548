package main_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestInfluxOutage kills an outside InfluxDB under load, several times. Frames go
// on being acknowledged, alarms go on being sent, and when the database is back
// everything is in it, without a restart of the server.
func TestInfluxOutage(t *testing.T) {
	x := newTrial(t, "outage", 5)
	x.outside()
	hook := newWebhook(t)
	t.Setenv("TIANHAI_ALERTS_WEBHOOK_URL", hook.URL)
	x.start()
	alarmed := x.senders[4]
	x.senders = x.senders[:4]
	x.load()
	x.more(500)
	for round := range 3 {
		x.db.kill()
		waitFor(t, "readiness to tell", 30*time.Second, func() bool {
			r := x.s.ready()
			return r.Ready && r.is("influxdb") == "down" && r.is("alerts") == "ok"
		})
		x.more(2000)
		if round == 0 {
			publishLow(t, x.s.MQTT, alarmed.device, alarmed.secret, hook)
		}
		x.db.start()
		waitFor(t, "readiness to tell that it is over", time.Minute, func() bool { return x.s.ready().is("influxdb") == "ok" })
	}
	x.sum()
	x.bounded()
}

// A long outage fills the journal. Then frames are refused, and taken again when
// the database is back.
func TestInfluxOutageFillsJournal(t *testing.T) {
	x := newTrial(t, "fill", 4)
	x.outside()
	t.Setenv("TIANHAI_JOURNAL_MAX_BYTES", strconv.Itoa(16<<20))
	hook := newWebhook(t)
	t.Setenv("TIANHAI_ALERTS_WEBHOOK_URL", hook.URL)
	for _, s := range x.senders {
		s.frame = padded
	}
	x.start()
	x.load()
	x.more(200)
	x.db.kill()
	full := false
	waitFor(t, "the journal to be full", 2*time.Minute, func() bool {
		r := x.s.ready()
		full = r.is("journal") == "full"
		return full && !r.Ready && x.s.metric("tianhai_frames_refused_total") > 0
	})
	if is := x.s.ready().Parts["journal"]; is.Since.IsZero() || is.Detail == "" || is.Means == "" {
		t.Errorf("the operator is told %+v", is)
	}
	if !strings.Contains(x.s.log.String(), `part=journal state=full`) {
		t.Error("the log does not tell that the journal is full")
	}
	waitFor(t, "the operator to be told", time.Minute, func() bool { return hook.heard(`"part.unwell"`, `"journal"`, `"full"`) })
	x.db.start()
	waitFor(t, "the server to be ready again", time.Minute, func() bool { return x.s.ready().Ready })
	x.more(500)
	x.sum()
	x.bounded()
}

// padded is numbered, and large, so that a journal fills.
func padded(s *sender, n int) (payload []byte, aside bool) {
	payload, aside = numbered(s, n)
	return append(payload, bytes.Repeat([]byte{' '}, 2000)...), aside
}

// A faultyInflux stands before a real InfluxDB and spoils what it says.
type faultyInflux struct {
	proxy  *httputil.ReverseProxy
	fault  atomic.Pointer[func(w http.ResponseWriter, r *http.Request, real http.Handler)]
	spoilt atomic.Int64 // writes
}

func (f *faultyInflux) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if spoil := f.fault.Load(); spoil != nil && strings.HasSuffix(r.URL.Path, "/write") {
		f.spoilt.Add(1)
		(*spoil)(w, r, f.proxy)
		return
	}
	f.proxy.ServeHTTP(w, r)
}

func answers(status int, header ...string) func(http.ResponseWriter, *http.Request, http.Handler) {
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		http.Error(w, `{"code":"unavailable","message":"not now"}`, status)
	}
}

// cut ends the connection without an answer, after the database has the lines or
// before.
func cut(after bool) func(http.ResponseWriter, *http.Request, http.Handler) {
	return func(_ http.ResponseWriter, r *http.Request, real http.Handler) {
		if after {
			real.ServeHTTP(httptest.NewRecorder(), r)
		} else if _, err := io.CopyN(io.Discard, r.Body, 100); err != nil {
			panic(http.ErrAbortHandler)
		}
		panic(http.ErrAbortHandler)
	}
}

// half sends half of an answer that says more.
func half(w http.ResponseWriter, r *http.Request, real http.Handler) {
	real.ServeHTTP(httptest.NewRecorder(), r)
	w.Header().Set("Content-Length", "1000")
	w.WriteHeader(http.StatusServiceUnavailable)
	_, _ = io.WriteString(w, `{"code":"unav`)
	panic(http.ErrAbortHandler)
}

// TestInfluxFaults goes through whatever an InfluxDB can answer that is no fault
// of the data. None of it costs a frame, stops the intake or puts a frame aside.
func TestInfluxFaults(t *testing.T) {
	x := newTrial(t, "faulty", 4)
	x.outside()
	target, err := url.Parse(x.db.URL)
	if err != nil {
		t.Fatal(err)
	}
	f := &faultyInflux{proxy: httputil.NewSingleHostReverseProxy(target)}
	front := httptest.NewServer(f)
	t.Cleanup(front.Close)
	front.Config.ErrorLog = nil
	t.Setenv("TIANHAI_INFLUX_URL", front.URL)
	x.start()
	x.load()
	x.more(200)
	slow := func(w http.ResponseWriter, r *http.Request, real http.Handler) {
		select {
		case <-time.After(300 * time.Millisecond):
		case <-r.Context().Done():
		}
		real.ServeHTTP(w, r)
	}
	for _, fault := range []struct {
		name  string
		spoil func(http.ResponseWriter, *http.Request, http.Handler)
		told  string // by /readyz
	}{
		{"slow", slow, ""},
		{"429 with Retry-After", answers(http.StatusTooManyRequests, "Retry-After", "1"), "429"},
		{"503", answers(http.StatusServiceUnavailable), "503"},
		{"500", answers(http.StatusInternalServerError), "500"},
		{"502 of a proxy, in HTML", answers(http.StatusBadGateway, "Content-Type", "text/html"), "502"},
		{"401", answers(http.StatusUnauthorized), "401"},
		{"403", answers(http.StatusForbidden), "403"},
		{"cut before it has the lines", cut(false), "not answer"},
		{"cut when it has them", cut(true), "not answer"},
		{"half an answer", half, ""},
	} {
		before := f.spoilt.Load()
		f.fault.Store(&fault.spoil)
		waitFor(t, fault.name+" to be met", time.Minute, func() bool { return f.spoilt.Load() >= before+2 })
		if fault.told != "" {
			waitFor(t, fault.name+" to be told", 30*time.Second, func() bool {
				r := x.s.ready()
				return r.Ready && r.is("influxdb") == "down" && strings.Contains(r.Parts["influxdb"].Detail, fault.told)
			})
		}
		x.more(100)
		f.fault.Store(nil)
		waitFor(t, "storing to go on after "+fault.name, time.Minute, func() bool { return x.s.ready().is("influxdb") == "ok" })
	}
	x.sum()
	x.bounded()
}

// execute runs a statement as the owner of the database would.
func (x *trial) execute(statement string) {
	x.t.Helper()
	base, token := x.influx()
	form := url.Values{"q": {statement}, "db": {"tianhai"}}
	x.post(base+"/query?"+form.Encode(), token, "")
}

func (x *trial) post(address, token, body string) {
	x.t.Helper()
	req, err := http.NewRequestWithContext(x.t.Context(), http.MethodPost, address, strings.NewReader(body))
	if err != nil {
		x.t.Fatal(err)
	}
	user, password, _ := strings.Cut(token, ":")
	req.SetBasicAuth(user, password)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		x.t.Fatal(err)
	}
	defer resp.Body.Close()
	if answer, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode/100 != 2 || strings.Contains(string(answer), `"error"`) {
		x.t.Fatalf("%s: %s %s", address, resp.Status, answer)
	}
}

// TestInfluxPartialWrite has a field whose type somebody else has settled: lines
// with it are refused one by one, with InfluxDB's reason, and all others stored.
func TestInfluxPartialWrite(t *testing.T) {
	x := newTrial(t, "partial", 3)
	x.outside()
	for _, s := range x.senders {
		s.frame = conflicting
	}
	x.start()
	base, token := x.influx()
	// The type of a field holds within a shard, which is a week.
	x.post(base+"/api/v2/write?bucket=tianhai/autogen&precision=ms", token,
		"water,device=old salinity=\"a text\" "+strconv.FormatInt(x.senders[0].base, 10)+"\n")
	x.load()
	x.more(3000)
	x.sum()
	b := newBrowser(t, x.s.HTTP)
	b.login("chief", x.chief)
	for _, q := range quarantined(b, x.senders[0].device) {
		if !strings.Contains(q.Reason, "type conflict") || !strings.Contains(q.Reason, "salinity") {
			t.Fatalf("quarantined for %q; that does not tell of InfluxDB's reason", q.Reason)
		}
	}
	if n := x.s.metric("tianhai_store_failures_total"); n > 0 {
		t.Errorf("%d writes were repeated for what is a fault of the data", n)
	}
}

// conflicting is a frame whose value is its number; some have a field besides that
// is refused, and their line with it.
func conflicting(s *sender, n int) (payload []byte, aside bool) {
	if n%40 == 7 {
		return fmt.Appendf(nil, `{"ts":%d,"turbidity":%d,"salinity":20}`, s.base+int64(n), n), true
	}
	return fmt.Appendf(nil, `{"ts":%d,"turbidity":%d}`, s.base+int64(n), n), false
}

// TestInfluxBucketDropped drops the database, before the load and under it: it is
// made again. What was stored in it is gone; nothing else is.
func TestInfluxBucketDropped(t *testing.T) {
	x := newTrial(t, "dropped", 3)
	x.outside()
	x.start()
	x.execute("DROP DATABASE tianhai")
	x.load()
	x.more(1000)
	x.execute("DROP DATABASE tianhai")
	x.mark(func(s *sender, sent int) { s.gone = sent })
	x.more(2000)
	x.sum()
}
