package main

import (
	"context"
	"slices"
	"time"

	"tianhai/trace/photo"
)

const (
	keepPhotos = 7 * 24 * time.Hour // that no operation names: a phone may be out of reach for days
	cleanEvery = 6 * time.Hour
)

// hasPhoto reports whether a tenant has uploaded a picture.
func (s *server) hasPhoto(ctx context.Context, tenant, hash string) (bool, error) {
	uploads, err := s.store.PhotoUploads(ctx, hash)
	return slices.ContainsFunc(uploads, func(u photo.Upload) bool { return u.Tenant == tenant }), err
}

// cleanPhotos deletes pictures and files that no record came to name, until ctx is
// done.
func (s *server) cleanPhotos(ctx context.Context) error {
	tick := time.NewTicker(cleanEvery)
	defer tick.Stop()
	for {
		n, err := s.photos.Clean(ctx, time.Now().Add(-keepPhotos))
		if err == nil {
			var files int
			files, err = s.papers.Clean(ctx, time.Now().Add(-keepPhotos))
			n += files
		}
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			s.log.WarnContext(ctx, "pictures that nobody needs are still there", "error", err)
		case n > 0:
			s.log.InfoContext(ctx, "pictures that no record names were deleted", "files", n)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
