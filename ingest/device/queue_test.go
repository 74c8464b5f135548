package device_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"tianhai/farm"
	"tianhai/ingest"
	"tianhai/ingest/device"
)

// post is what the records database and the broker are to the queue.
type post struct {
	mu     sync.Mutex
	open   []device.OpenCommand // oldest first
	asleep map[string]bool
	sent   []string
	down   bool

	sending func(id string) // called before one is sent, unless nil
}

func (p *post) OpenCommands(context.Context, time.Time) ([]device.OpenCommand, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.down {
		return nil, errDown
	}
	var first []device.OpenCommand
	for _, c := range p.open {
		if !slices.ContainsFunc(first, func(o device.OpenCommand) bool { return o.Device == c.Device }) {
			first = append(first, c)
		}
	}
	return first, nil
}

func (p *post) CommandSent(_ context.Context, id string, at time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.open {
		if c := &p.open[i]; c.ID == id {
			c.Sent, c.Tries = at, c.Tries+1
		}
	}
	return nil
}

func (p *post) ExpireCommands(_ context.Context, now time.Time) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open = slices.DeleteFunc(p.open, func(c device.OpenCommand) bool { return !now.Before(c.Expires) })
	return 0, nil
}

// CancelCommand knows only what was not sent.
func (p *post) CancelCommand(_ context.Context, dev, id, _ string, _ time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.IndexFunc(p.open, func(c device.OpenCommand) bool { return c.ID == id && c.Device == dev && c.Tries == 0 })
	if i < 0 {
		return farm.ErrConflict
	}
	p.open = slices.Delete(p.open, i, i+1)
	return nil
}

func (p *post) Send(_ context.Context, c ingest.Command) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.sending != nil {
		p.mu.Unlock()
		p.sending(c.ID)
		p.mu.Lock()
	}
	if p.asleep[c.Device] {
		return errors.New("no session")
	}
	p.sent = append(p.sent, c.ID)
	return nil
}

func (p *post) add(dev string, good time.Duration, ids ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, id := range ids {
		p.open = append(p.open, device.OpenCommand{Command: ingest.Command{ID: id, Device: dev, Expires: time.Now().Add(good)}})
	}
}

func (p *post) settle(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open = slices.DeleteFunc(p.open, func(c device.OpenCommand) bool { return c.ID == id })
}

func TestQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &post{asleep: map[string]bool{"buoy": true}}
		q := &device.Queue{Store: p, Sender: p}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- q.Run(ctx) }()
		sent := func(what string, want ...string) {
			t.Helper()
			synctest.Wait()
			p.mu.Lock()
			defer p.mu.Unlock()
			if diff := cmp.Diff(want, p.sent); diff != "" {
				t.Fatalf("%s: sent (-want +got)\n%s", what, diff)
			}
			p.sent = nil
		}
		p.add("buoy", time.Hour, "a", "b")
		p.add("pump", 100*time.Second, "x")
		q.Wake()
		sent("one device sleeps", "x")
		time.Sleep(device.CommandRetry - time.Second)
		sent("it has time to answer")
		time.Sleep(device.CommandsEvery)
		sent("told again", "x")
		time.Sleep(time.Hour / 20)
		sent("the third time it is about to expire, and then it has", "x")

		p.mu.Lock()
		p.asleep = nil
		p.mu.Unlock()
		q.Listens("buoy")
		sent("it wakes: the older one first", "a")
		q.Wake()
		sent("one at a time")
		q.Listens("buoy")
		sent("it slept in between", "a")
		p.settle("a")
		q.Wake()
		sent("the next", "b")
		p.settle("b")

		p.mu.Lock()
		p.down = true
		p.mu.Unlock()
		p.add("buoy", time.Hour, "c")
		q.Wake()
		sent("the records are down")
		p.mu.Lock()
		p.down = false
		p.mu.Unlock()
		time.Sleep(device.CommandsEvery)
		sent("they are back", "c")
		p.mu.Lock()
		p.down = true
		p.mu.Unlock()
		q.Listens("buoy")
		sent("it wakes while they are down")
		p.mu.Lock()
		p.down = false
		p.mu.Unlock()
		q.Wake()
		sent("it is not forgotten", "c")
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// What was taken back is not sent, also where that happened while others were. The
// clock is real: a bubble's stands still while somebody waits for a mutex.
func TestCancel(t *testing.T) {
	p := &post{asleep: map[string]bool{"c": true}}
	q := &device.Queue{Store: p, Sender: p}
	p.add("a", time.Hour, "a1")
	p.add("aa", time.Hour, "aa1")
	p.add("b", time.Hour, "b1", "b2")
	p.add("c", time.Hour, "c1")
	back := make(chan error, 1)
	p.sending = func(id string) {
		switch id {
		case "a1": // b1 was read with it, and is the last of the three
			go func() { back <- q.Cancel(t.Context(), "b", "b1", "li") }()
			fallthrough
		case "aa1":
			// Whoever has waited for a mutex for a millisecond, in vain once, is the next
			// to have it. Where even this is too short, the command is sent and the test holds.
			time.Sleep(20 * time.Millisecond)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- q.Run(ctx) }()
	want := []string{"a1", "aa1", "b2"}
	if err := <-back; err != nil { // it came too late
		want = []string{"a1", "aa1", "b1"}
	}
	if err := q.Cancel(t.Context(), "a", "a1", "li"); !errors.Is(err, farm.ErrConflict) {
		t.Errorf("one that was sent: %v", err)
	}
	if err := q.Cancel(t.Context(), "c", "c1", "li"); err != nil {
		t.Errorf("one of a device that sleeps: %v", err)
	}
	p.mu.Lock()
	p.asleep["c"] = false
	p.mu.Unlock()
	q.Listens("c")
	for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		p.mu.Lock()
		sent := slices.Clone(p.sent)
		p.mu.Unlock()
		if len(sent) >= 3 {
			if !slices.Equal(sent, want) {
				t.Errorf("sent %v, want %v", sent, want)
			}
			break
		}
		if time.Now().After(end) {
			t.Fatalf("sent %v, want %v", sent, want)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
