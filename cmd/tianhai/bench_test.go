package main_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	benchConnections = 50
	benchMessages    = 4000 // per connection
	benchWindow      = 100  // unacknowledged messages per connection
)

// load holds everything that is sent, encoded beforehand, so that the generator
// costs little beside what is measured.
type load struct{ packets [benchConnections][][]byte }

func newLoad(devices []string) *load {
	base := time.Now().Add(-time.Hour).UnixMilli()
	var l load
	for i, device := range devices {
		for n := range benchMessages {
			payload := fmt.Appendf(nil, `{"ts":%d,"temperature":%.1f,"salinity":%.1f,"dissolved_oxygen":%.2f,"ph":%.2f,"turbidity":%d}`,
				base+int64(n), 20+float64(n%100)/10, 10+float64(n%200)/10, 4+float64(n%400)/100, 7+float64(n%100)/100, n%50)
			l.packets[i] = append(l.packets[i], publishPacket("th/"+device+"/up", uint16(n%benchWindow+1), payload))
		}
	}
	return &l
}

// send publishes everything and returns when every message was acknowledged.
func (l *load) send(b *testing.B, addr string, devices []string, secrets map[string]string) {
	b.Helper()
	var all sync.WaitGroup
	for i, device := range devices {
		c, err := dialRaw(addr, device, secrets[device])
		if err != nil {
			b.Fatal(err)
		}
		all.Go(func() {
			defer c.conn.Close()
			for from := 0; from < benchMessages; from += benchWindow {
				burst := net.Buffers(append([][]byte(nil), l.packets[i][from:from+benchWindow]...))
				if _, err := burst.WriteTo(c.conn); err != nil {
					b.Error(err)
					return
				}
				for range benchWindow {
					if _, err := c.readAck(); err != nil {
						b.Error(err)
						return
					}
				}
			}
		})
	}
	all.Wait()
}

// cpuSeconds returns what a process and its threads have used so far.
func cpuSeconds(b *testing.B, pid int) float64 {
	b.Helper()
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Skipf("CPU time is read from /proc: %v", err)
	}
	fields := strings.Fields(string(raw)[strings.LastIndex(string(raw), ")")+2:])
	ticks := 0
	for _, f := range fields[11:13] {
		n, err := strconv.Atoi(f)
		if err != nil {
			b.Fatal(err)
		}
		ticks += n
	}
	return float64(ticks) / 100 // USER_HZ
}

// BenchmarkIngest measures, in one run, from the first byte sent to the last
// value stored, and beside it how fast Mosquitto takes the same packets and
// does nothing with them.
func BenchmarkIngest(b *testing.B) {
	var devices []string
	for i := range benchConnections {
		devices = append(devices, fmt.Sprintf("bench-%02d", i))
	}
	messages := float64(benchConnections * benchMessages)
	fmt.Printf("\n%-34s %12s %22s\n", "", "messages/s", "CPU s per 1e6 messages")
	row := func(name string, elapsed time.Duration, cpu float64) {
		fmt.Printf("%-34s %12.0f %22.1f\n", name, messages/elapsed.Seconds(), cpu/messages*1e6)
	}
	for range b.N {
		if rate, cpu, ok := benchMosquitto(b, devices); ok {
			row("mosquitto: acknowledged", rate, cpu)
		}
		db := &outsideInflux{t: b, dir: b.TempDir()}
		db.start()
		b.Setenv("TIANHAI_INFLUX_URL", db.URL)
		b.Setenv("TIANHAI_INFLUX_TOKEN", db.Token)
		dir := b.TempDir()
		secrets := importFarms(b, dir, sondeFarm(time.Now().Add(-2*time.Hour), devices...))
		s := startServer(b, "serve", dir)
		l := newLoad(devices)
		before, start := cpuSeconds(b, s.cmd.Process.Pid), time.Now()
		l.send(b, s.MQTT, devices, secrets)
		acked, ackedCPU := time.Since(start), cpuSeconds(b, s.cmd.Process.Pid)-before
		waitFor(b, "every value stored", 5*time.Minute, func() bool { return s.metric("tianhai_readings_stored_total") >= int(messages)*5 })
		row("tianhai: acknowledged (journalled)", acked, ackedCPU)
		row("tianhai: stored in InfluxDB", time.Since(start), cpuSeconds(b, s.cmd.Process.Pid)-before)
		s.kill()
		db.kill()
	}
}

// benchMosquitto sends the same packets to a broker that does nothing more.
func benchMosquitto(b *testing.B, devices []string) (elapsed time.Duration, cpu float64, ok bool) {
	b.Helper()
	path, err := exec.LookPath("mosquitto")
	if err != nil {
		path = "/usr/sbin/mosquitto"
	}
	if _, err := os.Stat(path); err != nil {
		b.Log("mosquitto is not installed: no peer to compare with")
		return 0, 0, false
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	addr := free.Addr().String()
	if err := free.Close(); err != nil {
		b.Fatal(err)
	}
	_, port, _ := strings.Cut(addr, ":")
	conf := filepath.Join(b.TempDir(), "mosquitto.conf")
	if err := os.WriteFile(conf, []byte("listener "+port+" 127.0.0.1\nallow_anonymous true\nmax_inflight_messages 1000\n"), 0o600); err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(path, "-c", conf)
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	waitFor(b, "mosquitto", 10*time.Second, func() bool {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			return false
		}
		return c.Close() == nil
	})
	l := newLoad(devices)
	before, start := cpuSeconds(b, cmd.Process.Pid), time.Now()
	l.send(b, addr, devices, map[string]string{})
	return time.Since(start), cpuSeconds(b, cmd.Process.Pid) - before, true
}
