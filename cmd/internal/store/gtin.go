package store

import (
	"context"
	"errors"
	"strings"

	"github.com/uptrace/bun"

	"tianhai/farm"
	"tianhai/trace"
	"tianhai/trace/resolver"
)

// maxLotCodes is of how many batches with one number the resolver tells.
const maxLotCodes = 20

type gtinRow struct {
	bun.BaseModel `bun:"table:gtins,alias:g"`

	GTIN    string `bun:"gtin"`
	Tenant  string
	Product string
	Account string
	At      instant
}

func (r gtinRow) holding() resolver.Holding {
	return resolver.Holding{GTIN: r.GTIN, Tenant: r.Tenant, Product: r.Product, Account: r.Account, Set: r.At.Time}
}

type gtinLinkRow struct {
	bun.BaseModel `bun:"table:gtin_links,alias:gl"`

	ID       string
	GTIN     string `bun:"gtin"`
	Lot      string
	Serial   string
	Type     string
	Href     string
	Title    string
	Language string
	Media    string
	Context  string
	Account  string
	Added    instant
}

func (r gtinLinkRow) link() resolver.Link {
	return resolver.Link{
		ID: r.ID, GTIN: r.GTIN, Lot: r.Lot, Serial: r.Serial, Type: r.Type, Href: r.Href, Title: r.Title,
		Language: r.Language, Media: r.Media, Context: r.Context, Account: r.Account, Added: r.Added.Time,
	}
}

func newGTINLinkRow(l resolver.Link) gtinLinkRow {
	return gtinLinkRow{
		ID: l.ID, GTIN: l.GTIN, Lot: l.Lot, Serial: l.Serial, Type: l.Type, Href: l.Href, Title: l.Title,
		Language: l.Language, Media: l.Media, Context: l.Context, Account: l.Account, Added: instant{l.Added},
	}
}

// Holding returns who holds a GTIN; farm.ErrNotFound.
func (s *Store) Holding(ctx context.Context, gtin string) (resolver.Holding, error) {
	var row gtinRow
	err := s.read.NewSelect().Model(&row).Where("g.gtin = ?", gtin).Scan(ctx)
	return row.holding(), fail("read GTIN", err)
}

// Holdings returns the GTINs of a tenant, in their order.
func (s *Store) Holdings(ctx context.Context, tenant string) ([]resolver.Holding, error) {
	var rows []gtinRow
	err := s.read.NewSelect().Model(&rows).Where("g.tenant = ?", tenant).OrderExpr("g.gtin").Scan(ctx)
	return each(rows, gtinRow.holding), fail("read GTINs", err)
}

// HeldGTIN returns the GTIN that a tenant holds for a product, the lowest of several;
// "" for none.
func (s *Store) HeldGTIN(ctx context.Context, tenant, product string) (string, error) {
	var gtins []string
	err := s.read.NewSelect().Model((*gtinRow)(nil)).Column("g.gtin").Where("g.tenant = ? AND g.product = ?", tenant, product).OrderExpr("g.gtin").Limit(1).Scan(ctx, &gtins)
	return strings.Join(gtins, ""), fail("read GTIN", err)
}

// AddHolding enters who holds a GTIN. The same again is nothing new; farm.ErrConflict
// where it has another holder or product, farm.ErrNotFound for an unknown one.
func (s *Store) AddHolding(ctx context.Context, h resolver.Holding) error {
	row := gtinRow{GTIN: h.GTIN, Tenant: h.Tenant, Product: h.Product, Account: h.Account, At: instant{h.Set}}
	res, err := s.write.NewInsert().Model(&row).On("CONFLICT (gtin) DO NOTHING").Exec(ctx)
	if err = changed(res, err, farm.ErrConflict); !errors.Is(err, farm.ErrConflict) {
		return fail("add GTIN", err)
	}
	old, err := s.Holding(ctx, h.GTIN)
	if err == nil && (old.Tenant != h.Tenant || old.Product != h.Product) {
		err = farm.ErrConflict
	}
	return fail("add GTIN", err)
}

// Links returns the links of a GTIN, those added first first.
func (s *Store) Links(ctx context.Context, gtin string) ([]resolver.Link, error) {
	var rows []gtinLinkRow
	err := s.read.NewSelect().Model(&rows).Where("gl.gtin = ?", gtin).OrderExpr("gl.id").Scan(ctx)
	return each(rows, gtinLinkRow.link), fail("read links", err)
}

// AddLink adds a link of a GTIN; farm.ErrConflict where its ID is taken or no request
// could tell it from another, resolver.ErrFull, farm.ErrNotFound for a GTIN that nobody
// holds.
func (s *Store) AddLink(ctx context.Context, l resolver.Link) error {
	n, err := s.write.NewSelect().Model((*gtinLinkRow)(nil)).Where("gl.gtin = ?", l.GTIN).Count(ctx)
	if err != nil {
		return fail("add link", err)
	}
	if n >= resolver.MaxLinks {
		return fail("add link", resolver.ErrFull)
	}
	row := newGTINLinkRow(l)
	_, err = s.write.NewInsert().Model(&row).Exec(ctx)
	return fail("add link", err)
}

// ChangeLink writes a link of a GTIN anew; farm.ErrNotFound, and farm.ErrConflict where
// no request could tell it from another.
func (s *Store) ChangeLink(ctx context.Context, l resolver.Link) error {
	row := newGTINLinkRow(l)
	res, err := s.write.NewUpdate().Model(&row).Where("gtin = ? AND id = ?", l.GTIN, l.ID).Exec(ctx)
	return fail("change link", changed(res, err, farm.ErrNotFound))
}

// DeleteLink takes a link of a GTIN away; farm.ErrNotFound.
func (s *Store) DeleteLink(ctx context.Context, gtin, id string) error {
	res, err := s.write.NewDelete().Model((*gtinLinkRow)(nil)).Where("gtin = ? AND id = ?", gtin, id).Exec(ctx)
	return fail("delete link", changed(res, err, farm.ErrNotFound))
}

// Item returns what the resolver tells of a GTIN and one lot of its holder's.
func (s *Store) Item(ctx context.Context, gtin, lot string) (resolver.Item, error) {
	h, err := s.Holding(ctx, gtin)
	if err != nil {
		return resolver.Item{}, err
	}
	var p trace.Product
	if p, err = s.Product(ctx, h.Product); err != nil {
		return resolver.Item{}, err
	}
	item := resolver.Item{Name: p.Name}
	if item.Links, err = s.Links(ctx, gtin); err != nil || lot == "" {
		return item, err
	}
	err = s.read.NewSelect().Table("batches").Column("code").
		Where("tenant = ? AND product = ? AND code IS NOT NULL AND (lot = ? OR code = ?)", h.Tenant, h.Product, lot, lot).
		OrderExpr("closed DESC, id DESC").Limit(maxLotCodes).Scan(ctx, &item.Codes)
	return item, fail("read codes of a lot", err)
}
