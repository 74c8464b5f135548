package evidence

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"tianhai/farm"
)

// A Shelf keeps series under their hashes in a directory that is its alone,
// compressed. They outlast what retention deletes, and say which of the readings
// that are stored now were there when a record was sealed. It may be used
// concurrently.
type Shelf struct{ Dir string }

// A Draft is a series that is being written and is not kept yet. One of Keep and
// Drop must be called; Drop after Keep does nothing.
type Draft struct {
	*Writer
	shelf *Shelf
	file  *os.File
	zip   *gzip.Writer
}

// Begin starts a series. A nil Shelf hashes it and keeps nothing.
func (s *Shelf) Begin(h Header) (*Draft, error) {
	if s == nil {
		w, err := NewWriter(io.Discard, h)
		return &Draft{Writer: w}, err
	}
	if err := os.MkdirAll(s.Dir, 0o700); err != nil {
		return nil, err
	}
	file, err := os.CreateTemp(s.Dir, "draft-*")
	if err != nil {
		return nil, err
	}
	d := &Draft{shelf: s, file: file, zip: gzip.NewWriter(file)}
	if d.Writer, err = NewWriter(d.zip, h); err != nil {
		d.Drop()
		return nil, err
	}
	return d, nil
}

// Keep ends the series and returns its hash, once it is on disk.
func (d *Draft) Keep() (string, error) {
	sum, err := d.Sum()
	if err != nil || d.file == nil {
		return sum, err
	}
	defer d.Drop()
	if err := errors.Join(d.zip.Close(), d.file.Sync()); err != nil {
		return "", fmt.Errorf("keep series: %w", err)
	}
	name := d.file.Name()
	if err := d.file.Close(); err != nil {
		return "", fmt.Errorf("keep series: %w", err)
	}
	d.file = nil
	if err := os.Rename(name, d.shelf.path(sum)); err != nil {
		return "", fmt.Errorf("keep series: %w", errors.Join(err, os.Remove(name)))
	}
	if err := syncDir(d.shelf.Dir); err != nil {
		return "", fmt.Errorf("keep series: %w", err)
	}
	return sum, nil
}

// Drop forgets a series that was not kept.
func (d *Draft) Drop() {
	if d.file == nil {
		return
	}
	_ = d.file.Close()           // nobody reads it
	_ = os.Remove(d.file.Name()) // else Sweep does
	d.file = nil
}

func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func (s *Shelf) path(sum string) string { return filepath.Join(s.Dir, sum+".csv.gz") }

var hash256 = regexp.MustCompile(`^[0-9a-f]{64}$`)

// Open returns the text of a series by its hash; farm.ErrNotFound. That it is the
// text of that hash is for the reader to see: Reader.Sum says.
func (s *Shelf) Open(sum string) (io.ReadCloser, error) {
	if s == nil || !hash256.MatchString(sum) {
		return nil, farm.ErrNotFound
	}
	file, err := os.Open(s.path(sum))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("series %s: %w", sum, farm.ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("read series: %w", err)
	}
	zip, err := gzip.NewReader(bufio.NewReader(file))
	if err != nil {
		return nil, fmt.Errorf("read series %s: %w", sum, errors.Join(err, file.Close()))
	}
	return &opened{Reader: zip, file: file}, nil
}

type opened struct {
	io.Reader
	file *os.File
}

func (o *opened) Close() error { return o.file.Close() }

// Sweep removes what was begun before a time and never kept: a process was killed.
func (s *Shelf) Sweep(before time.Time) error {
	drafts, err := filepath.Glob(filepath.Join(s.Dir, "draft-*"))
	for _, name := range drafts {
		if info, e := os.Stat(name); e == nil && info.ModTime().Before(before) {
			err = errors.Join(err, os.Remove(name))
		}
	}
	return err
}
