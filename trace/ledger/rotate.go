package ledger

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/transparency-dev/tessera/client"
)

// cosignPatience is how long a rotation waits for witnesses of the last checkpoint.
const cosignPatience = 10 * time.Second

// A Key is the public key of one log and how far it reaches. A rotation ends one
// and begins the next.
type Key struct {
	Number      int       `json:"number"` // from 1
	Origin      string    `json:"origin"`
	VerifierKey string    `json:"vkey"`
	Size        int64     `json:"size"`          // leaves published
	From        time.Time `json:"from,omitzero"` // zero for the first log
	To          time.Time `json:"to,omitzero"`   // zero for the current log, and for one that was restored from a backup and left
}

// logEnd and logBegin are the leaves that tie two logs together.
type logEnd struct {
	Version int       `json:"v"`
	Kind    string    `json:"t"` // "log-end"
	At      time.Time `json:"at"`
	Next    string    `json:"next"` // verifier key
}

type logBegin struct {
	Version  int       `json:"v"`
	Kind     string    `json:"t"` // "log-begin"
	At       time.Time `json:"at"`
	Previous string    `json:"previous"` // the signed checkpoint that the log before ended with
	Restored bool      `json:"restored,omitempty"`
}

// logDir is where a log lies within the ledger's directory: the first at its root.
func logDir(root string, number int) string {
	if number == 1 {
		return root
	}
	return filepath.Join(root, strconv.Itoa(number))
}

// currentLog reads the number of the log that takes leaves.
func currentLog(root string) (int, error) {
	raw, err := os.ReadFile(filepath.Join(root, "current"))
	if errors.Is(err, os.ErrNotExist) {
		return 1, nil
	}
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(raw)))
	if err != nil || n < 1 {
		return 0, fmt.Errorf("%s does not hold the number of a log", filepath.Join(root, "current"))
	}
	return n, nil
}

// originOf names a log after the first.
func originOf(first string, number int) string {
	if number == 1 || first == "" {
		return first
	}
	return first + "/" + strconv.Itoa(number)
}

