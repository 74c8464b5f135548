// Package ledger keeps a transparency log: bytes go in, receipts come out, and
// nothing that was put in can be changed or taken away without every holder of
// a receipt being able to prove it.
//
// The log is a C2SP tlog-tiles log (c2sp.org/tlog-tiles) with Ed25519-signed
// checkpoints (c2sp.org/tlog-checkpoint) and RFC 6962 hashing. A receipt is a
// c2sp.org/tlog-proof@v1 text that carries the leaf itself, so that receipt and
// public key are all that anyone needs, offline and for ever; [Verify] is that
// check. What the log proves is that a leaf has not changed since it was
// appended, and in which order leaves came. It does not prove that a leaf was
// true when it was written, and its times are the operator's.
//
// All state lies in one directory:
//
//	key      the private key, mode 0600; whoever has it can sign another history
//	lock     held by the one process that may write
//	tiles/   the public log; may be served by any web server or CDN
//
// The driver is Tessera's for POSIX file systems: it wants atomic renames and
// locks, so a local disk, not NFS.
package ledger

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/client"
	"github.com/transparency-dev/tessera/storage/posix"
	"golang.org/x/mod/sumdb/note"
)

// MaxLeaf is the size of the largest leaf, in bytes (c2sp.org/tlog-tiles).
const MaxLeaf = 1<<16 - 1

const (
	defaultOrigin     = "tianhai.local/log"
	defaultInterval   = time.Second
	shutdownLimit     = 10 * time.Second
	batchAge          = 100 * time.Millisecond
	checkpointPolling = 25 * time.Millisecond
)

var (
	// ErrClosed reports a call after Close.
	ErrClosed = errors.New("ledger is closed")
	// ErrInUse reports that another Ledger, here or in another process, has the
	// directory open.
	ErrInUse = errors.New("ledger directory is in use")
)

// Options say where the log lies and what it is called.
type Options struct {
	// Dir is the directory of the log, made where it is missing.
	Dir string
	// Origin names the log in every checkpoint. It is fixed by the first start,
	// and another one later is an error. Empty means the name the log has, or
	// "tianhai.local/log" for a new one. No spaces and no plus sign.
	Origin string
	// CheckpointInterval is the least time between two checkpoints, so about
	// the longest that a receipt takes. 0 means 1 s; the least is 100 ms.
	CheckpointInterval time.Duration
	// Logger hears of a new log. Nil means silence. (Tessera itself writes to
	// klog, which is the process's.)
	Logger *slog.Logger
}

// A Ledger is an open log. Its methods may be called at the same time.
type Ledger struct {
	tiles    string
	vkey     string
	add      tessera.AddFn
	reader   tessera.LogReader
	shutdown func(context.Context) error
	stop     context.CancelFunc
	unlock   func() error

	mu     sync.RWMutex // guards closed, and inFlight against Wait
	closed bool
	// inFlight counts appends whose leaf Tessera has but has not yet placed.
	inFlight sync.WaitGroup
}

// Open opens the log in opts.Dir, making log and key at the first start. It
// fails with ErrInUse while another Ledger has it open, and where the key, the
// published checkpoint and opts.Origin do not belong together. ctx gives up the
// opening only; the log runs until Close.
func Open(ctx context.Context, opts Options) (_ *Ledger, err error) {
	if err := os.MkdirAll(opts.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("open ledger: %w", err)
	}
	unlock, err := lockDir(opts.Dir)
	if err != nil {
		return nil, fmt.Errorf("open ledger %s: %w", opts.Dir, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, unlock())
		}
	}()
	l := &Ledger{tiles: filepath.Join(opts.Dir, "tiles"), unlock: unlock}
	signer, fresh, err := openKey(opts.Dir, opts.Origin)
	if err != nil {
		return nil, fmt.Errorf("open ledger key: %w", err)
	}
	l.vkey = signer.vkey
	if err := l.checkCheckpoint(); err != nil {
		return nil, fmt.Errorf("open ledger %s: %w", opts.Dir, err)
	}
	if err := l.start(ctx, signer, opts.CheckpointInterval); err != nil {
		return nil, fmt.Errorf("open ledger %s: %w", opts.Dir, err)
	}
	if fresh && opts.Logger != nil {
		opts.Logger.InfoContext(ctx, "new transparency log", "dir", opts.Dir, "verifier_key", l.vkey)
	}
	return l, nil
}

func (l *Ledger) start(ctx context.Context, signer note.Signer, interval time.Duration) error {
	if interval == 0 {
		interval = defaultInterval
	}
	driver, err := posix.New(ctx, posix.Config{Path: l.tiles})
	if err != nil {
		return err
	}
	// A checkpoint says no time, so signing the same tree again says nothing new:
	// no republishing.
	opts := tessera.NewAppendOptions().
		WithCheckpointSigner(signer).
		WithCheckpointInterval(interval).
		WithCheckpointRepublishInterval(0).
		WithBatching(tessera.DefaultBatchMaxSize, batchAge).
		WithShutdownTimeout(shutdownLimit)
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	appender, shutdown, reader, err := tessera.NewAppender(running, driver, opts)
	if err != nil {
		stop()
		return err
	}
	l.add, l.reader, l.shutdown, l.stop = appender.Add, reader, shutdown, stop
	return nil
}

