package main

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"tianhai/api"
	"tianhai/cmd/internal/store"
	"tianhai/farm"
	"tianhai/i18n"
	"tianhai/trace/parcel"
)

// openPackages is called when the server listens: packages name its address.
func (s *server) openPackages() {
	s.packages = parcel.New(parcel.Config{
		Composer: &parcel.Composer{Source: packed{s.store}, Catalogs: s.catalogs, Word: chinese(s.texts), Schema: s.publicURL() + parcel.SchemaPath},
		Book:     s.store, Dir: s.cfg.path("packages"), Logger: s.log,
	})
	courier := parcel.Courier{Outbox: s.store, Open: s.packages.OpenPackageFile, Logger: s.log}
	if to := s.cfg.Packages.Platform; to.URL != "" {
		at, _ := url.Parse(string(to.URL)) // was checked
		courier.Name = at.Hostname()
		courier.Platform = parcel.Post{URL: string(to.URL), Secret: []byte(to.Secret), Client: platformClient()}
	}
	s.courier = parcel.NewCourier(courier)
}

// platformClient follows nobody elsewhere: what it carries is for the platform alone.
func platformClient() *http.Client {
	return &http.Client{Timeout: 10 * time.Minute, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// ListPackages returns those in scope.
func (r records) ListPackages(ctx context.Context, q api.PackageQuery) ([]parcel.Package, error) {
	return r.Packages(ctx, store.PackageFilter{Tenant: q.Tenant, Region: q.Region, After: store.Place(q.After), Limit: q.Limit})
}

// PackageOperators returns those in scope.
func (r records) PackageOperators(ctx context.Context, q api.PackageOperatorQuery) ([]farm.Tenant, error) {
	return r.TenantsIn(ctx, store.TenantPage{Tenant: q.Tenant, Region: q.Region, Words: q.Words, After: q.After, Limit: q.Limit})
}

// chinese looks keys up that may have no words.
func chinese(texts *i18n.Catalog) func(key string) string {
	return func(key string) string {
		if word := texts.T("zh-CN", key); word != key {
			return word
		}
		return ""
	}
}

// describePackage serves the schema of packages, which is the same for everybody.
func describePackage(w http.ResponseWriter, _ *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "application/schema+json")
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Cache-Control", "max-age=86400")
	_, _ = w.Write(parcel.Schema()) // the reader went
}
