package store_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tianhai/cmd/internal/store"
	"tianhai/farm"
)

func testLicences(t *testing.T, s *store.Store) {
	seed(t, s)
	ctx := t.Context()
	tenants, err := s.Tenants(ctx)
	check(t, err)
	sites, err := s.Sites(ctx, store.SiteFilter{Tenant: tenants[0].ID})
	check(t, err)
	own, other := sites[0], tenants[1].ID

	forever := farm.Licence{ID: "01J0000000000000000000000A", Tenant: own.Tenant, Kind: farm.EpidemicLicence, Number: "1", Issuer: "县", Issued: noon, Recorded: noon, Account: "chief"}
	soon := farm.Licence{ID: "01J0000000000000000000000B", Tenant: own.Tenant, Site: own.ID, Kind: farm.AquacultureLicence, Number: "2", Issuer: "市", Issued: noon, Expires: noon.Add(time.Hour), Recorded: noon}
	check(t, s.AddLicence(ctx, forever))
	check(t, s.AddLicence(ctx, soon))
	got, err := s.Licences(ctx, own.Tenant)
	check(t, err)
	if diff := cmp.Diff([]farm.Licence{soon, forever}, got); diff != "" {
		t.Errorf("licences (-want +got):\n%s", diff)
	}
	if got, err := s.Licences(ctx, other); err != nil || len(got) != 0 {
		t.Errorf("the other tenant has licences %v, %v", got, err)
	}
	if err := s.AddLicence(ctx, soon); !errors.Is(err, farm.ErrConflict) {
		t.Errorf("the same again: %v, want a conflict", err)
	}
	soon.ID, soon.Tenant = "01J0000000000000000000000C", other
	if err := s.AddLicence(ctx, soon); !errors.Is(err, farm.ErrNotFound) {
		t.Errorf("for another tenant's site: %v, want not found", err)
	}
	for _, statement := range []string{"UPDATE licences SET number = '3'", "DELETE FROM licences"} {
		if err := s.Exec(ctx, statement); err == nil {
			t.Errorf("%s went through", statement)
		}
	}
}

func testBoundaries(t *testing.T, s *store.Store) {
	seed(t, s)
	ctx := t.Context()
	sites, err := s.Sites(ctx, store.SiteFilter{})
	check(t, err)
	if !sites[0].Boundary.IsZero() {
		t.Fatalf("a site begins with boundary %v", sites[0].Boundary)
	}
	want := sites[0]
	want.Boundary = farm.Boundary{Rings: [][]farm.Position{{{Longitude: 108.5, Latitude: 21.7}, {Longitude: 108.51, Latitude: 21.7}, {Longitude: 108.51, Latitude: 21.71}, {Longitude: 108.5, Latitude: 21.7}}}}
	want.Area = 574_000
	check(t, s.SetBoundary(ctx, want.ID, want.Boundary, want.Area))
	got, err := s.Site(ctx, want.ID)
	check(t, err)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("site (-want +got):\n%s", diff)
	}
	check(t, s.SetBoundary(ctx, want.ID, farm.Boundary{}, 0))
	if got, err := s.Site(ctx, want.ID); err != nil || !got.Boundary.IsZero() || got.Area != 0 {
		t.Errorf("without boundary again: %+v, %v", got, err)
	}
	if err := s.SetBoundary(ctx, "nowhere", want.Boundary, 1); !errors.Is(err, farm.ErrNotFound) {
		t.Errorf("boundary of an unknown site: %v, want not found", err)
	}
}
