// Package influx keeps readings in InfluxDB: it has the writer, the reader, and
// an embedded server for those who have none.
//
// Write returns nil only when InfluxDB has every observation and its answer says
// so, and it never drops one: what InfluxDB will not take is named, whatever
// else goes wrong may be tried again. Repeats are harmless, because a point is
// keyed by series and time. Readers leave failed values out of every number.
//
// The same code serves InfluxDB 1.8, 2.x and 3: it writes by /api/v2/write and
// reads InfluxQL by /query, which all three have.
package influx

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	influxdb2 "github.com/influxdata/influxdb-client-go/v2"
	"github.com/influxdata/influxdb-client-go/v2/api"
	ihttp "github.com/influxdata/influxdb-client-go/v2/api/http"
)

// Options say which InfluxDB to use.
type Options struct {
	URL    string // http:// or https://; required
	Token  string // for 1.8 "user:password"
	Org    string // 2.x only
	Bucket string // for 1.8 "database/policy"; "" means DefaultBucket
	Gzip   bool   // compress writes: worth it over a network, not on one machine
	Logger *slog.Logger
	Now    func() time.Time // nil: time.Now
}

// A Client writes to and reads from one bucket. It may be used concurrently.
type Client struct {
	opt      Options
	db, rp   string // as InfluxQL names the bucket
	influx   influxdb2.Client
	writer   api.WriteAPIBlocking
	service  ihttp.Service
	batches  sync.Pool // *batch
	marks    marks
	complete atomic.Bool // everything in the bucket was seen to be marked

	mu    sync.Mutex // guards ready
	ready bool       // the bucket was seen to exist
}

// An Error reports that InfluxDB did not answer, or answered with something
// other than a fault of the data: trying again later may succeed.
type Error struct {
	Op     string        // such as "write readings"
	Status int           // of HTTP; 0 when there was no answer
	Wait   time.Duration // how long InfluxDB asked to be left alone; 0 when it did not say
	Err    error
}

