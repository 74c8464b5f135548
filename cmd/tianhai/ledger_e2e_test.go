package main_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const householdFarms = `
tenants: [{id: wei, kind: household, name: {zh: 韦大山}, phone: "0777-12345", region: "450700"}]
sites: [{id: raft-1, tenant: wei, region: "450702", kind: raft, name: {zh: 大山一号排}, town: {zh: 尖山街道}, latitude: 21.7, longitude: 108.5}]
models: [{id: station, name: {zh: 水质站}, format: json, interval: 1m, channels: [{key: t, quantity: water.temperature}]}]
devices: [{id: sonde, tenant: wei, model: station, name: {zh: 探头}, site: raft-1, from: 2026-01-01T00:00:00Z}]
products: [{id: oyster, kind: aquatic, name: {zh: 大蚝}}]
accounts: [{login: wei, name: 老韦, role: manager, tenant: wei}, {login: root, name: 管理员, role: administrator}]
`

// startWitness starts `tianhai witness` and returns its key and address.
func startWitness(t *testing.T, dir, logKey string) (vkey, url string) {
	t.Helper()
	cmd := exec.Command(program(t, "tianhai/cmd/tianhai"), "witness", "--data", dir, "--addr", "127.0.0.1:0", "--name", "county.test/witness", "--log", logKey)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		_ = cmd.Wait()
	})
	lines := bufio.NewScanner(out)
	for url == "" && lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ": ")
		switch name {
		case "witness key":
			vkey = value
		case "witness url":
			url = value
		}
	}
	if url == "" {
		t.Fatal("the witness does not start")
	}
	return vkey, url
}

// sellBatch opens and closes a batch and returns its code.
func sellBatch(b *browser, lot string) string {
	b.t.Helper()
	now := time.Now().UTC()
	for _, kind := range []string{"stock", "inspect", "catch"} { // what the catalog demands of oysters
		b.record(demanded("raft-1", kind, now.Add(-2*time.Hour)))
	}
	status, raw := b.send("POST", "/api/v1/batches", fmt.Appendf(nil, `{"site":"raft-1","product":"oyster","lot":%q,"quantity":5,"unit":"kg","began":%q,"harvest":%q}`,
		lot, now.AddDate(0, 0, -30).Format(time.RFC3339), now.Add(-time.Hour).Format(time.RFC3339)))
	var batch struct{ ID, Code string }
	if err := json.Unmarshal(raw, &batch); err != nil || status != http.StatusCreated {
		b.t.Fatalf("open a batch: %d %s", status, raw)
	}
	status, raw = b.send("POST", "/api/v1/batches/"+batch.ID+"/close", []byte("{}"))
	if err := json.Unmarshal(raw, &batch); err != nil || status != http.StatusOK || batch.Code == "" {
		b.t.Fatalf("close a batch: %d %s", status, raw)
	}
	return batch.Code
}

// ledgerState is that of the part of /readyz, and whether the server is ready.
func ledgerState(b *browser) (state string, ready bool) {
	b.t.Helper()
	var is struct {
		Ready bool
		Parts map[string]struct{ State string }
	}
	_, raw := b.send("GET", "/readyz", nil)
	if err := json.Unmarshal(raw, &is); err != nil {
		b.t.Fatal(err)
	}
	return is.Parts["ledger"].State, is.Ready
}

