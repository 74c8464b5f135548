package unit_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"tianhai/trace/unit"
)

// A proof of every code holds; that of another code, number, size, salt, path or root
// does not.
func TestProof(t *testing.T) {
	key := newKey(t, 3)
	for _, codes := range []int{1, 2, 3, 1024, 1025, 2100} {
		for _, number := range []int{1, (codes + 1) / 2, codes} {
			p := unit.ProofOf(t, key, codes, number)
			if _, err := p.Check(); err != nil {
				t.Fatalf("code %d of %d: %v", number, codes, err)
			}
			forged := unit.ProofOf(t, newKey(t, 4), codes, number)
			if forged.Record = p.Record; forged.Root != p.Root {
				if _, err := forged.Check(); err == nil {
					t.Errorf("code %d of %d of somebody else's tree is proved by the record of this one", number, codes)
				}
			}
			for name, spoil := range map[string]func(*unit.Proof){
				"version": func(p *unit.Proof) { p.Version = 2 },
				"code":    func(p *unit.Proof) { p.Code = key.Code(8, number) },
				"number":  func(p *unit.Proof) { p.Number++ },
				"codes":   func(p *unit.Proof) { p.Codes = 2*p.Codes + 1 },
				"salt":    func(p *unit.Proof) { p.Salt = strings.Repeat("0", len(p.Salt)) },
				"path":    func(p *unit.Proof) { p.Path = append(p.Path, p.Root) },
				"root":    func(p *unit.Proof) { p.Root = strings.Repeat("0", len(p.Root)) },
				"roll":    func(p *unit.Proof) { p.Roll += "x" },
				"record": func(p *unit.Proof) {
					p.Record = bytes.Replace(p.Record, []byte(`"t":"roll"`), []byte(`"t":"batch"`), 1)
				},
			} {
				bad := p
				bad.Path = append([]string(nil), p.Path...)
				spoil(&bad)
				if _, err := bad.Check(); err == nil {
					t.Errorf("code %d of %d with another %s is proved", number, codes, name)
				}
			}
		}
	}
}

// Whatever is called a proof is one of a code of this roll or refused: no other code
// is ever under its root.
func FuzzProof(f *testing.F) {
	key := newKey(f, 3)
	for _, codes := range []int{1, 5} {
		for number := range codes {
			raw, err := json.Marshal(unit.ProofOf(f, key, codes, number+1))
			if err != nil {
				f.Fatal(err)
			}
			f.Add(raw)
		}
	}
	f.Add([]byte(`{"v":1,"number":1,"codes":1,"salt":"00","path":["zz"],"root":""}`))
	roots := map[string]int{unit.ProofOf(f, key, 1, 1).Root: 1, unit.ProofOf(f, key, 5, 1).Root: 5}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var p unit.Proof
		if json.Unmarshal(raw, &p) != nil {
			return
		}
		leaf, err := p.Check()
		if err != nil {
			if !strings.HasPrefix(err.Error(), "proof of a unit code: ") || leaf != nil {
				t.Errorf("%q, %v", leaf, err)
			}
			return
		}
		if len(leaf) == 0 {
			t.Error("there is no leaf to check")
		}
		if codes := roots[strings.ToLower(p.Root)]; codes != 0 && (p.Codes != codes || p.Code != key.Code(unit.ProvedRoll, p.Number)) {
			t.Errorf("%s is code %d of %d", p.Code, p.Number, p.Codes)
		}
	})
}
