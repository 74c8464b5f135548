package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"
)

// looksSuffix names the file with looks at codes, after the one with the records.
const looksSuffix = "-looks"

// looks is where looks at codes are kept. In SQLite that is a file of their own: they
// are written every second, and would hold up who writes records and move the revision.
type looks struct {
	read  *bun.DB
	write *bun.DB
}

func (l *looks) open(path string) (err error) {
	if l.write, err = connectSQLite(path, 1, false); err != nil {
		return err
	}
	l.read, err = connectSQLite(path, readers(), true)
	return err
}

func (l *looks) close() (err error) {
	if l.read != nil {
		err = l.read.Close()
	}
	if l.write != nil {
		err = errors.Join(err, l.write.Close())
	}
	return err
}

// migrateLooks makes the file of looks ready before the records lose theirs. A crash
// between the two finds both, and the same rows are copied again.
func (s *Store) migrateLooks(ctx context.Context) error {
	files, err := fs.Sub(migrations, "migrations/looks")
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, s.looks.write.DB, files, goose.WithLogger(goose.NopLogger()), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	if _, err := provider.Up(ctx); err != nil {
		return err
	}
	var records string
	if err := s.write.NewRaw("SELECT file FROM pragma_database_list WHERE name = 'main'").Scan(ctx, &records); err != nil {
		return err
	}
	conn, err := s.looks.write.Conn(ctx)
	if err != nil {
		return err
	}
	if _, err = conn.ExecContext(ctx, "ATTACH DATABASE ? AS records", records); err == nil {
		err = copyLooks(ctx, conn)
		_, err2 := conn.ExecContext(ctx, "DETACH DATABASE records")
		err = errors.Join(err, err2)
	}
	return errors.Join(err, conn.Close())
}

// copyLooks copies looks that an older version keeps among the records. It holds both
// files, so that no other process drops or writes them meanwhile.
func copyLooks(ctx context.Context, conn bun.Conn) error {
	return conn.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
		var old int
		err := tx.NewRaw("SELECT count(*) FROM records.sqlite_schema WHERE name = 'scan_codes'").Scan(ctx, &old)
		if err != nil || old == 0 {
			return err
		}
		for _, table := range []string{"scan_codes", "scan_sightings", "scan_salts"} {
			if _, err := tx.ExecContext(ctx, "INSERT OR REPLACE INTO main."+table+" SELECT * FROM records."+table); err != nil {
				return fmt.Errorf("copy %s: %w", table, err)
			}
		}
		return nil
	})
}

// inLooks runs do, which writes nothing but looks, all or nothing.
func (s *Store) inLooks(ctx context.Context, do func(ctx context.Context, tx bun.Tx) error) error {
	return s.looks.write.RunInTx(ctx, (*sql.TxOptions)(nil), func(ctx context.Context, tx bun.Tx) error {
		err := do(ctx, tx)
		if err == nil && tx.Dialect().Name() == dialect.PG {
			// Last, as two processes wait here for each other.
			_, err = tx.ExecContext(ctx, "UPDATE scan_writes SET n = n + 1")
		}
		return err
	})
}
