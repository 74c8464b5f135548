package store

import (
	"context"

	"github.com/uptrace/bun"

	"tianhai/farm"
	"tianhai/ingest/mapping"
)

type mappingRow struct {
	bun.BaseModel `bun:"table:mappings,alias:p"`

	Name    string
	Version int
	Doc     string
	Deleted bool
	Account string
	Created instant
}

func (r mappingRow) version() mapping.Version {
	return mapping.Version{Name: r.Name, Version: r.Version, Doc: r.Doc, Deleted: r.Deleted, Account: r.Account, Created: r.Created.Time}
}

// AddMapping appends a version of a mapping; farm.ErrConflict when it is there.
func (s *Store) AddMapping(ctx context.Context, v mapping.Version) error {
	row := mappingRow{Name: v.Name, Version: v.Version, Doc: v.Doc, Deleted: v.Deleted, Account: v.Account, Created: instant{v.Created}}
	_, err := s.write.NewInsert().Model(&row).Exec(ctx)
	return fail("add mapping", err)
}

// Mappings returns the newest version of every mapping, by name.
func (s *Store) Mappings(ctx context.Context) ([]mapping.Version, error) {
	var rows []mappingRow
	newest := s.read.NewSelect().ColumnExpr("max(version)").TableExpr("mappings AS n").Where("n.name = p.name")
	err := s.read.NewSelect().Model(&rows).Where("p.version = (?)", newest).Order("p.name").Scan(ctx)
	return each(rows, mappingRow.version), fail("read mappings", err)
}

// MappingVersions returns all versions of a mapping, oldest first;
// farm.ErrNotFound.
func (s *Store) MappingVersions(ctx context.Context, name string) ([]mapping.Version, error) {
	var rows []mappingRow
	err := s.read.NewSelect().Model(&rows).Where("p.name = ?", name).Order("p.version").Scan(ctx)
	if err == nil && len(rows) == 0 {
		err = farm.ErrNotFound
	}
	return each(rows, mappingRow.version), fail("read versions of mapping", err)
}
