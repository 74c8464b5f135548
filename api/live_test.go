package api_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"tianhai/api"
	"tianhai/farm"
	"tianhai/ingest"
	"tianhai/monitor/alert"
)

// A feed reads a live stream event by event.
type feed struct {
	t     testing.TB
	lines *bufio.Scanner
	close func()
}

func follow(t testing.TB, base, as, query string) *feed {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/api/v1/live"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.AddCookie(&http.Cookie{Name: "th_session", Value: "token-" + as})
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("GET /live: %d %s", resp.StatusCode, resp.Header.Get("Content-Type"))
	}
	f := &feed{t: t, lines: bufio.NewScanner(resp.Body), close: cancel}
	want(t, "first line", "retry: 2000", f.line())
	want(t, "second line", "", f.line())
	return f
}

func (f *feed) line() string {
	f.t.Helper()
	if !f.lines.Scan() {
		f.t.Fatalf("the stream ended: %v", f.lines.Err())
	}
	return f.lines.Text()
}

// next returns the next event's name and data.
func (f *feed) next() string {
	f.t.Helper()
	name := strings.TrimPrefix(f.line(), "event: ")
	data := strings.TrimPrefix(f.line(), "data: ")
	want(f.t, "end of event", "", f.line())
	return name + " " + data
}

// ended reports that the server closed the stream in good order.
func (f *feed) ended() bool { return !f.lines.Scan() && f.lines.Err() == nil }

func see(t testing.TB, hub *api.Hub, obs ...ingest.Observation) {
	t.Helper()
	if err := hub.Observe(context.Background(), obs); err != nil {
		t.Error(err)
	}
}

func TestLive(t *testing.T) {
	base, hub := serve(t, newWorld())
	f := follow(t, base, "farmer", "")
	see(t, hub, oxygen(noon, 6.5, ingest.Good))
	want(t, "observation", `observation {"device":"do-1","tenant":"oyster","site":"raft-1","time":"2026-07-01T04:00:00Z","server_time":false,"readings":[{"quantity":"water.dissolved_oxygen","value":6.5,"flag":1}]}`, f.next())
	hub.PresenceChanged("do-1", oxygen(noon, 0, 1).Place, false, noon)
	want(t, "status", `status {"device":"do-1","site":"raft-1","online":false,"at":"2026-07-01T04:00:00Z"}`, f.next())
	hub.AlertChanged(alert.Alert{ID: "A", Rule: "r", Tenant: "oyster", Region: "450512", Site: "raft-1", Device: "do-1", State: alert.Firing, Limit: 4, Began: noon})
	want(t, "alert", `alert {"id":"A","rule":"r","title":{"zh":""},"severity":"","tenant":"oyster","region":"450512","site":"raft-1","device":"do-1","quantity":"","state":"firing","limit":4,"began":"2026-07-01T04:00:00Z"}`, f.next())
	see(t, hub, oxygen(noon.Add(time.Second), 0, ingest.Missing))
	if got := f.next(); !strings.Contains(got, `{"quantity":"water.dissolved_oxygen","value":null,"flag":9}`) {
		t.Errorf("missing value: %s", got)
	}
}

