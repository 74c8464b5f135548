package main_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/oklog/ulid/v2"
)

// A receiver is somebody's server, which is out of order at the first attempt of each
// message and then takes what is signed with its key.
type receiver struct {
	*httptest.Server
	mu    sync.Mutex
	key   string
	calls int
	tried map[string]int            // by webhook-id
	took  map[string]map[string]any // by webhook-id
	wrong []string
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{tried: map[string]int{}, took: map[string]map[string]any{}}
	r.Server = httptest.NewServer(http.HandlerFunc(r.receive))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) receive(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	id, at := req.Header.Get("webhook-id"), req.Header.Get("webhook-timestamp")
	r.calls++
	if r.tried[id]++; r.tried[id] == 1 {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	body, _ := io.ReadAll(req.Body)
	raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(r.key, "whsec_"))
	mac := hmac.New(sha256.New, raw)
	fmt.Fprintf(mac, "%s.%s.%s", id, at, body)
	if want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)); err != nil || req.Header.Get("webhook-signature") != want {
		r.wrong = append(r.wrong, id)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	var m map[string]any
	if err := json.Unmarshal(body, &m); err != nil {
		r.wrong = append(r.wrong, string(body))
	}
	r.took[id] = m
}

// told returns what was taken under an ID, and at which attempt; nil while nothing was.
func (r *receiver) told(id string) (message map[string]any, attempts int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.took[id], r.tried[id]
}

// TestRecall goes the way of a recall: a code that was good is red in the next request,
// with script and without, for machines too, and still after kill -9; nothing of the
// batch is sold, the holder is told, and the bureau ends it.
func TestRecall(t *testing.T) {
	t.Setenv("TIANHAI_RECALLS_PRIVATE_HOOKS", "true")
	data := filepath.Join(t.TempDir(), "data")
	_, printed := importAccounts(t, data, managedFarm+"  - {login: ju, name: 王科长, role: bureau, region: \"450700\"}\nproducts: [{id: oyster, kind: aquatic, species: oyster, name: {zh: 大蚝, en: Oyster}}]\n")
	s := startServer(t, "serve", data)
	manager, bureau := newBrowser(t, s.HTTP), newBrowser(t, s.HTTP)
	manager.login("wang", passwordOf(t, printed, "wang"))
	bureau.login("ju", passwordOf(t, printed, "ju"))
	call := func(b *browser, method, path, body string, want int, into any) {
		t.Helper()
		status, raw := b.send(method, path, []byte(body))
		if status != want {
			t.Fatalf("%s %s: %d %s", method, path, status, raw)
		}
		if into != nil {
			if err := json.Unmarshal(raw, into); err != nil {
				t.Fatal(err)
			}
		}
	}
	holder := newReceiver(t)
	var hook struct{ Key string }
	call(manager, "PUT", "/api/v1/tenants/oysters/recall-hook", `{"url":"`+holder.URL+`/recalls"}`, 200, &hook)
	holder.key = hook.Key

	code := sellBatch(manager, "R-1")
	c := newChrome(t, 390, 844)
	c.open(s.HTTP + "/t/" + code)
	if said := c.text(); strings.Contains(said, "请勿食用") {
		t.Fatalf("red before the recall: %s", said)
	}
	var batches struct{ Batches []struct{ ID, Code string } }
	manager.getJSON("/api/v1/batches", &batches)
	batch := batches.Batches[0].ID

	id := ulid.Make().String()
	var r struct {
		Number   string
		Holdings []struct{ Batch string }
	}
	call(bureau, "POST", "/api/v1/recalls", fmt.Sprintf(`{"id":%q,"start":{"kind":"batch","id":%q},"reason":{"zh":"检出麻痹性贝类毒素","en":"Shellfish toxin found"},"hazard":{"zh":"可致头晕"},"advice":{"zh":"请立即停止食用并退货"},"contact":"12316"}`, id, batch), 201, &r)
	c.open(s.HTTP + "/t/" + code)
	if said := c.text(); !strings.Contains(said, "请勿食用") || !strings.Contains(said, "请立即停止食用并退货") || !strings.Contains(said, r.Number) ||
		strings.Index(said, "请勿食用") > strings.Index(said, "大蚝") && strings.Contains(said, "大蚝") {
		t.Errorf("the next request shows: %s", said)
	}
	red := func() {
		t.Helper()
		_, plain := manager.send("GET", "/t/"+code, nil)
		if !strings.Contains(string(plain), "召回：请勿食用") {
			t.Errorf("without script: %s", plain)
		}
		req, err := http.NewRequestWithContext(t.Context(), "GET", s.HTTP+"/t/"+code, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Accept", "application/json")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var machine struct {
			Recalls []struct{ Status, Number string }
			Code    string
		}
		if err := json.NewDecoder(resp.Body).Decode(&machine); err != nil || len(machine.Recalls) != 1 || machine.Recalls[0].Status != "recalled" || machine.Code != code {
			t.Errorf("machines read %+v, %v", machine, err)
		}
		if resp.Header.Get("Recall-Status") != "recalled" || resp.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("headers are %v", resp.Header)
		}
	}
	red()
	status, raw := manager.send("POST", "/api/v1/movements", fmt.Appendf(nil, `{"id":%q,"kind":"sell","at":%q,"buyer":{"name":"南宁水产行"},"inputs":[{"batch":%q,"amount":{"quantity":1,"unit":"kg"}}]}`,
		ulid.Make(), time.Now().UTC().Format(time.RFC3339), batch))
	if status != http.StatusConflict || !strings.Contains(string(raw), `"recalled"`) || !strings.Contains(string(raw), r.Number) {
		t.Errorf("sale of a recalled batch: %d %s", status, raw)
	}
	waitFor(t, "the holder's notice", time.Minute, func() bool {
		holder.mu.Lock()
		defer holder.mu.Unlock()
		return len(holder.took) > 0
	})
	holder.mu.Lock()
	for key, m := range holder.took {
		if m["type"] != "recall.open" || m["number"] != r.Number || m["id"] != key || len(m["holdings"].([]any)) == 0 {
			t.Errorf("the holder was told %v", m)
		}
	}
	if len(holder.wrong) > 0 || holder.calls < 2 {
		t.Errorf("%d calls, wrongly signed %v", holder.calls, holder.wrong)
	}
	holder.mu.Unlock()
	waitFor(t, "that it was delivered, and the seal", time.Minute, func() bool {
		_, raw := bureau.send("GET", "/api/v1/recalls/"+id, nil)
		return strings.Contains(string(raw), `"sent":`) && strings.Contains(string(raw), `"sealed":true`)
	})

	s.kill()
	s = startServer(t, "serve", data)
	manager.base, bureau.base = s.HTTP, s.HTTP
	red()
	call(manager, "POST", "/api/v1/recalls/"+id+"/close", fmt.Sprintf(`{"id":%q,"reason":"x"}`, ulid.Make()), 403, nil)
	call(manager, "POST", "/api/v1/recalls/"+id+"/progress", fmt.Sprintf(`{"id":%q,"batch":%q,"to":"destroyed","amount":{"quantity":6,"unit":"kg"}}`, ulid.Make(), batch), 409, nil)
	call(manager, "POST", "/api/v1/recalls/"+id+"/progress", fmt.Sprintf(`{"id":%q,"batch":%q,"to":"located","amount":{"quantity":5,"unit":"kg"}}`, ulid.Make(), batch), 200, nil)

	// The officer sees it through, on the page.
	c = newChrome(t, 390, 844)
	c.open(s.HTTP + "/bureau/#/recalls/" + id)
	c.fill("input[autocomplete=username]", "ju")
	c.fill("input[type=password]", passwordOf(t, printed, "ju"))
	c.click("form button[type=submit]")
	c.waitJS("the recall", `document.body.innerText.includes("`+r.Number+`") && document.querySelector(".holding-rows button")`)
	c.click(".holding-rows button")
	c.do(chromedp.SetValue(chromedp.CSS("dialog select"), "destroyed"), chromedp.Evaluate[chromedp.Void](`document.querySelector("dialog select").dispatchEvent(new Event("change"))`))
	c.click("dialog button[type=submit]")
	c.waitJS("what was destroyed", `document.querySelector(".holding-rows .destroyed")`)
	c.click(".recall-head button.primary")
	c.click("dialog button[type=submit]")
	c.waitJS("the end", `!document.querySelector("dialog[open]") && document.body.innerText.includes("已结束")`)
	c.open(s.HTTP + "/t/" + code)
	if said := c.text(); !strings.Contains(said, "曾被召回") || strings.Contains(said, "请勿食用或销售") {
		t.Errorf("after the end: %s", said)
	}
}

