package recall_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tianhai/farm"
	"tianhai/trace/recall"
)

// tray holds notices in memory.
type tray struct {
	mu      sync.Mutex
	notices map[string]recall.Notice
}

func newTray(notices []recall.Notice) *tray {
	t := &tray{notices: map[string]recall.Notice{}}
	for _, n := range notices {
		n.Next = n.Due
		t.notices[n.ID()] = n
	}
	return t
}

func (t *tray) get(id string) recall.Notice {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.notices[id]
}

func (t *tray) change(id string, change func(*recall.Notice)) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := t.notices[id]
	n.Attempts++
	change(&n)
	t.notices[id] = n
	return nil
}

func (t *tray) RecallNoticesDue(_ context.Context, now time.Time, _ int) ([]recall.Notice, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var due []recall.Notice
	for _, n := range t.notices {
		if n.Sent.IsZero() && !n.Next.IsZero() && !n.Next.After(now) {
			due = append(due, n)
		}
	}
	return due, nil
}

func (t *tray) RecallNoticeSent(_ context.Context, id string, at time.Time) error {
	return t.change(id, func(n *recall.Notice) { n.Sent = at })
}

func (t *tray) RecallNoticeFailed(_ context.Context, id, reason string, next time.Time) error {
	return t.change(id, func(n *recall.Notice) { n.Reason, n.Next = reason, next })
}

func (t *tray) RecallNoticesAgain(_ context.Context, _ string, now time.Time) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for id, n := range t.notices {
		if n.Sent.IsZero() {
			n.Next = now
			t.notices[id] = n
		}
	}
	return nil
}

func (*tray) Hook(_ context.Context, tenant string) (recall.Hook, error) {
	if tenant == "unheard" {
		return recall.Hook{}, farm.ErrNotFound
	}
	return recall.Hook{Tenant: tenant, URL: "https://example.cn"}, nil
}

// sender takes a minute for each message, and says how many were under way at once.
type sender struct {
	mu        sync.Mutex
	now, most int
	refuse    map[string]error // by tenant; never tried again
}

func (s *sender) SendToHolder(_ context.Context, h recall.Hook, _ string, _ any) (bool, error) {
	s.mu.Lock()
	s.now++
	s.most = max(s.most, s.now)
	s.mu.Unlock()
	time.Sleep(time.Minute)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now--
	return false, s.refuse[h.Tenant]
}

func (*sender) SendToChannel(context.Context, string, string, any) (bool, error) { return false, nil }

// Forty holders whose servers are all slow are told many at once and no more than a
// few: one that refuses, and one that has said no address, take nothing from the
// others, and are tried again when somebody asks for it.
func TestManyAreToldAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := story()
		id := newID()
		_, err := m.service().Open(t.Context(), officer, id, opening(recall.Start{Kind: recall.FromLot, ID: "spray"}))
		check(t, err)
		begin := time.Now()
		var notices []recall.Notice
		for i := range 39 {
			notices = append(notices, recall.Notice{Recall: id, Step: id, Holder: fmt.Sprint("h", i), Channel: recall.HolderChannel, Due: begin})
		}
		notices = append(notices, recall.Notice{Recall: id, Step: id, Holder: "unheard", Channel: recall.HolderChannel, Due: begin})
		all, to := newTray(notices), &sender{refuse: map[string]error{"h3": errors.New("404")}}
		post := recall.NewPost(recall.PostConfig{
			Book: m, Tray: all, Sender: to, Logger: slog.New(slog.DiscardHandler),
			Words: func(recall.Message) (title, text map[string]string) { return nil, nil },
		})
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			_ = post.Run(ctx)
		}()
		time.Sleep(6 * time.Minute) // one by one it would be forty
		synctest.Wait()
		for _, n := range notices {
			got := all.get(n.ID())
			switch n.Holder {
			case "h3":
				if !got.Sent.IsZero() || !got.Next.IsZero() || got.Reason != "404" {
					t.Errorf("who refuses: %+v", got)
				}
			case "unheard":
				if !got.Sent.IsZero() || got.Next.IsZero() || got.Reason != recall.NoAddress {
					t.Errorf("who has no address: %+v", got)
				}
			default:
				if got.Sent.IsZero() {
					t.Errorf("%s was not told: %+v", n.Holder, got)
				}
			}
		}
		if to.most < 2 || to.most > 8 {
			t.Errorf("%d were told at once", to.most)
		}
		to.mu.Lock()
		delete(to.refuse, "h3")
		to.mu.Unlock()
		check(t, post.RetryRecall(ctx, id))
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if got := all.get(id + ".h3"); got.Sent.IsZero() || got.Attempts != 2 {
			t.Errorf("asked for again: %+v", got)
		}
		stop()
		<-done
	})
}
