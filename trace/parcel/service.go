package parcel

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/oklog/ulid/v2"

	"tianhai/farm"
)

const (
	poll      = time.Minute // for what another process ordered, and for what expires
	firstWait = time.Second // after a failure of the database or the disk
	lastWait  = time.Minute
	tellEvery = 500 // records
)

// A Config says what a Service works with.
type Config struct {
	Composer *Composer
	Book     Book
	Dir      string           // of the files; nobody else writes there
	Now      func() time.Time // nil means time.Now
	Logger   *slog.Logger
}

// A Service makes packages that were ordered, one after the other. It may be killed
// at any time: what was not done begins again with the next start, and a file is
// there whole or not at all.
type Service struct {
	cfg  Config
	wake chan struct{}
}

// New returns a Service; Run does its work.
func New(cfg Config) *Service {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Service{cfg: cfg, wake: make(chan struct{}, 1)}
}

func (s *Service) now() time.Time { return s.cfg.Now().UTC().Truncate(time.Millisecond) }

// PreviewPackage returns how many records a package would hold, by kind.
func (s *Service) PreviewPackage(ctx context.Context, operator string, p Period) (map[string]int, error) {
	return s.cfg.Composer.Source.CountRecords(ctx, operator, p.From, p.To)
}

// OrderPackage stores an order. ID, Operator, Period and Account are the caller's. The same
// again, by ID, changes nothing; another under it is farm.ErrConflict. Errors besides:
// *FieldError, ErrFull, farm.ErrNotFound for the operator.
func (s *Service) OrderPackage(ctx context.Context, p Package) (Package, error) {
	now := s.now()
	if _, err := ulid.ParseStrict(p.ID); err != nil {
		return Package{}, &FieldError{"id", "is not a ULID"}
	}
	if !p.From.Before(now) {
		return Package{}, &FieldError{"first", "is in the future"}
	}
	p.State, p.Created, p.Files = Waiting, now, []File{}
	err := s.cfg.Book.AddPackage(ctx, p)
	if errors.Is(err, farm.ErrConflict) {
		if old, readErr := s.cfg.Book.Package(ctx, p.ID); readErr == nil && old.Same(p) {
			return old, nil
		}
	}
	if err != nil {
		return Package{}, fmt.Errorf("order package: %w", err)
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return s.cfg.Book.Package(ctx, p.ID)
}

// CancelPackage calls off a package that waits or runs, or deletes the files of one that is
// done. One that has neither ahead of it nor files is farm.ErrConflict.
func (s *Service) CancelPackage(ctx context.Context, id string) error {
	p, err := s.cfg.Book.Package(ctx, id)
	if err != nil {
		return fmt.Errorf("cancel package: %w", err)
	}
	if p.State == Done {
		return s.drop(ctx, p, Deleted, Done)
	}
	return s.drop(ctx, p, Cancelled, Waiting, Running)
}

// drop ends a package and deletes its files. The state goes first: what it says is
// there is there. A file that a crash in between leaves is swept by the next start.
func (s *Service) drop(ctx context.Context, p Package, to State, from ...State) error {
	p.State, p.Files = to, []File{}
	if p.Ended.IsZero() {
		p.Ended = s.now()
	}
	if err := s.cfg.Book.SetPackage(ctx, p, from...); err != nil {
		return fmt.Errorf("drop package %s: %w", p.ID, err)
	}
	return s.remove(p.ID)
}

func (s *Service) remove(id string) error {
	var all error
	for _, f := range Forms() {
		if err := os.Remove(s.path(id, f)); !errors.Is(err, os.ErrNotExist) {
			all = errors.Join(all, err)
		}
	}
	return all
}

func (s *Service) path(id string, f Form) string { return filepath.Join(s.cfg.Dir, id+"."+string(f)) }

// OpenPackageFile opens a file of a package that is done; farm.ErrNotFound for any other.
func (s *Service) OpenPackageFile(ctx context.Context, id string, f Form) (*os.File, File, error) {
	p, err := s.cfg.Book.Package(ctx, id)
	if err != nil {
		return nil, File{}, err
	}
	for _, file := range p.Files {
		if file.Form != f {
			continue
		}
		out, err := os.Open(s.path(id, f))
		if errors.Is(err, os.ErrNotExist) { // deleted just now, or not in a backup
			err = farm.ErrNotFound
		}
		return out, file, err
	}
	return nil, File{}, farm.ErrNotFound
}

// Run makes packages until ctx is done, then returns nil.
func (s *Service) Run(ctx context.Context) error {
	swept, wait := false, firstWait
	for {
		var more bool
		var err error
		if !swept {
			err = s.sweep(ctx)
			swept = err == nil
		}
		if err == nil {
			more, err = s.round(ctx)
		}
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			s.cfg.Logger.WarnContext(ctx, "packages wait", "error", err, "retry_in", wait)
			if !sleep(ctx, wait, nil) {
				return nil
			}
			wait = min(2*wait, lastWait)
			continue
		case more:
		case !sleep(ctx, poll, s.wake):
			return nil
		}
		wait = firstWait
	}
}