// Everybody hears what they may read and asked for, and no more: the marker that
// ends each story must be the first thing heard.
func TestLiveIsFiltered(t *testing.T) {
	tea := oxygen(noon, 1, ingest.Good)
	tea.Device, tea.Place = "tea-1", ingest.Place{Tenant: "tea", Region: "450421", Site: "garden-1", Kind: farm.Garden}
	second := oxygen(noon, 2, ingest.Good)
	second.Device = "do-2"
	third := oxygen(noon, 3, ingest.Good)
	third.Device, third.Place.Site = "do-3", "raft-2"
	for name, tt := range map[string]struct {
		as, query string
		want      []string
	}{
		"farmer":          {"farmer", "", []string{"do-2", "do-3", "do-1"}},
		"stranger":        {"stranger", "", []string{"tea-1"}},
		"bureau":          {"bureau", "", []string{"do-2", "do-3", "do-1"}},
		"another bureau":  {"bureau-tea", "", []string{"tea-1"}},
		"admin":           {"admin", "", []string{"tea-1", "do-2", "do-3", "do-1"}},
		"one site":        {"admin", "?site=raft-1", []string{"do-2", "do-1"}},
		"one device":      {"admin", "?device=do-1", []string{"do-1"}},
		"device and site": {"farmer", "?site=raft-1&device=do-1", []string{"do-1"}},
	} {
		t.Run(name, func(t *testing.T) {
			base, hub := serve(t, newWorld())
			f := follow(t, base, tt.as, tt.query)
			see(t, hub, tea, second, third, oxygen(noon, 4, ingest.Good))
			for _, dev := range tt.want {
				if got := f.next(); !strings.Contains(got, fmt.Sprintf(`"device":%q`, dev)) {
					t.Fatalf("heard %s, want %s", got, dev)
				}
			}
			hub.Close()
			if !f.ended() {
				t.Error("heard more, or the stream broke")
			}
		})
	}
}

// Repeats and late readings do not take the screen back in time.
func TestLiveKeepsTheNewest(t *testing.T) {
	base, hub := serve(t, newWorld())
	f := follow(t, base, "farmer", "")
	late := oxygen(noon.Add(-time.Hour), 1, ingest.Good)
	late.Received = noon.Add(time.Second)
	ahead := oxygen(noon.Add(4*time.Minute), 7, ingest.Good)
	ahead.Received = noon.Add(2 * time.Second)
	see(t, hub, oxygen(noon, 6, ingest.Good), oxygen(noon, 6, ingest.Good), late, ahead, oxygen(noon.Add(3*time.Second), 8, ingest.Good))
	for _, value := range []string{`"value":6,`, `"value":7,`, `"value":8,`} {
		if got := f.next(); !strings.Contains(got, value) {
			t.Fatalf("heard %s, want %s", got, value)
		}
	}
	if body := (client{t, base, "farmer"}).do("GET", "/sites/raft-1", "").body; !strings.Contains(body, `"value":8,`) {
		t.Errorf("the site shows %s", body)
	}
}

// A stopping server does not wait for those who only listen.
func TestShutdownEndsStreams(t *testing.T) {
	w, hub := newWorld(), &api.Hub{}
	srv := httptest.NewServer(handler(t, w, hub))
	w.tokens["token-farmer"] = accounts["farmer"]
	srv.Config.RegisterOnShutdown(hub.Close)
	f := follow(t, srv.URL, "farmer", "")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := srv.Config.Shutdown(ctx); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	if !f.ended() {
		t.Error("the stream did not end in good order")
	}
	srv.Close()
}

func TestStreamAfterClose(t *testing.T) {
	base, hub := serve(t, newWorld())
	hub.Close()
	a := client{t, base, "farmer"}.do("GET", "/live", "")
	want(t, "code", "busy", a.problem(t).Code)
}

// paper is a connection in memory whose reader may stop reading.
type paper struct {
	mu     sync.Mutex
	header http.Header
	text   bytes.Buffer
	stuck  chan struct{} // writes wait while it is not nil
}

func (p *paper) Header() http.Header { return p.header }
func (p *paper) WriteHeader(int)     {}
func (p *paper) FlushError() error   { return nil }
func (p *paper) Flush()              {}
func (p *paper) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stuck != nil {
		<-p.stuck
	}
	return p.text.Write(b)
}

func (p *paper) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.String()
}

// listen runs a stream of the farmer inside a synctest bubble. The channel is
// closed when it ends.
func listen(t *testing.T, w *world, hub *api.Hub, p *paper) <-chan struct{} {
	t.Helper()
	w.tokens["token-farmer"] = accounts["farmer"]
	h := handler(t, w, hub)
	p.header = http.Header{}
	ctx, cancel := context.WithCancel(t.Context())
	req := httptest.NewRequestWithContext(ctx, http.MethodGet, "/api/v1/live", nil)
	req.AddCookie(&http.Cookie{Name: "th_session", Value: "token-farmer"})
	done := make(chan struct{})
	go func() {
		defer close(done)
		h.ServeHTTP(p, req)
	}()
	t.Cleanup(func() { cancel(); <-done })
	synctest.Wait()
	return done
}

