package main_test

import (
	"fmt"
	"sync"
	"testing"
	"time"
)

const seriesMessages = 200_000

// BenchmarkSeries measures what a message costs when there are 10³, 10⁴ and 10⁵
// series, five of each device. The devices are behind Mosquitto, because so many
// connections would be measured instead.
func BenchmarkSeries(b *testing.B) {
	mosquitto, ok := findPeer("mosquitto")
	if !ok {
		b.Skip("mosquitto is not installed")
	}
	for range b.N {
		fmt.Printf("\n%d messages of five values behind mosquitto, 50 connections\n%10s %12s %24s %14s %20s\n",
			seriesMessages, "series", "queryable/s", "CPU s per 1e6, ours only", "resident MiB", "first of each")
		for _, n := range []int{200, 2000, 20_000} {
			benchSeries(b, mosquitto, newFleet(n))
		}
	}
}

func benchSeries(b *testing.B, mosquitto string, devices []string) {
	b.Helper()
	broker, addr := startMosquitto(b, mosquitto)
	defer broker.stop()
	b.Setenv("TIANHAI_MQTT_URL", "tcp://"+addr)
	s, db, _ := benchServer(b, devices)
	defer db.kill()
	defer s.kill()
	primed(b, addr, "", db)
	pid, base := s.cmd.Process.Pid, time.Now().Add(-time.Hour).UnixMilli()
	send := func(from, to int) (elapsed time.Duration, cpu float64) {
		bursts := encodeSpread(devices, base, from, to)
		start, used := time.Now(), cpuSeconds(b, pid)
		sendSpread(b, addr, bursts)
		waitFor(b, "every message found in InfluxDB", 5*time.Minute, func() bool { return countStored(b, db, "/^bench/") >= to })
		return time.Since(start), cpuSeconds(b, pid) - used
	}
	first, firstCPU := send(0, len(devices))
	elapsed, cpu := send(len(devices), len(devices)+seriesMessages)
	fmt.Printf("%10d %12.0f %24.1f %14.0f %9.1fs, %.1f s CPU\n", 5*len(devices), seriesMessages/elapsed.Seconds(),
		cpu/seriesMessages*1e6, resident(b, pid), first.Seconds(), firstCPU)
}

// A burst is what is sent before waiting for as many acknowledgements.
type burst struct {
	packets  []byte
	messages int
}

// encodeSpread encodes the messages from ≤ n < to, taking turns among the devices;
// each device's are on one connection.
func encodeSpread(devices []string, base int64, from, to int) (lines [benchConnections][]burst) {
	for n := from; n < to; n++ {
		device := n % len(devices)
		line := &lines[device%benchConnections]
		if len(*line) == 0 || (*line)[len(*line)-1].messages == benchWindow {
			*line = append(*line, burst{})
		}
		last := &(*line)[len(*line)-1]
		last.messages++
		payload := benchPayload(base+int64(n/len(devices)), n)
		last.packets = append(last.packets, publishPacket("th/"+devices[device]+"/up", uint16(last.messages), payload)...)
	}
	return lines
}

// sendSpread publishes and returns when everything was acknowledged.
func sendSpread(b *testing.B, addr string, lines [benchConnections][]burst) {
	b.Helper()
	var all sync.WaitGroup
	for i, bursts := range lines {
		c, err := dialRaw(addr, fmt.Sprint("line-", i), "")
		if err != nil {
			b.Fatal(err)
		}
		all.Go(func() {
			defer c.conn.Close()
			for _, burst := range bursts {
				if _, err := c.conn.Write(burst.packets); err != nil {
					b.Error(err)
					return
				}
				for range burst.messages {
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
