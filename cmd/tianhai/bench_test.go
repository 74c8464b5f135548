package main_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	benchConnections = 50
	benchMessages    = 8000 // per connection
	benchWindow      = 100  // unacknowledged messages per connection
	benchTotal       = benchConnections * benchMessages
)

// load holds everything that is sent, encoded beforehand, so that the generator
// costs little beside what is measured. Each burst is a window of messages.
type load struct {
	devices []string
	bursts  [benchConnections][][]byte
}

func newLoad() *load {
	base := time.Now().Add(-time.Hour).UnixMilli()
	l := load{devices: newFleet(benchConnections)}
	for i, device := range l.devices {
		for from := 0; from < benchMessages; from += benchWindow {
			var burst []byte
			for n := from; n < from+benchWindow; n++ {
				burst = append(burst, benchPacket(device, base+int64(n), n)...)
			}
			l.bursts[i] = append(l.bursts[i], burst)
		}
	}
	return &l
}

func benchPacket(device string, ts int64, n int) []byte {
	return publishPacket("th/"+device+"/up", uint16(n%benchWindow+1), benchPayload(ts, n))
}

func benchPayload(ts int64, n int) []byte {
	return fmt.Appendf(nil, `{"ts":%d,"temperature":%.1f,"salinity":%.1f,"dissolved_oxygen":%.2f,"ph":%.2f,"turbidity":%d}`,
		ts, 20+float64(n%100)/10, 10+float64(n%200)/10, 4+float64(n%400)/100, 7+float64(n%100)/100, n%50)
}

