package unit_test

import (
	"bytes"
	"encoding/hex"
	"math/rand/v2"
	"testing"

	"tianhai/trace/label"
	"tianhai/trace/unit"
)

func newKey(t testing.TB, fill byte) *unit.Key {
	t.Helper()
	k, err := unit.NewKey(bytes.Repeat([]byte{fill}, unit.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// TestFF1 holds the cipher against the samples of NIST SP 800-38G without tweak
// (FF1samples.pdf, samples 1, 4 and 7).
func TestFF1(t *testing.T) {
	for key, want := range map[string][2]uint64{
		"2B7E151628AED2A6ABF7158809CF4F3C":                                 {24334, 77484},
		"2B7E151628AED2A6ABF7158809CF4F3CEF4359D8D580AA4F":                 {28306, 68132},
		"2B7E151628AED2A6ABF7158809CF4F3CEF4359D8D580AA4F7F036D6F04FC6A94": {66576, 67009},
	} {
		raw, err := hex.DecodeString(key)
		if err != nil {
			t.Fatal(err)
		}
		encrypt, decrypt := unit.NewFF1(raw, 10, 5)
		if a, b := encrypt(1234, 56789); a != want[0] || b != want[1] {
			t.Errorf("%d bits: %05d%05d, want %05d%05d", len(raw)*8, a, b, want[0], want[1])
		}
		if a, b := decrypt(want[0], want[1]); a != 1234 || b != 56789 {
			t.Errorf("%d bits: back to %05d%05d", len(raw)*8, a, b)
		}
	}
}

func TestCodesSayWhereTheyAre(t *testing.T) {
	k, other := newKey(t, 1), newKey(t, 2)
	seen := map[string]bool{}
	for range 20_000 {
		roll, number := rand.Int64N(1<<32), 1+rand.IntN(unit.MaxCodes)
		code := k.Code(roll, number)
		if parsed, err := label.ParseCode(code); err != nil || parsed != code {
			t.Fatalf("%q: %q, %v", code, parsed, err)
		}
		if r, n := k.Find(code); r != roll || n != number {
			t.Fatalf("%q is %d of %d, want %d of %d", code, n, r, number, roll)
		}
		if r, n := other.Find(code); r == roll && n == number {
			t.Fatalf("%q is known without its key", code)
		}
		if k.Free(code) {
			t.Fatalf("%q is free, and is a unit's", code)
		}
		seen[code] = true
	}
	if len(seen) < 19_990 { // a few places may have been drawn twice
		t.Errorf("%d different codes", len(seen))
	}
}

// Neighbours on a roll have nothing in common: every character takes every value.
func TestNeighboursLookRandom(t *testing.T) {
	k := newKey(t, 1)
	var places [label.CodeLength][256]int
	const n = 32_000
	for i := range n {
		code := k.Code(7, i+1)
		for p := range places {
			places[p][code[p]]++
		}
	}
	for p := range places {
		values := 0
		for _, count := range places[p] {
			if count > 0 {
				values++
			}
			if count > n/32*5/4 {
				t.Errorf("place %d takes one value %d times of %d", p, count, n)
			}
		}
		if values != 32 {
			t.Errorf("place %d takes %d values", p, values)
		}
	}
}

func TestKeySize(t *testing.T) {
	if _, err := unit.NewKey(make([]byte, 31)); err == nil {
		t.Error("a key of 31 bytes")
	}
}

// BenchmarkCodes is how fast codes are computed.
func BenchmarkCodes(b *testing.B) {
	k, n := newKey(b, 1), 0
	for b.Loop() {
		n++
		k.Code(7, n%unit.MaxCodes+1)
	}
}
