package alert_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tianhai/monitor/alert"
)

// script is a notifier that fails as told and counts.
type script struct {
	mu    sync.Mutex
	tries []time.Time
	fail  int  // how many of the next attempts fail
	final bool // and whether that is for good
	takes time.Duration
}

func (s *script) Notify(ctx context.Context, _ alert.Notice) (bool, error) {
	s.mu.Lock()
	s.tries = append(s.tries, time.Now())
	s.fail--
	failed := s.fail >= 0
	s.mu.Unlock()
	if s.takes > 0 {
		select {
		case <-ctx.Done():
			return true, ctx.Err()
		case <-time.After(s.takes):
		}
	}
	if failed {
		return !s.final, errors.New("status 503 " + strings.Repeat("水", 200))
	}
	return false, nil
}

func (s *script) times() []time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.tries)
}

func (s *script) count() int { return len(s.times()) }

// add stores a firing alert with one notice per channel.
func add(t *testing.T, m *memory, name string, severity alert.Severity, channels ...string) {
	t.Helper()
	a := alert.Alert{ID: name, Rule: name, Device: "a", Severity: severity, State: alert.Firing, Fired: time.Now()}
	var list []alert.Notice
	for _, c := range channels {
		list = append(list, alert.Notice{ID: name + "-" + c, Alert: a, Channel: c, Next: a.Fired})
	}
	if err := m.SaveAlert(t.Context(), a, list); err != nil {
		t.Fatal(err)
	}
}

func send(t *testing.T, m *memory, notifiers map[string]alert.Notifier) *alert.Notices {
	t.Helper()
	s := alert.NewNotices(alert.NoticesConfig{Store: m, Notifiers: notifiers})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run returned %v", err)
		}
	})
	return s
}

func TestNoticeIsSentOnceAndAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, hook := newMemory(), &script{}
		s := send(t, m, map[string]alert.Notifier{"hook": hook})
		synctest.Wait()
		add(t, m, "one", alert.Warning, "hook")
		saved := time.Now()
		s.Wake()
		synctest.Wait()
		want(t, "attempts", 1, hook.count())
		want(t, "sent at", []time.Time{saved}, m.notice("one-hook").sent)
		time.Sleep(time.Hour)
		want(t, "attempts after an hour", 1, hook.count())
	})
}

// Without a wake, as after a restart, what is due goes out at the start.
func TestNoticesOfAnEarlierRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, hook := newMemory(), &script{}
		for i := range 250 {
			add(t, m, fmt.Sprintf("n%03d", i), alert.Warning, "hook")
		}
		send(t, m, map[string]alert.Notifier{"hook": hook})
		synctest.Wait()
		want(t, "attempts", 250, hook.count())
	})
}

func TestRetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, hook := newMemory(), &script{fail: 10}
		add(t, m, "one", alert.Warning, "hook")
		send(t, m, map[string]alert.Notifier{"hook": hook})
		time.Sleep(time.Hour)
		want(t, "attempts", 11, hook.count())
		want(t, "deliveries", 1, len(m.notice("one-hook").sent))
		tries := hook.times()
		for i := 1; i < len(tries); i++ {
			full := min(alert.FirstPause<<(i-1), alert.LongestPause)
			// A retry is noticed at the next look at the store, 5 s apart.
			if gap := tries[i].Sub(tries[i-1]); gap < full/2 || gap > full+5*time.Second {
				t.Errorf("pause %d is %v, want %v to %v", i, gap, full/2, full)
			}
		}
		if r := m.notice("one-hook").reason; !strings.HasPrefix(r, "status 503 ") || len(r) > 300 || strings.ToValidUTF8(r, "?") != r {
			t.Errorf("reason = %q, want at most 300 bytes of the error in whole characters", r)
		}
	})
}

// A dead channel is asked until it is too late, and then no more.
func TestGivingUp(t *testing.T) {
	for severity, patience := range map[alert.Severity]time.Duration{
		alert.Critical: alert.GiveUpCritical,
		alert.Warning:  alert.GiveUpWarning,
	} {
		synctest.Test(t, func(t *testing.T) {
			m, hook := newMemory(), &script{fail: 1 << 30}
			add(t, m, "one", severity, "hook")
			start := time.Now()
			send(t, m, map[string]alert.Notifier{"hook": hook})
			time.Sleep(patience - time.Second)
			want(t, "given up early", false, m.notice("one-hook").gaveUp)
			time.Sleep(alert.LongestPause + 10*time.Second)
			want(t, "given up", true, m.notice("one-hook").gaveUp)
			last := hook.times()[hook.count()-1].Sub(start)
			if last < patience || last > patience+alert.LongestPause+5*time.Second {
				t.Errorf("%s: last attempt after %v, want just after %v", severity, last, patience)
			}
			tries := hook.count()
			time.Sleep(24 * time.Hour)
			want(t, "attempts afterwards", tries, hook.count())
		})
	}
}

func TestNoRetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, hook := newMemory(), &script{fail: 1, final: true}
		add(t, m, "one", alert.Critical, "hook", "gone")
		send(t, m, map[string]alert.Notifier{"hook": hook})
		time.Sleep(time.Hour)
		want(t, "attempts", 1, hook.count())
		want(t, "refused: given up", true, m.notice("one-hook").gaveUp)
		want(t, "channel no longer configured: given up", true, m.notice("one-gone").gaveUp)
	})
}

// A slow and dead channel holds up another by one attempt at most, and is asked
// once a round however much waits for it.
func TestChannelsAreIndependent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, dead, hook := newMemory(), &script{fail: 1 << 30, takes: 10 * time.Second}, &script{}
		for i := range 60 {
			add(t, m, fmt.Sprintf("old%02d", i), alert.Warning, "dead")
		}
		s := send(t, m, map[string]alert.Notifier{"dead": dead, "hook": hook})
		synctest.Wait()
		add(t, m, "new", alert.Critical, "hook")
		s.Wake()
		time.Sleep(10*time.Second + time.Millisecond)
		want(t, "deliveries on the living channel", 1, hook.count())
		if n := dead.count(); n > 2 {
			t.Errorf("the dead channel was asked %d times in one round", n)
		}
	})
}

// When the store cannot note a delivery, it is told again and the person is not.
func TestStoreFailsAfterDelivery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, hook := newMemory(), &script{}
		m.fail["NoticeSent"], m.fail["DueNotices"] = 3, 1
		add(t, m, "one", alert.Warning, "hook")
		send(t, m, map[string]alert.Notifier{"hook": hook})
		time.Sleep(time.Minute)
		want(t, "attempts", 1, hook.count())
		want(t, "noted", 1, len(m.notice("one-hook").sent))
	})
}

// Stopping cuts an attempt off and leaves the notice due.
func TestStopDuringAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, hook := newMemory(), &script{takes: time.Minute}
		add(t, m, "one", alert.Warning, "hook")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		s := alert.NewNotices(alert.NoticesConfig{Store: m, Notifiers: map[string]alert.Notifier{"hook": hook}})
		if err := s.Run(ctx); err != nil {
			t.Error(err)
		}
		n := m.notice("one-hook")
		if len(n.sent) > 0 || n.gaveUp || n.Attempts > 0 {
			t.Errorf("notice %+v, want it due as before", n)
		}
	})
}
