// Package mapping keeps what administrators have said about the JSON of other
// people's devices, under names that models, topics and content types use:
// "mapped;mapping=weather".
//
// A mapping is never edited: saving it appends a version, and so does deleting
// it. Frames are read by the newest.
package mapping

import (
	"context"
	"errors"
	"fmt"
	"mime"
	"slices"
	"time"

	"tianhai/farm"
	"tianhai/ingest/decode"
)

// A Version is what a mapping said from Created on.
type Version struct {
	Name    string    `json:"name"`
	Version int       `json:"version"` // from 1
	Doc     string    `json:"doc"`     // YAML, as decode.ParseMapping reads it; empty when Deleted
	Deleted bool      `json:"deleted,omitempty"`
	Account string    `json:"account"`
	Created time.Time `json:"created"`
}

// Store keeps versions.
type Store interface {
	// AddMapping appends a version; farm.ErrConflict when its number is taken.
	AddMapping(ctx context.Context, v Version) error
	// Mappings returns the newest version of every mapping, deleted ones too, by name.
	Mappings(ctx context.Context) ([]Version, error)
	// MappingVersions returns all of one mapping, oldest first; farm.ErrNotFound.
	MappingVersions(ctx context.Context, name string) ([]Version, error)
}

// Format returns the format of payloads that a mapping reads.
func Format(name string) string { return "mapped;mapping=" + name }

// NameIn returns the name of the mapping in a format; false if it is no such format.
func NameIn(format string) (name string, ok bool) {
	media, params, err := mime.ParseMediaType(format)
	name = params["mapping"]
	return name, err == nil && media == "mapped" && len(params) == 1 && farm.CheckID(name) == nil
}

// A Desk is where mappings are saved.
type Desk struct {
	Store   Store
	Changed func()           // after a change; nil: nobody is told
	Now     func() time.Time // nil: time.Now
}

// List returns the mappings that there are, by name.
func (d *Desk) List(ctx context.Context) ([]Version, error) {
	all, err := d.Store.Mappings(ctx)
	return slices.DeleteFunc(all, func(v Version) bool { return v.Deleted }), err
}

// Versions returns all versions of a mapping, oldest first; farm.ErrNotFound.
func (d *Desk) Versions(ctx context.Context, name string) ([]Version, error) {
	return d.Store.MappingVersions(ctx, name)
}

// Save appends a version that says doc, which must be a mapping. Where base is
// not 0 it must be the newest version, so that two people do not overwrite each
// other: farm.ErrConflict. The same again is nothing new.
func (d *Desk) Save(ctx context.Context, name, doc, account string, base int) (Version, error) {
	if err := farm.CheckID(name); err != nil {
		return Version{}, err
	}
	if _, err := decode.ParseMapping([]byte(doc)); err != nil {
		return Version{}, err
	}
	newest, err := d.newest(ctx, name)
	switch {
	case err != nil:
		return Version{}, err
	case base != 0 && base != newest.Version:
		return Version{}, fmt.Errorf("save mapping %s: version %d is there already: %w", name, newest.Version, farm.ErrConflict)
	case newest.Doc == doc && newest.Version > 0:
		return newest, nil
	}
	return d.append(ctx, Version{Name: name, Version: newest.Version + 1, Doc: doc, Account: account})
}

// Delete appends a version that says nothing: frames that need the mapping go to
// quarantine, until it is saved again. farm.ErrNotFound.
func (d *Desk) Delete(ctx context.Context, name, account string) error {
	newest, err := d.newest(ctx, name)
	if err != nil {
		return err
	}
	if newest.Version == 0 || newest.Deleted {
		return fmt.Errorf("delete mapping %q: %w", name, farm.ErrNotFound)
	}
	_, err = d.append(ctx, Version{Name: name, Version: newest.Version + 1, Deleted: true, Account: account})
	return err
}

func (d *Desk) newest(ctx context.Context, name string) (Version, error) {
	all, err := d.Store.MappingVersions(ctx, name)
	if errors.Is(err, farm.ErrNotFound) {
		return Version{}, nil
	}
	if err != nil {
		return Version{}, fmt.Errorf("read mapping %s: %w", name, err)
	}
	return all[len(all)-1], nil
}

func (d *Desk) append(ctx context.Context, v Version) (Version, error) {
	now := time.Now
	if d.Now != nil {
		now = d.Now
	}
	v.Created = now().UTC().Truncate(time.Microsecond)
	if err := d.Store.AddMapping(ctx, v); err != nil {
		return Version{}, fmt.Errorf("save mapping %s: %w", v.Name, err)
	}
	if d.Changed != nil {
		d.Changed()
	}
	return v, nil
}
