package recall

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"tianhai/farm"
)

// HolderChannel is the one that leads to a holder's own address.
const HolderChannel = "holder"

// How notices are sent. One is tried at once, then after pauses that double from
// firstPause up to longestPause, each shortened at random by up to half.
const (
	firstPause   = 5 * time.Second
	longestPause = 5 * time.Minute
	noticePoll   = 5 * time.Second
	noticeBatch  = 100
	// noticeWorkers is how many are tried at once: a holder whose server hangs takes up
	// one of them for one attempt, and the others are told meanwhile.
	noticeWorkers = 8
	// GiveUp is how long a notice is tried, also where its holder has given no
	// address yet.
	GiveUp      = 7 * 24 * time.Hour
	reasonLimit = 300 // bytes of a stored reason
)

// NoAddress is the reason of a notice whose holder has said no address: somebody has
// to call.
const NoAddress = "no_address"

// A Notice tells a holder, or a channel, of a step.
type Notice struct {
	Recall, Step string
	Holder       string // tenant; empty for a channel
	Channel      string
	Due          time.Time
	Attempts     int
	Next         time.Time // of the next attempt; zero when there is none
	Sent         time.Time // zero until delivered
	Reason       string    // of the last failure
}

// ID is the same at every attempt, for receivers to drop what they have seen.
func (n Notice) ID() string {
	if n.Holder != "" {
		return n.Step + "." + n.Holder
	}
	return n.Step + ".." + n.Channel
}

// A Hook is where a tenant wants to be told of recalls, by signed webhook.
type Hook struct {
	Tenant  string
	URL     string
	Key     string // that messages are signed with; see Standard Webhooks
	Account string // who set it
	Set     time.Time
}

// String tells no secret: many services put a key into the URL.
func (h Hook) String() string { return "hook of " + h.Tenant }

// GoString is String.
func (h Hook) GoString() string { return h.String() }

// LogValue is String.
func (h Hook) LogValue() slog.Value { return slog.StringValue(h.String()) }

// Tray holds the notices that are to be sent.
type Tray interface {
	// RecallNoticesDue returns those whose next attempt is due, oldest first.
	RecallNoticesDue(ctx context.Context, now time.Time, limit int) ([]Notice, error)
	RecallNoticeSent(ctx context.Context, id string, at time.Time) error
	// RecallNoticeFailed stores a failed attempt; with a zero next it is the last.
	RecallNoticeFailed(ctx context.Context, id, reason string, next time.Time) error
	// RecallNoticesAgain makes those of a recall due that were not delivered, also where
	// there was to be no other attempt.
	RecallNoticesAgain(ctx context.Context, recall string, now time.Time) error
	// Hook returns a tenant's; farm.ErrNotFound.
	Hook(ctx context.Context, tenant string) (Hook, error)
}

// A Sender makes one attempt to hand over a message, to a holder's hook or through a
// channel of the server. Retry says whether another is worth making. The error is
// stored and shown: it must hold no secret.
type Sender interface {
	SendToHolder(ctx context.Context, h Hook, id string, message any) (retry bool, err error)
	SendToChannel(ctx context.Context, channel, id string, message any) (retry bool, err error)
}

// A Message is what a notice says, as JSON.
type Message struct {
	ID     string    `json:"id"`
	Type   string    `json:"type"` // "recall.open", "recall.widen", "recall.narrow", "recall.close"
	At     time.Time `json:"at"`
	Recall string    `json:"recall"`
	Number string    `json:"number"`
	Reason farm.Text `json:"reason"`
	Hazard farm.Text `json:"hazard"`
	Advice farm.Text `json:"advice"`
	// Contact is whom to call; empty where it was erased.
	Contact string `json:"contact"`
	Said    string `json:"said,omitempty"` // why it was widened, narrowed, or closed
	// Holdings are the receiver's, as they are now; for a channel, all.
	Holdings []Standing        `json:"holdings"`
	Title    map[string]string `json:"title"` // by language
	Text     map[string]string `json:"text"`
}

// A PostConfig says what a Post works with.
type PostConfig struct {
	Book   Book
	Tray   Tray
	Sender Sender
	Words  func(m Message) (title, text map[string]string) // by language
	Now    func() time.Time                                // nil means time.Now
	Logger *slog.Logger
}

// A Post sends notices of recalls. Each is delivered once, or given up visibly; a
// crash between sending and storing that it was sent repeats it under the same ID.
type Post struct {
	cfg  PostConfig
	wake chan struct{}
}

// NewPost returns a Post; Run does its work.
func NewPost(cfg PostConfig) *Post {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Post{cfg: cfg, wake: make(chan struct{}, 1)}
}

