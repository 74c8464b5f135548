package store_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tianhai/cmd/internal/store"
	"tianhai/farm"
	"tianhai/trace/parcel"
)

// dueOnce is the store to a courier that is to try once.
type dueOnce struct {
	*store.Store
	stop context.CancelFunc
}

func (d dueOnce) SetHandover(ctx context.Context, h parcel.Handover) error {
	defer d.stop()
	return d.Store.SetHandover(ctx, h)
}

// testHandovers hands a package over to a platform that is down, acknowledges, refuses
// and stays away.
func testHandovers(t *testing.T, s *store.Store) {
	seed(t, s)
	dir := filepath.Join(t.TempDir(), "packages")
	now, answer, status := noon, "R-7", http.StatusServiceUnavailable
	var keys []string
	platform := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		keys = append(keys, r.Header.Get("Idempotency-Key"))
		w.WriteHeader(status)
		_, _ = io.WriteString(w, answer)
	}))
	defer platform.Close()
	packer := parcel.New(parcel.Config{
		Composer: &parcel.Composer{Source: packageSource{s}, Catalogs: oneCatalog{}}, Book: s, Dir: dir, Now: func() time.Time { return now.Add(24 * time.Hour) }, Logger: slog.New(slog.DiscardHandler),
	})
	courier := func(box parcel.Outbox) *parcel.Courier {
		return parcel.NewCourier(parcel.Courier{
			Outbox: box, Platform: parcel.Post{URL: platform.URL, Secret: []byte("0123456789abcdef"), Client: platform.Client()}, Name: "platform.example",
			Open: packer.OpenPackageFile, Now: func() time.Time { return now }, Logger: slog.New(slog.DiscardHandler),
		})
	}
	try := func() {
		t.Helper()
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		check(t, courier(dueOnce{s, stop}).Run(ctx))
	}
	made := func(n int) parcel.Package {
		t.Helper()
		_, err := packer.OrderPackage(t.Context(), packageOf("tea", n))
		check(t, err)
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		making := parcel.New(parcel.Config{
			Composer: &parcel.Composer{Source: packageSource{s}, Catalogs: oneCatalog{}}, Book: untilIdle{s, stop}, Dir: dir, Now: func() time.Time { return noon }, Logger: slog.New(slog.DiscardHandler),
		})
		check(t, making.Run(ctx))
		p, err := s.Package(t.Context(), packageOf("tea", n).ID)
		check(t, err)
		return p
	}
	is := func(p parcel.Package, want parcel.Handover) {
		t.Helper()
		got, err := s.Package(t.Context(), p.ID)
		check(t, err)
		want.Package, want.Form, want.SHA256, want.Platform, want.Account = p.ID, parcel.JSON, p.Files[0].SHA256, "platform.example", "wang"
		if diff := cmp.Diff(&want, got.Handover); diff != "" {
			t.Errorf("handover (-want +got):\n%s", diff)
		}
	}
	handOver := func(p parcel.Package) error {
		_, err := courier(s).HandOver(t.Context(), p.ID, parcel.JSON, "wang")
		return err
	}
	at := func(d time.Duration) time.Time { return noon.Add(d).Truncate(time.Millisecond) }

	p := made(1)
	check(t, handOver(p))
	is(p, parcel.Handover{State: parcel.Sending, Asked: at(0), Due: at(0)})
	wantErr(t, "one that is under way", handOver(p), farm.ErrConflict)
	wantErr(t, "one that is not there", handOver(packageOf("tea", 9)), farm.ErrNotFound)

	try() // away
	is(p, parcel.Handover{State: parcel.Sending, Asked: at(0), Attempts: 1, Due: at(time.Second), Fault: "the platform answers 503 Service Unavailable"})
	now, status, answer = now.Add(time.Second), http.StatusOK, "R-7\x00\xff"
	try()
	is(p, parcel.Handover{State: parcel.Delivered, Asked: at(0), Attempts: 2, Due: at(time.Second), Ended: at(time.Second), Receipt: "R-7\ufffd\ufffd"})
	wantErr(t, "one that was acknowledged", handOver(p), farm.ErrConflict)
	if diff := cmp.Diff([]string{p.Files[0].SHA256, p.Files[0].SHA256}, keys); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}

	now, status, answer = noon, http.StatusForbidden, "unknown operator"
	p = made(2)
	check(t, handOver(p))
	try()
	is(p, parcel.Handover{State: parcel.Refused, Asked: at(0), Attempts: 1, Due: at(0), Ended: at(0), Fault: "the platform refuses it: 403 unknown operator"})
	check(t, handOver(p)) // again, after somebody has put it right
	status = http.StatusInternalServerError
	now = now.Add(parcel.Patience)
	try()
	is(p, parcel.Handover{State: parcel.GivenUp, Asked: at(0), Attempts: 1, Due: at(0), Ended: at(parcel.Patience), Fault: "the platform answers 500 Internal Server Error"})

	now = noon
	p = made(3)
	check(t, handOver(p))
	check(t, packer.CancelPackage(t.Context(), p.ID))
	try()
	is(p, parcel.Handover{State: parcel.GivenUp, Asked: at(0), Attempts: 1, Due: at(0), Ended: at(0), Fault: "the file was deleted"})

	nowhere := parcel.NewCourier(parcel.Courier{Outbox: s, Open: packer.OpenPackageFile})
	_, err := nowhere.HandOver(t.Context(), p.ID, parcel.JSON, "wang")
	wantErr(t, "to no platform", err, parcel.ErrNoPlatform)
}
