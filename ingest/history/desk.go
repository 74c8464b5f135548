package history

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"tianhai/ingest"
)

// A Desk takes orders: it says what a file would do, and makes jobs. It may be
// used while no worker runs; the jobs then wait for one.
type Desk struct {
	Dir      string // of files that wait, created if needed
	Store    Store
	Fleet    Fleet
	Profiles ingest.Profiles // as the records have them now, within seconds
	Chain    ingest.Chain    // reads frames that refer to others, and learns nothing; nil: nobody does
	Decode   func(format string) (decoder func(payload []byte, room []ingest.Value) ([]ingest.Value, error), known bool)
	Quality  func() (ingest.Quality, error) // makes one that remembers nothing
	Names    func(quantity string) []string // what people call a quantity
	Now      func() time.Time               // nil: time.Now
	Logger   *slog.Logger                   // nil discards
	Added    func()                         // is told of a new job; nil: nobody
}

func (d *Desk) now() time.Time {
	if d.Now != nil {
		return d.Now().UTC()
	}
	return time.Now().UTC()
}

func (d *Desk) log() *slog.Logger {
	if d.Logger != nil {
		return d.Logger
	}
	return slog.New(slog.DiscardHandler)
}

// Preview says what Backfill would do with a file, and keeps nothing of it.
// Errors are those of Backfill.
func (d *Desk) Preview(ctx context.Context, tenant string, order Backfill, file io.Reader) (Preview, error) {
	j := d.backfill(tenant, "", order)
	name, err := d.receive(file)
	if err != nil {
		return Preview{}, err
	}
	v, err := d.preview(ctx, name, &j)
	return v, errors.Join(err, os.Remove(name))
}

// Backfill makes a job of a file. Once it has returned nil, the file is on disk
// and will be read, whatever happens to this process. Rows of devices of other
// tenants are refused; an empty tenant is everybody's. A file whose columns
// cannot be told, or an order that cannot be, is an *OrderError.
func (d *Desk) Backfill(ctx context.Context, tenant, account string, order Backfill, file io.Reader) (Job, error) {
	j := d.backfill(tenant, account, order)
	if order.Device != "" {
		if err := mayTouch(ctx, d.Fleet, tenant, order.Device); err != nil {
			return Job{}, err
		}
	}
	name, err := d.receive(file)
	if err != nil {
		return Job{}, err
	}
	if err := d.lodge(ctx, name, &j); err != nil {
		return Job{}, errors.Join(err, removed(name), removed(d.file(j.ID)))
	}
	d.added()
	return j, nil
}

func (d *Desk) backfill(tenant, account string, order Backfill) Job {
	j := newJob(tenant, account, d.now())
	order.complete()
	order.File = short(filepath.Base(strings.ReplaceAll(order.File, `\`, "/")))
	j.Kind, j.Backfill = KindBackfill, &order
	return j
}

// lodge checks a file as far as its header, and makes it the job's.
func (d *Desk) lodge(ctx context.Context, name string, j *Job) error {
	t, _, _, err := d.reader().open(name, j.Backfill)
	if err != nil {
		return err
	}
	if err := t.close(); err != nil {
		return err
	}
	if err := os.Rename(name, d.file(j.ID)); err != nil {
		return fmt.Errorf("keep file: %w", err)
	}
	if err := syncDir(d.Dir); err != nil {
		return fmt.Errorf("keep file: %w", err)
	}
	return d.Store.CreateJob(ctx, *j)
}

// Replay makes a job that reads frames again. Its error is an *OrderError where
// the order cannot be.
func (d *Desk) Replay(ctx context.Context, tenant, account string, order Replay) (Job, error) {
	j := newJob(tenant, account, d.now())
	j.Kind, j.Replay = KindReplay, &order
	if err := order.check(ctx, d.Fleet, &j); err != nil {
		return Job{}, err
	}
	if err := d.Store.CreateJob(ctx, j); err != nil {
		return Job{}, err
	}
	d.added()
	return j, nil
}

func (d *Desk) added() {
	if d.Added != nil {
		d.Added()
	}
}

// file is where a job's file lies until the job ends.
func (d *Desk) file(job string) string { return filepath.Join(d.Dir, job) }

// received begins the names of files that are still coming in.
const received = "receiving-"

// receive writes a file to disk, readable by its owner alone.
func (d *Desk) receive(from io.Reader) (name string, err error) {
	if err := os.MkdirAll(d.Dir, 0o700); err != nil {
		return "", fmt.Errorf("keep file: %w", err)
	}
	f, err := os.CreateTemp(d.Dir, received+"*") // 0600
	if err != nil {
		return "", fmt.Errorf("keep file: %w", err)
	}
	n, err := io.Copy(f, io.LimitReader(from, MaxFile+1))
	if err == nil && n > MaxFile {
		err = wrong("file", "is larger than %d bytes; split it", MaxFile)
	}
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), nil
}

// removed removes a file that may not be there.
func removed(name string) error {
	if err := os.Remove(name); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// sweep removes files that no job waits for: of uploads that broke off, and of
// jobs that ended while their file could not be removed.
func (d *Desk) sweep(ctx context.Context) error {
	open, err := d.Store.OpenJobs(ctx)
	if err != nil {
		return err
	}
	wanted := map[string]bool{}
	for _, id := range open {
		wanted[id] = true
	}
	entries, err := os.ReadDir(d.Dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		info, infoErr := e.Info()
		if infoErr == nil && !wanted[e.Name()] && d.now().Sub(info.ModTime()) > orphanAge {
			err = errors.Join(err, removed(filepath.Join(d.Dir, e.Name())))
		}
	}
	return err
}

// orphanAge is how old a file must be that is in nobody's name: the one that is
// just being brought in has none yet.
const orphanAge = time.Hour
