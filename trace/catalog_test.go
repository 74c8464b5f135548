package trace_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"tianhai/farm"
	"tianhai/trace"
	"tianhai/trace/catalog"
)

// A record that lacks what is demanded is refused with its name; what was recorded
// under an earlier catalog stays, and keeps its names.
func TestCatalogChanges(t *testing.T) {
	m, b := newMemory(), newBooks()
	s := newService(m, &evidence{})
	s.Catalogs = b
	now := b.now
	b.now = b.before
	old := operation("prune", noon.Add(-time.Hour))
	add(t, s, old)
	spray := operation("spray", noon.Add(-time.Hour))
	add(t, s, spray)

	b.now = now
	var missing *catalog.ItemError
	_, _, err := s.AddOperation(t.Context(), operation("spray", noon.Add(-time.Hour)))
	if !errors.As(err, &missing) || !missing.Missing || missing.Key != "target" || missing.Name != (farm.Text{Zh: "防治对象", En: "Target"}) {
		t.Errorf("spray without a target: %v", err)
	}
	if again, added, err := s.AddOperation(t.Context(), spray); err != nil || added || again.Catalog != 1 {
		t.Errorf("what was accepted before is sent again: added %v, catalog %d, %v", added, again.Catalog, err)
	}
	var fe *trace.FieldError
	if _, _, err := s.AddOperation(t.Context(), operation("prune", noon.Add(-time.Hour))); !errors.As(err, &fe) || fe.Field != "kind" {
		t.Errorf("a kind that is not there any more: %v", err)
	}
	if op := add(t, s, operation("shear", noon.Add(-time.Hour))); op.Catalog != 2 {
		t.Errorf("checked against version %d", op.Catalog)
	}
	closed, err := s.CloseBatch(t.Context(), openBatch(t, s).ID)
	if err != nil {
		t.Fatal(err)
	}
	rec, err := m.RecordByCode(t.Context(), closed.Code)
	if err != nil {
		t.Fatal(err)
	}
	p, err := trace.ParsePublicRecord(rec.Body)
	if err != nil || p.Words.Operations["prune"].Name.En != "Do prune" || !p.Words.Operations["spray"].Medicine {
		t.Errorf("the names are not sealed: %+v, %v", p.Words, err)
	}
}

func TestFarPosition(t *testing.T) {
	m := newMemory()
	raft := m.sites["raft-1"]
	raft.Boundary = farm.Boundary{Rings: [][]farm.Position{{{Longitude: 108.57, Latitude: 21.83}, {Longitude: 108.58, Latitude: 21.83}, {Longitude: 108.58, Latitude: 21.84}, {Longitude: 108.57, Latitude: 21.83}}}}
	undrawn := m.sites["raft-1"]
	for name, tt := range map[string]struct {
		site farm.Site
		at   *trace.Position
		far  bool
	}{
		"nowhere":            {raft, nil, false},
		"inside":             {raft, &trace.Position{Longitude: 108.578, Latitude: 21.832}, false},
		"at the gate":        {raft, &trace.Position{Longitude: 108.5815, Latitude: 21.835}, false},
		"down the road":      {raft, &trace.Position{Longitude: 108.5835, Latitude: 21.835}, true},
		"there, by and by":   {raft, &trace.Position{Longitude: 108.5835, Latitude: 21.835, Accuracy: 180}, false},
		"anywhere":           {raft, &trace.Position{Longitude: 113, Latitude: 23, Accuracy: 1e6}, true},
		"undrawn, nearby":    {undrawn, &trace.Position{Longitude: 108.585, Latitude: 21.835}, false},
		"undrawn, elsewhere": {undrawn, &trace.Position{Longitude: 108.6, Latitude: 21.835}, true},
	} {
		t.Run(name, func(t *testing.T) {
			m.sites["raft-1"] = tt.site
			op := operation("feed", noon.Add(-time.Hour))
			op.Position = tt.at
			if got := add(t, newService(m, &evidence{}), op); got.Far != tt.far {
				t.Errorf("far is %v", got.Far)
			}
		})
	}
}

func TestPhotosOfAnOperation(t *testing.T) {
	m := newMemory()
	s := newService(m, &evidence{})
	op := operation("feed", noon.Add(-time.Hour))
	op.Items = append(op.Items, trace.Item{Key: "photo", Value: uploaded}, trace.Item{Key: "photo", Value: uploaded})
	if got := add(t, s, op); !slices.Equal(got.Photos, []string{uploaded}) {
		t.Errorf("photos %v", got.Photos)
	}
	if records, _ := m.all(); !bytes.Contains(records[0].Body, []byte(uploaded)) {
		t.Error("the hash is not in the sealed record")
	}
	op = operation("feed", noon.Add(-time.Hour))
	op.Items = append(op.Items, trace.Item{Key: "photo", Value: strings.Repeat("0b", 32)})
	var ie *catalog.ItemError
	if _, _, err := s.AddOperation(t.Context(), op); !errors.As(err, &ie) || ie.Key != "photo" {
		t.Errorf("a picture that nobody has: %v", err)
	}
}

// Thousands of corrections and voids, legal and not, against a model that keeps
// one head for each chain: what is in force is what the model says, every record
// stays, and no operation is corrected twice.
func TestCorrectionsAgainstModel(t *testing.T) {
	for seed := range uint64(40) {
		random := rand.New(rand.NewPCG(seed, 4))
		m := newMemory()
		s := newService(m, &evidence{})
		heads, voids, dead := map[string]bool{}, map[string]bool{}, map[string]bool{}
		for n := range 100 {
			op := operation([]string{"feed", "harvest", "spray"}[random.IntN(3)], noon.Add(-time.Duration(random.IntN(1000))*time.Minute))
			if random.IntN(4) == 0 {
				op.Kind, op.Items = catalog.Void, []trace.Item{{Key: "reason", Value: fmt.Sprintf("误记 %d", n)}}
			}
			all := slices.Sorted(maps.Keys(union(heads, voids, dead)))
			if len(all) > 0 && (op.Kind == catalog.Void || random.IntN(2) == 0) {
				op.Corrects = all[random.IntN(len(all))]
			} else if op.Kind == catalog.Void {
				op.Corrects = ulid.Make().String()
			}
			legal := op.Corrects == "" || heads[op.Corrects]
			if _, _, err := s.AddOperation(t.Context(), op); (err == nil) != legal {
				t.Fatalf("seed %d, %d: %s of %s: legal is %v, error %v", seed, n, op.Kind, op.Corrects, legal, err)
			}
			if !legal {
				continue
			}
			if op.Corrects != "" {
				delete(heads, op.Corrects)
				dead[op.Corrects] = true
			}
			if op.Kind == catalog.Void {
				voids[op.ID] = true
			} else {
				heads[op.ID] = true
			}
		}
		inForce := map[string]bool{}
		for _, op := range trace.InForce(m.ops) {
			inForce[op.ID] = true
		}
		if !maps.Equal(inForce, heads) {
			t.Fatalf("seed %d: %d in force, the model has %d", seed, len(inForce), len(heads))
		}
		if records, _ := m.all(); len(records) != len(union(heads, voids, dead)) {
			t.Fatalf("seed %d: %d records of %d operations", seed, len(records), len(union(heads, voids, dead)))
		}
	}
}

func union(sets ...map[string]bool) map[string]bool {
	all := map[string]bool{}
	for _, s := range sets {
		maps.Copy(all, s)
	}
	return all
}
