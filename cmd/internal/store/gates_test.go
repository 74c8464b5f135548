package store_test

import (
	"errors"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"tianhai/cmd/internal/store"
	"tianhai/farm"
	"tianhai/trace"
	"tianhai/trace/catalog"
	"tianhai/trace/gate"
	"tianhai/trace/input"
)

// testHistories drives the service on a real database through random sprays,
// harvests and voids, legal and not, and holds it against a model that counts days
// by hand: no harvest inside an interval, stock never negative, every operation
// with its record and every draw with its operation.
func testHistories(t *testing.T, s *store.Store) {
	seed(t, s)
	ctx := t.Context()
	books, err := catalog.Open(ctx, s, nil)
	check(t, err)
	now := noon
	service := &trace.Service{Store: s, Journal: s, Chain: s, Catalogs: books, Licences: s, Inputs: s, Bans: input.Banned(), Now: func() time.Time { return now }}
	check(t, s.PutInput(ctx, newInput(7), "admin"))

	type spray struct {
		at   time.Time
		ml   int
		wait int64
		id   string
	}
	var sprays []spray
	const lot = "01JZ00000000000000000000M1"
	left := 20_000
	bought := newLot(lot, 20)
	bought.Expires = noon.AddDate(9, 0, 0)
	check(t, s.AddLot(ctx, bought))
	number := func(t time.Time) int64 { return (t.Unix() + 8*3600) / 86400 }
	r := rand.New(rand.NewPCG(11, 2026))
	stored, counts := 0, map[string]int{}
	for range 500 {
		now = now.Add(time.Duration(r.IntN(120)) * time.Hour)
		op := trace.Operation{ID: ulid.Make().String(), Tenant: "tea", Site: "garden-1", At: now, Person: "wei"}
		legal, undone := true, -1
		var new spray
		switch r.IntN(5) {
		case 0, 1:
			op.Kind = "harvest"
			op.Items = []trace.Item{{Key: "quantity", Value: "10", Unit: "kg"}, {Key: "grade", Value: "—"}}
			for _, sp := range sprays {
				legal = legal && number(now)-number(sp.at) >= sp.wait
			}
		case 2:
			if len(sprays) == 0 {
				continue
			}
			undone = r.IntN(len(sprays))
			op.Kind, op.Corrects = catalog.Void, sprays[undone].id
			op.Items = []trace.Item{{Key: "reason", Value: "记错了"}}
		default:
			new = spray{at: now.Add(-time.Duration(r.IntN(72)) * time.Hour), wait: int64(r.IntN(9)), id: op.ID}
			op.Kind, op.At = "spray", new.at
			op.Items = []trace.Item{
				{Key: "product", Value: "示例"},
				{Key: "maker", Value: "示例厂"},
				{Key: "target", Value: "茶尺蠖"},
				{Key: "registration", Value: "—"},
				{Key: "dose", Value: "60", Unit: "mL/[mu_chn]"},
				{Key: "interval", Value: strconv.FormatInt(new.wait, 10), Unit: "d"},
				{Key: "lot", Value: "—"},
			}
			if r.IntN(2) == 0 { // from stock: the label's seven days count, whatever is written
				new.ml, new.wait = 1+r.IntN(3000), 7
				op.Items[6].Value = lot
				op.Items = append(op.Items, trace.Item{Key: "amount", Value: strconv.Itoa(new.ml), Unit: "mL"})
				legal = new.ml <= left
			}
		}
		_, _, err := service.AddOperation(ctx, op)
		if (err == nil) != legal {
			t.Fatalf("%s at %v, legal %v: %v", op.Kind, op.At, legal, err)
		}
		var refused *gate.Refused
		var short *input.ShortError
		switch {
		case err == nil:
			stored++
		case op.Kind == "harvest" && !errors.As(err, &refused), op.Kind == "spray" && !errors.As(err, &short):
			t.Fatalf("%s: %v", op.Kind, err)
		default:
			counts["refused "+op.Kind]++
			if _, err := s.Operation(ctx, op.ID); !errors.Is(err, farm.ErrNotFound) {
				t.Fatalf("what was refused is there: %v", err)
			}
			continue
		}
		counts[op.Kind]++
		if undone >= 0 {
			left += sprays[undone].ml
			sprays = append(sprays[:undone], sprays[undone+1:]...)
		} else if op.Kind == "spray" {
			left -= new.ml
			sprays = append(sprays, new)
		}
		if got, err := s.Lot(ctx, lot); err != nil || got.Left != float64(left)/1000 || left < 0 {
			t.Fatalf("%v L are left, %v; the model has %d mL", got.Left, err, left)
		}
	}
	recs, err := s.Unsealed(ctx, 1000)
	check(t, err)
	if len(recs) != stored {
		t.Errorf("%d records of %d operations", len(recs), stored)
	}
	for _, what := range []string{"harvest", "refused harvest", "spray", "refused spray", catalog.Void} {
		if counts[what] < 5 {
			t.Errorf("%s: only %d; the histories are lopsided: %v", what, counts[what], counts)
		}
	}
}
