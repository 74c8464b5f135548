package journal

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

const (
	startTimeout = 30 * time.Second
	// probeSize is the room that must be on the disk before a journal that ran
	// out of it is opened again: one block of JetStream's files.
	probeSize = 8 << 20
	// reserve is the room on the disk that frames leave alone, and half of it is
	// what quarantined ones do. A reader can then always move its cursor, and what
	// it has passed can be removed to make room: without a byte neither is possible.
	reserve = 16 << 20
	// plenty is more than can be written to the disk in the time that it lasts.
	plenty      = 1 << 30
	plentyLasts = 100 * time.Millisecond
)

// errNoRoom reports a disk with no more room than the reserve.
var errNoRoom = errors.New("no room on the journal's disk")

// An embedded server listens nowhere and keeps its streams in a directory.
//
// JetStream does not write to a stream again after a write to its file failed,
// as on a full disk, and does not even answer. The embedded server is therefore
// started anew when there is room again; the client's connection finds the new
// one through InProcessConn.
type embedded struct {
	opt    *Options
	broken atomic.Bool  // a file could not be written
	ample  atomic.Int64 // Unix ns until which the disk need not be asked for its room
	mu     sync.Mutex   // guards srv, and is held while it is exchanged
	srv    *server.Server
}

func startEmbedded(opt *Options) (*embedded, error) {
	if err := os.MkdirAll(opt.Dir, 0o700); err != nil {
		return nil, err
	}
	e := &embedded{opt: opt}
	before := blocks(opt.Dir)
	if err := e.start(); err != nil {
		return e, err
	}
	for file, size := range blocks(opt.Dir) {
		if was := before[file]; size < was {
			opt.Logger.Warn("the end of a file of frames was torn, as by a power cut, and is cut off", "file", file, "bytes_cut", was-size, "bytes_left", size)
		}
	}
	return e, nil
}

// blocks returns the size of every file of frames. JetStream cuts off a torn end
// without a word.
func blocks(dir string) map[string]int64 {
	sizes := map[string]int64{}
	paths, _ := filepath.Glob(filepath.Join(dir, "jetstream", "*", "streams", "*", "msgs", "*.blk")) // the pattern is well-formed
	for _, path := range paths {
		if info, err := os.Stat(path); err == nil {
			sizes[path] = info.Size()
		}
	}
	return sizes
}

// start is called with mu held or before e is shared.
func (e *embedded) start() error {
	srv, err := server.NewServer(&server.Options{
		ServerName:             "tianhai",
		DontListen:             true,
		NoSigs:                 true,
		DisableJetStreamBanner: true,
		MaxPayload:             maxMessage,
		JetStream:              true,
		StoreDir:               e.opt.Dir,
		// Room for both streams; what is really on the disk decides in the end.
		JetStreamMaxStore:  e.opt.MaxBytes + e.opt.MaxQuarantineBytes + 64<<20,
		JetStreamMaxMemory: 64 << 20,
		SyncInterval:       e.opt.Sync,
		SyncAlways:         e.opt.SyncAlways,
	})
	if err != nil {
		return err
	}
	log := &serverLog{log: e.opt.Logger, broken: &e.broken}
	srv.SetLoggerV2(log, false, false, false)
	srv.Start()
	if !srv.ReadyForConnections(startTimeout) || !srv.JetStreamEnabled() {
		srv.Shutdown()
		srv.WaitForShutdown()
		return fmt.Errorf("not ready: %s", log.why())
	}
	e.srv = srv
	return nil
}

// InProcessConn connects to the server of the moment; nats.Conn calls it.
func (e *embedded) InProcessConn() (net.Conn, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.srv.InProcessConn()
}

// restart exchanges the server, provided that the disk has room.
func (e *embedded) restart() error {
	if err := probe(e.opt.Dir); err != nil {
		return fmt.Errorf("probe disk: %w", err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.srv.Shutdown()
	e.srv.WaitForShutdown()
	e.broken.Store(false)
	if err := e.start(); err != nil {
		e.broken.Store(true)
		return err
	}
	return nil
}

// leaves reports whether some of the disk's room is left over. Where there is
// plenty, the system is not asked for every record.
func (e *embedded) leaves(some uint64) error {
	now := time.Now().UnixNano()
	if now < e.ample.Load() {
		return nil
	}
	free, known := room(e.opt.Dir)
	if known && free >= some+plenty {
		e.ample.Store(now + plentyLasts.Nanoseconds())
	}
	if known && free < some {
		return fmt.Errorf("%w: %d MiB are left, of which %d are kept free", errNoRoom, free>>20, some>>20)
	}
	return nil
}

func (e *embedded) stop() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.srv != nil {
		e.srv.Shutdown()
		e.srv.WaitForShutdown()
	}
}

// forget removes the file in which JetStream keeps where a reader is. It opens no
// reader whose file is torn.
func (e *embedded) forget(reader string) error {
	return os.Remove(filepath.Join(e.opt.Dir, "jetstream", "$G", "streams", frames, "obs", reader, "o.dat"))
}

// probe writes and removes a file in dir.
func probe(dir string) (err error) {
	name := filepath.Join(dir, "probe.tmp")
	defer func() { err = errors.Join(err, os.Remove(name)) }()
	return os.WriteFile(name, make([]byte, probeSize), 0o600)
}

// serverLog passes on what an operator must see.
type serverLog struct {
	log    *slog.Logger
	broken *atomic.Bool
	mu     sync.Mutex // guards fatal
	fatal  string     // why Start gave up
}

func (l *serverLog) Noticef(string, ...any) {}
func (l *serverLog) Debugf(string, ...any)  {}
func (l *serverLog) Tracef(string, ...any)  {}

func (l *serverLog) Warnf(format string, v ...any) {
	l.log.Warn("journal server", "text", fmt.Sprintf(format, v...))
}

// Errorf also learns from the log, because a server that is no cluster tells it
// nowhere else, that a stream or a cursor cannot be written.
func (l *serverLog) Errorf(format string, v ...any) {
	if strings.Contains(strings.ToLower(format), "critical write error") {
		l.broken.Store(true)
	}
	l.log.Error("journal server", "text", fmt.Sprintf(format, v...))
}

func (l *serverLog) Fatalf(format string, v ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fatal = fmt.Sprintf(format, v...)
}

func (l *serverLog) why() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return or(l.fatal, "no answer")
}
