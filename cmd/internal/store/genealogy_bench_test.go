package store_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"tianhai/cmd/internal/store"
	"tianhai/trace/chain"
)

// The graph of BenchmarkGenealogy.
const (
	benchLevels = 20
	benchWide   = 5000 // batches in each
	benchNear   = 12   // how far apart on a level two batches are that are mixed
	benchAsked  = 300
)

// BenchmarkGenealogy asks for everything that batches were made of and that was made
// of them, in a graph of a hundred thousand batches, twenty levels deep, in which
// every batch of a level is mixed with a neighbour and split again: nearly every way
// down meets another. It reports milliseconds, and how many batches an answer holds.
func BenchmarkGenealogy(b *testing.B) {
	onBoth(b, benchGenealogy)
}

func benchName(level, i int) string { return fmt.Sprintf("B%02d-%04d", level, i) }

func benchGenealogy(b *testing.B, opt store.Options) {
	s, err := store.Open(b.Context(), opt)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	rnd := rand.New(rand.NewPCG(1, 2))
	fillGraph(b, s, rnd)
	for dir, level := range map[chain.Direction]int{chain.Down: 0, chain.Up: benchLevels - 1, chain.Both: benchLevels / 2} {
		b.Run(string(dir), func(b *testing.B) {
			var took []time.Duration
			var held []int
			for b.Loop() {
				for range benchAsked {
					began := time.Now()
					g, err := s.Genealogy(b.Context(), []string{benchName(level, rnd.IntN(benchWide))}, dir)
					if err != nil {
						b.Fatal(err)
					}
					took, held = append(took, time.Since(began)), append(held, len(g.Batches))
				}
			}
			slices.Sort(took)
			slices.Sort(held)
			ms := func(part float64) float64 {
				return float64(took[int(part*float64(len(took)-1))].Microseconds()) / 1e3
			}
			b.ReportMetric(ms(0.5), "p50-ms")
			b.ReportMetric(ms(0.99), "p99-ms")
			b.ReportMetric(ms(1), "max-ms")
			b.ReportMetric(float64(held[len(held)/2]), "batches")
			b.ReportMetric(float64(held[len(held)-1]), "most-batches")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// fillGraph writes the graph past the methods, which would take their time.
func fillGraph(b *testing.B, s *store.Store, rnd *rand.Rand) {
	b.Helper()
	exec := func(query string) {
		if err := s.Exec(context.Background(), query); err != nil {
			b.Fatal(err)
		}
	}
	exec("INSERT INTO tenants (id, name, credit_code, phone, region) VALUES ('tea', '{}', '', '', '450400')")
	exec("INSERT INTO sites (id, tenant, region, kind, name, town, latitude, longitude, area) VALUES ('g', 'tea', '450400', 'garden', '{}', '{}', 0, 0, 0)")
	exec("INSERT INTO products (id, kind, name) VALUES ('leaf', 'tea', '{}')")
	insert := func(table string, rows []string) {
		for some := range slices.Chunk(rows, 2000) {
			exec("INSERT INTO " + table + " VALUES " + strings.Join(some, ","))
		}
	}
	for level := range benchLevels {
		var batches, stocks, movements, parts []string
		made := func(id string, i int) {
			name := benchName(level, i)
			batches = append(batches, fmt.Sprintf("('%s','tea','g','leaf','l',1,'kg',1,1,1)", name))
			stocks = append(stocks, fmt.Sprintf("('%s','tea','mg','kg',1000000,0,1)", name))
			parts = append(parts, fmt.Sprintf("('%s','tea','%s','tea',TRUE,1000000,'kg')", id, name))
		}
		other := rnd.Perm(benchWide)
		near := func(i int) int { return (i + level%2*benchNear/2) / benchNear } // neighbourhoods overlap those of the level before
		slices.SortFunc(other, func(a, c int) int { return near(a) - near(c) })
		for i := 0; i < benchWide; i += 2 {
			id := fmt.Sprintf("M%02d-%04d", level, i)
			movements = append(movements, fmt.Sprintf("('%s','tea','process','fixing',%d,1,'wei','{}')", id, level))
			made(id, i)
			made(id, i+1)
			if level > 0 {
				for _, j := range []int{other[i], other[i+1]} {
					parts = append(parts, fmt.Sprintf("('%s','tea','%s','tea',FALSE,1000000,'kg')", id, benchName(level-1, j)))
				}
			}
		}
		insert("batches (id, tenant, site, product, lot, quantity, unit, began, harvest, opened)", batches)
		insert("stocks (batch, tenant, dim, unit, made, remains, since)", stocks)
		insert("movements (id, tenant, kind, step, at, recorded, person, doc)", movements)
		insert("movement_batches (movement, tenant, batch, owner, made, n, unit)", parts)
	}
	exec("ANALYZE")
}
