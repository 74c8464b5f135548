package unit

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"tianhai/trace"
	"tianhai/trace/label"
)

// Subtrees of this height are kept with the roll, so that a proof needs the codes of
// one of them and not of all: 32 KiB for a million codes.
const keptLevel = 10

// A tree is the RFC 6962 tree over the codes of a roll. It keeps nothing but the
// roots of its full subtrees of height keptLevel; the rest is computed when asked for.
type tree struct {
	key  *Key
	roll int64
	kept []byte
}

// grow returns the kept roots of a tree, and its own.
func grow(ctx context.Context, key *Key, roll int64, codes int) (kept []byte, root tlog.Hash, err error) {
	t := &tree{key: key, roll: roll}
	for i := range int64(codes) >> keptLevel {
		if err := context.Cause(ctx); err != nil {
			return nil, tlog.Hash{}, err
		}
		h := t.subtree(keptLevel, i)
		t.kept = append(t.kept, h[:]...)
	}
	root, err = tlog.TreeHash(int64(codes), t)
	return t.kept, root, err
}

// subtree computes the root of the subtree n of a level, at most keptLevel.
func (t *tree) subtree(level int, n int64) tlog.Hash {
	if level == 0 {
		number := int(n) + 1
		salt := t.key.salt(t.roll, number)
		return tlog.RecordHash(append(salt[:], t.key.code(t.roll, number)...))
	}
	return tlog.NodeHash(t.subtree(level-1, 2*n), t.subtree(level-1, 2*n+1))
}

// hash returns the root of any full subtree.
func (t *tree) hash(level int, n int64) (tlog.Hash, error) {
	if level > keptLevel {
		left, err := t.hash(level-1, 2*n)
		if err != nil {
			return tlog.Hash{}, err
		}
		right, err := t.hash(level-1, 2*n+1)
		return tlog.NodeHash(left, right), err
	}
	if level < keptLevel {
		return t.subtree(level, n), nil
	}
	if int64(len(t.kept)) < (n+1)*tlog.HashSize {
		return tlog.Hash{}, fmt.Errorf("tree of roll: subtree %d is not kept", n)
	}
	return tlog.Hash(t.kept[n*tlog.HashSize:][:tlog.HashSize]), nil
}

// ReadHashes implements tlog.HashReader.
func (t *tree) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	hashes := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		var err error
		if hashes[i], err = t.hash(tlog.SplitStoredHashIndex(index)); err != nil {
			return nil, err
		}
	}
	return hashes, nil
}

// A Proof shows that a code is one of a roll, whose root is sealed in its record.
type Proof struct {
	Version int      `json:"v"`
	Roll    string   `json:"roll"` // ID
	Code    string   `json:"code"`
	Number  int      `json:"number"`
	Codes   int      `json:"codes"` // of the roll
	Salt    string   `json:"salt"`  // hex
	Path    []string `json:"path"`  // hex, from the leaf up: RFC 6962 §2.1.1
	Root    string   `json:"root"`  // hex

	Record  json.RawMessage `json:"record"`  // opening of the roll's record, as trace.Record.Opening writes it
	Receipt string          `json:"receipt"` // of that record; "" until it is sealed
}

// Check reports why the proof is none. It returns the leaf that Receipt must be for,
// which the caller checks with the key of the log.
func (p Proof) Check() (leaf []byte, err error) {
	if err := p.checkPath(); err != nil {
		return nil, err
	}
	rec, err := trace.ParseOpening(p.Record)
	if err != nil {
		return nil, fmt.Errorf("proof of a unit code: %w", err)
	}
	var said rollBody
	if err := json.Unmarshal(rec.Body, &said); err != nil {
		return nil, fmt.Errorf("proof of a unit code: record of the roll: %w", err)
	}
	if rec.Kind != RollRecord || rec.Subject != p.Roll || said.Roll != p.Roll || said.Root != p.Root || said.Codes != p.Codes {
		return nil, errors.New("proof of a unit code: the record is of another roll")
	}
	return rec.Leaf(), nil
}

// checkPath holds the code against the root.
func (p Proof) checkPath() error {
	if p.Version != 1 {
		return fmt.Errorf("proof of a unit code: version %d is not known", p.Version)
	}
	if _, err := label.ParseCode(p.Code); err != nil {
		return fmt.Errorf("proof of a unit code: %w", err)
	}
	if p.Number < 1 || p.Number > p.Codes || p.Codes > MaxCodes {
		return fmt.Errorf("proof of a unit code: number %d is not 1 to %d", p.Number, min(p.Codes, MaxCodes))
	}
	salt, err := hex.DecodeString(p.Salt)
	if err != nil || len(salt) != 16 {
		return fmt.Errorf("proof of a unit code: the salt is not 16 bytes in hex")
	}
	root, err := parseHash(p.Root)
	if err != nil {
		return err
	}
	var path tlog.RecordProof
	for _, s := range p.Path {
		h, err := parseHash(s)
		if err != nil {
			return err
		}
		path = append(path, h)
	}
	leaf := tlog.RecordHash(append(salt, p.Code...))
	if err := tlog.CheckRecord(path, int64(p.Codes), root, int64(p.Number-1), leaf); err != nil {
		return fmt.Errorf("proof of a unit code: the code is not under the root: %w", err)
	}
	return nil
}

func parseHash(s string) (tlog.Hash, error) {
	raw, err := hex.DecodeString(s)
	if err != nil || len(raw) != tlog.HashSize {
		return tlog.Hash{}, fmt.Errorf("proof of a unit code: %q is not a hash in hex", s)
	}
	return tlog.Hash(raw), nil
}

// prove makes the proof of a number.
func prove(key *Key, r Roll, kept []byte, number int) (Proof, error) {
	path, err := tlog.ProveRecord(int64(r.Codes), int64(number-1), &tree{key: key, roll: r.Number, kept: kept})
	if err != nil {
		return Proof{}, fmt.Errorf("prove unit code: %w", err)
	}
	salt := key.salt(r.Number, number)
	p := Proof{Version: 1, Roll: r.ID, Code: key.code(r.Number, number), Number: number, Codes: r.Codes, Salt: hex.EncodeToString(salt[:]), Root: r.Root, Path: []string{}}
	for _, h := range path {
		p.Path = append(p.Path, hex.EncodeToString(h[:]))
	}
	return p, p.checkPath() // a key that is not the roll's would make nonsense
}