// VerifierKey returns the public key in the signed-note form
// "origin+hash+base64" (c2sp.org/signed-note).
func (l *Ledger) VerifierKey() string { return l.vkey }

// Append adds a leaf of 1 to MaxLeaf bytes and returns its index once the log
// has it on disk. After an error, the leaf may or may not be in the log; to
// append it again is harmless, it then stands there twice.
func (l *Ledger) Append(ctx context.Context, leaf []byte) (int64, error) {
	if len(leaf) == 0 || len(leaf) > MaxLeaf {
		return 0, fmt.Errorf("append leaf: it has %d bytes, allowed are 1 to %d", len(leaf), MaxLeaf)
	}
	if err := ctx.Err(); err != nil {
		return 0, fmt.Errorf("append leaf: %w", err)
	}
	type placed struct {
		index tessera.Index
		err   error
	}
	l.mu.RLock()
	if l.closed {
		l.mu.RUnlock()
		return 0, fmt.Errorf("append leaf: %w", ErrClosed)
	}
	l.inFlight.Add(1)
	l.mu.RUnlock()
	// The future ignores contexts, so it is waited for aside; Close waits for it.
	done := make(chan placed, 1)
	future := l.add(ctx, tessera.NewEntry(leaf))
	go func() {
		defer l.inFlight.Done()
		index, err := future()
		done <- placed{index, err}
	}()
	select {
	case p := <-done:
		if p.err != nil {
			return 0, fmt.Errorf("append leaf: %w", p.err)
		}
		return int64(p.index.Index), nil
	case <-ctx.Done():
		return 0, fmt.Errorf("append leaf: %w", ctx.Err())
	}
}

// Receipt returns a c2sp.org/tlog-proof@v1 for the leaf at index, waiting until
// a checkpoint that covers it is published. It never returns a text that Verify
// would refuse.
func (l *Ledger) Receipt(ctx context.Context, index int64) (string, error) {
	checkpoint, size, err := l.await(ctx, index)
	if err != nil {
		return "", fmt.Errorf("receipt of leaf %d: %w", index, err)
	}
	i, n := uint64(index), uint64(size)
	bundle, err := client.GetEntryBundle(ctx, l.reader.ReadEntryBundle, i/256, n)
	if err != nil {
		return "", fmt.Errorf("receipt of leaf %d: read entries: %w", index, err)
	}
	builder, err := client.NewProofBuilder(ctx, n, l.reader.ReadTile)
	if err != nil {
		return "", fmt.Errorf("receipt of leaf %d: %w", index, err)
	}
	path, err := builder.InclusionProof(ctx, i)
	if err != nil {
		return "", fmt.Errorf("receipt of leaf %d: %w", index, err)
	}
	receipt := format(bundle.Entries[i%256], index, path, checkpoint)
	if _, err := Verify(l.vkey, receipt); err != nil {
		return "", fmt.Errorf("receipt of leaf %d: the log on disk is damaged: %w", index, err)
	}
	return receipt, nil
}

// await returns the newest checkpoint once it covers index.
func (l *Ledger) await(ctx context.Context, index int64) (text string, size int64, err error) {
	if index < 0 {
		return "", 0, errors.New("index is negative")
	}
	tick := time.NewTicker(checkpointPolling)
	defer tick.Stop()
	for {
		l.mu.RLock()
		closed := l.closed
		l.mu.RUnlock()
		if closed {
			return "", 0, ErrClosed
		}
		raw, err := l.reader.ReadCheckpoint(ctx)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return "", 0, fmt.Errorf("read checkpoint: %w", err)
		}
		if err == nil {
			cp, err := openCheckpoint(l.vkey, string(raw))
			if err != nil {
				return "", 0, fmt.Errorf("read checkpoint: %w", err)
			}
			if cp.size > index {
				return string(raw), cp.size, nil
			}
		}
		select {
		case <-ctx.Done():
			return "", 0, fmt.Errorf("wait for a checkpoint: %w", ctx.Err())
		case <-tick.C:
		}
	}
}

// Close refuses further appends, waits until every leaf taken is covered by a
// published checkpoint, for at most 10 s or until ctx is done, and gives the
// directory free. Leaves in a log that was closed too early or killed are not
// lost once Append has returned: the next Open publishes them.
func (l *Ledger) Close(ctx context.Context) error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.closed = true
	l.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, shutdownLimit)
	defer cancel()
	placed := make(chan struct{})
	go func() {
		l.inFlight.Wait()
		close(placed)
	}()
	var err error
	select {
	case <-placed:
		err = l.shutdown(ctx)
	case <-ctx.Done():
		err = ctx.Err()
	}
	l.stop()
	if err != nil {
		err = fmt.Errorf("close ledger: %w", err)
	}
	return errors.Join(err, l.unlock())
}

// checkCheckpoint refuses a log that another key signed.
func (l *Ledger) checkCheckpoint() error {
	raw, err := os.ReadFile(filepath.Join(l.tiles, "checkpoint"))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if _, err := openCheckpoint(l.vkey, string(raw)); err != nil {
		return fmt.Errorf("published checkpoint: %w", err)
	}
	return nil
}
