package influx_test

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tianhai/farm"
	"tianhai/ingest"
	"tianhai/ingest/influx"
)

// series makes n observations a minute apart, the last at end.
func series(tb testing.TB, tenant, device string, end time.Time, n int) []ingest.Observation {
	tb.Helper()
	obs := make([]ingest.Observation, n)
	for i := range obs {
		obs[i] = ingest.Observation{
			Device: device, Place: ingest.Place{Tenant: tenant, Site: "s", Region: "450512"},
			Time:     end.Add(time.Duration(i-n+1) * time.Minute),
			Readings: good(tb, "water.temperature", float64(i), "water.ph", 7.0, "device.battery", 3.6),
		}
	}
	return obs
}

// stored returns how many temperatures of a tenant there are in the hours
// around obs.
func stored(t *testing.T, c *influx.Client, tenant string, obs []ingest.Observation) int {
	t.Helper()
	s, err := c.Series(t.Context(), influx.SeriesQuery{
		Tenant: tenant, Quantity: quantity(t, "water.temperature"),
		From: obs[0].Time.Add(-time.Hour), To: obs[len(obs)-1].Time.Add(time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	return s.N
}

func TestWrite(t *testing.T) {
	each(t, func(t *testing.T, opt influx.Options) {
		for name, gzip := range map[string]bool{"plain": false, "gzip": true} {
			t.Run(name, func(t *testing.T) {
				opt.Gzip = gzip
				c := dial(t, opt)
				tenant := fmt.Sprintf("write-%s-%d", name, time.Now().UnixNano())
				obs := series(t, tenant, "d", now(), 6000) // 12,000 lines, several requests
				for range 2 {                              // the second time changes nothing
					if err := c.Write(t.Context(), obs); err != nil {
						t.Fatal(err)
					}
					if n := stored(t, c, tenant, obs); n != len(obs) {
						t.Errorf("%d stored, want %d", n, len(obs))
					}
				}
			})
		}
	})
}

func TestWriteNothing(t *testing.T) {
	each(t, func(t *testing.T, opt influx.Options) {
		c := dial(t, opt)
		if err := c.Write(t.Context(), nil); err != nil {
			t.Error(err)
		}
		if err := c.Write(t.Context(), []ingest.Observation{{Device: "d", Time: now()}}); err != nil {
			t.Error(err)
		}
	})
}

// raw posts lines that Write would never make.
func raw(t *testing.T, opt influx.Options, lines string) {
	t.Helper()
	bucket := opt.Bucket
	if bucket == "" {
		bucket = influx.DefaultBucket
	}
	q := url.Values{"org": {opt.Org}, "bucket": {bucket}, "precision": {"ms"}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, opt.URL+"/api/v2/write?"+q.Encode(), strings.NewReader(lines))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Token "+opt.Token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusNoContent {
		t.Fatalf("answered %d: %s", resp.StatusCode, body)
	}
}

// A field that already has another type makes InfluxDB drop the points with it
// and keep the rest: the observations at fault must be named, and only they.
func TestWritePartly(t *testing.T) {
	each(t, func(t *testing.T, opt influx.Options) {
		c := dial(t, opt)
		tenant := fmt.Sprintf("partly-%d", time.Now().UnixNano())
		odd := farm.Quantity{ID: fmt.Sprintf("water.odd_%d", time.Now().UnixNano())}
		raw(t, opt, fmt.Sprintf("water,tenant=%s %s=1i %d", tenant, odd.Field(), now().UnixMilli()))

		obs := series(t, tenant, "d", now(), 300)
		bad := []int{0, 17, 18, 299}
		for _, i := range bad {
			obs[i].Readings = append(obs[i].Readings, ingest.Reading{Quantity: odd, Value: 1.5, Flag: ingest.Good})
		}
		obs[100].Device = "two\nlines" // never sent at all
		bad = append(bad, 100)

		err := c.Write(t.Context(), obs)
		rejected := (*ingest.RejectedError)(nil)
		if !errors.As(err, &rejected) {
			t.Fatalf("error %v, want a RejectedError", err)
		}
		named := map[int]bool{}
		for _, r := range rejected.Rejections {
			named[r.Index] = true
			if r.Err == nil {
				t.Errorf("observation %d is rejected without a reason", r.Index)
			}
		}
		for _, i := range bad {
			if !named[i] {
				t.Errorf("observation %d is not named", i)
			}
		}
		if len(rejected.Rejections) != len(bad) {
			t.Errorf("rejected %v, want only %v", rejected.Rejections, bad)
		}
		if n := stored(t, c, tenant, obs); n != len(obs)-len(bad) {
			t.Errorf("%d stored, want %d", n, len(obs)-len(bad))
		}
	})
}

// between puts a proxy before a real server that lets through what pass does
// not answer.
func between(t *testing.T, opt influx.Options, pass func(w http.ResponseWriter, r *http.Request) bool) influx.Options {
	t.Helper()
	target, err := url.Parse(opt.URL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if pass(w, r) {
			proxy.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(srv.Close)
	opt.URL = srv.URL
	return opt
}

func TestWriteSplitsWhatIsTooLarge(t *testing.T) {
	each(t, func(t *testing.T, opt influx.Options) {
		var refused atomic.Int64
		c := dial(t, between(t, opt, func(w http.ResponseWriter, r *http.Request) bool {
			if strings.HasSuffix(r.URL.Path, "/write") && r.ContentLength > 4096 {
				refused.Add(1)
				http.Error(w, "too large", http.StatusRequestEntityTooLarge)
				return false
			}
			return true
		}))
		tenant := fmt.Sprintf("large-%d", time.Now().UnixNano())
		obs := series(t, tenant, "d", now(), 200)
		if err := c.Write(t.Context(), obs); err != nil {
			t.Fatal(err)
		}
		if n := stored(t, c, tenant, obs); n != len(obs) || refused.Load() == 0 {
			t.Errorf("%d of %d stored after %d refusals", n, len(obs), refused.Load())
		}
	})
}

// Whatever is not a fault of the data is to be tried again, and says for how
// long to wait.
func TestWriteMustBeRepeated(t *testing.T) {
	each(t, func(t *testing.T, opt influx.Options) {
		for _, status := range []int{401, 403, 404, 429, 500, 502, 503, 504} {
			t.Run(http.StatusText(status), func(t *testing.T) {
				var broken atomic.Bool
				c := dial(t, between(t, opt, func(w http.ResponseWriter, r *http.Request) bool {
					if !broken.Load() || !strings.HasSuffix(r.URL.Path, "/write") {
						return true
					}
					w.Header().Set("Retry-After", "7")
					w.WriteHeader(status)
					return false
				}))
				tenant := fmt.Sprintf("again-%d-%d", status, time.Now().UnixNano())
				obs := series(t, tenant, "d", now(), 3)
				broken.Store(true)
				err := c.Write(t.Context(), obs)
				if e := (*influx.Error)(nil); !errors.As(err, &e) || e.Status != status || e.RetryAfter() != 7*time.Second {
					t.Fatalf("error %#v", err)
				}
				broken.Store(false)
				if err := c.Write(t.Context(), obs); err != nil {
					t.Fatal(err)
				}
				if n := stored(t, c, tenant, obs); n != len(obs) {
					t.Errorf("%d stored, want %d", n, len(obs))
				}
			})
		}
	})
}

// A database that somebody dropped is made again, and nothing is lost.
func TestWriteRestoresDatabase(t *testing.T) {
	srv := serve(t, influx.ServerOptions{})
	c := dial(t, influx.Options{URL: srv.URL(), Token: srv.Token()})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL()+"/query?q=DROP+DATABASE+"+influx.DefaultDatabase, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Token "+srv.Token())
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	// The status comes before the work: who goes away then interrupts it.
	if body, err := io.ReadAll(resp.Body); err != nil || strings.Contains(string(body), "error") {
		t.Fatalf("drop database: %s, %v", body, err)
	}
	obs := series(t, "t", "d", now(), 3)
	if e := (*influx.Error)(nil); !errors.As(c.Write(t.Context(), obs), &e) || e.Status != http.StatusNotFound {
		t.Errorf("Write without a database: %v, want 404", e)
	}
	if err := c.Write(t.Context(), obs); err != nil {
		t.Fatal(err)
	}
	if n := stored(t, c, "t", obs); n != len(obs) {
		t.Errorf("%d stored, want %d", n, len(obs))
	}
}

// A client opened before its server works once the server is there, and makes
// the database that it was told to use.
func TestOpenBeforeServer(t *testing.T) {
	dir := t.TempDir()
	srv := serve(t, influx.ServerOptions{Dir: dir})
	opt := influx.Options{URL: srv.URL(), Token: srv.Token(), Bucket: "elsewhere/autogen"}
	shut(t, srv)

	var log strings.Builder
	opt.Logger = slog.New(slog.NewTextHandler(&log, nil))
	c := dial(t, opt)
	if !strings.Contains(log.String(), "out of reach") {
		t.Errorf("log %q does not say that InfluxDB is out of reach", log.String())
	}
	obs := series(t, "t", "d", now(), 3)
	if e := (*influx.Error)(nil); !errors.As(c.Write(t.Context(), obs), &e) || e.Status != 0 {
		t.Errorf("Write without a server: %v", e)
	}
	serve(t, influx.ServerOptions{Dir: dir, Addr: strings.TrimPrefix(opt.URL, "http://")})
	if err := c.Write(t.Context(), obs); err != nil {
		t.Fatal(err)
	}
	if n := stored(t, c, "t", obs); n != len(obs) {
		t.Errorf("%d stored, want %d", n, len(obs))
	}
}

func TestOpenRefuses(t *testing.T) {
	srv := serve(t, influx.ServerOptions{})
	for name, opt := range map[string]influx.Options{
		"no URL":                 {},
		"no scheme":              {URL: "127.0.0.1:8086"},
		"another scheme":         {URL: "udp://127.0.0.1:8086"},
		"credentials in the URL": {URL: "http://tianhai:secret@127.0.0.1:8086"},
		"wrong token":            {URL: srv.URL(), Token: "tianhai:secret"},
		"unknown policy":         {URL: srv.URL(), Token: srv.Token(), Bucket: "tianhai/forever"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := influx.Open(t.Context(), opt)
			if err == nil {
				t.Fatal("opened")
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("error has the password: %v", err)
			}
		})
	}
}
