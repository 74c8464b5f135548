package ledger

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/transparency-dev/tessera/api/layout"
	"github.com/transparency-dev/tessera/client"
	"golang.org/x/mod/sumdb/tlog"
)

// A Scan reads a log from its first leaf to the end of the checkpoint that was
// published when it began, in bounded memory, and compares everything on its way:
// entries with tiles, tiles with the tiles above, and all of it with the root
// that was signed. It goes on where its State says, in another process too.
type Scan struct {
	tiles  string
	vkey   string
	cp     Checkpoint
	text   string
	next   int64
	levels [][]tlog.Hash // of each level the hashes of the tile that is not full
}

// scanState is what a Scan goes on from.
type scanState struct {
	Checkpoint string     `json:"checkpoint"`
	Next       int64      `json:"next"`
	Levels     [][]string `json:"levels"`
}

// Scan begins to read the published log, or goes on from a State that is not
// empty. A checkpoint that the log did not sign is an error.
func (l *Ledger) Scan(state string) (*Scan, error) {
	s := &Scan{tiles: l.tiles, vkey: l.vkey}
	if state == "" {
		raw, err := os.ReadFile(filepath.Join(l.tiles, "checkpoint"))
		if err != nil {
			return nil, fmt.Errorf("scan log: %w", err)
		}
		s.text = string(raw)
	} else if err := s.resume(state); err != nil {
		return nil, fmt.Errorf("go on with the scan: %w", err)
	}
	var err error
	if s.cp, err = OpenCheckpoint(s.vkey, s.text); err != nil {
		return nil, fmt.Errorf("published checkpoint: %w", err)
	}
	return s, nil
}

func (s *Scan) resume(state string) error {
	var from scanState
	if err := json.Unmarshal([]byte(state), &from); err != nil {
		return err
	}
	s.text, s.next = from.Checkpoint, from.Next
	for _, level := range from.Levels {
		var hashes []tlog.Hash
		for _, text := range level {
			h, err := parseHash(text)
			if err != nil {
				return err
			}
			hashes = append(hashes, h)
		}
		s.levels = append(s.levels, hashes)
	}
	return nil
}

// State is what another Scan goes on from. It is at most 128 KiB.
func (s *Scan) State() (string, error) {
	out := scanState{Checkpoint: s.text, Next: s.next}
	for _, level := range s.levels {
		texts := []string{}
		for _, h := range level {
			texts = append(texts, base64.StdEncoding.EncodeToString(h[:]))
		}
		out.Levels = append(out.Levels, texts)
	}
	raw, err := json.Marshal(out)
	return string(raw), err
}

// Size is how many leaves there are to read; Position how many were read.
func (s *Scan) Size() int64 { return s.cp.Size }

// Position is the index of the leaf that Next returns first.
func (s *Scan) Position() int64 { return s.next }

// Next returns the next leaves, up to 256, and what is wrong with the tiles that
// they end. No leaves are the end; faults may still come with it: the tiles that
// are not full, and the root. A bundle that cannot be read is an error.
func (s *Scan) Next(ctx context.Context) (leaves [][]byte, faults []string, err error) {
	if s.next >= s.cp.Size {
		return nil, s.end(), nil
	}
	n := uint64(s.next) / tileWidth
	bundle, err := client.GetEntryBundle(ctx, client.FileFetcher{Root: s.tiles}.ReadEntryBundle, n, uint64(s.cp.Size))
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", layout.EntriesPath(n, 0), err)
	}
	want := min(tileWidth, s.cp.Size-int64(n*tileWidth))
	if int64(len(bundle.Entries)) < want {
		return nil, nil, fmt.Errorf("%s: %d entries, %d were signed", layout.EntriesPath(n, 0), len(bundle.Entries), want)
	}
	leaves = bundle.Entries[:want]
	for _, leaf := range leaves {
		faults = append(faults, s.add(0, s.next/tileWidth, tlog.RecordHash(leaf))...)
		s.next++
	}
	return leaves, faults, nil
}

// add appends a hash to a level; a full tile is compared and goes up.
func (s *Scan) add(level int, tile int64, h tlog.Hash) (faults []string) {
	for len(s.levels) <= level {
		s.levels = append(s.levels, nil)
	}
	s.levels[level] = append(s.levels[level], h)
	if len(s.levels[level]) < tileWidth {
		return nil
	}
	faults = s.compare(level, tile, 0)
	root := fold(s.levels[level])
	s.levels[level] = nil
	return append(faults, s.add(level+1, tile/tileWidth, root)...)
}

// compare reads a tile and holds it against the hashes computed.
func (s *Scan) compare(level int, tile int64, partial uint8) []string {
	path := layout.TilePath(uint64(level), uint64(tile), partial)
	raw, err := client.FileFetcher{Root: s.tiles}.ReadTile(context.Background(), uint64(level), uint64(tile), partial)
	if err != nil {
		return []string{path + ": cannot be read"}
	}
	var want []byte
	for _, h := range s.levels[level] {
		want = append(want, h[:]...)
	}
	if !bytes.HasPrefix(raw, want) {
		return []string{path + ": is not what its entries lead to"}
	}
	return nil
}

// end compares the tiles that are not full, and the root.
func (s *Scan) end() (faults []string) {
	full := s.cp.Size
	for level, hashes := range s.levels {
		if len(hashes) > 0 {
			faults = append(faults, s.compare(level, full/tileWidth, uint8(len(hashes)))...)
		}
		full /= tileWidth
	}
	if s.root() != s.cp.Root {
		faults = append(faults, "checkpoint: its root is not what the entries lead to")
	}
	return faults
}

// root is that of the tree read so far (RFC 6962 §2.1).
func (s *Scan) root() tlog.Hash {
	var right tlog.Hash
	none := true
	for _, hashes := range s.levels {
		if len(hashes) == 0 {
			continue
		}
		if none {
			right, none = fold(hashes), false
			continue
		}
		right = fold(append(hashes[:len(hashes):len(hashes)], right))
	}
	if none {
		h, _ := tlog.TreeHash(0, nil) // of no leaves it reads nothing
		return h
	}
	return right
}

// fold is the root over hashes of equal subtrees, the last of which may be smaller.
func fold(hashes []tlog.Hash) tlog.Hash {
	if len(hashes) == 1 {
		return hashes[0]
	}
	k := 1
	for k*2 < len(hashes) {
		k *= 2
	}
	return tlog.NodeHash(fold(hashes[:k]), fold(hashes[k:]))
}
