package ledger

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/transparency-dev/tessera/client"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// ErrHeld reports that the log takes no leaves, because its directory does not
// continue what the log has signed before. Nothing is lost: records wait in the
// database, and every receipt stays good.
var ErrHeld = errors.New("the log is held")

// A Known is what somebody else remembers of a log.
type Known struct {
	Number      int    // of the log, from 1; a rotation makes the next one
	VerifierKey string // of the log
	Size        int64  // leaves of Checkpoint
	Checkpoint  string // the newest that was signed
}

// A Keeper remembers, beside the log's own directory, what the log has signed. An
// older copy of the directory is found out by it.
type Keeper interface {
	// Known returns what is remembered of the newest log, or false.
	Known(ctx context.Context) (Known, bool, error)
	// Keep remembers a checkpoint before it is published. It refuses one that is
	// smaller than another of the same log.
	Keep(ctx context.Context, k Known) error
}

// behind says what is wrong with a directory and what to do.
func behind(format string, args ...any) error {
	return fmt.Errorf("%w: %s. Put the newest copy of the ledger directory in place, or go on as a new log: tianhai ledger rotate --restored", ErrHeld, fmt.Sprintf(format, args...))
}

// A state is a tree on disk, signed or not.
type state struct {
	size int64
	root tlog.Hash
}

// treeState reads how far the tree on disk goes; Tessera keeps it there.
func treeState(tiles string) (state, error) {
	raw, err := os.ReadFile(filepath.Join(tiles, ".state", "treeState"))
	if errors.Is(err, os.ErrNotExist) {
		return state{root: sha256.Sum256(nil)}, nil
	}
	if err != nil {
		return state{}, err
	}
	var s struct {
		Size int64  `json:"size"`
		Root []byte `json:"root"`
	}
	if err := json.Unmarshal(raw, &s); err != nil || s.Size < 0 || len(s.Root) != tlog.HashSize {
		return state{}, errors.New("the tree state cannot be read")
	}
	return state{s.Size, tlog.Hash(s.Root)}, nil
}

// extends reports why a tree does not continue that of a checkpoint; it reads
// the tiles.
func extends(ctx context.Context, tiles string, s state, cp Checkpoint) error {
	switch {
	case cp.Origin == "": // nothing was signed yet
		return nil
	case s.size < cp.Size:
		return behind("%d leaves are on disk, %d were signed", s.size, cp.Size)
	case s.size == cp.Size:
		if s.root != cp.Root {
			return behind("the tree of %d leaves on disk is another than the one signed", s.size)
		}
		return nil
	case cp.Size == 0:
		return nil
	}
	proof, err := consistency(ctx, tiles, cp.Size, s.size)
	if err != nil {
		return err
	}
	path := make(tlog.TreeProof, len(proof))
	for i, h := range proof {
		if len(h) != tlog.HashSize {
			return errors.New("a hash in the tiles is too short")
		}
		path[i] = tlog.Hash(h)
	}
	if tlog.CheckTree(path, s.size, s.root, cp.Size, cp.Root) != nil {
		return behind("the %d leaves on disk do not begin with the %d that were signed", s.size, cp.Size)
	}
	return nil
}

// consistency returns the proof that leads from a size to a larger one.
func consistency(ctx context.Context, tiles string, from, to int64) ([][]byte, error) {
	builder, err := client.NewProofBuilder(ctx, uint64(to), client.FileFetcher{Root: tiles}.ReadTile)
	if err != nil {
		return nil, err
	}
	return builder.ConsistencyProof(ctx, uint64(from), uint64(to))
}

// A guard signs checkpoints for Tessera, and only those that continue what was
// signed before, which it proves to itself from the tiles each time. Before a
// signature leaves it, the checkpoint is on disk, beside the tiles and in the
// Keeper, so that whatever was published is known after any crash.
type guard struct {
	note.Signer
	ledger *Ledger
	keeper Keeper // may be nil
	last   Checkpoint
}

// Sign implements note.Signer. Tessera calls it once at a time.
func (g *guard) Sign(text []byte) ([]byte, error) {
	l := g.ledger
	if err := l.Held(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(l.running, shutdownLimit)
	defer cancel()
	cp, err := parseCheckpoint(string(text), g.Name())
	if err != nil {
		return nil, err
	}
	if err := extends(ctx, l.tiles, state{cp.Size, cp.Root}, g.last); err != nil {
		if errors.Is(err, ErrHeld) {
			l.hold(ctx, err)
		}
		return nil, err
	}
	sig, err := g.Signer.Sign(text)
	if err != nil {
		return nil, err
	}
	signed, err := note.Sign(&note.Note{Text: string(text)}, fixed{g.Signer, sig})
	if err != nil {
		return nil, err
	}
	if err := writeSynced(l.dir, filepath.Join(l.dir, "signed"), string(signed)); err != nil {
		return nil, fmt.Errorf("remember checkpoint: %w", err)
	}
	if g.keeper != nil {
		if err := g.keeper.Keep(ctx, Known{l.number, l.vkey, cp.Size, string(signed)}); err != nil {
			return nil, fmt.Errorf("remember checkpoint elsewhere: %w", err)
		}
	}
	g.last = cp
	return sig, nil
}

// fixed is a signer that has signed.
type fixed struct {
	note.Signer
	sig []byte
}

// Sign returns the signature there is.
func (f fixed) Sign([]byte) ([]byte, error) { return f.sig, nil }

// recall returns the newest checkpoint that the log is known to have signed, from
// its directory and from what others know.
func (l *Ledger) recall(known []string) (Checkpoint, error) {
	var last Checkpoint
	texts := known
	for _, name := range []string{filepath.Join(l.tiles, "checkpoint"), filepath.Join(l.dir, "signed")} {
		raw, err := os.ReadFile(name)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return Checkpoint{}, err
		}
		if _, err := OpenCheckpoint(l.vkey, string(raw)); err != nil {
			return Checkpoint{}, fmt.Errorf("%s checkpoint: %w", filepath.Base(filepath.Dir(name)), err)
		}
		texts = append(texts, string(raw))
	}
	for _, text := range texts {
		cp, err := OpenCheckpoint(l.vkey, text)
		if err != nil {
			return Checkpoint{}, fmt.Errorf("known checkpoint: %w", err)
		}
		if cp.Size > last.Size || last.Origin == "" {
			last = cp
		}
	}
	return last, nil
}

// check compares the tree on disk with every checkpoint known, not only the
// newest: two that were signed must follow from each other.
func (l *Ledger) check(ctx context.Context, known []string) error {
	tree, err := treeState(l.tiles)
	if err != nil {
		return err
	}
	for _, text := range known {
		cp, err := OpenCheckpoint(l.vkey, text)
		if err != nil {
			return fmt.Errorf("known checkpoint: %w", err)
		}
		if err := extends(ctx, l.tiles, tree, cp); err != nil {
			return err
		}
	}
	return nil
}

// Held returns why the log takes no leaves, an error that wraps ErrHeld, or nil.
func (l *Ledger) Held() error {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.held
}

// hold stops the log from taking leaves and from signing.
func (l *Ledger) hold(ctx context.Context, why error) {
	l.mu.Lock()
	first := l.held == nil
	if first {
		l.held = why
	}
	l.mu.Unlock()
	if first {
		l.logger.ErrorContext(ctx, "the log takes no more leaves; records wait in the database", "error", why)
	}
}
