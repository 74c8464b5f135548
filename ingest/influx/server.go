package influx

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/influxdata/influxdb/cmd/influxd/run"
	"github.com/influxdata/influxdb/services/httpd"
	"github.com/influxdata/influxdb/services/meta"
	"github.com/influxdata/influxdb/services/precreator"
	"github.com/influxdata/influxdb/services/retention"
	"github.com/influxdata/influxdb/services/storage"
	"github.com/influxdata/influxdb/toml"
)

// DefaultAddr is where the embedded server listens when not told otherwise.
const DefaultAddr = "127.0.0.1:8086"

const (
	serverUser    = "tianhai"
	passwordFile  = "password"
	serverVersion = "1.8.10"
	queryTimeout  = time.Minute
)

// ServerOptions say where an embedded server keeps its data and listens.
type ServerOptions struct {
	Dir    string       // created when absent; required
	Addr   string       // host:port on a loopback interface; "" means DefaultAddr, port 0 any free one
	Logger *slog.Logger // nil discards
}

// A Server is an InfluxDB 1.8.10 inside this process.
//
// It listens on one loopback port and nothing else: the backup, monitoring,
// usage reporting, Flux and foreign-protocol services of influxd are not
// started. Every request must carry the password, which is made at the first
// start and kept, readable by the owner alone, in the file "password" of the
// directory. A write is answered after its log is synced to disk. The number
// of series is not limited; they are indexed on disk.
type Server struct {
	url, password string
	close         func() error
}

// OpenServer starts a server and returns when it answers. It refuses an address
// off the loopback interface, damaged metadata and a damaged series index. A
// data file that cannot be read InfluxDB sets aside as .bad, and says so in the
// log; a torn end of its write-ahead log it cuts off. A list of index files that a
// crash cut short is made anew.
func OpenServer(ctx context.Context, opt ServerOptions) (*Server, error) {
	if opt.Dir == "" {
		return nil, errors.New("open influxdb: no directory given")
	}
	if opt.Addr == "" {
		opt.Addr = DefaultAddr
	}
	if err := checkLoopback(ctx, opt.Addr); err != nil {
		return nil, fmt.Errorf("open influxdb: %w", err)
	}
	if opt.Logger == nil {
		opt.Logger = slog.New(slog.DiscardHandler)
	}
	if err := os.MkdirAll(opt.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("open influxdb: %w", err)
	}
	password, err := loadPassword(filepath.Join(opt.Dir, passwordFile))
	if err != nil {
		return nil, fmt.Errorf("open influxdb: %w", err)
	}
	if err := mendIndexes(opt.Dir, opt.Logger); err != nil {
		return nil, fmt.Errorf("open influxdb in %s: %w", opt.Dir, err)
	}
	cfg := serverConfig(opt)
	srv, err := run.NewServer(cfg, &run.BuildInfo{Version: serverVersion})
	if err != nil {
		return nil, fmt.Errorf("open influxdb in %s: %w", opt.Dir, err)
	}
	srv.SetLogOutput(logWriter{opt.Logger})
	addr, err := start(srv, cfg, password)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open influxdb in %s: %w", opt.Dir, err), srv.Close())
	}
	return &Server{
		url:      "http://" + addr.String(),
		password: password,
		close:    sync.OnceValue(srv.Close),
	}, nil
}

// URL returns where the server listens.
func (s *Server) URL() string { return s.url }

// Token returns the credentials as Options.Token wants them: "user:password".
func (s *Server) Token() string { return serverUser + ":" + s.password }

// Close answers what is under way, writes out what is in memory and stops.
func (s *Server) Close() error { return s.close() }

func serverConfig(opt ServerOptions) *run.Config {
	c := run.NewConfig()
	c.ReportingDisabled = true
	c.Meta.Dir = filepath.Join(opt.Dir, "meta")
	c.Meta.LoggingEnabled = false
	c.Data.Dir = filepath.Join(opt.Dir, "data")
	c.Data.WALDir = filepath.Join(opt.Dir, "wal")
	c.Data.Index = "tsi1"
	c.Data.QueryLogEnabled = false
	c.Data.MaxSeriesPerDatabase = 0
	c.Data.MaxValuesPerTag = 0
	c.Coordinator.QueryTimeout = toml.Duration(queryTimeout)
	c.Monitor.StoreEnabled = false
	c.Subscriber.Enabled = false
	c.ContinuousQuery.Enabled = false
	c.HTTPD.BindAddress = opt.Addr
	c.HTTPD.AuthEnabled = true
	c.HTTPD.PingAuthEnabled = true
	c.HTTPD.PromReadAuthEnabled = true
	c.HTTPD.PprofEnabled = false
	c.HTTPD.LogEnabled = false
	c.HTTPD.FluxEnabled = false
	return c
}

