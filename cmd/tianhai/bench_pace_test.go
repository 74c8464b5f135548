package main_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

const (
	paceRate   = 5000 // messages/s
	screenTime = 30 * time.Second
	outageTime = 10 * time.Minute
)

// A steady load publishes paceRate messages a second over the connections of the
// devices, each message with a time of its own, which is when it was sent.
type steady struct {
	sent, acked atomic.Int64
	stop        context.CancelFunc
	running     sync.WaitGroup
}

func startSteady(b *testing.B, addr string, devices []string, secrets map[string]string) *steady {
	b.Helper()
	ctx, stop := context.WithCancel(b.Context())
	l := &steady{stop: stop}
	for _, device := range devices {
		c, err := dialRaw(addr, device, secrets[device])
		if err != nil {
			b.Fatal(err)
		}
		l.running.Go(func() { l.publish(ctx, b, c, device) })
	}
	return l
}

// publish sends until ctx is done, and returns when all of it was acknowledged.
func (l *steady) publish(ctx context.Context, b *testing.B, c *rawClient, device string) {
	defer c.conn.Close()
	flying := make(chan struct{}, 20_000)
	var answers sync.WaitGroup
	answers.Go(func() {
		for range flying {
			if _, err := c.readAck(); err != nil {
				b.Errorf("%s: %v", device, err)
				return
			}
			l.acked.Add(1)
		}
	})
	defer answers.Wait()
	defer close(flying)
	tick := time.NewTicker(benchConnections * time.Second / paceRate)
	defer tick.Stop()
	last := int64(0)
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := time.Now().UnixMilli()
		if now <= last {
			continue // a screen shows one reading of a moment
		}
		last = now
		if _, err := c.conn.Write(publishPacket("th/"+device+"/up", uint16(n%60_000+1), benchPayload(last, n))); err != nil {
			b.Errorf("%s: %v", device, err)
			return
		}
		l.sent.Add(1)
		flying <- struct{}{}
	}
}

// end stops publishing and returns how many messages there were, all acknowledged.
func (l *steady) end(b *testing.B) int {
	b.Helper()
	l.stop()
	l.running.Wait()
	if l.sent.Load() != l.acked.Load() {
		b.Errorf("%d messages sent, %d acknowledged", l.sent.Load(), l.acked.Load())
	}
	return int(l.acked.Load())
}

// resident returns a process's memory in MiB.
func resident(b *testing.B, pid int) float64 {
	b.Helper()
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Skipf("memory is read from /proc: %v", err)
	}
	_, rest, _ := strings.Cut(string(raw), "VmRSS:")
	kib, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		b.Fatal(err)
	}
	return float64(kib) / 1024
}

// BenchmarkScreen measures how long a message takes from a device to a screen
// that follows everything by server-sent events.
func BenchmarkScreen(b *testing.B) {
	l := newFleet(benchConnections)
	for range b.N {
		s, _, secrets := benchServer(b, l)
		live := openLive(b, s, secrets["keeper"])
		pace := startSteady(b, s.MQTT, l, secrets)
		time.Sleep(screenTime)
		total := pace.end(b)
		waitFor(b, "the last message on the screen", time.Minute, func() bool { return live.seen.Load() >= int64(total) || live.ended.Load() > 0 })
		late := live.close()
		fmt.Printf("\n%d messages/s for %v, to one screen that follows everything: %d of %d seen, stream ended %d times\n",
			paceRate, screenTime, len(late), total, live.ended.Load())
		fmt.Printf("  publish to visible: median %v, p99 %v, longest %v   target p99 under 1s: %s\n",
			late[len(late)/2], late[len(late)*99/100], late[len(late)-1], met(late[len(late)*99/100] < time.Second && len(late) == total))
	}
}

func met(ok bool) string {
	if ok {
		return "met"
	}
	return "short of it"
}

// A live is a browser that follows everything.
type live struct {
	seen, ended atomic.Int64
	late        []time.Duration
	stop        context.CancelFunc
	running     sync.WaitGroup
}

func openLive(b *testing.B, s *server, password string) *live {
	b.Helper()
	who := newBrowser(b, s.HTTP)
	who.login("keeper", password)
	who.Timeout = 0
	ctx, stop := context.WithCancel(b.Context())
	l := &live{stop: stop}
	opened := make(chan struct{})
	l.running.Go(func() {
		for first := true; ctx.Err() == nil; first = false {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.HTTP+"/api/v1/live", http.NoBody)
			if err != nil {
				b.Error(err)
				return
			}
			resp, err := who.Do(req)
			if err != nil {
				return // the end
			}
			if first {
				close(opened)
			}
			l.read(bufio.NewReaderSize(resp.Body, 64<<10))
			_ = resp.Body.Close()
			if ctx.Err() == nil {
				l.ended.Add(1)
			}
		}
	})
	<-opened
	return l
}

func (l *live) read(r *bufio.Reader) {
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return
		}
		data, ok := strings.CutPrefix(string(line), "data: ")
		if !ok {
			continue
		}
		var ob struct {
			Time     time.Time
			Readings []json.RawMessage
		}
		if json.Unmarshal([]byte(data), &ob) == nil && len(ob.Readings) > 0 {
			l.late = append(l.late, time.Since(ob.Time).Truncate(time.Millisecond))
			l.seen.Add(1)
		}
	}
}

// close returns how late every message was, sorted.
func (l *live) close() []time.Duration {
	l.stop()
	l.running.Wait()
	slices.Sort(l.late)
	return l.late
}

// BenchmarkOutage measures memory while InfluxDB does not answer, and then while
// it is not there, and checks that nothing acknowledged meanwhile is lost.
func BenchmarkOutage(b *testing.B) {
	l := newFleet(benchConnections)
	for range b.N {
		s, db, secrets := benchServer(b, l)
		pid := s.cmd.Process.Pid
		primed(b, s.MQTT, secrets["probe"], db)
		pace := startSteady(b, s.MQTT, l, secrets)
		fmt.Printf("\n%d messages/s while InfluxDB is down for %v: five minutes stopped, then killed\n  resident MiB:", paceRate, outageTime)
		if err := db.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
			b.Fatal(err)
		}
		var memory []float64
		began := time.Now()
		for minute := 1; minute <= int(outageTime/time.Minute); minute++ {
			time.Sleep(time.Until(began.Add(time.Duration(minute) * time.Minute)))
			memory = append(memory, resident(b, pid))
			fmt.Printf(" %.0f", memory[minute-1])
			if minute == int(outageTime/time.Minute)/2 {
				db.kill()
				fmt.Print(" |")
			}
		}
		total := pace.end(b)
		db.start()
		back := time.Now()
		waitFor(b, "every acknowledged message found in InfluxDB", 10*time.Minute, func() bool { return countStored(b, db, "/^bench/") >= total })
		early, late := memory[1], memory[len(memory)-1]
		fmt.Printf("\n  %d acknowledged, all found %v after its return; resident then %.0f MiB\n", total, time.Since(back).Round(time.Second), resident(b, pid))
		fmt.Printf("  last minute to second minute: %+.0f %%   target flat: %s\n", (late/early-1)*100, met(late < 1.1*early))
		s.kill()
		db.kill()
	}
}
