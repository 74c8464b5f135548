package broker_test

import (
	"strings"
	"testing"

	"tianhai/ingest"
	"tianhai/ingest/broker"
)

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
