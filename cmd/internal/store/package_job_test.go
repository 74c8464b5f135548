package store_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tianhai/cmd/internal/store"
	"tianhai/farm"
	"tianhai/trace"
	"tianhai/trace/parcel"
)

func packageOf(operator string, n int) parcel.Package {
	return parcel.Package{
		ID: fmt.Sprintf("01JZ0000000000000000000%03d", n), Operator: operator, Period: parcel.Period{From: noon.Add(-24 * time.Hour), To: noon.Add(24 * time.Hour)},
		Account: "wang", State: parcel.Waiting, Created: noon.Add(time.Duration(n) * time.Second), Files: []parcel.File{},
	}
}

func testPackageOrders(t *testing.T, s *store.Store) {
	seed(t, s)
	ctx := t.Context()
	for n := range parcel.MaxOpen {
		check(t, s.AddPackage(ctx, packageOf("tea", n)))
	}
	wantErr(t, "an order again", s.AddPackage(ctx, packageOf("tea", 0)), farm.ErrConflict)
	wantErr(t, "one order more", s.AddPackage(ctx, packageOf("tea", 90)), parcel.ErrFull)
	check(t, s.AddPackage(ctx, packageOf("oysters", 10)))

	p, err := s.OpenPackage(ctx)
	check(t, err)
	if want := packageOf("tea", 0); p.ID != want.ID || p.Region != tea.Region || p.Name != tea.Name || !p.Same(want) || p.Account != "wang" || !p.Created.Equal(want.Created) {
		t.Errorf("the oldest is %+v", p)
	}
	p.State, p.Done, p.Total, p.Tally, p.Ended, p.Expires = parcel.Done, 3, 4, parcel.Tally{Records: 3, Unsealed: 1}, noon, noon.Add(time.Hour)
	p.Files = []parcel.File{{Form: parcel.JSON, Size: 7, SHA256: "ab"}, {Form: parcel.XLSX, Size: 8, SHA256: "cd"}}
	wantErr(t, "from another state", s.SetPackage(ctx, p, parcel.Running), farm.ErrConflict)
	check(t, s.SetPackage(ctx, p, parcel.Running, parcel.Waiting))
	got, err := s.Package(ctx, p.ID)
	check(t, err)
	if diff := cmp.Diff(p, got); diff != "" {
		t.Errorf("what was stored (-want +got):\n%s", diff)
	}
	_, err = s.Package(ctx, "01JZ0000000000000000000XXX")
	wantErr(t, "no package", err, farm.ErrNotFound)

	for name, tt := range map[string]struct {
		p    store.TenantPage
		want []farm.Tenant
	}{
		"all, by ID":       {store.TenantPage{}, []farm.Tenant{oysters, tea}},
		"the next":         {store.TenantPage{After: oysters.ID, Limit: 1}, []farm.Tenant{tea}},
		"of a region":      {store.TenantPage{Region: tea.Region}, []farm.Tenant{tea}},
		"one's own":        {store.TenantPage{Tenant: tea.ID}, []farm.Tenant{tea}},
		"by ID":            {store.TenantPage{Words: tea.ID}, []farm.Tenant{tea}},
		"by half a name":   {store.TenantPage{Words: string([]rune(tea.Name.Zh)[1:])}, []farm.Tenant{tea}},
		"no pattern":       {store.TenantPage{Words: "%"}, []farm.Tenant{}},
		"of others' place": {store.TenantPage{Words: tea.ID, Region: oysters.Region}, []farm.Tenant{}},
	} {
		got, err := s.TenantsIn(ctx, tt.p)
		check(t, err)
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("operators %s (-want +got):\n%s", name, diff)
		}
	}

	ids := func(f store.PackageFilter) (ids []string) {
		all, err := s.Packages(ctx, f)
		check(t, err)
		for _, p := range all {
			ids = append(ids, p.ID[23:])
		}
		return ids
	}
	for name, tt := range map[string]struct {
		f    store.PackageFilter
		want []string
	}{
		"all, the latest first": {store.PackageFilter{}, []string{"010", "004", "003", "002", "001", "000"}},
		"one's own":             {store.PackageFilter{Tenant: "oysters"}, []string{"010"}},
		"of a region":           {store.PackageFilter{Region: tea.Region}, []string{"004", "003", "002", "001", "000"}},
		"a page":                {store.PackageFilter{Limit: 2}, []string{"010", "004"}},
		"the next":              {store.PackageFilter{Limit: 2, After: store.Place{At: packageOf("tea", 4).Created, ID: packageOf("tea", 4).ID}}, []string{"003", "002"}},
		"of a stranger":         {store.PackageFilter{Tenant: "oysters", Region: tea.Region}, nil},
	} {
		if diff := cmp.Diff(tt.want, ids(tt.f)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// What is beyond the limits of one operator is stale, its oldest first; what is old is
// whoever's.
func testPackagesStale(t *testing.T, s *store.Store) {
	seed(t, s)
	ctx := t.Context()
	add := func(operator string, n int, size int64, expires time.Time) {
		p := packageOf(operator, n)
		check(t, s.AddPackage(ctx, p))
		p.State, p.Ended, p.Expires, p.Files = parcel.Done, p.Created, expires, []parcel.File{{Form: parcel.JSON, Size: size}}
		check(t, s.SetPackage(ctx, p, parcel.Waiting))
	}
	later := noon.Add(parcel.Keep)
	add("oysters", 0, parcel.MaxBytes, later)
	for n := range parcel.MaxKept + 1 {
		add("tea", 100+n, 1, later)
	}
	stale := func() (ids []string) {
		all, err := s.StalePackages(ctx, noon)
		check(t, err)
		for _, p := range all {
			ids = append(ids, p.ID[23:])
		}
		return ids
	}
	if diff := cmp.Diff([]string{"100"}, stale()); diff != "" {
		t.Errorf("too many (-want +got):\n%s", diff)
	}
	add("oysters", 1, 1, later)
	if diff := cmp.Diff([]string{"000", "100"}, stale()); diff != "" {
		t.Errorf("too large (-want +got):\n%s", diff)
	}
	add("oysters", 2, 1, noon)
	if diff := cmp.Diff([]string{"000", "002", "100"}, stale()); diff != "" {
		t.Errorf("too old (-want +got):\n%s", diff)
	}
	add("oysters", 3, 1, later)
	erase := func(id string, at time.Time) {
		_, err := s.ErasePersonal(ctx, "oysters", trace.Record{
			ID: id, Tenant: "oysters", Kind: trace.ErasureRecord, Subject: id, Body: []byte(`{"v":1}`), Salt: []byte("0123456789abcdef"), At: at, Index: -1, Log: 1,
		})
		check(t, err)
	}
	erase("before", packageOf("oysters", 2).Created)
	if diff := cmp.Diff([]string{"000", "001", "002", "100"}, stale()); diff != "" {
		t.Errorf("erased before the order (-want +got):\n%s", diff)
	}
	add("oysters", 4, 1, later)
	erase("since", packageOf("oysters", 3).Created)
	if diff := cmp.Diff([]string{"000", "001", "002", "003", "100"}, stale()); diff != "" {
		t.Errorf("erased since (-want +got):\n%s", diff)
	}
}

// untilIdle is the store to a service that is to end when it has nothing left to make.
type untilIdle struct {
	*store.Store
	stop context.CancelFunc
}

func (u untilIdle) OpenPackage(ctx context.Context) (parcel.Package, error) {
	p, err := u.Store.OpenPackage(ctx)
	if err != nil {
		u.stop()
	}
	return p, err
}

// strange is a source that something happens to.
type strange struct {
	packageSource
	count map[string]int
	each  func(n int) error // before the nth record, of which there are more than there are
}

func (s strange) CountRecords(ctx context.Context, operator string, from, to time.Time) (map[string]int, error) {
	if s.count != nil {
		return s.count, nil
	}
	return s.packageSource.CountRecords(ctx, operator, from, to)
}

func (s strange) EachRecord(ctx context.Context, operator string, from, to time.Time, each func(trace.Record) error) error {
	return s.packageSource.EachRecord(ctx, operator, from, to, func(r trace.Record) error {
		for n := range 600 {
			if err := s.each(n); err != nil {
				return err
			}
			if err := each(r); err != nil {
				return err
			}
		}
		return nil
	})
}

// testPackageJobs makes packages of real records into real files, through every end
// that one may come to.
func testPackageJobs(t *testing.T, s *store.Store) {
	seed(t, s)
	dir := filepath.Join(t.TempDir(), "packages")
	op, rec := newOperation("o1", noon)
	rec.Body = []byte(`{"v":1,"kind":"feed"}`)
	check(t, s.AddOperation(t.Context(), op, rec))
	now := noon.Add(time.Hour)

	service := func(book parcel.Book, source parcel.Source) *parcel.Service {
		return parcel.New(parcel.Config{
			Composer: &parcel.Composer{Source: source, Catalogs: oneCatalog{}, Now: func() time.Time { return now }}, Book: book, Dir: dir,
			Now: func() time.Time { return now }, Logger: slog.New(slog.DiscardHandler),
		})
	}
	run := func(source parcel.Source) {
		t.Helper()
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		check(t, service(untilIdle{s, stop}, source).Run(ctx))
	}
	orders := service(s, packageSource{s})
	order := func(n int) parcel.Package {
		t.Helper()
		p, err := orders.OrderPackage(t.Context(), packageOf("tea", n))
		check(t, err)
		return p
	}
	is := func(n int, state parcel.State, reason string) parcel.Package {
		t.Helper()
		p, err := s.Package(t.Context(), packageOf("tea", n).ID)
		check(t, err)
		if p.State != state || p.Reason != reason {
			t.Errorf("package %d is %+v, want %s", n, p, state)
		}
		return p
	}
	files := func(want ...string) {
		t.Helper()
		entries, err := os.ReadDir(dir)
		check(t, err)
		var got []string
		for _, e := range entries {
			got = append(got, e.Name()[23:])
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("files (-want +got):\n%s", diff)
		}
	}

	order(1)
	if again := order(1); again.State != parcel.Waiting {
		t.Errorf("the same order again is %+v", again)
	}
	other := packageOf("tea", 1)
	other.To = other.To.Add(24 * time.Hour)
	_, err := orders.OrderPackage(t.Context(), other)
	wantErr(t, "another under its ID", err, farm.ErrConflict)
	future := packageOf("tea", 2)
	future.From = now
	_, err = orders.OrderPackage(t.Context(), future)
	if bad, ok := errors.AsType[*parcel.FieldError](err); !ok || bad.Field != "first" {
		t.Errorf("a package of tomorrow: %v", err)
	}

	run(packageSource{s})
	p := is(1, parcel.Done, "")
	files("001.json", "001.xlsx")
	if p.Done != 1 || p.Total != 1 || p.Tally != (parcel.Tally{Records: 1, Unsealed: 1}) || !p.Expires.Equal(p.Ended.Add(parcel.Keep)) {
		t.Errorf("what was made is %+v", p)
	}
	for _, f := range parcel.Forms() {
		file, about, err := orders.OpenPackageFile(t.Context(), p.ID, f)
		check(t, err)
		raw, err := io.ReadAll(file)
		check(t, errors.Join(err, file.Close()))
		if sum := sha256.Sum256(raw); about.SHA256 != hex.EncodeToString(sum[:]) || about.Size != int64(len(raw)) {
			t.Errorf("%s has %d bytes and is said to be %+v", f, len(raw), about)
		}
		if f == parcel.JSON && (!json.Valid(raw) || !bytes.HasPrefix(raw, []byte(`{"$schema":"`+parcel.SchemaID+`"`))) {
			t.Errorf("the document is %s", raw)
		}
	}

	// Killed in the middle of two: the next start makes the one, and clears what is of
	// the other, of one that was deleted and of none.
	killed := order(2)
	killed.State, killed.Done = parcel.Running, 400
	check(t, s.SetPackage(t.Context(), killed, parcel.Waiting))
	for _, name := range []string{killed.ID + ".json.part", packageOf("tea", 3).ID + ".xlsx", p.ID + ".json.part"} {
		check(t, os.WriteFile(filepath.Join(dir, name), []byte("half"), 0o600))
	}
	run(packageSource{s})
	is(2, parcel.Done, "")
	files("001.json", "001.xlsx", "002.json", "002.xlsx")

	// Called off while it is made.
	order(4)
	run(strange{packageSource: packageSource{s}, each: func(n int) error {
		if n == 10 {
			return orders.CancelPackage(t.Context(), packageOf("tea", 4).ID)
		}
		return nil
	}})
	is(4, parcel.Cancelled, "")
	wantErr(t, "called off twice", orders.CancelPackage(t.Context(), packageOf("tea", 4).ID), farm.ErrConflict)

	for n, cause := range map[int]error{5: errors.New("no such catalog"), 6: syscall.ENOSPC} {
		order(n)
		run(strange{packageSource: packageSource{s}, each: func(int) error { return cause }})
	}
	is(5, parcel.Failed, parcel.ReasonInternal)
	is(6, parcel.Failed, parcel.ReasonDisk)
	order(7)
	run(strange{packageSource: packageSource{s}, count: map[string]int{"operation": parcel.MaxRecords, "batch": 1}})
	is(7, parcel.Failed, parcel.ReasonTooMany)
	files("001.json", "001.xlsx", "002.json", "002.xlsx")

	// Stopped while it is made: it is not done, and is made by the next start.
	order(8)
	ctx, stop := context.WithCancel(t.Context())
	check(t, service(s, strange{packageSource: packageSource{s}, each: func(int) error { stop(); return ctx.Err() }}).Run(ctx))
	is(8, parcel.Running, "")
	run(packageSource{s})
	is(8, parcel.Done, "")

	check(t, orders.CancelPackage(t.Context(), p.ID))
	if gone := is(1, parcel.Deleted, ""); len(gone.Files) != 0 {
		t.Errorf("deleted: %+v", gone)
	}
	_, _, err = orders.OpenPackageFile(t.Context(), p.ID, parcel.JSON)
	wantErr(t, "a deleted file", err, farm.ErrNotFound)
	now = now.Add(parcel.Keep)
	run(packageSource{s})
	is(2, parcel.Expired, "")
	files()
}
