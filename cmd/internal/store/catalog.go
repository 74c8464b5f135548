package store

import (
	"context"

	"github.com/uptrace/bun"

	"tianhai/trace"
	"tianhai/trace/catalog"
)

type catalogRow struct {
	bun.BaseModel `bun:"table:catalogs,alias:c"`

	Version int
	Doc     string
	Account string
	Created instant
}

// AddCatalog appends a version of the catalog; farm.ErrConflict when its number is
// taken. Its products become ones that batches can be of, under their own IDs; one
// that has such an ID already stays what it was.
func (s *Store) AddCatalog(ctx context.Context, v catalog.Version, products []catalog.Product) error {
	row := catalogRow{Version: v.Version, Doc: v.Doc, Account: v.Account, Created: instant{v.Created}}
	return fail("add catalog", s.inTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		if _, err := tx.NewInsert().Model(&row).Exec(ctx); err != nil {
			return err
		}
		for _, p := range products {
			product := productRow{ID: p.ID, Kind: trace.ProductKind(p.Group), Species: p.ID, Name: p.Name}
			_, err := tx.NewInsert().Model(&product).On("CONFLICT (id) DO UPDATE").
				Set("kind = EXCLUDED.kind, name = EXCLUDED.name").Where("p.species = p.id").Exec(ctx)
			if err != nil {
				return err
			}
		}
		return nil
	}))
}

// CatalogVersion returns a version of the catalog, the newest for 0;
// farm.ErrNotFound.
func (s *Store) CatalogVersion(ctx context.Context, version int) (catalog.Version, error) {
	var row catalogRow
	q := s.read.NewSelect().Model(&row).Order("c.version DESC").Limit(1)
	if version != 0 {
		q = q.Where("c.version = ?", version)
	}
	err := q.Scan(ctx)
	return catalog.Version{Version: row.Version, Doc: row.Doc, Account: row.Account, Created: row.Created.Time}, fail("read catalog", err)
}

// CatalogVersions returns who saved which version and when, newest first, without
// the documents.
func (s *Store) CatalogVersions(ctx context.Context) ([]catalog.Version, error) {
	var rows []catalogRow
	err := s.read.NewSelect().Model(&rows).ExcludeColumn("doc").Order("c.version DESC").Limit(MaxCatalogs).Scan(ctx)
	return each(rows, func(r catalogRow) catalog.Version {
		return catalog.Version{Version: r.Version, Account: r.Account, Created: r.Created.Time}
	}), fail("read versions of the catalog", err)
}

// MaxCatalogs is how many versions of the catalog are listed at most.
const MaxCatalogs = 1000
