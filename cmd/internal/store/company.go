package store

import (
	"context"

	"github.com/uptrace/bun"

	"tianhai/farm"
	"tianhai/trace/epcis/repository"
	"tianhai/trace/resolver"
)

type companyRow struct {
	bun.BaseModel `bun:"table:company_prefixes,alias:cp"`

	Tenant  string
	Prefix  string
	Account string
	At      instant
}

func (r companyRow) company() resolver.Company {
	return resolver.Company{Prefix: r.Prefix, Tenant: r.Tenant, Account: r.Account, Stated: r.At.Time}
}

// Companies returns the company prefixes that a tenant stated, sorted.
func (s *Store) Companies(ctx context.Context, tenant string) ([]resolver.Company, error) {
	var rows []companyRow
	err := s.read.NewSelect().Model(&rows).Where("cp.tenant = ?", tenant).OrderExpr("cp.prefix").Scan(ctx)
	return each(rows, companyRow.company), fail("read company prefixes", err)
}

// CompanyPrefixes returns those that the tenants of a scope stated, sorted.
func (s *Store) CompanyPrefixes(ctx context.Context, in repository.Scope) ([]string, error) {
	var prefixes []string
	q := s.inEPCIS(s.read.NewSelect().Model((*companyRow)(nil)).ColumnExpr("DISTINCT cp.prefix"), "cp.tenant", in)
	err := q.OrderExpr("cp.prefix").Scan(ctx, &prefixes)
	return prefixes, fail("read company prefixes", err)
}

// StateCompany enters a company prefix. The same again is nothing new;
// resolver.ErrCompanies where its tenant has as many as it may, farm.ErrNotFound for
// an unknown one.
func (s *Store) StateCompany(ctx context.Context, c resolver.Company) error {
	return fail("state company prefix", s.inTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		// Locks the tenant, so that two at once do not both find room.
		if _, err := tx.NewUpdate().Table("tenants").Set("id = id").Where("id = ?", c.Tenant).Exec(ctx); err != nil {
			return err
		}
		n, err := tx.NewSelect().Model((*companyRow)(nil)).Where("cp.tenant = ? AND cp.prefix <> ?", c.Tenant, c.Prefix).Count(ctx)
		if err != nil {
			return err
		}
		if n >= resolver.MaxCompanies {
			return resolver.ErrCompanies
		}
		row := companyRow{Tenant: c.Tenant, Prefix: c.Prefix, Account: c.Account, At: instant{c.Stated}}
		_, err = tx.NewInsert().Model(&row).On("CONFLICT DO NOTHING").Exec(ctx)
		return err
	}))
}

// DropCompany takes a company prefix back; farm.ErrNotFound.
func (s *Store) DropCompany(ctx context.Context, tenant, prefix string) error {
	res, err := s.write.NewDelete().Model((*companyRow)(nil)).Where("tenant = ? AND prefix = ?", tenant, prefix).Exec(ctx)
	return fail("drop company prefix", changed(res, err, farm.ErrNotFound))
}
