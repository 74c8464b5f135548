package api_test

import (
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"tianhai/api"
	"tianhai/api/once"
)

const requestKey = "5f0c1d34-9f6e-4d0b-8a38-1f6a6a6d9d11"

// A command that a phone sends again, because no answer came, is given once.
func TestAskedAgain(t *testing.T) {
	w := newWorld()
	base, _ := serve(t, w)
	c := client{t, base, "farmer"}
	const on = `{"name":"aerator","value":"on"}`
	first := c.do("POST", "/devices/do-1/commands", on, "Idempotency-Key", requestKey)
	want(t, "first", 202, first.status)
	again := c.do("POST", "/devices/do-1/commands", on, "Idempotency-Key", requestKey)
	want(t, "again", [3]any{202, first.body, "true"}, [3]any{again.status, again.body, again.header.Get("Idempotent-Replayed")})
	want(t, "commands", 1, len(w.commands))

	want(t, "another body", "idempotency_mismatch", c.do("POST", "/devices/do-1/commands", `{"name":"aerator","value":"off"}`, "Idempotency-Key", requestKey).problem(t).Code)
	want(t, "another path", 422, c.do("POST", "/batches/"+batchID+"/close", "", "Idempotency-Key", requestKey).status)
	want(t, "a short key", "idempotency_key", c.do("POST", "/devices/do-1/commands", on, "Idempotency-Key", "1").problem(t).Code)
	want(t, "another's key is one's own", 202, client{t, base, "manager"}.do("POST", "/devices/do-1/commands", on, "Idempotency-Key", requestKey).status)
	want(t, "without a key", 202, c.do("POST", "/devices/do-1/commands", on).status)
	want(t, "commands", 3, len(w.commands))

	const other = "another-key-of-the-farmer"
	want(t, "refused", 400, c.do("POST", "/devices/do-1/commands", `{"name":"aerator"}`, "Idempotency-Key", other).status)
	want(t, "put right, under the same key", 202, c.do("POST", "/devices/do-1/commands", on, "Idempotency-Key", other).status)
}

// The kept answer is no use to who has the database.
func TestKeptAnswerIsSealed(t *testing.T) {
	w := newWorld()
	store := &memory{}
	cfg := config(t, w, &api.Hub{})
	cfg.Once = &once.Desk{Store: store, Now: func() time.Time { return noon }}
	srv := httptest.NewServer(api.New(cfg))
	defer srv.Close()
	w.tokens["token-manager"] = accounts["manager"]
	c := client{t, srv.URL, "manager"}
	a := c.do("POST", "/devices/do-1/secret", `{}`, "Idempotency-Key", requestKey)
	want(t, "a secret", 201, a.status)
	want(t, "again", a.body, c.do("POST", "/devices/do-1/secret", `{}`, "Idempotency-Key", requestKey).body)
	for _, e := range store.entries {
		if len(e.Sealed) == 0 || strings.Contains(string(e.Sealed)+string(e.ID), requestKey) || strings.Contains(string(e.Sealed), "secret") {
			t.Errorf("kept in the clear: %q", e.Sealed)
		}
	}
}

// Of two that edit the same thing at once and say what they have seen, one gets
// through.
func TestEditedTogether(t *testing.T) {
	w := newWorld()
	base, _ := serve(t, w)
	tag := client{t, base, "admin"}.do("GET", "/models/pond", "").header.Get("ETag")
	var wg sync.WaitGroup
	var mu sync.Mutex
	got := map[int]int{}
	for _, name := range []string{"一", "二", "三", "四"} {
		wg.Go(func() {
			a := client{t, base, "admin"}.do("PUT", "/models/pond", `{"name":{"zh":"`+name+`"},"format":"json"}`, "If-Match", tag)
			mu.Lock()
			defer mu.Unlock()
			got[a.status]++
		})
	}
	wg.Wait()
	if got[200] != 1 || got[200]+got[412]+got[409] != 4 {
		t.Errorf("statuses %v; want one 200, and 412 or 409 for the others", got)
	}
}