// Wake says that there are notices. It never blocks.
func (p *Post) Wake() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// Run sends notices until ctx is done, then returns nil.
func (p *Post) Run(ctx context.Context) error {
	poll := time.NewTicker(noticePoll)
	defer poll.Stop()
	for {
		if err := p.round(ctx); err != nil && ctx.Err() == nil {
			p.cfg.Logger.WarnContext(ctx, "notices of recalls are late", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-poll.C:
		case <-p.wake:
		}
	}
}

// RetryRecall makes every notice of a recall that was not delivered due at once. One
// that had been given up is tried once more.
func (p *Post) RetryRecall(ctx context.Context, id string) error {
	if err := p.cfg.Tray.RecallNoticesAgain(ctx, id, p.cfg.Now()); err != nil {
		return fmt.Errorf("retry notices of recall %s: %w", id, err)
	}
	p.Wake()
	return nil
}

// round tries what is due, noticeWorkers at a time. What comes of one is stored by
// itself, so that none waits for, or fails with, another.
func (p *Post) round(ctx context.Context) error {
	due, err := p.cfg.Tray.RecallNoticesDue(ctx, p.cfg.Now(), noticeBatch)
	if err != nil {
		return fmt.Errorf("read due notices: %w", err)
	}
	var workers sync.WaitGroup
	free, failed := make(chan struct{}, noticeWorkers), make([]error, len(due))
	for i, n := range due {
		free <- struct{}{}
		workers.Go(func() {
			defer func() { <-free }()
			if err := p.try(ctx, n); err != nil {
				failed[i] = fmt.Errorf("notice %s: %w", n.ID(), err)
			}
		})
	}
	workers.Wait()
	if err := errors.Join(failed...); err != nil {
		return err
	}
	if len(due) == noticeBatch {
		p.Wake()
	}
	return nil
}

// try makes one attempt and stores what came of it. The error is the store's.
func (p *Post) try(ctx context.Context, n Notice) error {
	retry, failure := p.send(ctx, n)
	now := p.cfg.Now()
	if failure == nil {
		return p.cfg.Tray.RecallNoticeSent(context.WithoutCancel(ctx), n.ID(), now)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var next time.Time
	if retry && now.Sub(n.Due) < GiveUp {
		next = now.Add(pause(n.Attempts))
	}
	if n.Attempts == 0 || next.IsZero() {
		p.cfg.Logger.WarnContext(ctx, "notice of a recall is not delivered", "notice", n.ID(), "holder", n.Holder, "reason", failure, "given_up", next.IsZero())
	}
	reason := failure.Error()
	reason = strings.ToValidUTF8(reason[:min(len(reason), reasonLimit)], "") // PostgreSQL refuses half a character
	return p.cfg.Tray.RecallNoticeFailed(ctx, n.ID(), reason, next)
}

func (p *Post) send(ctx context.Context, n Notice) (retry bool, err error) {
	m, err := p.message(ctx, n)
	if err != nil {
		return true, err
	}
	if n.Holder == "" {
		return p.cfg.Sender.SendToChannel(ctx, n.Channel, n.ID(), m)
	}
	hook, err := p.cfg.Tray.Hook(ctx, n.Holder)
	if errors.Is(err, farm.ErrNotFound) {
		return true, errors.New(NoAddress)
	} else if err != nil {
		return true, err
	}
	return p.cfg.Sender.SendToHolder(ctx, hook, n.ID(), m)
}

func (p *Post) message(ctx context.Context, n Notice) (Message, error) {
	log, err := p.cfg.Book.RecallSteps(ctx, n.Recall)
	if err != nil {
		return Message{}, err
	}
	r, err := Fold(stepsOf(log))
	if err != nil {
		return Message{}, err
	}
	i := slices.IndexFunc(log, func(e Entry) bool { return e.ID == n.Step })
	if i < 0 {
		return Message{}, fmt.Errorf("step %s: %w", n.Step, farm.ErrNotFound)
	}
	m := Message{
		ID: n.ID(), Type: "recall." + string(log[i].Kind), At: log[i].At, Recall: r.ID, Number: r.Number,
		Reason: r.Opening.Reason, Hazard: r.Opening.Hazard, Advice: r.Opening.Advice, Contact: r.Opening.Contact, Said: log[i].Reason, Holdings: []Standing{},
	}
	for _, h := range r.Holdings {
		if n.Holder == "" || n.Holder == h.Holder {
			m.Holdings = append(m.Holdings, h)
		}
	}
	m.Title, m.Text = p.cfg.Words(m)
	return m, nil
}

// pause returns how long to wait after an attempt.
func pause(attempts int) time.Duration {
	d := min(firstPause<<min(attempts, 16), longestPause)
	return d - rand.N(d/2)
}
