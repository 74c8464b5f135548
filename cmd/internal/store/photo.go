package store

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"tianhai/trace/photo"
)

type photoRow struct {
	bun.BaseModel `bun:"table:photos,alias:f"`

	Hash     string
	Tenant   string
	Site     string
	Account  string
	Uploaded instant
}

type operationPhotoRow struct {
	bun.BaseModel `bun:"table:operation_photos,alias:of"`

	Operation string
	Tenant    string
	Hash      string
}

// AddPhoto remembers an upload; the same picture of the same tenant again makes it
// young again. farm.ErrNotFound when the tenant has no such site.
func (s *Store) AddPhoto(ctx context.Context, u photo.Upload) error {
	row := photoRow{Hash: u.Hash, Tenant: u.Tenant, Site: u.Site, Account: u.Account, Uploaded: instant{s.now()}}
	_, err := s.write.NewInsert().Model(&row).On("CONFLICT (hash, tenant) DO UPDATE").Set("uploaded = EXCLUDED.uploaded").Exec(ctx)
	return fail("add photo", err)
}

// PhotoUploads returns who uploaded a picture, by tenant; empty for one that is
// unknown.
func (s *Store) PhotoUploads(ctx context.Context, hash string) ([]photo.Upload, error) {
	var rows []photoRow
	err := s.read.NewSelect().Model(&rows).Where("f.hash = ?", hash).Order("f.tenant").Scan(ctx)
	return each(rows, func(r photoRow) photo.Upload {
		return photo.Upload{Hash: r.Hash, Tenant: r.Tenant, Site: r.Site, Account: r.Account}
	}), fail("read photo", err)
}

// DropPhotos forgets uploads before a time that no operation names.
func (s *Store) DropPhotos(ctx context.Context, before time.Time) error {
	used := s.write.NewSelect().Model((*operationPhotoRow)(nil)).ColumnExpr("1").Where("of.hash = f.hash AND of.tenant = f.tenant")
	_, err := s.write.NewDelete().Model((*photoRow)(nil)).Where("f.uploaded < ?", instant{before}).Where("NOT EXISTS (?)", used).Exec(ctx)
	return fail("drop photos", err)
}

// addPhotos says which pictures an operation names; farm.ErrNotFound where its
// tenant has one of them not.
func addPhotos(ctx context.Context, tx bun.Tx, operation, tenant string, hashes []string) error {
	for _, hash := range hashes {
		row := operationPhotoRow{Operation: operation, Tenant: tenant, Hash: hash}
		if _, err := tx.NewInsert().Model(&row).Exec(ctx); err != nil {
			return err
		}
	}
	return nil
}
