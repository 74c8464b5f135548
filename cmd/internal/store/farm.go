package store

import (
	"context"
	"fmt"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"

	"tianhai/farm"
)

type tenantRow struct {
	bun.BaseModel `bun:"table:tenants,alias:t"`
	farm.Tenant
}

type siteRow struct {
	bun.BaseModel `bun:"table:sites,alias:s"`
	farm.Site
	Version int64 `bun:",scanonly"` // see grow
}

// A SiteFilter chooses sites. Its zero value chooses all of them.
type SiteFilter struct {
	Tenant string
	Region string // GB/T 2260; with all divisions within it
}

// CreateTenant adds a tenant; farm.ErrConflict when its ID is taken.
func (s *Store) CreateTenant(ctx context.Context, t farm.Tenant) error {
	_, err := s.write.NewInsert().Model(&tenantRow{Tenant: t}).Exec(ctx)
	return fail("create tenant", err)
}

// Tenant returns a tenant; farm.ErrNotFound.
func (s *Store) Tenant(ctx context.Context, id string) (farm.Tenant, error) {
	var row tenantRow
	err := s.read.NewSelect().Model(&row).Where("t.id = ?", id).Scan(ctx)
	return row.Tenant, fail("read tenant", err)
}

// Tenants returns every tenant, by ID.
func (s *Store) Tenants(ctx context.Context) ([]farm.Tenant, error) {
	var rows []tenantRow
	err := s.read.NewSelect().Model(&rows).Order("t.id").Scan(ctx)
	return each(rows, func(r tenantRow) farm.Tenant { return r.Tenant }), fail("read tenants", err)
}

// A TenantFilter chooses tenants.
type TenantFilter struct {
	// Words stand in the name, at the beginning of the credit code, or are the ID. Of
	// natural persons (trace.NaturalPerson) they are the whole name or the ID.
	Words  string
	Region string // GB/T 2260; with all divisions within it
	Limit  int
}

// FindTenants returns the tenants that f chooses, by ID.
func (s *Store) FindTenants(ctx context.Context, f TenantFilter) ([]farm.Tenant, error) {
	var rows []tenantRow
	zh, en := s.tenantName("zh"), s.tenantName("en")
	person := fmt.Sprintf("(t.kind IN ('%s', '%s') OR t.kind = '' AND t.credit_code = '')", farm.Household, farm.VesselOwner)
	q := s.read.NewSelect().Model(&rows).Order("t.id").Limit(int64(f.Limit)).
		Where("t.id = ?0 OR "+zh+" = lower(?0) OR "+en+" = lower(?0) OR NOT "+person+" AND ("+zh+" LIKE lower(?1) ESCAPE '\\' OR "+en+" LIKE lower(?1) ESCAPE '\\' OR lower(t.credit_code) LIKE lower(?2) ESCAPE '\\')",
			f.Words, "%"+literal(f.Words)+"%", literal(f.Words)+"%")
	err := within(q, "", "", "t.region", f.Region).Scan(ctx)
	return each(rows, func(r tenantRow) farm.Tenant { return r.Tenant }), fail("find tenants", err)
}

// A TenantPage asks for tenants in a place; zero fields do not narrow it.
type TenantPage struct {
	Tenant string
	Region string // GB/T 2260; with all divisions within it
	Words  string // in the name, or the ID
	After  string // an ID: those behind it
	Limit  int    // 0: MaxPage
}

// TenantsIn returns a page of tenants, by ID. Unlike FindTenants it is for who may read
// of them all: natural persons are found by parts of their names, too.
func (s *Store) TenantsIn(ctx context.Context, p TenantPage) ([]farm.Tenant, error) {
	var rows []tenantRow
	limit := p.Limit
	if limit == 0 {
		limit = MaxPage
	}
	q := s.read.NewSelect().Model(&rows).Order("t.id").Limit(bounded(limit, 1, MaxPage)).Where("t.id > ?", p.After)
	if p.Words != "" {
		zh, en := s.tenantName("zh"), s.tenantName("en")
		q = q.Where("(t.id = ?0 OR "+zh+" LIKE lower(?1) ESCAPE '\\' OR "+en+" LIKE lower(?1) ESCAPE '\\')", p.Words, "%"+literal(p.Words)+"%")
	}
	err := within(q, "t.id", p.Tenant, "t.region", p.Region).Scan(ctx)
	return each(rows, func(r tenantRow) farm.Tenant { return r.Tenant }), fail("read tenants", err)
}

// tenantName is a tenant's name in a language, in small letters.
func (s *Store) tenantName(lang string) string {
	name := "t.name"
	if s.write.Dialect().Name() == dialect.PG {
		name = "CAST(t.name AS json)" // SQLite reads JSON from text as it is
	}
	return "lower(coalesce(" + name + " ->> '" + lang + "', ''))"
}

// CreateSite adds a site; farm.ErrConflict when its ID is taken and
// farm.ErrNotFound when its tenant is unknown.
func (s *Store) CreateSite(ctx context.Context, site farm.Site) error {
	_, err := s.write.NewInsert().Model(&siteRow{Site: site}).Exec(ctx)
	return fail("create site", err)
}

// Site returns a site; farm.ErrNotFound.
func (s *Store) Site(ctx context.Context, id string) (farm.Site, error) {
	var row siteRow
	err := s.read.NewSelect().Model(&row).Where("s.id = ?", id).Scan(ctx)
	return row.Site, fail("read site", err)
}

// Sites returns the sites that f chooses, by ID.
func (s *Store) Sites(ctx context.Context, f SiteFilter) ([]farm.Site, error) {
	var rows []siteRow
	q := s.read.NewSelect().Model(&rows).Order("s.id")
	err := within(q, "s.tenant", f.Tenant, "s.region", f.Region).Scan(ctx)
	return each(rows, func(r siteRow) farm.Site { return r.Site }), fail("read sites", err)
}

// within narrows q to a tenant and a region, each where it is not empty.
func within(q *bun.SelectQuery, tenantColumn, tenant, regionColumn, region string) *bun.SelectQuery {
	if tenant != "" {
		q = q.Where("? = ?", bun.Ident(tenantColumn), tenant)
	}
	if region == "" {
		return q
	}
	prefix, ok := regionPrefix(region)
	if !ok {
		return q.Where("1 = 0")
	}
	column := bun.Ident(regionColumn)
	return q.Where("length(?) = 6 AND substr(?, 1, ?) = ?", column, column, len(prefix), prefix)
}

// each returns f of every row; never nil, so that an empty list is [] in JSON.
func each[R, T any](rows []R, f func(R) T) []T {
	out := make([]T, len(rows))
	for i, r := range rows {
		out[i] = f(r)
	}
	return out
}
