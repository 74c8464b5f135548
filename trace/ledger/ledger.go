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
//	key       the private key, mode 0600; whoever has it can sign another history
//	lock      held by the one process that may write
//	tiles/    the public log; may be served by any web server or CDN
//	signed    the newest checkpoint that was signed, before it was published
//	cosigned  the newest checkpoint that a quorum of witnesses cosigned
//	current   after a rotation of the key, the number of the log that takes leaves
//	2/, 3/ …  the logs that rotations began, each with what is above; a log that
//	          was ended keeps its public key in vkey, and its private one is erased
//
// Before every signature the log proves to itself that the new tree continues
// the one signed last, which it also knows from the [Keeper] and from its
// witnesses. A directory that was restored from an older copy is therefore held,
// not continued: see [ErrHeld].
//
// The driver is Tessera's for POSIX file systems: it wants atomic renames and
// locks, so a local disk, not NFS.
package ledger

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
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
	// Witnesses are asked to cosign every checkpoint, and Quorum of them make it
	// a cosigned one. Leaves and receipts never wait for them.
	Witnesses []WitnessAddress
	Quorum    int
	// Keeper remembers what was signed, outside of Dir; nil where nobody does.
	Keeper Keeper
	// Logger hears of a new log, of a held one and of witnesses. Nil means
	// silence. (Tessera itself writes to klog, which is the process's.)
	Logger *slog.Logger
}

// A Ledger is an open log. Its methods may be called at the same time.
type Ledger struct {
	dir      string
	tiles    string
	number   int
	vkey     string
	interval time.Duration
	logger   *slog.Logger
	running  context.Context // until Close
	past     []*Ledger       // the logs before, to be read
	cosigner *cosigner       // nil without witnesses
	asking   sync.WaitGroup  // the cosigner's goroutine
	add      tessera.AddFn
	shutdown func(context.Context) error
	stop     context.CancelFunc
	unlock   func() error

	mu     sync.RWMutex // guards closed and held, and inFlight against Wait
	closed bool
	held   error
	// inFlight counts appends whose leaf Tessera has but has not yet placed.
	inFlight sync.WaitGroup
}

// Open opens the log in opts.Dir, making log and key at the first start. It
// fails with ErrInUse while another Ledger has it open, and where the key, the
// published checkpoint and opts.Origin do not belong together. A directory that
// does not continue what the log has signed opens as a log that is held: it
// serves what it has and takes nothing. ctx gives up the opening only; the log
// runs until Close.
func Open(ctx context.Context, opts Options) (*Ledger, error) {
	number, err := currentLog(opts.Dir)
	if err != nil {
		return nil, fmt.Errorf("open ledger: %w", err)
	}
	if err := erasePast(opts.Dir, number); err != nil {
		return nil, fmt.Errorf("open ledger: %w", err)
	}
	return openNumber(ctx, opts, number)
}

// openNumber opens one of the logs of a directory to take leaves.
func openNumber(ctx context.Context, opts Options, number int) (_ *Ledger, err error) {
	if err := os.MkdirAll(opts.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("open ledger: %w", err)
	}
	unlock, err := lockDir(opts.Dir)
	if err != nil {
		return nil, fmt.Errorf("open ledger %s: %w", opts.Dir, err)
	}
	l := &Ledger{
		dir: logDir(opts.Dir, number), tiles: filepath.Join(logDir(opts.Dir, number), "tiles"), number: number, unlock: unlock, logger: opts.Logger,
		interval: cmp.Or(opts.CheckpointInterval, defaultInterval),
	}
	if l.logger == nil {
		l.logger = slog.New(slog.DiscardHandler)
	}
	l.running, l.stop = context.WithCancel(context.WithoutCancel(ctx))
	if err := l.open(ctx, opts); err != nil {
		l.stop()
		return nil, errors.Join(fmt.Errorf("open ledger %s: %w", opts.Dir, err), unlock())
	}
	return l, nil
}

func (l *Ledger) open(ctx context.Context, opts Options) error {
	known, remembered, err := Known{}, false, error(nil)
	if opts.Keeper != nil {
		if known, remembered, err = opts.Keeper.Known(ctx); err != nil {
			return fmt.Errorf("ask what the log has signed: %w", err)
		}
	}
	if l.past, err = openPast(opts.Dir, l.number); err != nil {
		return err
	}
	if known.Number < l.number {
		remembered = false // of a log that was ended; the rotation is newer than what is known
	}
	if remembered && (known.Number > l.number || !l.has(known)) {
		l.vkey = known.VerifierKey
		l.hold(ctx, behind("the directory does not hold the log of the key %s, which the records are in", known.VerifierKey))
		return nil
	}
	signer, fresh, err := openKey(l.dir, originOf(opts.Origin, l.number))
	if err != nil {
		return fmt.Errorf("key: %w", err)
	}
	l.vkey = signer.vkey
	var texts []string
	if remembered {
		texts = append(texts, known.Checkpoint)
	}
	last, err := l.recall(texts)
	if err != nil {
		return err
	}
	if len(opts.Witnesses) > 0 {
		if l.cosigner, err = newCosigner(l, opts.Witnesses, opts.Quorum); err != nil {
			return fmt.Errorf("witnesses: %w", err)
		}
		l.cosigner.remembered(ctx)
	}
	if err := l.continues(ctx, last); err != nil {
		return err
	}
	if l.Held() != nil {
		return nil
	}
	if err := l.start(ctx, &guard{Signer: signer, ledger: l, keeper: opts.Keeper, last: last}); err != nil {
		return err
	}
	if l.cosigner != nil {
		l.asking.Go(func() { l.cosigner.run(l.running) })
	}
	if fresh {
		l.logger.InfoContext(ctx, "new transparency log", "dir", l.dir, "verifier_key", l.vkey)
	}
	return nil
}