// start opens the parts of srv that Tianhai needs. run.Server.Open would also
// open a TCP port that hands a backup to anyone who connects.
func start(srv *run.Server, cfg *run.Config, password string) (net.Addr, error) {
	if err := ensureUser(srv.MetaClient, password); err != nil {
		return nil, err
	}
	if _, err := srv.MetaClient.CreateDatabase(DefaultDatabase); err != nil {
		return nil, fmt.Errorf("create database: %w", err)
	}
	srv.TSDBStore.WithLogger(srv.Logger)
	if err := srv.TSDBStore.Open(); err != nil {
		return nil, fmt.Errorf("open data: %w", err)
	}
	srv.PointsWriter.MetaClient = srv.MetaClient
	srv.PointsWriter.WithLogger(srv.Logger)
	if err := srv.PointsWriter.Open(); err != nil {
		return nil, fmt.Errorf("open writer: %w", err)
	}
	shards := precreator.NewService(cfg.Precreator)
	shards.MetaClient = srv.MetaClient
	expiry := retention.NewService(cfg.Retention)
	expiry.MetaClient, expiry.TSDBStore = srv.MetaClient, srv.TSDBStore
	web := newHTTP(srv, cfg.HTTPD)
	for _, part := range []run.Service{shards, expiry, web} {
		part.WithLogger(srv.Logger)
		if err := part.Open(); err != nil {
			return nil, err
		}
		srv.Services = append(srv.Services, part)
	}
	return web.Addr(), nil
}

func newHTTP(srv *run.Server, cfg httpd.Config) *httpd.Service {
	web := httpd.NewService(cfg)
	h := web.Handler
	h.Version, h.BuildType = serverVersion, "OSS"
	h.MetaClient = srv.MetaClient
	h.QueryAuthorizer = meta.NewQueryAuthorizer(srv.MetaClient)
	h.WriteAuthorizer = meta.NewWriteAuthorizer(srv.MetaClient)
	h.QueryExecutor = srv.QueryExecutor
	h.PointsWriter = srv.PointsWriter
	h.Monitor = srv.Monitor
	h.Store = storage.NewStore(srv.TSDBStore, srv.MetaClient)
	return web
}

// ensureUser makes the one user with this password, also when a start was
// interrupted or the password file was lost.
func ensureUser(users *meta.Client, password string) error {
	_, err := users.Authenticate(serverUser, password)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, meta.ErrUserNotFound):
		_, err = users.CreateUser(serverUser, password, true)
	default:
		err = users.UpdateUser(serverUser, password)
	}
	if err != nil {
		return fmt.Errorf("set password: %w", err)
	}
	return nil
}

// loadPassword reads the password, or makes one of 256 random bits.
func loadPassword(file string) (string, error) {
	b, err := os.ReadFile(file)
	if err == nil {
		if p := strings.TrimSpace(string(b)); len(p) >= 32 {
			return p, nil
		}
		return "", fmt.Errorf("password file %s: too short; remove it to have a new one made", file)
	}
	if !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("read password: %w", err)
	}
	password := rand.Text() + rand.Text()
	f, err := os.CreateTemp(filepath.Dir(file), passwordFile) // mode 0600
	if err != nil {
		return "", fmt.Errorf("write password: %w", err)
	}
	_, err = f.WriteString(password)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		return "", fmt.Errorf("write password: %w", err)
	}
	return password, nil
}

// ServerToken returns the credentials of the server that keeps its data in a
// directory, for another process of the same owner.
func ServerToken(dir string) (string, error) {
	raw, err := os.ReadFile(filepath.Join(dir, passwordFile))
	if err != nil {
		return "", fmt.Errorf("read password: %w", err)
	}
	return serverUser + ":" + strings.TrimSpace(string(raw)), nil
}

func checkLoopback(ctx context.Context, addr string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("address %q: %w", addr, err)
	}
	if host == "" {
		return fmt.Errorf("address %q is every interface; use 127.0.0.1", addr)
	}
	ips, err := net.DefaultResolver.LookupIPAddr(ctx, host)
	if err != nil {
		return fmt.Errorf("address %q: %w", addr, err)
	}
	for _, ip := range ips {
		if !ip.IP.IsLoopback() {
			return fmt.Errorf("address %q is not on the loopback interface; use 127.0.0.1", addr)
		}
	}
	return nil
}

// logWriter passes InfluxDB's warnings and errors on and drops its chatter.
type logWriter struct{ log *slog.Logger }

func (w logWriter) Write(p []byte) (int, error) {
	level := slog.LevelDebug
	switch {
	case bytes.Contains(p, []byte(" lvl=error ")):
		level = slog.LevelError
	case bytes.Contains(p, []byte(" lvl=warn ")):
		level = slog.LevelWarn
	}
	w.log.Log(context.Background(), level, "embedded influxdb", "line", string(bytes.TrimSpace(p)))
	return len(p), nil
}
