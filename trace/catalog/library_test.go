package catalog_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tianhai/farm"
	"tianhai/trace/catalog"
)

// A shelf keeps versions in memory.
type shelf struct {
	mu  sync.Mutex
	all []catalog.Version
}

func (s *shelf) AddCatalog(_ context.Context, v catalog.Version, _ []catalog.Product) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v.Version != len(s.all)+1 {
		return farm.ErrConflict
	}
	s.all = append(s.all, v)
	return nil
}

func (s *shelf) CatalogVersion(_ context.Context, n int) (catalog.Version, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n == 0 {
		n = len(s.all)
	}
	if n < 1 || n > len(s.all) {
		return catalog.Version{}, farm.ErrNotFound
	}
	return s.all[n-1], nil
}

func (s *shelf) CatalogVersions(context.Context) ([]catalog.Version, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all, nil
}

func open(t *testing.T, s *shelf) *catalog.Library {
	t.Helper()
	l, err := catalog.Open(t.Context(), s, nil)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestShippedBecomesAVersion(t *testing.T) {
	s := &shelf{}
	if c := open(t, s).Current(); c.Version != 1 || len(c.Products) != 12 {
		t.Errorf("first start: version %d with %d products", c.Version, len(c.Products))
	}
	open(t, s)
	if len(s.all) != 1 {
		t.Errorf("the second start left %d versions", len(s.all))
	}
	// An earlier release shipped another one, and nobody touched it.
	s.all[0].Doc = small
	if c := open(t, s).Current(); c.Version != 2 || len(c.Products) != 12 {
		t.Errorf("after a new release: version %d with %d products", c.Version, len(c.Products))
	}
	// Whatever an administrator saved stays.
	s.all = append(s.all, catalog.Version{Version: 3, Doc: small, Account: "admin"})
	if c := open(t, s).Current(); c.Version != 3 || len(c.Products) != 1 {
		t.Errorf("an administrator's catalog became version %d with %d products", c.Version, len(c.Products))
	}
}

func TestSave(t *testing.T) {
	ctx, s := t.Context(), &shelf{}
	l := open(t, s)
	if _, err := l.Save(ctx, strings.Replace(small, "type: text", "type: tex", 1), "admin", 0); err == nil || len(s.all) != 1 {
		t.Errorf("a faulty catalog is saved: %v", err)
	}
	v, err := l.Save(ctx, small, "admin", 1)
	if err != nil || v.Version != 2 || l.Current().Version != 2 {
		t.Fatalf("saved as %+v, in force %d: %v", v, l.Current().Version, err)
	}
	if again, err := l.Save(ctx, small, "admin", 0); err != nil || again.Version != 2 {
		t.Errorf("the same again is version %d: %v", again.Version, err)
	}
	if _, err := l.Save(ctx, small+"\n", "admin", 1); !errors.Is(err, farm.ErrConflict) {
		t.Errorf("saved over somebody's: %v", err)
	}
	// What was checked against the first is still explained by it.
	if old, err := l.At(ctx, 1); err != nil || len(old.Products) != 12 {
		t.Errorf("version 1 is gone: %v", err)
	}
	for _, n := range []int{-1, 0, 9} {
		if _, err := l.At(ctx, n); !errors.Is(err, farm.ErrNotFound) {
			t.Errorf("version %d: %v", n, err)
		}
	}
}

func TestRunNoticesOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{}
		l := open(t, s)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- l.Run(ctx) }()
		if err := s.AddCatalog(ctx, catalog.Version{Version: 2, Doc: small, Account: "admin"}, nil); err != nil {
			t.Fatal(err)
		}
		time.Sleep(catalog.RefreshEvery + time.Millisecond)
		synctest.Wait()
		if l.Current().Version != 2 {
			t.Error("a version saved elsewhere is not in force")
		}
		// A later release's catalog does not take this one's away.
		if err := s.AddCatalog(ctx, catalog.Version{Version: 3, Doc: "levels: 9", Account: "admin"}, nil); err != nil {
			t.Fatal(err)
		}
		time.Sleep(catalog.RefreshEvery + time.Millisecond)
		synctest.Wait()
		if l.Current().Version != 2 {
			t.Errorf("version %d is in force", l.Current().Version)
		}
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
