package mapping

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"tianhai/ingest/decode"
)

// RefreshEvery is how long a change by another process stays unseen.
const RefreshEvery = 3 * time.Second

// A Library knows the decoders of all formats: those of decode, and those that
// mappings describe, which it reads from the store now and then and not for each
// frame. It may be used concurrently.
type Library struct {
	store   Store
	changed func(formats []string)
	log     *slog.Logger
	wake    chan struct{}

	mu       sync.RWMutex       // guards what follows
	mappings map[string]current // by name
	loaded   bool
}

// current is what is in force of a mapping.
type current struct {
	version int
	decode  decode.Decoder // nil: deleted, or not readable by this program
}

// NewLibrary returns a library that knows no mapping before Load. changed, where
// it is not nil, is told after a change which formats may be read otherwise now;
// it must not block. log may be nil.
func NewLibrary(store Store, changed func(formats []string), log *slog.Logger) *Library {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if changed == nil {
		changed = func([]string) {}
	}
	return &Library{store: store, changed: changed, log: log, wake: make(chan struct{}, 1), mappings: map[string]current{}}
}

// ByFormat returns the decoder of a format or content type.
func (l *Library) ByFormat(format string) (decode.Decoder, bool) {
	if d, known := decode.ByFormat(format); known {
		return d, true
	}
	name, ok := NameIn(format)
	if !ok {
		return nil, false
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	m := l.mappings[name]
	return m.decode, m.decode != nil
}

// Versions names the mappings in force, so that a change of any of them shows.
func (l *Library) Versions() string {
	l.mu.RLock()
	defer l.mu.RUnlock()
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(l.mappings)) {
		fmt.Fprintf(&b, "%s@%d ", name, l.mappings[name].version)
	}
	return b.String()
}

// Load reads the mappings. Before it first succeeds no frame may be decoded.
func (l *Library) Load(ctx context.Context) error {
	all, err := l.store.Mappings(ctx)
	if err != nil {
		return fmt.Errorf("load mappings: %w", err)
	}
	var formats []string
	l.mu.Lock()
	first := !l.loaded
	l.loaded = true
	for _, v := range all {
		if l.mappings[v.Name].version == v.Version {
			continue
		}
		l.mappings[v.Name] = l.read(ctx, v)
		formats = append(formats, Format(v.Name))
	}
	l.mu.Unlock()
	if len(formats) > 0 && !first {
		l.changed(formats)
	}
	return nil
}

func (l *Library) read(ctx context.Context, v Version) current {
	c := current{version: v.Version}
	if v.Deleted {
		return c
	}
	m, err := decode.ParseMapping([]byte(v.Doc))
	if err != nil { // saved by another version of this program
		l.log.ErrorContext(ctx, "mapping cannot be read; what needs it goes to quarantine", "mapping", v.Name, "version", v.Version, "error", err)
		return c
	}
	c.decode = decode.Roomless(m.Decode)
	return c
}

// Wake has Run look at once.
func (l *Library) Wake() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// Run follows the store until ctx is done.
func (l *Library) Run(ctx context.Context) error {
	tick := time.NewTicker(RefreshEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-l.wake:
		}
		if err := l.Load(ctx); err != nil && ctx.Err() == nil {
			l.log.WarnContext(ctx, "mappings are those of before: the records do not answer", "error", err)
		}
	}
}
