package main_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"tianhai/trace"
	"tianhai/trace/gate"
)

// TestLateUse tells a real receiver of a spray that became known only after the
// harvest: it is out of order at first, hears of it once when it is back, by a signed
// message in both languages, and after kill -9 not again.
func TestLateUse(t *testing.T) {
	hook := newReceiver(t)
	hook.key = "whsec_" + base64.StdEncoding.EncodeToString([]byte("a key of twenty bytes"))
	t.Setenv("TIANHAI_ALERTS_WEBHOOK_URL", hook.URL+"/late")
	t.Setenv("TIANHAI_ALERTS_WEBHOOK_SECRET", hook.key)
	data := t.TempDir()
	_, printed := importAccounts(t, data, gatedFarm)
	s := startServer(t, "serve", data)
	b := newBrowser(t, s.HTTP)
	b.login("cha", passwordOf(t, printed, "cha"))
	batch, now := ulid.Make().String(), time.Now().UTC()
	day := func(ago int) string { return now.AddDate(0, 0, -ago).Format(time.RFC3339) }
	status, raw := b.send("POST", "/api/v1/batches", fmt.Appendf(nil, `{"id":%q,"site":"garden-1","product":"liubao","lot":"LB-9","quantity":50,"unit":"kg","began":%q,"harvest":%q}`, batch, day(30), day(3)))
	if status != http.StatusCreated {
		t.Fatalf("open the batch: %d %s", status, raw)
	}
	late := func(ago int) (operation, notice string) {
		t.Helper()
		op := demanded("garden-1", "spray", now.AddDate(0, 0, -ago))
		for i := range op.Items {
			if op.Items[i].Key == "interval" {
				op.Items[i].Value, op.Items[i].Unit = "7", "d"
			}
		}
		b.record(op)
		return op.ID, op.ID + "-" + batch
	}
	operation, id := late(5)
	waitFor(t, "the notice, at the second attempt", time.Minute, func() bool { m, _ := hook.told(id); return m != nil })
	m, attempts := hook.told(id)
	said, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		ID, Type string
		LateUse  trace.FoundLate `json:"late_use"`
		Title    map[string]string
	}
	if err := json.Unmarshal(said, &got); err != nil {
		t.Fatal(err)
	}
	if l := got.LateUse; attempts != 2 || got.ID != id || got.Type != "late_use.found" || l.Operation != operation || l.Batch != batch || l.Lot != "LB-9" || l.Tenant != "tea" ||
		len(l.Refusals) != 1 || l.Refusals[0].Gate != gate.Interval || l.Withdrawn {
		t.Errorf("at attempt %d: %s", attempts, said)
	}
	if !strings.Contains(got.Title["zh-CN"], "LB-9") || !strings.Contains(got.Title["en"], "LB-9") || got.Title["en"] == got.Title["zh-CN"] {
		t.Errorf("titles are %v", got.Title)
	}
	_, next := late(4) // one goes after the other: when this one is told, the first is marked
	waitFor(t, "the next notice", time.Minute, func() bool { m, _ := hook.told(next); return m != nil })

	s.kill()
	s = startServer(t, "serve", data)
	b.base = s.HTTP
	_, second := late(6)
	waitFor(t, "the second notice", time.Minute, func() bool { m, _ := hook.told(second); return m != nil })
	if _, attempts := hook.told(id); attempts != 2 {
		t.Errorf("the first was told again: %d attempts", attempts)
	}
	hook.mu.Lock()
	defer hook.mu.Unlock()
	if len(hook.wrong) > 0 {
		t.Errorf("wrongly signed: %v", hook.wrong)
	}
}
