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

// Revision returns a word that is another than before once anything was committed since,
// by this process or by another, and the same while nothing was. It reads no table.
func (s *Store) Revision(ctx context.Context) (string, error) {
	if s.read.Dialect().Name() == dialect.SQLite {
		revision, err := s.pulse.revision(ctx)
		return revision, fail("read revision", err)
	}
	// Which transactions one may see is all that can make a difference.
	var snapshot string
	err := s.read.NewRaw("SELECT pg_current_snapshot()::text").Scan(ctx, &snapshot)
	return snapshot, fail("read revision", err)
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
