package broker_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"tianhai/ingest"
	"tianhai/ingest/broker"
)

func TestThrottle(t *testing.T) {
	now := time.Date(2026, 5, 20, 12, 0, 0, 0, time.UTC)
	th := broker.NewThrottle(func() time.Time { return now })
	const thief, owner, proxy = "203.0.113.9:1", "198.51.100.7:1", "127.0.0.1:1"
	guess := func(n int, device, remote string) (told int) {
		for range n {
			if tell, _ := th.Wrong(device, remote); tell {
				told++
			}
		}
		return told
	}
	is := func(what, device, remote string, want bool) {
		t.Helper()
		if got := th.Admits(device, remote); got != want {
			t.Errorf("%s: admitted %t, want %t", what, got, want)
		}
	}
	is("nobody guessed", "a", thief, true)
	if told := guess(9, "a", thief); told != 1 {
		t.Errorf("the log is told %d times, want once", told)
	}
	is("nine wrong", "a", thief, true)
	guess(1, "a", thief)
	is("ten wrong", "a", thief, false)
	is("from another port", "a", "203.0.113.9:2", false)
	is("the same thief, another device", "b", thief, true)
	is("the owner", "a", owner, true)
	now = now.Add(30 * time.Second)
	is("one is forgiven, and the address all", "a", thief, true)

	for n := range 100 {
		guess(1, fmt.Sprint("d", n), thief)
	}
	is("an address that tried everything", "fresh", thief, false)
	is("somebody else", "fresh", owner, true)
	now = now.Add(time.Second)
	is("a second later", "fresh", thief, true)

	for n := range 200 {
		guess(1, fmt.Sprint("d", n), proxy)
	}
	is("a proxy stands for many", "fresh", proxy, true)
	now = now.Add(time.Hour)
	if tell, hushed := th.Wrong("a", thief); !tell || hushed != 9 {
		t.Errorf("told %t of %d hushed, want 9", tell, hushed)
	}
	guess(11, "six", "[2001:db8::1]:1")
	is("another address of the same network", "six", "[2001:db8::2]:1", false)
	is("another network", "six", "[2001:db8:0:1::2]:1", true)
}

func TestThrottleBounded(t *testing.T) {
	now := time.Date(2026, 5, 20, 12, 0, 0, 0, time.UTC)
	th := broker.NewThrottle(func() time.Time { return now })
	for n := range 40_000 {
		th.Wrong(fmt.Sprint("d", n), fmt.Sprintf("10.%d.%d.%d:1", n>>16, n>>8&255, n&255))
		if n == 30_000 {
			now = now.Add(time.Hour)
		}
	}
	if devices, addresses := th.Len(); devices > 1<<14 || addresses > 1<<14 {
		t.Errorf("%d devices and %d addresses are remembered", devices, addresses)
	}
}

// Wrong secrets are refused unheard after a while, and logged now and then.
func TestWrongSecrets(t *testing.T) {
	var log syncBuffer
	y := newFarmyard()
	b := open(t, y, broker.Options{Logger: newLog(&log)})
	for range 30 {
		if _, err := connect(t, settings(b, "a").SetPassword("guess")); err == nil {
			t.Fatal("let in")
		}
	}
	if n := strings.Count(log.String(), "wrong secret or unknown device"); n != 1 {
		t.Errorf("%d lines in the log, want 1", n)
	}
	if n := y.authenticated(); n != 10 {
		t.Errorf("%d secrets were looked up, want 10", n)
	}
	mustConnect(t, settings(b, "b"))
}

// Whoever sends commands is told when a device listens, and of no other topic.
func TestListens(t *testing.T) {
	heard := make(chan string, 10)
	y := newFarmyard()
	b := open(t, y, broker.Options{Listens: func(device string) { heard <- device }})
	c := mustConnect(t, settings(b, "a"))
	subscribe(t, c, "th/b/down")
	subscribe(t, c, "th/a/up")
	if len(heard) > 0 {
		t.Errorf("told of %s for a topic that was refused", <-heard)
	}
	subscribe(t, c, "th/a/down")
	if got := <-heard; got != "a" {
		t.Errorf("told of %q", got)
	}
	if err := b.Send(t.Context(), ingest.Command{ID: "c1", Device: "a"}); err != nil {
		t.Errorf("it was told of too early: %v", err)
	}
}

// A device that may not connect any more is cut off, and stays away.
func TestDisconnect(t *testing.T) {
	y := newFarmyard()
	b := open(t, y, broker.Options{})
	c := mustConnect(t, settings(b, "a").SetAutoReconnect(false))
	other := mustConnect(t, settings(b, "b").SetAutoReconnect(false))
	eventually(t, "both are online", func() bool { return y.isOnline("a") == "online" && y.isOnline("b") == "online" })
	b.Disconnect("a")
	b.Disconnect("nobody")
	eventually(t, "it is cut off", func() bool { return !c.IsConnectionOpen() })
	eventually(t, "it is offline", func() bool { return y.isOnline("a") == "offline" })
	if !other.IsConnectionOpen() {
		t.Error("another one was cut off")
	}
}