// sleep waits for d or for wake; it returns false when ctx is done.
func sleep(ctx context.Context, d time.Duration, wake <-chan struct{}) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
	case <-wake:
	}
	return true
}

// sweep deletes files that an end in the middle of something left: those of packages
// that are not done.
func (s *Service) sweep(ctx context.Context) error {
	entries, err := os.ReadDir(s.cfg.Dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		id, form, _ := strings.Cut(e.Name(), ".")
		p, readErr := s.cfg.Book.Package(ctx, id)
		switch {
		case readErr != nil && !errors.Is(readErr, farm.ErrNotFound):
			return readErr
		case readErr != nil, p.State != Done, strings.HasSuffix(form, partial):
			err = errors.Join(err, os.Remove(filepath.Join(s.cfg.Dir, e.Name())))
		}
	}
	return err
}

// round deletes what is stale, and makes one package; false where none was ordered.
func (s *Service) round(ctx context.Context) (bool, error) {
	stale, err := s.cfg.Book.StalePackages(ctx, s.now())
	if err != nil {
		return false, err
	}
	for _, p := range stale {
		if err := s.drop(ctx, p, Expired, Done); err != nil && !errors.Is(err, farm.ErrConflict) {
			return false, err
		}
	}
	p, err := s.cfg.Book.OpenPackage(ctx)
	if errors.Is(err, farm.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	err = s.make(ctx, p)
	if errors.Is(err, farm.ErrConflict) { // it was called off
		return true, s.remove(p.ID)
	}
	return true, err
}

// make makes a package from the beginning, whatever an earlier run had done.
func (s *Service) make(ctx context.Context, p Package) error {
	kinds, err := s.PreviewPackage(ctx, p.Operator, p.Period)
	if err != nil {
		return err
	}
	p.State, p.Total, p.Done = Running, 0, 0
	for _, n := range kinds {
		p.Total += n
	}
	if err := s.cfg.Book.SetPackage(ctx, p, Waiting, Running); err != nil {
		return err
	}
	if p.Total > MaxRecords {
		return s.fail(ctx, p, ErrTooMany)
	}
	err = s.write(ctx, &p)
	switch {
	case ctx.Err() != nil, errors.Is(err, farm.ErrConflict):
		return err
	case err != nil:
		s.cfg.Logger.ErrorContext(ctx, "a package could not be made", "package", p.ID, "error", err)
		return s.fail(ctx, p, err)
	}
	p.State, p.Done, p.Ended = Done, p.Tally.Records, s.now()
	p.Expires = p.Ended.Add(Keep)
	return s.cfg.Book.SetPackage(ctx, p, Running)
}

// write writes the files, which are on disk when it returns nil.
func (s *Service) write(ctx context.Context, p *Package) (err error) {
	if err := os.MkdirAll(s.cfg.Dir, 0o700); err != nil {
		return err
	}
	room := int64(MaxBytes)
	files := map[Form]*digested{}
	for _, f := range Forms() {
		file, err := newDigested(s.path(p.ID, f), &room)
		if err != nil {
			return err
		}
		defer file.discard()
		files[f] = file
	}
	p.Tally, err = s.cfg.Composer.Compose(ctx, p.Operator, p.Period, files[JSON], files[XLSX], func(done int) error {
		if done%tellEvery != 0 {
			return nil
		}
		p.Done = done
		return s.cfg.Book.SetPackage(ctx, *p, Running)
	})
	if err != nil {
		return err
	}
	var made []File
	for _, f := range Forms() {
		if err := files[f].keep(); err != nil {
			return err
		}
		made = append(made, File{f, files[f].size, hex.EncodeToString(files[f].sum.Sum(nil))})
	}
	p.Files = made
	return syncDir(s.cfg.Dir)
}

// fail ends a package in vain. That it does is on record even where the cause is a
// disk that has no room for a package, but for a row.
func (s *Service) fail(ctx context.Context, p Package, cause error) error {
	reason := ReasonInternal
	switch {
	case errors.Is(cause, ErrTooMany):
		reason = ReasonTooMany
	case errors.Is(cause, errTooLarge):
		reason = ReasonTooLarge
	case errors.Is(cause, syscall.ENOSPC):
		reason = ReasonDisk
	}
	p.State, p.Reason, p.Ended, p.Files = Failed, reason, s.now(), []File{}
	if err := s.cfg.Book.SetPackage(ctx, p, Running); err != nil {
		return err
	}
	return s.remove(p.ID)
}
