// Package journal keeps frames on disk between the moment a device is told
// "received" and the moment every reader is done with them.
//
// Append returns nil only after JetStream has stored the frame, so a PUBACK sent
// then is a promise that kill -9 cannot break. Against a power cut the promise
// holds for what was synced: at the latest after Options.Sync, or every frame
// with Options.SyncAlways.
//
// Frames are partitioned by device and each reader passes through each partition
// in order, at least once, with its own cursor. A full journal refuses new
// frames with ingest.ErrBusy and never drops one that a reader still needs;
// frames that all readers have passed stay for replay until their room is needed.
//
// What cannot be stored further on goes to the quarantine, which is bounded too,
// and refuses when full: nothing is silently dropped at any step.
//
// The journal runs on NATS JetStream, in this process without any network
// listener, or outside (Options.URL, NATS Server 2.14 or later). That is hidden
// here, as are streams, consumers and subjects.
package journal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tianhai/ingest"
)

// The readers of the journal.
const (
	Store = "store" // writes readings to the time-series store
	Watch = "watch" // feeds alerts and screens
)

const (
	frames     = "TH_UP" // streams
	quarantine = "TH_QUARANTINE"

	frameSubject      = "th.up." // {partition}.{groupToken}, in version 1 {partition}.{device}
	quarantineSubject = "th.quarantine."

	partitionsKey = "tianhai.partitions" // stream metadata

	// maxMessage is what the server must take: the largest payload and all that
	// stands around it.
	maxMessage = ingest.MaxPayload + 8<<10

	appendTimeout = 5 * time.Second
	adminTimeout  = 10 * time.Second
	// maxPending bounds the records on their way to the server; each partition
	// has one.
	maxPending = 256
)

// Options say where the journal is and how large it may grow. The zero value is
// not usable: either Dir or URL is needed.
type Options struct {
	Dir string // of the embedded server's files; created if needed
	URL string // of NATS servers, comma separated; takes precedence over Dir

	// Partitions is how many readers of one name can work side by side; 0 means
	// 4, at most 256. It is fixed when the journal is created; afterwards the
	// journal's own number counts, see Journal.Partitions.
	Partitions         int
	MaxBytes           int64 // of frames; 0 means 4 GiB
	MaxQuarantineBytes int64 // 0 means 512 MiB
	Replicas           int   // of each frame in an outside cluster; 0 means 1

	// Sync is how long a stored frame may stay unsynced; 0 means one second.
	// SyncAlways syncs before every acknowledgement. An outside server has
	// settings of its own.
	Sync       time.Duration
	SyncAlways bool

	Logger *slog.Logger // nil discards

	reserve uint64 // see reserve; tests have none, to see the disk full to the last byte
}

func (o *Options) defaults() error {
	if o.Dir == "" && o.URL == "" {
		return errors.New("neither directory nor URL")
	}
	if o.Partitions < 0 || o.Partitions > 256 {
		return fmt.Errorf("%d partitions: not between 1 and 256", o.Partitions)
	}
	if o.MaxBytes < 0 || o.MaxQuarantineBytes < 0 || o.Sync < 0 || o.Replicas < 0 {
		return errors.New("negative size, count or duration")
	}
	o.Partitions = or(o.Partitions, 4)
	o.MaxBytes = or(o.MaxBytes, 4<<30)
	o.MaxQuarantineBytes = or(o.MaxQuarantineBytes, 512<<20)
	o.Replicas = or(o.Replicas, 1)
	o.Sync = or(o.Sync, time.Second)
	o.reserve = or(o.reserve, reserve)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return nil
}