func isDone(done <-chan struct{}) bool {
	synctest.Wait()
	select {
	case <-done:
		return true
	default:
		return false
	}
}

func TestHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, p := newWorld(), &paper{}
		done := listen(t, w, &api.Hub{}, p)
		time.Sleep(time.Hour)
		synctest.Wait()
		want(t, "comments in an hour", 240, strings.Count(p.String(), "\n:\n"))
		if isDone(done) {
			t.Error("the stream ended by itself")
		}
	})
}

// Whoever logs out, or becomes somebody else, hears no more.
func TestStreamEndsWithItsSession(t *testing.T) {
	for name, change := range map[string]func(w *world){
		"logged out": func(w *world) { delete(w.tokens, "token-farmer") },
		"moved":      func(w *world) { w.tokens["token-farmer"] = accounts["stranger"] },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, p := newWorld(), &paper{}
				done := listen(t, w, &api.Hub{}, p)
				time.Sleep(time.Minute)
				w.mu.Lock()
				change(w)
				w.mu.Unlock()
				time.Sleep(16 * time.Second)
				if !isDone(done) {
					t.Error("the stream goes on")
				}
			})
		})
	}
}

// Who does not read is dropped; nobody waits for it.
func TestSlowClientIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, hub := newWorld(), &api.Hub{}
		slow, quick := &paper{}, &paper{}
		slowDone := listen(t, w, hub, slow)
		quickDone := listen(t, w, hub, quick)
		slow.mu.Lock()
		slow.stuck = make(chan struct{})
		slow.mu.Unlock()
		const events = api.MaxStreamLag + 1000
		for i := range events {
			see(t, hub, oxygen(noon.Add(time.Duration(i)*time.Second), float64(i), ingest.Good))
			synctest.Wait()
		}
		want(t, "events of the quick one", events, strings.Count(quick.String(), "event: "))
		close(slow.stuck)
		if !isDone(slowDone) {
			t.Error("the slow client was not dropped")
		}
		if isDone(quickDone) {
			t.Error("the quick one was")
		}
	})
}

// Many speak and many listen at once, and everybody hears everything.
func TestHubTogether(t *testing.T) {
	const speakers, each, listeners = 4, 50, 8
	base, hub := serve(t, newWorld())
	var feeds []*feed
	for range listeners {
		feeds = append(feeds, follow(t, base, "farmer", ""))
	}
	var wg sync.WaitGroup
	for d := range speakers {
		wg.Go(func() {
			for i := range each {
				o := oxygen(noon.Add(time.Duration(i)*time.Second), 1, ingest.Good)
				o.Device = fmt.Sprint("d", d)
				see(t, hub, o)
			}
		})
	}
	wg.Wait()
	for _, f := range feeds {
		for range speakers * each {
			f.next()
		}
	}
	hub.Close()
	for _, f := range feeds {
		if !f.ended() {
			t.Error("heard more, or the stream broke")
		}
	}
}

// BenchmarkFanOut is one observation on its way to every client, over TCP.
func BenchmarkFanOut(b *testing.B) {
	for _, clients := range []int{0, 10, 100} {
		b.Run(fmt.Sprint(clients), func(b *testing.B) {
			base, hub := serve(b, newWorld())
			var heard atomic.Int64
			for range clients {
				f := follow(b, base, "farmer", "")
				go func() {
					for f.lines.Scan() {
						if f.lines.Text() == "" {
							heard.Add(1)
						}
					}
				}()
			}
			o := []ingest.Observation{oxygen(noon, 6, ingest.Good)}
			b.ReportAllocs()
			sent := int64(0)
			for b.Loop() {
				o[0].Time = o[0].Time.Add(time.Second)
				o[0].Received = o[0].Time
				see(b, hub, o...)
				// Nobody may fall behind, or it would be dropped.
				for sent++; sent%100 == 0 && heard.Load() < sent*int64(clients); {
					runtime.Gosched()
				}
			}
		})
	}
}
