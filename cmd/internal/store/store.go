// Package store keeps the records of Tianhai in SQLite or PostgreSQL, and is
// the only place where SQL is written.
//
// Both databases hold the same schema and pass the same tests. What a method
// has returned nil for is on disk. A method writes everything or nothing.
// Operations, movements, installations, calibrations, changes of retention, events,
// mappings, recalls and records are appended and never edited; the database itself refuses to, whoever
// asks. Every reference is a foreign key, and names the owner too: nothing can tie
// together what two tenants own.
//
// Errors wrap farm.ErrNotFound where something named does not exist, also when
// it is only referred to, and farm.ErrConflict where it exists and differs; all
// others mean that the database could not do its work now. No error holds a
// password. Times are kept to the microsecond, in UTC.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"
	"github.com/uptrace/bun/dialect/sqlitedialect"
	"modernc.org/sqlite"

	"tianhai/api/auth"
	"tianhai/api/once"
	"tianhai/ingest/device"
	"tianhai/ingest/history"
	"tianhai/ingest/mapping"
	"tianhai/monitor/alert"
	"tianhai/trace"
	"tianhai/trace/epcis/repository"
	"tianhai/trace/epcis/standing"
	"tianhai/trace/recall"
)

var (
	_ device.Directory    = (*Store)(nil)
	_ device.LifeStore    = (*Store)(nil)
	_ device.ClaimStore   = (*Store)(nil)
	_ device.CommandStore = (*Store)(nil)
	_ device.Witness      = (*Store)(nil)
	_ device.ImportStore  = (*Store)(nil)
	_ device.ModelStore   = (*Store)(nil)
	_ mapping.Store       = (*Store)(nil)
	_ alert.Store         = (*Store)(nil)
	_ trace.Store         = (*Store)(nil)
	_ trace.Journal       = (*Store)(nil)
	_ trace.Outbox        = (*Store)(nil)
	_ trace.Chain         = (*Store)(nil)
	_ trace.Overrides     = (*Store)(nil)
	_ trace.Harvests      = (*Store)(nil)
	_ trace.AuditStore    = (*Store)(nil)
	_ repository.Shelf    = (*Store)(nil)
	_ repository.Jobs     = (*Store)(nil)
	_ standing.Store      = (*Store)(nil)
	_ recall.Book         = (*Store)(nil)
	_ recall.Tray         = (*Store)(nil)
	_ auth.Store          = (*Store)(nil)
	_ once.Store          = (*Store)(nil)
	_ history.Store       = (*Store)(nil)
	_ history.Fleet       = (*Store)(nil)
	_ history.MendStore   = (*Store)(nil)
)

// fileName is the SQLite database within Options.Dir; beside it lies that of looks.
const fileName = "tianhai.db"

// Bounds on what a database may keep us waiting for, and on its connections.
const (
	connectTimeout = 10 * time.Second
	busyTimeout    = 10 * time.Second // for another process that holds the SQLite file
	maxConns       = 16               // to PostgreSQL
	maxIdleConns   = 4
	maxConnAge     = 30 * time.Minute
)

// Options say which database to open.
type Options struct {
	// DSN is "sqlite:PATH" or "postgres://…"; when empty, it is the file
	// tianhai.db in Dir. Its password appears in no error.
	DSN string
	Dir string
	Now func() time.Time // nil means time.Now
}

// A Store is an open records database. It may be used concurrently.
type Store struct {
	read  *bun.DB
	write *bun.DB // of SQLite one connection, so that writers wait in line instead of failing
	looks looks
	pulse pulse // of SQLite
	now   func() time.Time
}

