package device

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"tianhai/ingest"
)

// How a command is tried again until it expires.
const (
	// CommandRetry is how long a device has to answer before it is told again; each
	// further time it has twice as long.
	CommandRetry = 30 * time.Second
	// CommandsEvery is how often all devices are looked at. A device that comes or
	// answers is looked at at once.
	CommandsEvery = 5 * time.Second
)

// An OpenCommand is the oldest of a device's that is neither answered nor expired.
type OpenCommand struct {
	ingest.Command
	Sent  time.Time // when it was sent last; zero: never
	Tries int       // how often it was sent
}

// due reports whether it is time to send the command again.
func (c OpenCommand) due(now time.Time) bool {
	return c.Tries == 0 || !now.Before(c.Sent.Add(CommandRetry<<min(c.Tries-1, 10)))
}

// CommandStore keeps commands.
type CommandStore interface {
	// OpenCommands returns the oldest open command of every device that has one.
	OpenCommands(ctx context.Context, now time.Time) ([]OpenCommand, error)
	// CommandSent records that a command was sent; nothing where it was answered
	// meanwhile.
	CommandSent(ctx context.Context, id string, at time.Time) error
	// ExpireCommands gives up what was not answered in time, and returns how many.
	ExpireCommands(ctx context.Context, now time.Time) (int, error)
	// CancelCommand gives up one that was not sent yet; farm.ErrNotFound where the
	// device has none such, farm.ErrConflict for any other.
	CancelCommand(ctx context.Context, device, id, account string, at time.Time) error
}

// A CommandSender passes a command to the broker. It returns nil once the broker
// has it, and an error where the device does not listen.
type CommandSender interface {
	Send(ctx context.Context, c ingest.Command) error
}

// A Queue sends commands, those of one device one after the other in the order
// in which they were asked for, each until it is answered or expires. What waits,
// waits in the store: a restart forgets nothing. A device may be told a command
// more than once, and knows it by its ID.
type Queue struct {
	Store  CommandStore
	Sender CommandSender
	Now    func() time.Time // nil: time.Now
	Logger *slog.Logger     // nil: slog.DiscardHandler

	once sync.Once
	wake chan struct{}

	mu   sync.Mutex // guards here
	here map[string]bool

	sending   sync.Mutex      // held while one command is sent, or taken back; guards cancelled
	cancelled map[string]bool // since the pass under way read what is open
}

// Cancel takes back a command that its device was not told: after nil it will not be.
// It is farm.ErrConflict for one that was sent, answered or has expired.
func (q *Queue) Cancel(ctx context.Context, device, id, account string) error {
	q.sending.Lock()
	defer q.sending.Unlock()
	if err := q.Store.CancelCommand(ctx, device, id, account, q.now()); err != nil {
		return err
	}
	if q.cancelled != nil {
		q.cancelled[id] = true
	}
	q.Wake() // the next one's turn
	return nil
}

func (q *Queue) now() time.Time {
	if q.Now != nil {
		return q.Now().UTC()
	}
	return time.Now().UTC()
}

func (q *Queue) awake() chan struct{} {
	q.once.Do(func() { q.wake = make(chan struct{}, 1) })
	return q.wake
}

// Wake has the queue look at once: a command was added, or answered.
func (q *Queue) Wake() {
	select {
	case q.awake() <- struct{}{}:
	default:
	}
}

// Listens has a device, which has just begun to listen, told its command at once,
// also where it was sent before: a device that slept has heard nothing.
func (q *Queue) Listens(device string) {
	q.remember(device)
	q.Wake()
}

func (q *Queue) remember(device string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.here == nil {
		q.here = map[string]bool{}
	}
	if len(q.here) < DefaultMaxDevices {
		q.here[device] = true
	}
}

func (q *Queue) open(ctx context.Context, now time.Time) ([]OpenCommand, error) {
	if _, err := q.Store.ExpireCommands(ctx, now); err != nil {
		return nil, err
	}
	return q.Store.OpenCommands(ctx, now)
}

// Run sends commands until ctx is done.
func (q *Queue) Run(ctx context.Context) error {
	tick := time.NewTicker(CommandsEvery)
	defer tick.Stop()
	for {
		if err := q.pass(ctx); err != nil && ctx.Err() == nil && q.Logger != nil {
			q.Logger.WarnContext(ctx, "commands wait: the records do not answer", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-q.awake():
		}
	}
}

// pass sends what is due.
func (q *Queue) pass(ctx context.Context) error {
	now := q.now()
	q.mu.Lock()
	here := q.here
	q.here = nil
	q.mu.Unlock()
	q.sending.Lock()
	q.cancelled = map[string]bool{}
	open, err := q.open(ctx, now)
	q.sending.Unlock()
	if err != nil {
		for device := range here {
			q.remember(device)
		}
		return err
	}
	for _, c := range open {
		if !here[c.Device] && !c.due(now) {
			continue
		}
		if err := q.send(ctx, c.Command, now); err != nil {
			return err
		}
	}
	return nil
}

// send sends a command, unless it was taken back. The error is the store's.
func (q *Queue) send(ctx context.Context, c ingest.Command, now time.Time) error {
	q.sending.Lock()
	defer q.sending.Unlock()
	if q.cancelled[c.ID] || q.Sender.Send(ctx, c) != nil {
		return nil //nolint:nilerr // it sleeps, and Listens will tell
	}
	return q.Store.CommandSent(ctx, c.ID, now)
}
