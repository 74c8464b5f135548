package store_test

import (
	"fmt"
	"testing"

	"tianhai/cmd/internal/store"
	"tianhai/farm"
	"tianhai/trace"
	"tianhai/trace/resolver"
)

func testGTINs(t *testing.T, s *store.Store) {
	seed(t, s)
	ctx := t.Context()
	own := resolver.Holding{GTIN: "09506000134352", Tenant: "tea", Product: "liubao", Account: "admin", Set: noon}
	check(t, s.AddHolding(ctx, own))
	check(t, s.AddHolding(ctx, own))
	other := own
	other.Tenant = "oysters"
	wantErr(t, "another holder", s.AddHolding(ctx, other), farm.ErrConflict)
	other.GTIN, other.Tenant = "04012345111118", "nobody"
	wantErr(t, "unknown holder", s.AddHolding(ctx, other), farm.ErrNotFound)
	equal(t, "holder", own)(s.Holding(ctx, own.GTIN))
	equal(t, "of the product", own.GTIN)(s.HeldGTIN(ctx, "tea", "liubao"))
	equal(t, "of another operator", "")(s.HeldGTIN(ctx, "nobody", "liubao"))
	equal(t, "of the holder", []resolver.Holding{own})(s.Holdings(ctx, "tea"))
	equal(t, "of another", []resolver.Holding{})(s.Holdings(ctx, "oysters"))
	_, err := s.Item(ctx, other.GTIN, "L1")
	wantErr(t, "nobody's GTIN", err, farm.ErrNotFound)

	pip := resolver.Link{ID: "01J0000000000000000000000A", GTIN: own.GTIN, Type: "pip", Href: "https://shop.example/", Title: "茶", Language: "zh", Media: "text/html", Account: "chief", Added: noon}
	check(t, s.AddLink(ctx, pip))
	again := pip
	again.ID, again.Href = "01J0000000000000000000000B", "https://shop.example/other"
	wantErr(t, "not to be told apart", s.AddLink(ctx, again), farm.ErrConflict)
	again.GTIN = other.GTIN
	wantErr(t, "of nobody's GTIN", s.AddLink(ctx, again), farm.ErrNotFound)

	english := pip
	english.ID, english.Language, english.Title = "01J0000000000000000000000B", "en", "tea"
	check(t, s.AddLink(ctx, english))
	english.Href, english.Account, english.Added = "https://shop.example/en", "deputy", noon.AddDate(0, 0, 1)
	check(t, s.ChangeLink(ctx, english))
	equal(t, "changed, and no other", []resolver.Link{pip, english})(s.Links(ctx, own.GTIN))
	alike := english
	alike.Language = pip.Language
	wantErr(t, "changed into another", s.ChangeLink(ctx, alike), farm.ErrConflict)
	alike.GTIN = "04012345111118"
	wantErr(t, "through another GTIN", s.ChangeLink(ctx, alike), farm.ErrNotFound)
	check(t, s.DeleteLink(ctx, own.GTIN, english.ID))
	wantErr(t, "a link that is gone", s.ChangeLink(ctx, english), farm.ErrNotFound)

	// The holder's lots alone, and only those that are closed; by number or by code.
	closed := func(id, tenant, site, lot, code string, day int) {
		b := trace.Batch{ID: id, Tenant: tenant, Site: site, Product: "liubao", Lot: lot, Quantity: 1, Unit: "kg", Began: yesterday, Harvest: noon, Opened: noon}
		check(t, s.AddBatch(ctx, b))
		if code == "" {
			return
		}
		b.Code, b.Closed = code, noon.AddDate(0, 0, day)
		check(t, s.CloseBatch(ctx, b, trace.Record{ID: "r" + id, Tenant: tenant, Kind: trace.BatchRecord, Subject: id, Code: code, Body: []byte("{}"), Salt: []byte("0123456789abcdef"), At: noon, Index: -1}))
	}
	closed("b1", "tea", "garden-1", "L1", "CODE1", 1)
	closed("b2", "tea", "garden-1", "L1", "CODE2", 2)
	closed("b3", "tea", "garden-1", "L1", "", 0)
	closed("b4", "oysters", "raft-1", "L1", "CODE4", 3)
	want := resolver.Item{Name: liubao.Name, Links: []resolver.Link{pip}, Codes: []string{"CODE2", "CODE1"}}
	equal(t, "by lot", want)(s.Item(ctx, own.GTIN, "L1"))
	want.Codes = []string{"CODE1"}
	equal(t, "by code", want)(s.Item(ctx, own.GTIN, "CODE1"))
	if got, err := s.Item(ctx, own.GTIN, "CODE4"); err != nil || len(got.Codes) != 0 {
		t.Errorf("another's batch: %+v, %v", got, err)
	}

	wantErr(t, "a link of another GTIN", s.DeleteLink(ctx, other.GTIN, pip.ID), farm.ErrNotFound)
	check(t, s.DeleteLink(ctx, own.GTIN, pip.ID))
	equal(t, "none left", []resolver.Link{})(s.Links(ctx, own.GTIN))
	for i := range resolver.MaxLinks {
		pip.ID, pip.Lot = fmt.Sprintf("01J%023d", i), fmt.Sprint(i)
		check(t, s.AddLink(ctx, pip))
	}
	pip.ID, pip.Lot = "01J0000000000000000000000C", "more"
	wantErr(t, "one too many", s.AddLink(ctx, pip), resolver.ErrFull)
}
