package alert

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"time"
)

// How notices are sent. A notice is tried at once, then after pauses that double
// from FirstPause up to LongestPause, each shortened at random by up to half, so
// that servers which failed together are not asked together.
const (
	FirstPause   = 5 * time.Second
	LongestPause = 5 * time.Minute
	// GiveUpCritical and GiveUpWarning are how long after the change it tells of
	// a notice is given up; its last reason stays visible in the store.
	GiveUpCritical = 24 * time.Hour
	GiveUpWarning  = 6 * time.Hour
)

const (
	noticePoll  = 5 * time.Second // how late a retry may be
	noticeBatch = 100             // notices in one round
	reasonLimit = 300             // bytes of a stored reason
)

// A Notifier sends notices through one channel. Retry says whether a failed
// attempt is worth repeating. The error is stored and logged: it must hold no secret.
type Notifier interface {
	Notify(ctx context.Context, n Notice) (retry bool, err error)
}

// A NoticesConfig says what Notices work with.
type NoticesConfig struct {
	Store     Store
	Notifiers map[string]Notifier // by the names in Config.Channels
	Now       func() time.Time    // nil: time.Now
	Logger    *slog.Logger        // nil: slog.DiscardHandler
}

// Notices sends what SaveAlert stored. Every notice is sent once, or given up
// visibly; a crash between sending and storing that it was sent repeats it, with
// the same ID. Channels do not wait for each other longer than one attempt takes.
type Notices struct {
	cfg  NoticesConfig
	wake chan struct{}

	mu     sync.Mutex
	unsaid map[string]time.Time // delivered, but the store did not take note yet
}

// NewNotices returns a sender.
func NewNotices(cfg NoticesConfig) *Notices {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Notices{cfg: cfg, wake: make(chan struct{}, 1), unsaid: map[string]time.Time{}}
}

// Wake says that notices were stored. It does not block.
func (s *Notices) Wake() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Run sends notices until ctx is done, and then returns nil. An attempt under
// way is cut off; the notice stays due.
func (s *Notices) Run(ctx context.Context) error {
	poll := time.NewTicker(noticePoll)
	defer poll.Stop()
	for {
		more, err := s.round(ctx)
		if err != nil && ctx.Err() == nil {
			s.cfg.Logger.WarnContext(ctx, "notices are late", slog.Any("error", err))
		}
		if more && err == nil {
			s.Wake()
		}
		select {
		case <-ctx.Done():
			return nil
		case <-poll.C:
		case <-s.wake:
		}
	}
}

// round sends what is due, every channel beside the others, and reports whether
// more may be due.
func (s *Notices) round(ctx context.Context) (more bool, err error) {
	due, err := s.cfg.Store.DueNotices(ctx, s.cfg.Now(), noticeBatch)
	if err != nil {
		return false, fmt.Errorf("read due notices: %w", err)
	}
	byChannel := map[string][]Notice{}
	for _, n := range due {
		byChannel[n.Channel] = append(byChannel[n.Channel], n)
	}
	var wg sync.WaitGroup
	errs := make(chan error, len(byChannel))
	for _, list := range byChannel {
		wg.Go(func() { errs <- s.channel(ctx, list) })
	}
	wg.Wait()
	close(errs)
	for e := range errs {
		if e != nil {
			err = e
		}
	}
	return len(due) == noticeBatch, err
}

// channel sends one channel's notices in turn. After an attempt that is worth
// repeating, the rest of the round waits with it: a dead service is asked once,
// not once per notice.
func (s *Notices) channel(ctx context.Context, list []Notice) error {
	for i, n := range list {
		reason, retry, err := s.send(ctx, n)
		if err != nil {
			return err
		}
		if !retry {
			continue
		}
		for _, rest := range list[i+1:] {
			if err := s.fail(ctx, rest, reason, true); err != nil {
				return err
			}
		}
		return nil
	}
	return nil
}

// send attempts one notice. The error is that of the store or of ctx.
func (s *Notices) send(ctx context.Context, n Notice) (reason string, retry bool, err error) {
	s.mu.Lock()
	at, delivered := s.unsaid[n.ID]
	s.mu.Unlock()
	if delivered {
		return "", false, s.sent(ctx, n, at)
	}
	notifier, ok := s.cfg.Notifiers[n.Channel]
	if !ok {
		reason = "no channel of this name is configured"
		return reason, false, s.fail(ctx, n, reason, false)
	}
	retry, failure := notifier.Notify(ctx, n)
	switch {
	case failure == nil:
		return "", false, s.sent(ctx, n, s.cfg.Now())
	case ctx.Err() != nil:
		return "", false, ctx.Err()
	}
	reason = failure.Error()
	return reason, retry, s.fail(ctx, n, reason, retry)
}

// sent notes a delivery, also when the store fails just then: the next round
// tells the store again, and not the person.
func (s *Notices) sent(ctx context.Context, n Notice, at time.Time) error {
	err := s.cfg.Store.NoticeSent(context.WithoutCancel(ctx), n.ID, at)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.unsaid[n.ID] = at
		return fmt.Errorf("store delivery of notice %s: %w", n.ID, err)
	}
	delete(s.unsaid, n.ID)
	return nil
}

func (s *Notices) fail(ctx context.Context, n Notice, reason string, retry bool) error {
	now := s.cfg.Now()
	log := s.cfg.Logger.With("notice", n.ID, "channel", n.Channel, "rule", n.Alert.Rule, "device", n.Alert.Device, "reason", reason)
	var next time.Time
	if retry && now.Before(deadline(n.Alert)) {
		next = now.Add(pause(n.Attempts))
		log.WarnContext(ctx, "notice not delivered, will try again")
	} else {
		log.ErrorContext(ctx, "notice given up")
	}
	// PostgreSQL refuses half a character.
	reason = strings.ToValidUTF8(reason[:min(len(reason), reasonLimit)], "")
	if err := s.cfg.Store.NoticeFailed(ctx, n.ID, reason, next); err != nil {
		return fmt.Errorf("store failure of notice %s: %w", n.ID, err)
	}
	return nil
}

// deadline returns when it is too late to tell of a change.
func deadline(a Alert) time.Time {
	patience := GiveUpWarning
	if a.Severity == Critical {
		patience = GiveUpCritical
	}
	return later(a.Fired, a.Ended).Add(patience)
}

// pause returns how long to wait after the attempts-th failure, counted from 0.
func pause(attempts int) time.Duration {
	p := LongestPause
	if attempts < 6 { // 5 s · 2⁶ is beyond LongestPause
		p = FirstPause << attempts
	}
	return p - rand.N(p/2)
}
