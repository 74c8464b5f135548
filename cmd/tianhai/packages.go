package main

import (
	"context"
	"net/http"

	"tianhai/api"
	"tianhai/cmd/internal/store"
	"tianhai/trace/parcel"
)

// openPackages is called when the server listens: packages name its address.
func (s *server) openPackages() {
	s.packages = parcel.New(parcel.Config{
		Composer: &parcel.Composer{Source: packed{s.store}, Catalogs: s.catalogs, Schema: s.publicURL() + parcel.SchemaPath},
		Book:     s.store, Dir: s.cfg.path("packages"), Logger: s.log,
	})
}

// ListPackages returns those in scope.
func (r records) ListPackages(ctx context.Context, q api.PackageQuery) ([]parcel.Package, error) {
	return r.Packages(ctx, store.PackageFilter{Tenant: q.Tenant, Region: q.Region, After: store.Place(q.After), Limit: q.Limit})
}

// describePackage serves the schema of packages, which is the same for everybody.
func describePackage(w http.ResponseWriter, _ *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "application/schema+json")
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Cache-Control", "max-age=86400")
	_, _ = w.Write(parcel.Schema()) // the reader went
}
