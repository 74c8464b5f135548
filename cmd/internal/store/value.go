package store

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/uptrace/bun"

	"tianhai/farm"
)

// An instant is a time as both databases keep it: Unix microseconds, NULL for
// the zero time. It is exact and compares alike in both.
type instant struct{ time.Time }

// Value implements driver.Valuer.
func (t instant) Value() (driver.Value, error) {
	if t.IsZero() {
		return nil, nil
	}
	return t.UnixMicro(), nil
}

// Scan implements sql.Scanner.
func (t *instant) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		t.Time = time.Time{}
	case int64:
		t.Time = time.UnixMicro(v).UTC()
	default:
		return fmt.Errorf("scan instant from %T", src)
	}
	return nil
}

// fail says what was being done when err happened, and translates the two kinds
// of failure that callers branch on.
func fail(doing string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, sql.ErrNoRows), violates(err, sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY, "23503"):
		err = farm.ErrNotFound
	case violates(err, sqlite3.SQLITE_CONSTRAINT_UNIQUE, "23505"), violates(err, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, "23505"):
		err = farm.ErrConflict
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// violates reports whether err is SQLite's extended result code or PostgreSQL's
// SQLSTATE.
func violates(err error, code int, state string) bool {
	if e := (*sqlite.Error)(nil); errors.As(err, &e) {
		return e.Code() == code
	}
	e := (*pgconn.PgError)(nil)
	return errors.As(err, &e) && e.Code == state
}

// changed returns doing nothing as none.
func changed(res sql.Result, err, none error) error {
	if err != nil {
		return err
	}
	n, err := res.RowsAffected()
	if err == nil && n == 0 {
		return none
	}
	return err
}

// regionPrefix returns the digits that the codes of all divisions within a
// GB/T 2260 code share, as farm.RegionContains has it; false where nothing can
// lie within.
func regionPrefix(code string) (string, bool) {
	if !farm.RegionContains(code, code) {
		return "", false
	}
	for len(code) > 0 && code[len(code)-2:] == "00" {
		code = code[:len(code)-2]
	}
	return code, true
}

// MaxPage is how many rows of a list are returned at most: a page, and the one that
// shows that there are more.
const MaxPage = 1001

// A Place is where a row stands in a list that is newest first.
type Place struct {
	At time.Time
	ID string
}

// behind narrows a list that is newest first to what follows a place; the zero Place
// is before all.
func behind(q *bun.SelectQuery, timeColumn, idColumn string, p Place) *bun.SelectQuery {
	if p == (Place{}) {
		return q
	}
	at, id := bun.Ident(timeColumn), bun.Ident(idColumn)
	return q.Where("(? < ? OR ? = ? AND ? < ?)", at, instant{p.At}, at, instant{p.At}, id, p.ID)
}

// bounded returns n, or def where n is not positive, and at most limit.
func bounded(n, def, limit int) int64 {
	if n <= 0 {
		n = def
	}
	return int64(min(n, limit))
}