// What a regulator does with the real program: a witness, a receipt checked
// offline, a directory restored from a backup, a new key, an erasure, an audit.
func TestLedgerOfTheProgram(t *testing.T) {
	dir := t.TempDir()
	data, config := filepath.Join(dir, "data"), filepath.Join(dir, "tianhai.yaml")
	_, printed := importAccounts(t, data, householdFarms)
	first := startServer(t, "serve", data)
	_, raw := newBrowser(t, first.HTTP).send("GET", "/log/key", nil)
	oldKey := strings.TrimSpace(string(raw))
	if err := first.terminate(); err != nil {
		t.Fatal(err)
	}
	witness, url := startWitness(t, filepath.Join(dir, "witness"), oldKey)
	if err := os.WriteFile(config, fmt.Appendf(nil, "ledger: {quorum: 1, witnesses: [{vkey: %q, url: %q}]}\n", witness, url), 0o600); err != nil {
		t.Fatal(err)
	}
	start := func() (*server, *browser) {
		t.Helper()
		s := startServer(t, "serve", data, "--config", config)
		b := newBrowser(t, s.HTTP)
		b.login("wei", passwordOf(t, printed, "wei"))
		return s, b
	}
	stop := func(s *server) {
		t.Helper()
		if err := s.terminate(); err != nil {
			t.Fatal(err)
		}
	}
	tool := func(fails bool, args ...string) string {
		t.Helper()
		out, err := runTianhai(t, args...)
		if (err != nil) != fails {
			t.Fatalf("tianhai %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return out
	}
	page := func(b *browser, code string) string {
		_, raw := b.send("GET", "/t/"+code+"?lang=zh-CN", nil)
		return string(raw)
	}
	verify := func(b *browser, code string, args ...string) string {
		t.Helper()
		for _, part := range []string{"receipt", "record"} {
			_, raw := b.send("GET", "/t/"+code+"/"+part, nil)
			if err := os.WriteFile(filepath.Join(dir, part), raw, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return tool(false, append([]string{"verify", "--record", filepath.Join(dir, "record"), filepath.Join(dir, "receipt")}, args...)...)
	}

	s, b := start()
	one := sellBatch(b, "one")
	waitFor(t, "the witness on the page", time.Minute, func() bool { return strings.Contains(page(b, one), "county.test/witness") })
	if out := verify(b, one, "--key", oldKey, "--witness", witness); !strings.Contains(out, "cosigned: by county.test/witness") {
		t.Errorf("verify says %s", out)
	}
	stop(s)
	backup := filepath.Join(dir, "backup")
	if err := os.CopyFS(backup, os.DirFS(filepath.Join(data, "ledger"))); err != nil {
		t.Fatal(err)
	}

	s, b = start()
	two := sellBatch(b, "two")
	waitFor(t, "the second receipt", time.Minute, func() bool { return strings.Contains(page(b, two), "county.test/witness") })
	tool(false, "audit", "--data", data, "--fresh") // beside the server
	stop(s)
	if err := os.RemoveAll(filepath.Join(data, "ledger")); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(data, "ledger"), os.DirFS(backup)); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(data, "ledger", "key"), 0o600); err != nil {
		t.Fatal(err)
	}

	s, b = start()
	if state, ready := ledgerState(b); state != "down" || !ready {
		t.Errorf("with an older ledger: state %s, ready %v", state, ready)
	}
	three := sellBatch(b, "three") // it waits
	for _, code := range []string{one, two} {
		if !strings.Contains(page(b, code), "verdict sealed") {
			t.Errorf("with an older ledger, %s is not sealed", code)
		}
	}
	if out := tool(true, "ledger", "rotate", "--data", data); !strings.Contains(out, "stop the server") {
		t.Errorf("rotate beside the server says %s", out)
	}
	stop(s)
	if out := tool(true, "ledger", "rotate", "--data", data); !strings.Contains(out, "rotate --restored") {
		t.Errorf("rotate says %s", out)
	}
	tool(false, "ledger", "rotate", "--data", data, "--restored")

	s, b = start()
	waitFor(t, "the record that waited", time.Minute, func() bool { return strings.Contains(page(b, three), "verdict sealed") })
	_, raw = b.send("GET", "/log/key", nil)
	newKey := strings.TrimSpace(string(raw))
	for _, code := range []string{one, two, three} {
		if !strings.Contains(page(b, code), "韦大山") {
			t.Errorf("the page of %s does not name the household", code)
		}
		verify(b, code, "--key", oldKey, "--key", newKey)
	}
	tool(true, "erase", "tenant", "wei", "--data", data) // without --yes
	tool(false, "erase", "tenant", "wei", "--data", data, "--yes")
	for _, code := range []string{one, two, three} {
		if p := page(b, code); strings.Contains(p, "韦大山") || strings.Contains(p, "大山一号排") || strings.Contains(p, "0777-12345") || !strings.Contains(p, "已按法律删除") || !strings.Contains(p, "verdict sealed") {
			t.Errorf("after the erasure %s shows\n%s", code, p)
		}
		verify(b, code, "--key", oldKey, "--key", newKey)
	}
	waitFor(t, "a whole audit", time.Minute, func() bool {
		out, err := runTianhai(t, "audit", "--data", data, "--fresh")
		return err == nil && strings.Contains(out, "log 2:")
	})
	root := newBrowser(t, s.HTTP)
	root.login("root", passwordOf(t, printed, "root"))
	var listed struct {
		Audits []struct {
			Log        int
			FaultCount int `json:"fault_count"`
		}
	}
	root.getJSON("/api/v1/audits", &listed)
	if len(listed.Audits) < 3 || listed.Audits[0].FaultCount != 0 {
		t.Errorf("audits: %+v", listed)
	}
	if status, _ := b.send("GET", "/api/v1/audits", nil); status != http.StatusForbidden {
		t.Errorf("a manager reads the audits: %d", status)
	}
	stop(s)

	checkpoint := filepath.Join(data, "ledger", "2", "tiles", "checkpoint")
	raw, err := os.ReadFile(checkpoint)
	if err != nil {
		t.Fatal(err)
	}
	raw[len(raw)-10] ^= 1
	if err := os.WriteFile(checkpoint, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if out := tool(true, "audit", "--data", data); !strings.Contains(out, "FAULT log") {
		t.Errorf("the audit of a false checkpoint says %s", out)
	}
}

// An audit that finds a fault is told to whoever is told of alarms.
func TestFaultyAuditIsTold(t *testing.T) {
	hook := newWebhook(t)
	t.Setenv("TIANHAI_ALERTS_WEBHOOK_URL", hook.URL)
	data := t.TempDir()
	_, printed := importAccounts(t, data, householdFarms)
	s := startServer(t, "serve", data)
	b := newBrowser(t, s.HTTP)
	b.login("wei", passwordOf(t, printed, "wei"))
	code := sellBatch(b, "one")
	waitFor(t, "the receipt", time.Minute, func() bool {
		_, raw := b.send("GET", "/t/"+code+"?lang=zh-CN", nil)
		return strings.Contains(string(raw), "verdict sealed")
	})
	spoilt := 0
	err := filepath.WalkDir(filepath.Join(data, "ledger"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.Contains(path, filepath.Join("tile", "entries")) {
			return err
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		raw[len(raw)-1] ^= 1
		spoilt++
		return errors.Join(os.Remove(path), os.WriteFile(path, raw, 0o600))
	})
	if err != nil || spoilt == 0 {
		t.Fatalf("%d files of entries spoilt, error %v", spoilt, err)
	}
	root := newBrowser(t, s.HTTP)
	root.login("root", passwordOf(t, printed, "root"))
	if status, raw := root.send("POST", "/api/v1/audits", []byte("{}")); status/100 != 2 {
		t.Fatalf("an audit is asked for: %d %s", status, raw)
	}
	waitFor(t, "the operator to be told", time.Minute, func() bool { return hook.heard(`"part.unwell"`, `"ledger"`, `"faulty"`) })
}