// publicKey reads a log's verifier key, whether it still has its private key.
func publicKey(dir string) (string, error) {
	raw, err := os.ReadFile(filepath.Join(dir, "vkey"))
	if err == nil {
		return strings.TrimSpace(string(raw)), nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	s, _, err := readKey(filepath.Join(dir, "key"))
	return s.vkey, err
}

// openPast opens the logs before a number, to be read.
func openPast(root string, number int) ([]*Ledger, error) {
	var all []*Ledger
	for n := 1; n < number; n++ {
		dir := logDir(root, n)
		vkey, err := publicKey(dir)
		if errors.Is(err, os.ErrNotExist) {
			continue // lost, and another log goes on
		}
		if err != nil {
			return nil, err
		}
		all = append(all, readOnly(dir, n, vkey))
	}
	return all, nil
}

// erasePast erases private keys that outlived a rotation.
func erasePast(root string, number int) error {
	for n := 1; n < number; n++ {
		dir := logDir(root, n)
		if _, err := os.Stat(filepath.Join(dir, "vkey")); err != nil {
			continue // its public key is known from the private one alone
		}
		if err := os.Remove(filepath.Join(dir, "key")); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// Logs returns every log of the directory, the current one last. Those before are
// read only.
func (l *Ledger) Logs() []*Ledger { return append(l.past[:len(l.past):len(l.past)], l) }

// KeyOf returns the verifier key of the log of that name, or "".
func (l *Ledger) KeyOf(origin string) string {
	for _, log := range l.Logs() {
		if log.origin() == origin {
			return log.vkey
		}
	}
	return ""
}

// Keys returns the keys of all logs with their spans, the current one last.
func (l *Ledger) Keys(ctx context.Context) []Key {
	var all []Key
	for _, log := range l.Logs() {
		k := Key{Number: log.number, Origin: log.origin(), VerifierKey: log.vkey}
		if size, err := log.published(); err == nil && size > 0 {
			k.Size = size
			var begin logBegin
			var end logEnd
			if log.leaf(ctx, 0, size, &begin) == nil && begin.Kind == "log-begin" {
				k.From = begin.At
			}
			if log != l && log.leaf(ctx, size-1, size, &end) == nil && end.Kind == "log-end" {
				k.To = end.At
			}
		}
		all = append(all, k)
	}
	return all
}

// Left reports whether the log was left without an end: its directory had been
// restored from an older copy, and a new log goes on.
func (l *Ledger) Left(ctx context.Context, by *Ledger) bool {
	var begin logBegin
	size, err := by.published()
	return err == nil && size > 0 && by.number > l.number && by.leaf(ctx, 0, size, &begin) == nil && begin.Restored
}

// leaf reads a leaf of the published log.
func (l *Ledger) leaf(ctx context.Context, index, size int64, into any) error {
	bundle, err := client.GetEntryBundle(ctx, client.FileFetcher{Root: l.tiles}.ReadEntryBundle, uint64(index)/tileWidth, uint64(size))
	if err != nil {
		return err
	}
	if int(index%tileWidth) >= len(bundle.Entries) {
		return errors.New("the entry is missing")
	}
	return json.Unmarshal(bundle.Entries[index%tileWidth], into)
}

// Rotate ends the log and begins the next, with a new key under the name
// "origin/2", "origin/3" …: the last leaf of the old log names the new key, the
// first of the new one the checkpoint that the old one ended with. The old private
// key is erased; receipts of the old log verify with its public key as before.
// With restored, a log that is held is left as it is, and the new one says so.
// Nobody may have the ledger open. A rotation that is broken off is begun again.
func Rotate(ctx context.Context, opts Options, restored bool) (Key, error) {
	old, err := Open(ctx, opts)
	if err != nil {
		return Key{}, err
	}
	number, dir := old.number, old.dir
	held := old.Held()
	if (held != nil) != restored {
		if held == nil {
			held = errors.New("the log is not held: rotate it without saying that it was restored")
		}
		return Key{}, errors.Join(held, old.Close(ctx))
	}
	known := Known{}
	if opts.Keeper != nil {
		if known, _, err = opts.Keeper.Known(ctx); err != nil {
			return Key{}, errors.Join(err, old.Close(ctx))
		}
	}
	next := max(number, known.Number) + 1
	first := cmp.Or(opts.Origin, old.Logs()[0].origin())
	nextDir := logDir(opts.Dir, next)
	if err := os.MkdirAll(nextDir, 0o755); err != nil {
		return Key{}, errors.Join(err, old.Close(ctx))
	}
	signer, _, err := openKey(nextDir, originOf(first, next))
	if err != nil {
		return Key{}, errors.Join(err, old.Close(ctx))
	}
	final, err := old.end(ctx, signer.vkey, known, restored)
	if err := errors.Join(err, old.Close(ctx)); err != nil {
		return Key{}, fmt.Errorf("end log %d: %w", number, err)
	}
	begun, err := beginLog(ctx, opts, next, logBegin{1, "log-begin", time.Now().UTC().Truncate(time.Millisecond), final, restored})
	if err != nil {
		return Key{}, fmt.Errorf("begin log %d: %w", next, err)
	}
	// From here on the new log counts; what is left can be done again by Open.
	if vkey, err := publicKey(dir); err == nil {
		if err := writeSynced(dir, filepath.Join(dir, "vkey"), vkey+"\n"); err != nil {
			return Key{}, err
		}
	}
	if err := writeSynced(opts.Dir, filepath.Join(opts.Dir, "current"), strconv.Itoa(next)+"\n"); err != nil {
		return Key{}, err
	}
	if opts.Keeper != nil {
		if err := opts.Keeper.Keep(ctx, begun); err != nil {
			return Key{}, fmt.Errorf("log %d counts from now on, but is not remembered yet: %w", next, err)
		}
	}
	if err := erasePast(opts.Dir, next); err != nil {
		return Key{}, err
	}
	return Key{Number: next, Origin: signer.Name(), VerifierKey: signer.vkey, Size: begun.Size}, nil
}

// end appends the last leaf and returns the checkpoint that covers it; of a log
// that is held, the newest checkpoint that is known.
func (l *Ledger) end(ctx context.Context, next string, known Known, restored bool) (string, error) {
	if restored {
		if known.Number == l.number || known.VerifierKey == l.vkey {
			return known.Checkpoint, nil
		}
		raw, err := os.ReadFile(filepath.Join(l.dir, "signed"))
		if errors.Is(err, os.ErrNotExist) {
			raw, err = []byte(known.Checkpoint), nil
		}
		return string(raw), err
	}
	leaf, err := json.Marshal(logEnd{1, "log-end", time.Now().UTC().Truncate(time.Millisecond), next})
	if err != nil {
		return "", err
	}
	index, err := l.Append(ctx, leaf)
	if err != nil {
		return "", err
	}
	text, _, err := l.await(ctx, index)
	if err != nil {
		return "", err
	}
	if l.Policy().Quorum > 0 {
		for end := time.Now().Add(cosignPatience); l.CosignedSize() <= index && time.Now().Before(end) && ctx.Err() == nil; {
			time.Sleep(checkpointPolling)
		}
		if cosigned, size := l.cosigner.best(); size > index {
			text = cosigned
		}
	}
	return text, nil
}

// beginLog appends the first leaf of a new log and returns its first checkpoint.
func beginLog(ctx context.Context, opts Options, number int, begin logBegin) (Known, error) {
	opts.Keeper, opts.Witnesses, opts.Quorum = nil, nil, 0 // it does not count yet
	l, err := openNumber(ctx, opts, number)
	if err != nil {
		return Known{}, err
	}
	leaf, err := json.Marshal(begin)
	if err != nil {
		return Known{}, errors.Join(err, l.Close(ctx))
	}
	index, err := l.Append(ctx, leaf)
	if err != nil {
		return Known{}, errors.Join(err, l.Close(ctx))
	}
	text, size, err := l.await(ctx, index)
	return Known{number, l.vkey, size, text}, errors.Join(err, l.Close(ctx))
}
