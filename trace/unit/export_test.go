package unit

import (
	"encoding/hex"
	"encoding/json"
	"testing"
	"time"

	"tianhai/trace"
)

// NewFF1 is the cipher by itself, for the samples of NIST.
func NewFF1(key []byte, radix uint32, half int) (encrypt, decrypt func(a, b uint64) (uint64, uint64)) {
	f := newFF1(block(key), radix, half)
	return f.encrypt, f.decrypt
}

// Code and Find are a code and its opposite.
func (k *Key) Code(roll int64, number int) string { return k.code(roll, number) }

// Find is the opposite of Code.
func (k *Key) Find(code string) (roll int64, number int) { return k.find(code) }

// ProvedRoll is the number of the roll of ProofOf.
const ProvedRoll = 7

// ProofOf is the proof of a number on a roll of so many codes, not sealed yet.
func ProofOf(t testing.TB, key *Key, codes, number int) Proof {
	t.Helper()
	kept, root, err := grow(t.Context(), key, ProvedRoll, codes)
	if err != nil {
		t.Fatal(err)
	}
	r := Roll{ID: "01K0ROLL", Number: ProvedRoll, Codes: codes, Root: hex.EncodeToString(root[:])}
	p, err := prove(key, r, kept, number)
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(rollBody{1, r.ID, "coop", "tea", "", codes, false, r.Root, time.Unix(1_800_000_000, 0).UTC()})
	if err != nil {
		t.Fatal(err)
	}
	p.Record, err = trace.Record{Kind: RollRecord, Subject: r.ID, Body: body, Salt: make([]byte, 16)}.Opening()
	if err != nil {
		t.Fatal(err)
	}
	return p
}
