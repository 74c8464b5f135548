package ingest_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tianhai/ingest"
)

func TestThrottle(t *testing.T) {
	now := time.Date(2026, 5, 20, 12, 0, 0, 0, time.UTC)
	th := ingest.NewThrottle(func() time.Time { return now })
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
	th := ingest.NewThrottle(func() time.Time { return now })
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

// Wrong secrets by HTTP count as those by MQTT do, and are logged alike.
func TestHTTPWrongSecrets(t *testing.T) {
	var log bytes.Buffer
	heard := 0
	door := ingest.NewDoor(counting{&heard}, 0, slog.New(slog.NewTextHandler(&log, nil)))
	h := &ingest.HTTP{Intake: &ingest.Intake{Journal: &shelf{room: 10}}, Door: door}
	send := func(device, secret, remote string) int {
		req := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("{}"))
		req.RemoteAddr = remote
		req.SetBasicAuth(device, secret)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, req)
		if w.Code == http.StatusTooManyRequests && w.Header().Get("Retry-After") == "" {
			t.Error("it is not told when to try again")
		}
		return w.Code
	}
	const thief, owner = "203.0.113.9:1", "198.51.100.7:1"
	for n := range 30 {
		want := http.StatusUnauthorized
		if n >= 10 {
			want = http.StatusTooManyRequests
		}
		if got := send("buoy", "guess", thief); got != want {
			t.Fatalf("guess %d: %d, want %d", n, got, want)
		}
	}
	if heard != 10 {
		t.Errorf("%d secrets were looked up, want 10", heard)
	}
	if n := strings.Count(log.String(), "device refused"); n != 1 || strings.Contains(log.String(), "guess") {
		t.Errorf("the log: %s", log.String())
	}
	if got := send("buoy", "sesame", thief); got != http.StatusTooManyRequests {
		t.Errorf("the thief with the right one: %d", got)
	}
	if got := send("buoy", "sesame", owner); got != http.StatusNoContent {
		t.Errorf("the owner: %d", got)
	}
	if err := door.Admit(t.Context(), "buoy", thief, []byte("sesame")); err == nil {
		t.Error("let in another way")
	}
}

type counting struct{ heard *int }

func (c counting) Authenticate(ctx context.Context, device string, secret []byte) bool {
	*c.heard++
	return sesame{}.Authenticate(ctx, device, secret)
}

// However many names a flood of guesses has, the log stays short, and says so.
func TestFloodIsCalm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		door := ingest.NewDoor(sesame{}, 0, slog.New(slog.NewTextHandler(&log, nil)))
		for n := range 20_000 {
			if door.Admit(t.Context(), fmt.Sprint("d", n), fmt.Sprintf("10.0.%d.%d:1", n>>8, n&255), nil) == nil {
				t.Fatal("let in")
			}
		}
		if n := strings.Count(log.String(), "\n"); n != ingest.MaxLines {
			t.Errorf("%d lines, want %d", n, ingest.MaxLines)
		}
		time.Sleep(time.Minute)
		log.Reset()
		if door.Admit(t.Context(), "last", "10.9.9.9:1", nil) == nil {
			t.Fatal("let in")
		}
		if want := fmt.Sprint("lines_left_out=", 20_000-ingest.MaxLines); !strings.Contains(log.String(), want) {
			t.Errorf("the log does not say %s: %s", want, log.String())
		}
	})
}