func or[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

// A Journal is open between Open and Close. Its methods may be called
// concurrently.
type Journal struct {
	opt        Options
	partitions int
	srv        *embedded // nil when the server is outside
	nc         *nats.Conn
	js         jetstream.JetStream
	lanes      []*lane // by partition
	refused    atomic.Uint64
	crowded    chan struct{} // holds a token after a refusal for want of room
}

// Open opens the journal, creating it if needed, and recovers what an earlier
// run left. A torn tail, which a power cut leaves, costs what is torn and nothing
// before it.
func Open(ctx context.Context, opt Options) (*Journal, error) {
	if err := opt.defaults(); err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	j := &Journal{opt: opt, crowded: make(chan struct{}, 1)}
	if err := j.open(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open journal: %w", err), j.Close(context.WithoutCancel(ctx)))
	}
	return j, nil
}

func (j *Journal) open(ctx context.Context) error {
	if err := j.connect(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, adminTimeout)
	defer cancel()
	var err error
	j.js, err = jetstream.New(j.nc,
		jetstream.WithPublishAsyncMaxPending(maxPending),
		jetstream.WithPublishAsyncTimeout(appendTimeout),
		jetstream.WithDefaultTimeout(appendTimeout))
	if err != nil {
		return fmt.Errorf("start client: %w", err)
	}
	if err := j.createFrames(ctx); err != nil {
		return err
	}
	j.lanes = newLanes(j.partitions)
	_, err = j.js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name:        quarantine,
		Description: "frames that could not be stored, with the reason",
		Subjects:    []string{quarantineSubject + "*"},
		Discard:     jetstream.DiscardNew,
		MaxBytes:    j.opt.MaxQuarantineBytes,
		Replicas:    j.opt.Replicas,
		Duplicates:  quarantineDuplicates,
	})
	if err != nil {
		return fmt.Errorf("create quarantine: %w", err)
	}
	return j.createReaders(ctx)
}

func (j *Journal) createFrames(ctx context.Context) error {
	j.partitions = j.opt.Partitions
	switch s, err := j.js.Stream(ctx, frames); {
	case errors.Is(err, jetstream.ErrStreamNotFound):
	case err != nil:
		return fmt.Errorf("look up frames: %w", err)
	default:
		n, err := strconv.Atoi(s.CachedInfo().Config.Metadata[partitionsKey])
		if err != nil || n < 1 {
			return fmt.Errorf("stream %s was not made by this program", frames)
		}
		j.partitions = n
	}
	_, err := j.js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name:        frames,
		Description: "frames as received from devices",
		Subjects:    []string{frameSubject + "*.*"},
		Discard:     jetstream.DiscardNew,
		MaxBytes:    j.opt.MaxBytes,
		Replicas:    j.opt.Replicas,
		Metadata:    map[string]string{partitionsKey: strconv.Itoa(j.partitions)},
	})
	if err != nil {
		return fmt.Errorf("create frames: %w", err)
	}
	return nil
}

// createReaders makes every reader's cursors, so that frames wait also for a
// reader that has not started yet.
func (j *Journal) createReaders(ctx context.Context) error {
	for _, reader := range []string{Store, Watch} {
		for p := range j.partitions {
			err := j.createReader(ctx, reader, p)
			if isDamaged(err) && j.srv != nil {
				j.opt.Logger.WarnContext(ctx, "the cursor of a reader is damaged: it begins again with the oldest frame there is", "reader", reader, "partition", p)
				if err = j.srv.forget(cursor(reader, p)); err == nil {
					err = j.createReader(ctx, reader, p)
				}
			}
			if err != nil {
				return fmt.Errorf("create reader %s: %w", cursor(reader, p), err)
			}
		}
	}
	return nil
}

func (j *Journal) createReader(ctx context.Context, reader string, partition int) error {
	_, err := j.js.CreateOrUpdateConsumer(ctx, frames, jetstream.ConsumerConfig{
		Durable:       cursor(reader, partition),
		FilterSubject: frameSubject + strconv.Itoa(partition) + ".*",
		DeliverPolicy: jetstream.DeliverAllPolicy,
		AckPolicy:     jetstream.AckAllPolicy,
		AckWait:       redeliverAfter,
		MaxAckPending: maxAckPending,
	})
	return err
}

// isDamaged reports that JetStream cannot read what it has of a reader.
func isDamaged(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) && api.ErrorCode == 10012 // error creating store for consumer
}

func cursor(reader string, partition int) string { return reader + "-" + strconv.Itoa(partition) }

func (j *Journal) connect(ctx context.Context) error {
	opts := []nats.Option{
		nats.Name("tianhai"),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(250 * time.Millisecond),
		nats.ReconnectBufSize(-1), // refuse at once rather than answer late
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			j.opt.Logger.WarnContext(ctx, "journal connection", "error", err)
		}),
	}
	if j.opt.URL == "" {
		srv, err := startEmbedded(&j.opt)
		if err != nil {
			return fmt.Errorf("start embedded server: %w", err)
		}
		j.srv = srv
		opts = append(opts, nats.InProcessServer(srv))
	}
	if d, ok := ctx.Deadline(); ok {
		opts = append(opts, nats.Timeout(time.Until(d)))
	}
	var err error
	if j.nc, err = nats.Connect(j.opt.URL, opts...); err != nil {
		return fmt.Errorf("connect: %w", withoutURL(err))
	}
	if have := j.nc.MaxPayload(); have < maxMessage {
		return fmt.Errorf("server takes messages of %d bytes at most: set its max_payload to %d or more", have, maxMessage)
	}
	if v := j.nc.ConnectedServerVersion(); !newEnough(v) {
		return fmt.Errorf("NATS Server %s is too old: 2.14 or later is needed", v)
	}
	return nil
}