func (e *Error) Error() string {
	if e.Status == 0 {
		return fmt.Sprintf("%s: %v", e.Op, e.Err)
	}
	return fmt.Sprintf("%s: influxdb answered %d: %v", e.Op, e.Status, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

// RetryAfter returns how long InfluxDB asked to be left alone, 0 when it did not.
func (e *Error) RetryAfter() time.Duration { return e.Wait }

// Limits of one exchange with InfluxDB.
const (
	writeTimeout = 30 * time.Second
	batchTimeout = 5 * time.Minute // for one batch in all its parts
	maxRetryWait = 5 * time.Minute // the longest Retry-After believed
)

// Open returns a client of a bucket, which it creates when missing. It fails
// when InfluxDB refuses the token or the bucket; when InfluxDB is out of reach
// it says so in the log and succeeds, and the first Write tries again.
func Open(ctx context.Context, opt Options) (*Client, error) {
	u, err := url.Parse(opt.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil {
		return nil, errors.New("open influxdb: the URL must be http://host:port or https://host:port, with credentials in the token only")
	}
	if opt.Bucket == "" {
		opt.Bucket = DefaultBucket
	}
	if opt.Logger == nil {
		opt.Logger = slog.New(slog.DiscardHandler)
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	set := influxdb2.DefaultOptions().
		SetPrecision(time.Millisecond).
		SetUseGZip(opt.Gzip).
		SetApplicationName("tianhai").
		SetHTTPClient(&http.Client{Transport: transport()})
	c := &Client{opt: opt, influx: influxdb2.NewClientWithOptions(opt.URL, opt.Token, set)}
	c.db, c.rp, _ = strings.Cut(opt.Bucket, "/")
	c.service = c.influx.HTTPService()
	c.writer = c.influx.WriteAPIBlocking(opt.Org, opt.Bucket)
	c.batches.New = func() any { return new(batch) }

	err = c.ensureBucket(ctx)
	if e := (*Error)(nil); errors.As(err, &e) && (e.Status == 0 || e.Status >= 500) && ctx.Err() == nil {
		opt.Logger.WarnContext(ctx, "influxdb is out of reach, going on without", "url", opt.URL, "error", err)
		return c, nil
	}
	if err != nil {
		c.Close()
		return nil, fmt.Errorf("open influxdb at %s: %w", opt.URL, err)
	}
	return c, nil
}

// Close lets go of idle connections.
func (c *Client) Close() {
	c.influx.Close()
	c.influx.Options().HTTPClient().CloseIdleConnections()
}

func transport() *http.Transport {
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
		TLSHandshakeTimeout: 5 * time.Second,
		MaxIdleConnsPerHost: 32,
		IdleConnTimeout:     90 * time.Second,
		DisableCompression:  true,
	}
}

// ensureBucket creates the bucket unless it was seen to exist.
func (c *Client) ensureBucket(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ready {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	version, err := c.version(ctx)
	if err != nil {
		return err
	}
	switch {
	case strings.HasPrefix(version, "1"):
		err = c.ensureDatabase(ctx)
	case strings.HasPrefix(version, "2"):
		err = c.ensureBucketV2(ctx)
	default: // 3 creates a database with the first write
	}
	c.ready = err == nil
	return err
}

// version returns what the server says it is, without the leading v.
func (c *Client) version(ctx context.Context) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.service.ServerURL()+"ping", http.NoBody)
	if err != nil {
		return "", err
	}
	var version string
	e := c.service.DoHTTPRequest(req, nil, func(resp *http.Response) error {
		version = strings.TrimPrefix(resp.Header.Get("X-Influxdb-Version"), "v")
		return resp.Body.Close()
	})
	if e != nil {
		return "", failure("ask for version", e)
	}
	return version, nil
}

func (c *Client) ensureDatabase(ctx context.Context) error {
	names, err := c.names(ctx, "SHOW DATABASES")
	if err != nil {
		return err
	}
	if !slices.Contains(names, c.db) {
		if err := c.query(ctx, "CREATE DATABASE "+ident(c.db), nil); err != nil {
			return fmt.Errorf("create database %q: %w", c.db, err)
		}
	}
	if c.rp == "" {
		return nil
	}
	names, err = c.names(ctx, "SHOW RETENTION POLICIES ON "+ident(c.db))
	if err != nil {
		return err
	}
	if !slices.Contains(names, c.rp) {
		return fmt.Errorf("database %q has no retention policy %q: create it, or name the bucket %q", c.db, c.rp, c.db+"/autogen")
	}
	return nil
}

// names returns the first column of a statement's answer.
func (c *Client) names(ctx context.Context, statement string) ([]string, error) {
	var names []string
	err := c.query(ctx, statement, func(_ int, s *series) error {
		for _, row := range s.Values {
			if name, ok := row[0].(string); ok {
				names = append(names, name)
			}
		}
		return nil
	})
	return names, err
}

func (c *Client) ensureBucketV2(ctx context.Context) error {
	buckets := c.influx.BucketsAPI()
	if _, err := buckets.FindBucketByName(ctx, c.opt.Bucket); err == nil {
		return nil
	} else if !strings.Contains(err.Error(), "not found") {
		return failureOf("find bucket", err)
	}
	org, err := c.influx.OrganizationsAPI().FindOrganizationByName(ctx, c.opt.Org)
	if err != nil {
		return failureOf("find organization "+c.opt.Org, err)
	}
	if _, err := buckets.CreateBucketWithName(ctx, org, c.opt.Bucket); err != nil {
		return failureOf("create bucket "+c.opt.Bucket, err)
	}
	return nil
}

// failure makes the Error of an exchange that went wrong.
func failure(op string, e *ihttp.Error) *Error {
	wait := min(time.Duration(e.RetryAfter)*time.Second, maxRetryWait)
	return &Error{Op: op, Status: e.StatusCode, Wait: wait, Err: e}
}

func failureOf(op string, err error) *Error {
	if e := (*ihttp.Error)(nil); errors.As(err, &e) {
		return failure(op, e)
	}
	return &Error{Op: op, Err: err}
}

// Ping reports whether InfluxDB answers.
func (c *Client) Ping(ctx context.Context) error {
	if _, err := c.version(ctx); err != nil {
		return fmt.Errorf("ping influxdb: %w", err)
	}
	return nil
}
