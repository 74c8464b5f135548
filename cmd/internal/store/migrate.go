package store

import (
	"context"
	"embed"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
	"github.com/uptrace/bun/dialect"
)

// migrations holds NNNNN_name.sql for both databases and
// NNNNN_name.{sqlite,postgres}.sql for one; those of SQLite's looks stand apart. A file
// that was released is never changed.
//
//go:embed migrations/*.sql migrations/looks/*.sql
var migrations embed.FS

// migrate applies the migrations that the database has not seen, each in a
// transaction of its own.
func (s *Store) migrate(ctx context.Context) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	kind, other := goose.DialectSQLite3, ".postgres.sql"
	options := []goose.ProviderOption{goose.WithLogger(goose.NopLogger()), goose.WithDisableGlobalRegistry(true)}
	if s.write.Dialect().Name() == dialect.PG {
		kind, other = goose.DialectPostgres, ".sqlite.sql"
		one, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 60))
		if err != nil {
			return err
		}
		options = append(options, goose.WithSessionLocker(one))
	}
	if s.write.Dialect().Name() == dialect.SQLite {
		if err := s.migrateLooks(ctx); err != nil {
			return fmt.Errorf("looks at codes: %w", err)
		}
	}
	foreign, err := fs.Glob(files, "*"+other)
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(kind, s.write.DB, files, append(options, goose.WithExcludeNames(foreign))...)
	if err != nil {
		return err
	}
	_, err = provider.Up(ctx)
	return err
}