// send publishes everything and returns when every message was acknowledged.
func (l *load) send(b *testing.B, addr string, secrets map[string]string) {
	b.Helper()
	var all sync.WaitGroup
	for i, device := range l.devices {
		c, err := dialRaw(addr, device, secrets[device])
		if err != nil {
			b.Fatal(err)
		}
		all.Go(func() {
			defer c.conn.Close()
			for _, burst := range l.bursts[i] {
				if _, err := c.conn.Write(burst); err != nil {
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

// A result is what one way of ingestion achieved.
type result struct {
	acked, stored float64 // messages/s from the first byte sent to the last acknowledged, queryable
	broker, rest  float64 // CPU seconds per million messages
}

func (r result) cpu() float64 { return r.broker + r.rest }

// run sends the load and waits until all of it is found by a query.
func (l *load) run(b *testing.B, addr string, secrets map[string]string, db *outsideInflux, broker, rest int) result {
	b.Helper()
	used := func(pid int) float64 {
		if pid == 0 {
			return 0
		}
		return cpuSeconds(b, pid)
	}
	start, broker0, rest0 := time.Now(), used(broker), used(rest)
	l.send(b, addr, secrets)
	acked := time.Since(start)
	stored := acked
	if db != nil {
		waitFor(b, "every message found in InfluxDB", 5*time.Minute, func() bool { return countStored(b, db, "/^bench/") >= benchTotal })
		stored = time.Since(start)
	}
	return result{
		benchTotal / acked.Seconds(), benchTotal / stored.Seconds(),
		(used(broker) - broker0) / benchTotal * 1e6, (used(rest) - rest0) / benchTotal * 1e6,
	}
}

func countStored(b *testing.B, db *outsideInflux, devices string) int {
	b.Helper()
	return number(b, queryInflux(b, db.URL, db.Token, "SELECT count(dissolved_oxygen) FROM water WHERE device =~ "+devices))
}

// primed sends a message now and then until one is found in InfluxDB: what is to
// be measured has then connected to everything.
func primed(b *testing.B, addr, secret string, db *outsideInflux) {
	b.Helper()
	c, err := dialRaw(addr, "probe", secret)
	if err != nil {
		b.Fatal(err)
	}
	defer c.conn.Close()
	waitFor(b, "the first message found in InfluxDB", time.Minute, func() bool {
		if _, err := c.conn.Write(benchPacket("probe", time.Now().UnixMilli(), 0)); err != nil {
			b.Fatal(err)
		}
		if _, err := c.readAck(); err != nil {
			b.Fatal(err)
		}
		return countStored(b, db, "/probe/") > 0
	})
}

// BenchmarkIngest measures in one run how fast messages get from a device to a
// query, and what that costs, beside Telegraf behind Mosquitto on the same load.
func BenchmarkIngest(b *testing.B) {
	mosquitto, haveMosquitto := findPeer("mosquitto")
	telegraf, haveTelegraf := findPeer("telegraf")
	l := newLoad()
	for range b.N {
		t := newTable()
		embedded := benchEmbedded(b, l)
		t.row("tianhai, its own broker", embedded)
		if !haveMosquitto {
			fmt.Println("mosquitto is not installed: nothing to compare with")
			continue
		}
		t.row("tianhai behind mosquitto", benchBehind(b, l, mosquitto))
		t.row("mosquitto alone, nothing stored", benchMosquitto(b, l, mosquitto))
		if !haveTelegraf {
			fmt.Println("telegraf is not installed (make bench does it): no peer to compare with")
			continue
		}
		t.row("telegraf behind mosquitto", benchTelegraf(b, l, mosquitto, telegraf, false))
		t.row("  the same, acknowledged when stored", benchTelegraf(b, l, mosquitto, telegraf, true))
		t.verdict()
	}
}

func benchInflux(b *testing.B) *outsideInflux {
	b.Helper()
	db := &outsideInflux{t: b, dir: b.TempDir()}
	db.start()
	b.Cleanup(db.kill)
	return db
}

// newFleet names n devices.
func newFleet(n int) []string {
	devices := make([]string, n)
	for i := range devices {
		devices[i] = fmt.Sprintf("bench-%05d", i)
	}
	return devices
}

// benchServer starts tianhai on an InfluxDB of its own process. Among the secrets
// of the devices is the password of the account "keeper".
func benchServer(b *testing.B, devices []string, args ...string) (*server, *outsideInflux, map[string]string) {
	b.Helper()
	db := benchInflux(b)
	b.Setenv("TIANHAI_INFLUX_URL", db.URL)
	b.Setenv("TIANHAI_INFLUX_TOKEN", db.Token)
	dir := b.TempDir()
	secrets, printed := importAccounts(b, dir, sondeFarm(time.Now().Add(-2*time.Hour), append([]string{"probe"}, devices...)...))
	secrets["keeper"] = passwordOf(b, printed, "keeper")
	return startServer(b, "serve", dir, args...), db, secrets
}

func benchEmbedded(b *testing.B, l *load) result {
	b.Helper()
	b.Setenv("TIANHAI_MQTT_URL", "")
	s, db, secrets := benchServer(b, l.devices)
	defer db.kill()
	defer s.kill()
	primed(b, s.MQTT, secrets["probe"], db)
	return l.run(b, s.MQTT, secrets, db, 0, s.cmd.Process.Pid)
}

func benchBehind(b *testing.B, l *load, mosquitto string) result {
	b.Helper()
	broker, addr := startMosquitto(b, mosquitto)
	defer broker.stop()
	b.Setenv("TIANHAI_MQTT_URL", "tcp://"+addr)
	s, db, _ := benchServer(b, l.devices)
	defer db.kill()
	defer s.kill()
	primed(b, addr, "", db)
	return l.run(b, addr, nil, db, broker.cmd.Process.Pid, s.cmd.Process.Pid)
}

func benchMosquitto(b *testing.B, l *load, path string) result {
	b.Helper()
	broker, addr := startMosquitto(b, path)
	defer broker.stop()
	return l.run(b, addr, nil, nil, broker.cmd.Process.Pid, 0)
}

func benchTelegraf(b *testing.B, l *load, mosquitto, telegraf string, persistent bool) result {
	b.Helper()
	broker, addr := startMosquitto(b, mosquitto)
	defer broker.stop()
	db := benchInflux(b)
	defer db.kill()
	agent := startTelegraf(b, telegraf, addr, db, persistent)
	defer agent.stop()
	primed(b, addr, "", db)
	return l.run(b, addr, nil, db, broker.cmd.Process.Pid, agent.cmd.Process.Pid)
}

// A table prints what was measured as it comes in, and what it means at the end.
type table struct{ results []result }

func newTable() *table {
	fmt.Printf("\n%d messages of five values, QoS 1, %d connections\n", benchTotal, benchConnections)
	fmt.Printf("%-36s %13s %13s   %s\n", "", "acknowledged", "queryable", "CPU s per 1e6 messages")
	fmt.Printf("%-36s %13s %13s   %8s %8s %8s\n", "", "messages/s", "messages/s", "broker", "behind", "both")
	return new(table)
}

func (t *table) row(name string, r result) {
	t.results = append(t.results, r)
	fmt.Printf("%-36s %13.0f %13.0f   %8.1f %8.1f %8.1f\n", name, r.acked, r.stored, r.broker, r.rest, r.cpu())
}

// verdict holds tianhai against the better of Telegraf's two figures.
func (t *table) verdict() {
	own, behind, one, two := t.results[0], t.results[1], t.results[3], t.results[4]
	fmt.Println("\ntianhai : the better of the two telegrafs")
	say := func(what string, ratio float64, met bool, target string) {
		word := "met"
		if !met {
			word = "short of it"
		}
		fmt.Printf("  %-44s %5.2f   target %s: %s\n", what, ratio, target, word)
	}
	rate := own.stored / max(one.stored, two.stored)
	say("messages/s until queryable", rate, rate >= 2, "at least 2")
	cpu := own.cpu() / min(one.cpu(), two.cpu())
	say("CPU per message, broker included", cpu, cpu <= 0.5, "at most 0.5")
	paho := behind.rest / min(one.rest, two.rest)
	say("CPU per message behind mosquitto, without it", paho, paho <= 0.5, "at most 0.5")
}
