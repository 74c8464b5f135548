package store

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"tianhai/farm"
	"tianhai/trace/photo"
)

type photoRow struct {
	bun.BaseModel `bun:"table:photos,alias:f"`

	Hash      string
	Tenant    string
	Site      string
	Account   string
	Uploaded  instant
	Size      int64
	Taken     instant
	Longitude *float64
	Latitude  *float64
	Far       bool
}

func newPhotoRow(u photo.Upload) *photoRow {
	r := &photoRow{Hash: u.Hash, Tenant: u.Tenant, Site: u.Site, Account: u.Account, Uploaded: instant{u.Uploaded}, Size: u.Size, Taken: instant{u.Taken}, Far: u.Far}
	if u.Position != nil {
		r.Longitude, r.Latitude = &u.Position.Longitude, &u.Position.Latitude
	}
	return r
}

func (r photoRow) upload() photo.Upload {
	u := photo.Upload{
		Hash: r.Hash, Tenant: r.Tenant, Site: r.Site, Account: r.Account, Size: r.Size, Uploaded: r.Uploaded.Time,
		Claim: photo.Claim{Taken: r.Taken.Time}, Far: r.Far,
	}
	if r.Longitude != nil && r.Latitude != nil {
		u.Position = &farm.Position{Longitude: *r.Longitude, Latitude: *r.Latitude}
	}
	return u
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
	u.Uploaded = s.now()
	_, err := s.write.NewInsert().Model(newPhotoRow(u)).On("CONFLICT (hash, tenant) DO UPDATE").Set("uploaded = EXCLUDED.uploaded").Exec(ctx)
	return fail("add photo", err)
}

// PhotoUploads returns who uploaded a picture, by tenant; empty for one that is
// unknown.
func (s *Store) PhotoUploads(ctx context.Context, hash string) ([]photo.Upload, error) {
	var rows []photoRow
	err := s.read.NewSelect().Model(&rows).Where("f.hash = ?", hash).Order("f.tenant").Scan(ctx)
	return each(rows, photoRow.upload), fail("read photo", err)
}

// PhotoUse counts a tenant's pictures and their bytes.
func (s *Store) PhotoUse(ctx context.Context, tenant string) (pictures int, bytes int64, err error) {
	err = s.read.NewSelect().Model((*photoRow)(nil)).ColumnExpr("COUNT(*), COALESCE(SUM(f.size), 0)").Where("f.tenant = ?", tenant).Scan(ctx, &pictures, &bytes)
	return pictures, bytes, fail("count photos", err)
}

// PhotosOf returns the pictures that operations of a site with from ≤ At < to name.
func (s *Store) PhotosOf(ctx context.Context, site string, from, to time.Time) ([]photo.Upload, error) {
	var rows []photoRow
	named := s.read.NewSelect().Model((*operationPhotoRow)(nil)).ColumnExpr("1").Join("JOIN operations AS o ON o.id = of.operation").
		Where("of.hash = f.hash AND of.tenant = f.tenant AND o.site = ? AND o.at >= ? AND o.at < ?", site, from.UnixMicro(), to.UnixMicro())
	err := s.read.NewSelect().Model(&rows).Where("EXISTS (?)", named).Order("f.hash").Scan(ctx)
	return each(rows, photoRow.upload), fail("read photos", err)
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
