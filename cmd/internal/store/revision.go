package store

import (
	"context"
	"strconv"
	"sync"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"
)

// pulse is the one connection to SQLite that is asked whether anything changed: the
// answer has a meaning only beside another of the same connection, which writes nothing.
type pulse struct {
	db    *bun.DB
	mu    sync.Mutex
	conn  *bun.Conn // nil until it is needed, and after an error; guarded by mu
	count int       // of connections so far; guarded by mu
}

// Revision returns a word that is another than before once anything but looks at codes
// was committed since, by this process or by another, and the same while nothing was.
func (s *Store) Revision(ctx context.Context) (string, error) {
	if s.read.Dialect().Name() == dialect.SQLite {
		revision, err := s.pulse.revision(ctx)
		return revision, fail("read revision", err)
	}
	// How many transactions ended that one may see, and were not of looks alone: all below
	// xmax but those that run. Of both there are only ever more, and all is of one snapshot.
	var revision string
	err := s.read.NewRaw(`SELECT pg_postmaster_start_time()::text || ' ' ||
		(pg_snapshot_xmax(seen)::text::bigint - (SELECT count(*) FROM pg_snapshot_xip(seen)) - w.n)
		FROM pg_current_snapshot() AS seen, scan_writes AS w`).Scan(ctx, &revision)
	return revision, fail("read revision", err)
}

func (p *pulse) revision(ctx context.Context) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conn == nil {
		conn, err := p.db.Conn(ctx)
		if err != nil {
			return "", err
		}
		p.conn = &conn
		p.count++
	}
	var n int64
	if err := p.conn.QueryRowContext(ctx, "PRAGMA data_version").Scan(&n); err != nil {
		_ = p.conn.Close() // the error is said already
		p.conn = nil
		return "", err
	}
	return strconv.Itoa(p.count) + "." + strconv.FormatInt(n, 10), nil
}

func (p *pulse) close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conn != nil {
		_ = p.conn.Close() // back to the pool that is closed next
		p.conn = nil
	}
	if p.db == nil {
		return nil
	}
	return p.db.Close()
}