// withoutURL drops the URL from a parse error, because it may hold a password.
func withoutURL(err error) error {
	var parse *url.Error
	if errors.As(err, &parse) {
		return parse.Err
	}
	return err
}

func newEnough(version string) bool {
	major, rest, _ := strings.Cut(version, ".")
	minor, _, _ := strings.Cut(rest, ".")
	x, err1 := strconv.Atoi(major)
	y, err2 := strconv.Atoi(minor)
	return err1 == nil && err2 == nil && (x > 2 || x == 2 && y >= 14)
}

// Close sends what is on its way, and stops the embedded server. Let Consume and
// Run return first. Nothing acknowledged is lost without Close.
func (j *Journal) Close(ctx context.Context) error {
	var err error
	if j.nc != nil {
		ctx, cancel := context.WithTimeout(ctx, appendTimeout)
		defer cancel()
		if err = j.nc.FlushWithContext(ctx); errors.Is(err, nats.ErrConnectionClosed) || j.srv == nil {
			err = nil
		}
		j.nc.Close()
	}
	if j.srv != nil {
		j.srv.stop()
	}
	if err != nil {
		return fmt.Errorf("close journal: %w", err)
	}
	return nil
}

// Partitions returns how many partitions the journal has. A reader needs one
// Consume for each.
func (j *Journal) Partitions() int { return j.partitions }

// Append keeps frames, those of one device in the order given. It returns nil
// once JetStream has them all; its error wraps ingest.ErrBusy when the journal is
// full, out of reach, or has not answered within ten seconds, and each frame may
// then be kept or not. Concurrent Appends are sent together.
func (j *Journal) Append(ctx context.Context, frames ...ingest.Frame) error {
	for i := range frames {
		if frames[i].Device == "" {
			return fmt.Errorf("append frame without device: %w", ingest.ErrRefused)
		}
	}
	if err := j.writable(); err != nil {
		return j.busy(err, len(frames))
	}
	if err := j.appendSplit(ctx, frames); err != nil {
		return j.busy(err, len(frames))
	}
	return nil
}

// appendSplit keeps frames of several partitions side by side.
func (j *Journal) appendSplit(ctx context.Context, frames []ingest.Frame) error {
	sorted := split(frames, j.partitions)
	failed := make([]error, len(sorted))
	var lanes sync.WaitGroup
	for p, some := range sorted {
		switch len(some) {
		case 0:
		case len(frames):
			return j.appendAll(ctx, p, some)
		default:
			lanes.Go(func() { failed[p] = j.appendAll(ctx, p, some) })
		}
	}
	lanes.Wait()
	return errors.Join(failed...)
}

func (j *Journal) busy(err error, frames int) error {
	j.refused.Add(uint64(frames))
	if isFull(err) {
		select {
		case j.crowded <- struct{}{}:
		default:
		}
	}
	return fmt.Errorf("append frames: %w: %w", ingest.ErrBusy, err)
}

// isFull reports a refusal for want of room: our own, or JetStream's to go over a
// stream's MaxBytes. Error 10077
// is any failure to store, told apart by its text alone.
func isFull(err error) bool {
	if errors.Is(err, errNoRoom) {
		return true
	}
	var api *jetstream.APIError
	return errors.As(err, &api) && api.ErrorCode == 10077 && strings.Contains(api.Description, "maximum")
}

// ErrUnwritable reports an embedded journal whose files cannot be written, as on a
// full disk.
var ErrUnwritable = errors.New("journal files cannot be written")

// writable says at once what the embedded server would not even answer.
func (j *Journal) writable() error {
	if j.srv != nil && j.srv.broken.Load() {
		return ErrUnwritable
	}
	return nil
}

// takes says whether there is room for one more record and the reserve.
func (j *Journal) takes(size, reserve uint64) error {
	if err := j.writable(); err != nil || j.srv == nil {
		return err
	}
	return j.srv.leaves(reserve + size)
}
