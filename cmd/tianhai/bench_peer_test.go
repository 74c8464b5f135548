package main_test

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A peer is a program that is measured beside ours. It ends with the benchmark.
type peer struct {
	cmd *exec.Cmd
	log *lockedBuffer
}

func startPeer(b testing.TB, path string, args ...string) *peer {
	b.Helper()
	p := &peer{exec.Command(path, args...), &lockedBuffer{}}
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	if err := p.cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(p.stop)
	return p
}

func (p *peer) stop() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

// findPeer looks for a program where packages and make bench put it.
func findPeer(name string) (path string, ok bool) {
	if path, err := exec.LookPath(name); err == nil {
		return path, true
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", false
	}
	for _, path := range []string{"/usr/sbin/" + name, filepath.Join(home, ".cache", "tianhai-bench", name)} {
		if _, err := os.Stat(path); err == nil {
			return path, true
		}
	}
	return "", false
}

// startMosquitto lets everybody in and drops nothing that waits for a
// subscriber, however far it lags behind.
func startMosquitto(b testing.TB, path string) (p *peer, addr string) {
	b.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	addr = free.Addr().String()
	if err := free.Close(); err != nil {
		b.Fatal(err)
	}
	_, port, _ := strings.Cut(addr, ":")
	conf := filepath.Join(b.TempDir(), "mosquitto.conf")
	text := "listener " + port + " 127.0.0.1\nallow_anonymous true\nmax_inflight_messages 0\nmax_queued_messages 0\n"
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	p = startPeer(b, path, "-c", conf)
	waitFor(b, "mosquitto", 10*time.Second, func() bool {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			return false
		}
		return c.Close() == nil
	})
	return p, addr
}

// telegrafConf is what a careful operator would set: as much at once as fits a
// write, nothing compressed on one machine, acknowledged to the broker as late
// as persistent says, one point for a message with its own time and its device.
const telegrafConf = `
[agent]
  interval = "1s"
  flush_interval = "200ms"
  flush_jitter = "0s"
  metric_batch_size = 5000
  metric_buffer_limit = 1000000
  precision = "1ms"
  omit_hostname = true
[[outputs.influxdb_v2]]
  urls = ["%s"]
  token = "%s"
  organization = ""
  bucket = "tianhai/autogen"
  content_encoding = "identity"
[[inputs.mqtt_consumer]]
  servers = ["tcp://%s"]
  topics = ["th/+/up"]
  topic_tag = ""
  qos = 1
  client_id = "telegraf"
  persistent_session = %t
  max_undelivered_messages = 60000
  name_override = "water"
  data_format = "json"
  json_time_key = "ts"
  json_time_format = "unix_ms"
  [[inputs.mqtt_consumer.topic_parsing]]
    topic = "th/+/up"
    tags = "_/device/_"
`

func startTelegraf(b *testing.B, path, broker string, db *outsideInflux, persistent bool) *peer {
	b.Helper()
	createDatabase(b, db)
	conf := filepath.Join(b.TempDir(), "telegraf.conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, telegrafConf, db.URL, db.Token, broker, persistent), 0o600); err != nil {
		b.Fatal(err)
	}
	p := startPeer(b, path, "--config", conf)
	b.Cleanup(func() {
		if b.Failed() {
			b.Logf("telegraf said:\n%s", tail(p.log.String(), 40))
		}
	})
	return p
}

// createDatabase does what tianhai does by itself.
func createDatabase(b *testing.B, db *outsideInflux) {
	b.Helper()
	form := strings.NewReader(url.Values{"q": {"CREATE DATABASE tianhai"}}.Encode())
	req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, db.URL+"/query", form)
	if err != nil {
		b.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	user, password, _ := strings.Cut(db.Token, ":")
	req.SetBasicAuth(user, password)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		b.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil || resp.StatusCode != http.StatusOK {
		b.Fatalf("create database: %s, %v", resp.Status, err)
	}
}