// Open opens the database, creates the SQLite files where they are missing, readable
// by their owner alone, and brings the schema up to date. Several processes may
// open one PostgreSQL database at once.
func Open(ctx context.Context, opt Options) (*Store, error) {
	s := &Store{now: opt.Now}
	if s.now == nil {
		s.now = time.Now
	}
	dsn := opt.DSN
	if dsn == "" {
		dsn = "sqlite:" + filepath.Join(opt.Dir, fileName)
	}
	scheme, rest, _ := strings.Cut(dsn, ":")
	var err error
	switch scheme {
	case "sqlite":
		err = s.openSQLite(rest)
	case "postgres", "postgresql":
		err = s.openPostgres(dsn)
	default:
		err = errors.New("the address begins with neither sqlite: nor postgres://")
	}
	if err == nil {
		err = s.migrate(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("open records database: %w", errors.Join(err, s.Close()))
	}
	return s, nil
}

// openSQLite opens two pools on one file. Readers see the last commit and wait
// for nobody; the one writer syncs the log at every commit.
func (s *Store) openSQLite(path string) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	if s.write, err = connectSQLite(path, 1, false); err != nil {
		return err
	}
	if s.pulse.db, err = connectSQLite(path, 1, true); err != nil {
		return err
	}
	if s.read, err = connectSQLite(path, readers(), true); err != nil {
		return err
	}
	return s.looks.open(path + looksSuffix)
}

// readers is how many read one SQLite file at once.
func readers() int { return max(4, runtime.NumCPU()) }

// connectSQLite opens a pool on a file, which it creates where it is missing.
func connectSQLite(path string, conns int, reading bool) (*bun.DB, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	pragmas := url.Values{
		"_busy_timeout": {fmt.Sprint(busyTimeout.Milliseconds())},
		"_foreign_keys": {"on"},
		"_journal_mode": {"WAL"},
		"_synchronous":  {"FULL"},
		"_txlock":       {"immediate"}, // a transaction that begins by reading must not fail when it writes
		"_defensive":    {"1"},
		"_dqs":          {"0"},
		"_pragma":       {"recursive_triggers(on)"}, // or REPLACE would pass by the triggers that forbid deletion
	}
	if reading {
		pragmas.Set("_query_only", "on")
		pragmas.Set("_txlock", "deferred")
	}
	file := url.URL{Scheme: "file", Path: path, RawQuery: pragmas.Encode()}
	connector, err := sqlite.NewConnector(file.String())
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	return bun.NewDB(db, sqlitedialect.New()), nil
}

func (s *Store) openPostgres(dsn string) error {
	cfg, err := pgx.ParseConfig(dsn)
	if err != nil {
		// The parser quotes what it was given and can only guess where the
		// password in it is.
		return errors.New("the address is not a valid postgres:// URL")
	}
	if cfg.ConnectTimeout == 0 {
		cfg.ConnectTimeout = connectTimeout
	}
	// bun writes values into the query, so preparing one would pay off never and
	// fill the statement cache. Its quoting holds only with this setting.
	cfg.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
	cfg.RuntimeParams["standard_conforming_strings"] = "on"
	cfg.RuntimeParams["client_encoding"] = "UTF8"
	if cfg.RuntimeParams["application_name"] == "" {
		cfg.RuntimeParams["application_name"] = "tianhai"
	}
	db := stdlib.OpenDB(*cfg)
	db.SetMaxOpenConns(maxConns)
	db.SetMaxIdleConns(maxIdleConns)
	db.SetConnMaxLifetime(maxConnAge)
	s.write = bun.NewDB(db, pgdialect.New())
	s.read = s.write
	s.looks = looks{s.read, s.write}
	return nil
}

// Close waits for what is under way and closes the database.
func (s *Store) Close() error {
	err := s.pulse.close()
	if s.looks.write != s.write {
		err = errors.Join(err, s.looks.close())
	}
	if s.read != nil && s.read != s.write {
		err = errors.Join(err, s.read.Close())
	}
	if s.write != nil {
		err = errors.Join(err, s.write.Close())
	}
	return err
}

// Ping reports whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	var one int
	return fail("ping records database", s.write.QueryRowContext(ctx, "SELECT 1").Scan(&one))
}

// inTx runs do, which writes everything or nothing. It must read through tx: the
// readers do not see what tx has not committed.
func (s *Store) inTx(ctx context.Context, do func(ctx context.Context, tx bun.Tx) error) error {
	return s.write.RunInTx(ctx, nil, do)
}
