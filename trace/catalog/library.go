package catalog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"tianhai/farm"
)

// RefreshEvery is how long a change by another process stays unseen.
const RefreshEvery = 3 * time.Second

// Ours is the account that shipped versions are saved by.
const Ours = "tianhai"

// A Version is what the catalog said from Created on.
type Version struct {
	Version int       `json:"version"` // from 1
	Doc     string    `json:"doc,omitempty"`
	Account string    `json:"account"`
	Created time.Time `json:"created"`
}

// Store keeps versions.
type Store interface {
	// AddCatalog appends a version, and makes its products ones that batches can be
	// of; farm.ErrConflict when its number is taken.
	AddCatalog(ctx context.Context, v Version, products []Product) error
	// CatalogVersion returns a version, the newest for 0; farm.ErrNotFound.
	CatalogVersion(ctx context.Context, version int) (Version, error)
	// CatalogVersions returns all, newest first, without their documents.
	CatalogVersions(ctx context.Context) ([]Version, error)
}

// A Library has the catalog in force and every one before it. It reads the store
// now and then and not for each operation. It may be used concurrently.
type Library struct {
	store Store
	log   *slog.Logger
	now   func() time.Time

	mu      sync.RWMutex     // guards what follows
	all     map[int]*Catalog // by version
	newest  int
	current *Catalog // the newest that can be read
}

// Open returns a library with the newest catalog. Where none is stored, or only
// what an earlier release shipped, the shipped one becomes the newest. log may be
// nil.
func Open(ctx context.Context, store Store, log *slog.Logger) (*Library, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	l := &Library{store: store, log: log, now: time.Now, all: map[int]*Catalog{}}
	v, err := store.CatalogVersion(ctx, 0)
	if errors.Is(err, farm.ErrNotFound) || err == nil && v.Account == Ours && v.Doc != string(shipped) {
		if _, err = l.append(ctx, string(shipped), Ours, v.Version); errors.Is(err, farm.ErrConflict) {
			err = nil // another process was first
		}
	}
	if err != nil {
		return nil, fmt.Errorf("open catalog: %w", err)
	}
	if err := l.Load(ctx); err != nil {
		return nil, err
	}
	return l, nil
}

// Current returns the catalog in force.
func (l *Library) Current() *Catalog {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.current
}

// At returns the catalog of a version; farm.ErrNotFound.
func (l *Library) At(ctx context.Context, version int) (*Catalog, error) {
	l.mu.RLock()
	c, known := l.all[version]
	l.mu.RUnlock()
	if known {
		return c, nil
	}
	if version < 1 {
		return nil, fmt.Errorf("catalog version %d: %w", version, farm.ErrNotFound)
	}
	v, err := l.store.CatalogVersion(ctx, version)
	if err != nil {
		return nil, fmt.Errorf("catalog version %d: %w", version, err)
	}
	return l.keep(v)
}

// Document returns a version as it was saved, the newest for 0; farm.ErrNotFound.
func (l *Library) Document(ctx context.Context, version int) (Version, error) {
	return l.store.CatalogVersion(ctx, version)
}

// Versions returns who saved which version when, newest first, without documents.
func (l *Library) Versions(ctx context.Context) ([]Version, error) {
	return l.store.CatalogVersions(ctx)
}

func (l *Library) keep(v Version) (*Catalog, error) {
	c, err := Parse([]byte(v.Doc))
	if err != nil {
		return nil, fmt.Errorf("catalog version %d: %w", v.Version, err)
	}
	c.Version = v.Version
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all[v.Version] = c
	return c, nil
}

// Save appends a version that says doc, which must be a catalog. Where base is
// not 0 it must be the newest version, so that two people do not overwrite each
// other: farm.ErrConflict. The same again is nothing new.
func (l *Library) Save(ctx context.Context, doc, account string, base int) (Version, error) {
	newest, err := l.store.CatalogVersion(ctx, 0)
	switch {
	case err != nil:
		return Version{}, fmt.Errorf("save catalog: %w", err)
	case base != 0 && base != newest.Version:
		return Version{}, fmt.Errorf("save catalog: version %d is there already: %w", newest.Version, farm.ErrConflict)
	case newest.Doc == doc:
		return newest, nil
	}
	v, err := l.append(ctx, doc, account, newest.Version)
	if err != nil {
		return Version{}, err
	}
	return v, l.Load(ctx)
}

// append stores doc as the version after last.
func (l *Library) append(ctx context.Context, doc, account string, last int) (Version, error) {
	c, err := Parse([]byte(doc))
	if err != nil {
		return Version{}, err
	}
	v := Version{Version: last + 1, Doc: doc, Account: account, Created: l.now().UTC().Truncate(time.Microsecond)}
	if err := l.store.AddCatalog(ctx, v, c.Products); err != nil {
		return Version{}, fmt.Errorf("save catalog: %w", err)
	}
	return v, nil
}

// Load reads the newest catalog that this program can read: one that a later
// release has saved may hold what this one does not know.
func (l *Library) Load(ctx context.Context) error {
	v, err := l.store.CatalogVersion(ctx, 0)
	if err != nil {
		return fmt.Errorf("load catalog: %w", err)
	}
	l.mu.RLock()
	same := v.Version == l.newest
	l.mu.RUnlock()
	if same {
		return nil
	}
	newest := v.Version
	c, err := l.keep(v)
	for ; err != nil && v.Version > 1; c, err = l.keep(v) {
		l.log.ErrorContext(ctx, "catalog cannot be read; the one before it stays in force", "version", v.Version, "error", err)
		if v, err = l.store.CatalogVersion(ctx, v.Version-1); err != nil {
			return fmt.Errorf("load catalog: %w", err)
		}
	}
	if err != nil {
		return fmt.Errorf("load catalog: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.newest, l.current = newest, c
	return nil
}

// Run follows the store until ctx is done.
func (l *Library) Run(ctx context.Context) error {
	tick := time.NewTicker(RefreshEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := l.Load(ctx); err != nil && ctx.Err() == nil {
			l.log.WarnContext(ctx, "the catalog is that of before: the records do not answer", "error", err)
		}
	}
}