// OpenReadOnly opens a log to read and to scan it, beside whoever writes it. It
// takes no leaves; Close is not needed.
func OpenReadOnly(dir string) (*Ledger, error) {
	number, err := currentLog(dir)
	if err != nil {
		return nil, fmt.Errorf("open ledger %s: %w", dir, err)
	}
	vkey, err := publicKey(logDir(dir, number))
	if err != nil {
		return nil, fmt.Errorf("open ledger %s: %w", dir, err)
	}
	l := readOnly(logDir(dir, number), number, vkey)
	if l.past, err = openPast(dir, number); err != nil {
		return nil, fmt.Errorf("open ledger %s: %w", dir, err)
	}
	return l, nil
}

func readOnly(dir string, number int, vkey string) *Ledger {
	return &Ledger{
		dir: dir, tiles: filepath.Join(dir, "tiles"), number: number, vkey: vkey, logger: slog.New(slog.DiscardHandler),
		held: fmt.Errorf("%w: it was opened to be read", ErrHeld), interval: defaultInterval,
	}
}

// has reports whether the directory holds the key of the log that is known.
func (l *Ledger) has(known Known) bool {
	s, _, err := readKey(filepath.Join(l.dir, "key"))
	return err != nil && !errors.Is(err, os.ErrNotExist) || s.vkey == known.VerifierKey
}

// continues holds the log where the tree on disk does not continue a checkpoint.
func (l *Ledger) continues(ctx context.Context, last Checkpoint) error {
	tree, err := treeState(l.tiles)
	if err != nil {
		return err
	}
	if err := extends(ctx, l.tiles, tree, last); errors.Is(err, ErrHeld) {
		l.hold(ctx, err)
	} else if err != nil {
		return fmt.Errorf("compare with what was signed: %w", err)
	}
	return nil
}

func (l *Ledger) start(ctx context.Context, signer note.Signer) error {
	driver, err := posix.New(ctx, posix.Config{Path: l.tiles})
	if err != nil {
		return err
	}
	// A checkpoint says no time, so signing the same tree again says nothing new:
	// no republishing. Tessera's own witnessing would publish nothing while a
	// witness is away; the cosigner does that aside.
	opts := tessera.NewAppendOptions().
		WithCheckpointSigner(signer).
		WithCheckpointInterval(l.interval).
		WithCheckpointRepublishInterval(0).
		WithBatching(tessera.DefaultBatchMaxSize, batchAge).
		WithShutdownTimeout(shutdownLimit)
	appender, shutdown, _, err := tessera.NewAppender(l.running, driver, opts)
	if err != nil {
		return err
	}
	l.add, l.shutdown = appender.Add, shutdown
	return nil
}

// origin is the log's name.
func (l *Ledger) origin() string {
	name, _, _ := strings.Cut(l.vkey, "+")
	return name
}

// VerifierKey returns the public key in the signed-note form
// "origin+hash+base64" (c2sp.org/signed-note).
func (l *Ledger) VerifierKey() string { return l.vkey }

// Number returns the log's, from 1; a rotation of the key makes the next one.
func (l *Ledger) Number() int { return l.number }

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
	if l.closed || l.held != nil {
		err := cmp.Or(l.held, ErrClosed)
		l.mu.RUnlock()
		return 0, fmt.Errorf("append leaf: %w", err)
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
	receipt, err := l.prove(ctx, index, checkpoint, size)
	if err != nil {
		return "", fmt.Errorf("receipt of leaf %d: %w", index, err)
	}
	return receipt, nil
}

// prove writes the receipt of a leaf under a checkpoint, from what is on disk.
func (l *Ledger) prove(ctx context.Context, index int64, checkpoint string, size int64) (string, error) {
	i, n := uint64(index), uint64(size)
	files := client.FileFetcher{Root: l.tiles}
	bundle, err := client.GetEntryBundle(ctx, files.ReadEntryBundle, i/256, n)
	if err != nil {
		return "", fmt.Errorf("read entries: %w", err)
	}
	if i%256 >= uint64(len(bundle.Entries)) {
		return "", errors.New("the log on disk is damaged: the entry is missing")
	}
	builder, err := client.NewProofBuilder(ctx, n, files.ReadTile)
	if err != nil {
		return "", err
	}
	path, err := builder.InclusionProof(ctx, i)
	if err != nil {
		return "", err
	}
	receipt := format(bundle.Entries[i%256], index, path, checkpoint)
	if _, err := Verify(l.vkey, receipt); err != nil {
		return "", fmt.Errorf("the log on disk is damaged: %w", err)
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
		closed, held := l.closed, l.held
		l.mu.RUnlock()
		if closed {
			return "", 0, ErrClosed
		}
		raw, err := os.ReadFile(filepath.Join(l.tiles, "checkpoint"))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return "", 0, fmt.Errorf("read checkpoint: %w", err)
		}
		if err == nil {
			cp, err := OpenCheckpoint(l.vkey, string(raw))
			if err != nil {
				return "", 0, fmt.Errorf("read checkpoint: %w", err)
			}
			if cp.Size > index {
				return string(raw), cp.Size, nil
			}
		}
		if held != nil { // nothing further will be published
			return "", 0, held
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
	if l.shutdown == nil { // held from the start
		l.stop()
		return l.unlock()
	}
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
	if l.Held() != nil {
		err = nil // it could not publish, which was said
	}
	l.stop()
	l.asking.Wait()
	if err != nil {
		err = fmt.Errorf("close ledger: %w", err)
	}
	return errors.Join(err, l.unlock())
}
