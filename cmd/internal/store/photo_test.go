package store_test

import (
	"strings"
	"testing"
	"time"

	"tianhai/cmd/internal/store"
	"tianhai/farm"
	"tianhai/trace"
	"tianhai/trace/photo"
)

func testPhotos(t *testing.T, s *store.Store) {
	ctx := t.Context()
	seed(t, s)
	hash, other := strings.Repeat("0a", 32), strings.Repeat("0b", 32)
	claim := photo.Claim{Taken: yesterday, Position: &farm.Position{Longitude: 108.55, Latitude: 21.76}}
	teas := photo.Upload{Hash: hash, Tenant: "tea", Site: "garden-1", Account: "wei", Size: 900, Uploaded: noon, Claim: claim, Far: true}
	oysters := photo.Upload{Hash: hash, Tenant: "oysters", Site: "raft-1", Account: "li", Size: 900, Uploaded: noon}
	equal(t, "of none", []photo.Upload{})(s.PhotoUploads(ctx, hash))
	for _, u := range []photo.Upload{teas, oysters, teas, {Hash: other, Tenant: "tea", Site: "garden-1", Account: "wei", Size: 50}} {
		check(t, s.AddPhoto(ctx, u))
	}
	equal(t, "whose", []photo.Upload{oysters, teas})(s.PhotoUploads(ctx, hash))
	for tenant, want := range map[string][2]int64{"tea": {2, 950}, "oysters": {1, 900}, "nobody": {0, 0}} {
		n, bytes, err := s.PhotoUse(ctx, tenant)
		if err != nil || int64(n) != want[0] || bytes != want[1] {
			t.Errorf("%s has %d pictures of %d bytes, %v", tenant, n, bytes, err)
		}
	}
	astray := teas
	astray.Hash, astray.Site = strings.Repeat("0c", 32), "raft-1"
	wantErr(t, "for a stranger's site", s.AddPhoto(ctx, astray), farm.ErrNotFound)

	op, rec := newOperation("o1", noon)
	op.Photos = []string{hash}
	check(t, s.AddOperation(ctx, op, rec))
	check(t, s.AddOperation(ctx, op, rec))
	equal(t, "those that operations name", []photo.Upload{teas})(s.PhotosOf(ctx, "garden-1", noon, noon.Add(time.Hour)))
	equal(t, "none then", []photo.Upload{})(s.PhotosOf(ctx, "garden-1", yesterday, noon))
	equal(t, "none there", []photo.Upload{})(s.PhotosOf(ctx, "raft-1", noon, noon.Add(time.Hour)))
	lost, lostRec := newOperation("o2", noon)
	lost.Photos = []string{strings.Repeat("0d", 32)}
	wantErr(t, "a picture that nobody has", s.AddOperation(ctx, lost, lostRec), farm.ErrNotFound)
	equal(t, "its record", []trace.Record{})(s.RecordsOf(ctx, "o2"))

	check(t, s.DropPhotos(ctx, noon))
	equal(t, "young ones stay", []photo.Upload{oysters, teas})(s.PhotoUploads(ctx, hash))
	check(t, s.DropPhotos(ctx, noon.Add(time.Second)))
	equal(t, "one that an operation names stays", []photo.Upload{teas})(s.PhotoUploads(ctx, hash))
	equal(t, "one that none names goes", []photo.Upload{})(s.PhotoUploads(ctx, other))
	for _, query := range []string{
		`DELETE FROM photos`,
		`UPDATE operation_photos SET hash = 'x'`,
		`DELETE FROM operation_photos`,
	} {
		if err := s.Exec(ctx, query); err == nil {
			t.Errorf("the database did %s", query)
		}
	}
}