// What an operator gives as its address does not make the server ask its neighbours.
func TestRecallHookStaysOutside(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	_, printed := importAccounts(t, data, managedFarm+"products: [{id: oyster, kind: aquatic, species: oyster, name: {zh: 大蚝, en: Oyster}}]\n")
	s := startServer(t, "serve", data)
	b, neighbour := newBrowser(t, s.HTTP), newReceiver(t)
	b.login("wang", passwordOf(t, printed, "wang"))
	if status, raw := b.send("PUT", "/api/v1/tenants/oysters/recall-hook", []byte(`{"url":"`+neighbour.URL+`"}`)); status != http.StatusOK {
		t.Fatalf("set the address: %d %s", status, raw)
	}
	sellBatch(b, "R-2")
	var batches struct{ Batches []struct{ ID string } }
	b.getJSON("/api/v1/batches", &batches)
	id := ulid.Make().String()
	status, raw := b.send("POST", "/api/v1/recalls", fmt.Appendf(nil, `{"id":%q,"start":{"kind":"batch","id":%q},"reason":{"zh":"a"},"hazard":{"zh":"b"},"advice":{"zh":"c"},"contact":"12316"}`, id, batches.Batches[0].ID))
	if status != http.StatusCreated {
		t.Fatalf("open: %d %s", status, raw)
	}
	waitFor(t, "the refusal", time.Minute, func() bool {
		_, raw := b.send("GET", "/api/v1/recalls/"+id, nil)
		return strings.Contains(string(raw), "private network")
	})
	neighbour.mu.Lock()
	defer neighbour.mu.Unlock()
	if neighbour.calls > 0 {
		t.Errorf("the neighbour was asked %d times", neighbour.calls)
	}
}
