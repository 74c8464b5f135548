package influx_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tianhai/ingest"
	"tianhai/ingest/influx"
)

func serve(t *testing.T, opt influx.ServerOptions) *influx.Server {
	t.Helper()
	if opt.Dir == "" {
		opt.Dir = t.TempDir()
	}
	if opt.Addr == "" {
		opt.Addr = "127.0.0.1:0"
	}
	srv, err := influx.OpenServer(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shut(t, srv) })
	return srv
}

func shut(t *testing.T, c io.Closer) {
	t.Helper()
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

func dial(t *testing.T, opt influx.Options) *influx.Client {
	t.Helper()
	c, err := influx.Open(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// each runs a test against the embedded server, and against the one outside
// where INFLUX_URL is set, with INFLUX_TOKEN, INFLUX_ORG and INFLUX_BUCKET.
func each(t *testing.T, test func(t *testing.T, opt influx.Options)) {
	t.Run("embedded", func(t *testing.T) {
		srv := serve(t, influx.ServerOptions{})
		test(t, influx.Options{URL: srv.URL(), Token: srv.Token()})
	})
	t.Run("outside", func(t *testing.T) {
		url := os.Getenv("INFLUX_URL")
		if url == "" {
			t.Skip("INFLUX_URL is not set: tested against the embedded InfluxDB only")
		}
		test(t, influx.Options{URL: url, Token: os.Getenv("INFLUX_TOKEN"), Org: os.Getenv("INFLUX_ORG"), Bucket: os.Getenv("INFLUX_BUCKET")})
	})
}

// now is a recent whole minute, so that Latest looks that far back.
func now() time.Time { return time.Now().UTC().Truncate(time.Minute) }

func TestServerKeepsData(t *testing.T) {
	dir := t.TempDir()
	srv := serve(t, influx.ServerOptions{Dir: dir})
	o := station(t)
	o.Time = now()
	if err := dial(t, influx.Options{URL: srv.URL(), Token: srv.Token()}).Write(t.Context(), []ingest.Observation{o}); err != nil {
		t.Fatal(err)
	}
	shut(t, srv)

	again := serve(t, influx.ServerOptions{Dir: dir})
	if again.Token() != srv.Token() {
		t.Error("another password after a restart")
	}
	got, err := dial(t, influx.Options{URL: again.URL(), Token: again.Token()}).Latest(t.Context(), influx.Scope{Device: o.Device})
	if err != nil || len(got) != len(o.Readings) {
		t.Errorf("%d of %d readings after a restart, error %v", len(got), len(o.Readings), err)
	}
}

func TestServerRefusesStrangers(t *testing.T) {
	srv := serve(t, influx.ServerOptions{})
	for name, token := range map[string]string{"nobody": "", "wrong password": "tianhai:guess", "unknown user": "admin:" + strings.Repeat("x", 52)} {
		t.Run(name, func(t *testing.T) {
			for _, path := range []string{"/query?q=SHOW+DATABASES", "/query?db=tianhai&q=SELECT+*+FROM+water", "/write?db=tianhai", "/api/v2/write?bucket=tianhai/autogen"} {
				req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL()+path, strings.NewReader("water ph=1 1"))
				if err != nil {
					t.Fatal(err)
				}
				if token != "" {
					req.Header.Set("Authorization", "Token "+token)
				}
				resp, err := http.DefaultClient.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
				if resp.StatusCode != http.StatusUnauthorized {
					t.Errorf("%s answered %d", path, resp.StatusCode)
				}
			}
			_, err := influx.Open(t.Context(), influx.Options{URL: srv.URL(), Token: token})
			if e := (*influx.Error)(nil); !errors.As(err, &e) || e.Status != http.StatusUnauthorized {
				t.Errorf("Open: %v, want 401", err)
			}
		})
	}
}

func TestServerPasswordFile(t *testing.T) {
	dir := t.TempDir()
	srv := serve(t, influx.ServerOptions{Dir: dir})
	file := filepath.Join(dir, "password")
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	// A lost file means a new password, and the old one opens nothing.
	shut(t, srv)
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	again := serve(t, influx.ServerOptions{Dir: dir})
	dial(t, influx.Options{URL: again.URL(), Token: again.Token()})
	if _, err := influx.Open(t.Context(), influx.Options{URL: again.URL(), Token: srv.Token()}); err == nil {
		t.Error("the old password still opens")
	}
}

func TestServerRefusesToListenOutside(t *testing.T) {
	for _, addr := range []string{"0.0.0.0:0", ":0", "[::]:0", "192.0.2.1:0", "8086"} {
		dir := filepath.Join(t.TempDir(), "influx")
		if _, err := influx.OpenServer(t.Context(), influx.ServerOptions{Dir: dir, Addr: addr}); err == nil {
			t.Errorf("%s: listens", addr)
		}
		if _, err := os.Stat(dir); err == nil {
			t.Errorf("%s: refused, but made its directory", addr)
		}
	}
}

func TestServersSideBySide(t *testing.T) {
	a, b := serve(t, influx.ServerOptions{}), serve(t, influx.ServerOptions{})
	o := station(t)
	o.Time = now()
	if err := dial(t, influx.Options{URL: a.URL(), Token: a.Token()}).Write(t.Context(), []ingest.Observation{o}); err != nil {
		t.Fatal(err)
	}
	if got, err := dial(t, influx.Options{URL: b.URL(), Token: b.Token()}).Latest(t.Context(), influx.Scope{}); err != nil || len(got) != 0 {
		t.Errorf("the other server has %v, error %v", got, err)
	}
	if _, err := influx.Open(t.Context(), influx.Options{URL: b.URL(), Token: a.Token()}); err == nil {
		t.Error("one server's password opens the other")
	}
}

func TestServerFailsClearly(t *testing.T) {
	t.Run("port in use", func(t *testing.T) {
		srv := serve(t, influx.ServerOptions{})
		addr := strings.TrimPrefix(srv.URL(), "http://")
		_, err := influx.OpenServer(t.Context(), influx.ServerOptions{Dir: t.TempDir(), Addr: addr})
		if err == nil || !strings.Contains(err.Error(), addr) {
			t.Errorf("error %v does not name %s", err, addr)
		}
	})
	t.Run("damaged metadata", func(t *testing.T) {
		dir := t.TempDir()
		shut(t, serve(t, influx.ServerOptions{Dir: dir}))
		if err := os.WriteFile(filepath.Join(dir, "meta", "meta.db"), []byte("\xff\xffnot metadata"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := influx.OpenServer(t.Context(), influx.ServerOptions{Dir: dir, Addr: "127.0.0.1:0"}); err == nil || !strings.Contains(err.Error(), dir) {
			t.Errorf("error %v does not name %s", err, dir)
		}
	})
	t.Run("damaged series index", func(t *testing.T) {
		dir := t.TempDir()
		srv := serve(t, influx.ServerOptions{Dir: dir})
		if err := dial(t, influx.Options{URL: srv.URL(), Token: srv.Token()}).Write(t.Context(), []ingest.Observation{station(t)}); err != nil {
			t.Fatal(err)
		}
		shut(t, srv)
		segments, err := filepath.Glob(filepath.Join(dir, "data", influx.DefaultDatabase, "_series", "*", "0000"))
		if err != nil || len(segments) == 0 {
			t.Fatalf("no series segments in %s: %v", dir, err)
		}
		for _, file := range segments {
			if err := os.WriteFile(file, []byte("damaged"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := influx.OpenServer(t.Context(), influx.ServerOptions{Dir: dir, Addr: "127.0.0.1:0"}); err == nil || !strings.Contains(err.Error(), dir) {
			t.Errorf("error %v does not name %s", err, dir)
		}
	})
	t.Run("empty password", func(t *testing.T) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "password"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := influx.OpenServer(t.Context(), influx.ServerOptions{Dir: dir, Addr: "127.0.0.1:0"}); err == nil {
			t.Error("starts without a password")
		}
	})
	t.Run("no directory", func(t *testing.T) {
		if _, err := influx.OpenServer(t.Context(), influx.ServerOptions{Addr: "127.0.0.1:0"}); err == nil {
			t.Error("starts")
		}
	})
}

// InfluxDB writes the list of a shard's index files in place: a crash may leave it
// empty or cut short. All series are there afterwards, and new ones are taken.
func TestServerMendsIndex(t *testing.T) {
	for name, size := range map[string]int64{"empty": 0, "cut short": 20} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			var obs []ingest.Observation
			for i := range 200 {
				o := station(t)
				o.Device, o.Time = fmt.Sprintf("station-%03d", i), time.Now()
				obs = append(obs, o)
			}
			series := func(srv *influx.Server) int {
				t.Helper()
				latest, err := dial(t, influx.Options{URL: srv.URL(), Token: srv.Token()}).Latest(t.Context(), influx.Scope{})
				if err != nil {
					t.Fatal(err)
				}
				devices := map[string]bool{}
				for _, l := range latest {
					devices[l.Device] = true
				}
				return len(devices)
			}
			write := func(srv *influx.Server, some []ingest.Observation) {
				t.Helper()
				if err := dial(t, influx.Options{URL: srv.URL(), Token: srv.Token()}).Write(t.Context(), some); err != nil {
					t.Fatal(err)
				}
			}
			srv := serve(t, influx.ServerOptions{Dir: dir})
			write(srv, obs[:100])
			if n := series(srv); n != 100 {
				t.Fatalf("%d devices are found, want 100", n)
			}
			shut(t, srv)
			lists, err := filepath.Glob(filepath.Join(dir, "data", "*", "*", "*", "index", "*", "MANIFEST"))
			if err != nil || len(lists) == 0 {
				t.Fatalf("no lists of index files: %v", err)
			}
			for _, list := range lists {
				if err := os.Truncate(list, size); err != nil {
					t.Fatal(err)
				}
			}
			srv = serve(t, influx.ServerOptions{Dir: dir})
			if n := series(srv); n != 100 {
				t.Errorf("%d devices are found, want 100", n)
			}
			write(srv, obs[100:])
			shut(t, srv)
			if n := series(serve(t, influx.ServerOptions{Dir: dir})); n != 200 {
				t.Errorf("%d devices are found after another start, want 200", n)
			}
		})
	}
}

// The embedded server says nothing at the levels people read, and never its
// password.
func TestServerIsQuiet(t *testing.T) {
	var loud, all bytes.Buffer
	dir := t.TempDir()
	srv := serve(t, influx.ServerOptions{Dir: dir, Logger: slog.New(slog.NewTextHandler(&all, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	if err := dial(t, influx.Options{URL: srv.URL(), Token: srv.Token()}).Write(t.Context(), []ingest.Observation{station(t)}); err != nil {
		t.Fatal(err)
	}
	shut(t, srv)
	if all.Len() == 0 || strings.Contains(all.String(), strings.TrimPrefix(srv.Token(), "tianhai:")) {
		t.Errorf("debug log is empty or has the password:\n%s", all.String())
	}
	quiet := serve(t, influx.ServerOptions{Dir: dir, Logger: slog.New(slog.NewTextHandler(&loud, nil))})
	shut(t, quiet)
	if loud.Len() > 0 {
		t.Errorf("logged\n%s", loud.String())
	}
}
