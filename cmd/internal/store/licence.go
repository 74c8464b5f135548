package store

import (
	"context"

	"github.com/uptrace/bun"

	"tianhai/farm"
)

type licenceRow struct {
	bun.BaseModel `bun:"table:licences,alias:l"`

	ID       string
	Tenant   string
	Site     string `bun:",nullzero"`
	Kind     farm.LicenceKind
	Number   string
	Issuer   string
	Issued   instant
	Expires  instant
	Recorded instant
	Account  string
}

func (r licenceRow) licence() farm.Licence {
	return farm.Licence{
		ID: r.ID, Tenant: r.Tenant, Site: r.Site, Kind: r.Kind, Number: r.Number, Issuer: r.Issuer,
		Issued: r.Issued.Time, Expires: r.Expires.Time, Recorded: r.Recorded.Time, Account: r.Account,
	}
}

// AddLicence appends a licence; farm.ErrConflict when its ID is taken, and
// farm.ErrNotFound when the tenant is unknown or has no such site.
func (s *Store) AddLicence(ctx context.Context, l farm.Licence) error {
	row := licenceRow{
		ID: l.ID, Tenant: l.Tenant, Site: l.Site, Kind: l.Kind, Number: l.Number, Issuer: l.Issuer,
		Issued: instant{l.Issued}, Expires: instant{l.Expires}, Recorded: instant{l.Recorded}, Account: l.Account,
	}
	_, err := s.write.NewInsert().Model(&row).Exec(ctx)
	return fail("add licence", err)
}

// Licences returns a tenant's, those that expire first first and those that never
// do last.
func (s *Store) Licences(ctx context.Context, tenant string) ([]farm.Licence, error) {
	var rows []licenceRow
	err := s.read.NewSelect().Model(&rows).Where("l.tenant = ?", tenant).
		OrderExpr("l.expires IS NULL, l.expires, l.id").Scan(ctx)
	return each(rows, licenceRow.licence), fail("read licences", err)
}

// SetBoundary says where exactly a site lies, or with the zero boundary that
// nobody knows, and its area in m²; farm.ErrNotFound for an unknown site.
func (s *Store) SetBoundary(ctx context.Context, site string, b farm.Boundary, area float64) error {
	res, err := s.write.NewUpdate().Model(&siteRow{Site: farm.Site{ID: site, Boundary: b, Area: area}}).
		Column("boundary", "area").Where("s.id = ?", site).Exec(ctx)
	return fail("set boundary", changed(res, err, farm.ErrNotFound))
}
