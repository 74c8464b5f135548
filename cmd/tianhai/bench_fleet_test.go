package main_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const (
	fleetSize  = 10_000
	fleetEvery = time.Minute // a message of each device
	fleetTime  = 75 * time.Second
	stormLimit = 5 * time.Minute
)

// A crowd is many devices, each on a connection of its own, that send a message
// every minute, keep it until it is acknowledged, and come back when they are cut
// off: after a random pause where jitter is set, and at once otherwise.
type crowd struct {
	addr    string
	secrets map[string]string
	jitter  atomic.Int64  // ns
	dialing chan struct{} // bounds the attempts under way

	there, acked, failed atomic.Int64
	running              sync.WaitGroup
	stop                 context.CancelFunc
}

func startCrowd(b *testing.B, addr string, devices []string, secrets map[string]string) *crowd {
	b.Helper()
	ctx, stop := context.WithCancel(b.Context())
	c := &crowd{addr: addr, secrets: secrets, dialing: make(chan struct{}, 2000), stop: stop}
	for _, device := range devices {
		c.running.Go(func() { c.live(ctx, device) })
	}
	return c
}

// live is one device's.
func (c *crowd) live(ctx context.Context, device string) {
	pending, n := []byte(nil), 0
	next := time.Now().Add(rand.N(fleetEvery))
	for pause := time.Second; ctx.Err() == nil; {
		c.dialing <- struct{}{}
		conn, err := dialRaw(c.addr, device, c.secrets[device])
		<-c.dialing
		if err != nil {
			c.failed.Add(1)
			wait(ctx, pause/2+rand.N(pause/2))
			pause = min(2*pause, 10*time.Second)
			continue
		}
		pause = time.Second
		c.there.Add(1)
		for ctx.Err() == nil {
			if pending == nil {
				if !listen(ctx, conn.conn, next) {
					break
				}
				pending = publishPacket("th/"+device+"/up", uint16(n%60_000+1), benchPayload(time.Now().UnixMilli(), n))
				n, next = n+1, next.Add(fleetEvery)
			}
			if _, err := conn.conn.Write(pending); err != nil {
				break
			}
			if _, err := conn.readAck(); err != nil {
				break
			}
			pending = nil
			c.acked.Add(1)
		}
		c.there.Add(-1)
		_ = conn.conn.Close()
		if jitter := c.jitter.Load(); jitter > 0 {
			wait(ctx, time.Duration(rand.N(jitter)))
		}
	}
}

// listen waits until a time, and reports false when the connection ended before.
func listen(ctx context.Context, conn net.Conn, until time.Time) bool {
	defer context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Now()) })()
	_ = conn.SetReadDeadline(until)
	_, err := conn.Read(make([]byte, 1))
	timeout, ok := err.(net.Error) //nolint:errorlint // net.Conn returns it bare
	_ = conn.SetReadDeadline(time.Time{})
	return ok && timeout.Timeout() && ctx.Err() == nil
}

func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// BenchmarkConnections measures what ten thousand devices at one message a minute
// cost in memory, and how they come back after kill -9: with a pause of up to ten
// seconds each, as a well-behaved device does, and without any.
func BenchmarkConnections(b *testing.B) {
	devices := newFleet(fleetSize)
	for range b.N {
		free, err := net.Listen("tcp", "127.0.0.1:0") // the same address after each start
		if err != nil {
			b.Fatal(err)
		}
		addr := free.Addr().String()
		_ = free.Close()
		s, db, secrets := benchServer(b, devices, "--mqtt", addr)
		before := resident(b, s.cmd.Process.Pid)
		began := time.Now()
		c := startCrowd(b, addr, devices, secrets)
		waitFor(b, "all devices to connect", stormLimit, func() bool { return c.there.Load() == fleetSize })
		fmt.Printf("\n%d devices at a message each %v\n  all connected after %v, %d attempts failed\n", fleetSize, fleetEvery, time.Since(began).Round(100*time.Millisecond), c.failed.Load())
		time.Sleep(fleetTime)
		after := resident(b, s.cmd.Process.Pid)
		fmt.Printf("  resident %.0f MiB, %.0f MiB before: %.1f KiB for each connection\n", after, before, (after-before)*1024/fleetSize)
		for _, jitter := range []time.Duration{10 * time.Second, 0} {
			c.jitter.Store(int64(jitter))
			failed := c.failed.Load()
			s.kill()
			waitFor(b, "everybody to be cut off", time.Minute, func() bool { return c.there.Load() == 0 })
			s = startServer(b, "serve", s.dir, "--mqtt", addr)
			ready := time.Now()
			waitFor(b, "all devices to be back", stormLimit, func() bool { return c.there.Load() == fleetSize })
			fmt.Printf("  kill -9, pause before a device tries again up to %v: all back %v after the start, %d attempts failed, resident %.0f MiB\n",
				jitter, time.Since(ready).Round(100*time.Millisecond), c.failed.Load()-failed, resident(b, s.cmd.Process.Pid))
		}
		time.Sleep(fleetEvery)
		c.stop()
		c.running.Wait()
		acked := int(c.acked.Load())
		waitFor(b, "every acknowledged message found in InfluxDB", stormLimit, func() bool { return countStored(b, db, "/^bench/") >= acked })
		fmt.Printf("  %d messages acknowledged, all of them found\n", acked)
		s.kill()
		db.kill()
	}
}
