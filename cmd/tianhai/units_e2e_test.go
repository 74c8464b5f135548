package main_test

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"tianhai/trace/unit"
)

// TestUnitCodesOfTheProgram goes the way of a roll through the real program: issued,
// printed, bound by scanning two labels, scanned by strangers, activated once, void.
func TestUnitCodesOfTheProgram(t *testing.T) {
	const gtin = "09506000134352"
	data := filepath.Join(t.TempDir(), "data")
	_, printed := importAccounts(t, data, managedFarm+"products: [{id: oyster, kind: aquatic, species: oyster, name: {zh: 大蚝, en: Oyster}}]\n")
	s := startServer(t, "serve", data)
	manager, farmer, admin := newBrowser(t, s.HTTP), newBrowser(t, s.HTTP), newBrowser(t, s.HTTP)
	manager.login("wang", passwordOf(t, printed, "wang"))
	farmer.login("li", passwordOf(t, printed, "li"))
	admin.login("admin", passwordOf(t, printed, "admin"))
	sellBatch(manager, "U/1")
	var batches struct{ Batches []struct{ ID, Code string } }
	manager.getJSON("/api/v1/batches", &batches)
	batch := batches.Batches[0]
	post := func(b *browser, want int, path, body string, args ...any) []byte {
		t.Helper()
		status, raw := b.send(http.MethodPost, path, fmt.Appendf(nil, body, args...))
		if status != want {
			t.Fatalf("POST %s: %d %s, want %d", path, status, raw, want)
		}
		return raw
	}
	id := func() string { return ulid.Make().String() }

	post(admin, 201, "/api/v1/tenants/oysters/gtins", `{"gtin":%q,"product":"oyster"}`, gtin)
	var roll unit.Roll
	if err := json.Unmarshal(post(manager, 201, "/api/v1/tenants/oysters/rolls", `{"id":%q,"codes":50,"product":"oyster","gtin":%q,"covered":true}`, id(), gtin), &roll); err != nil {
		t.Fatal(err)
	}
	steps := "/api/v1/rolls/" + roll.ID + "/steps"
	if status, raw := manager.send(http.MethodGet, "/api/v1/rolls/"+roll.ID+"/codes", nil); status != http.StatusConflict {
		t.Errorf("codes before they are printed: %d %s", status, raw)
	}
	post(manager, 201, steps, `{"id":%q,"kind":"print","first":1,"last":40}`, id())
	_, raw := manager.send(http.MethodGet, "/api/v1/rolls/"+roll.ID+"/codes?last=40", nil)
	rows, err := csv.NewReader(strings.NewReader(string(raw))).ReadAll()
	if err != nil || len(rows) != 41 || len(rows[40]) != 4 {
		t.Fatalf("codes: %s, %v", raw, err)
	}
	at := func(n int) (code, address, cover string) {
		return strings.ReplaceAll(rows[n][1], "-", ""), rows[n][2], rows[n][3]
	}
	_, first, _ := at(1)
	last, _, _ := at(30)
	post(farmer, 201, "/api/v1/batches/"+batch.ID+"/units", `{"id":%q,"first":%q,"last":%q}`, id(), first, last)
	post(farmer, 409, "/api/v1/batches/"+batch.ID+"/units", `{"id":%q,"first":%q,"last":%q}`, id(), last, last)

	stranger := newBrowser(t, s.HTTP)
	code, address, cover := at(7)
	link, err := url.Parse(address)
	if err != nil || link.Path != "/01/"+gtin+"/21/"+code {
		t.Fatalf("address %s of %s, %v", address, code, err)
	}
	for _, path := range []string{link.Path, "/t/" + code} {
		if status, page := stranger.send(http.MethodGet, path, nil); status != http.StatusOK || !strings.Contains(string(page), "activate") {
			t.Errorf("%s: %d without the packet", path, status)
		}
	}
	for i, want := range []string{"首次激活成功", "这部手机"} {
		if page := activate(t, stranger, code, cover); !strings.Contains(page, want) {
			t.Errorf("time %d: the page lacks %s", i+1, want)
		}
	}
	if page := activate(t, newBrowser(t, s.HTTP), code, cover); !strings.Contains(page, "已在") {
		t.Error("another phone is not told that it was activated")
	}
	if status, raw := manager.send(http.MethodGet, "/api/v1/rolls/"+roll.ID+"/codes?first=40&last=41", nil); status != http.StatusConflict {
		t.Errorf("a code that was not printed has left the server: %d %s", status, raw)
	}
	post(manager, 201, steps, `{"id":%q,"kind":"void","first":31,"last":50,"reason":"余卷"}`, id())
	left, _, _ := at(31)
	if status, page := stranger.send(http.MethodGet, "/t/"+left, nil); status != http.StatusGone || !strings.Contains(string(page), "作废") {
		t.Errorf("a void code: %d", status)
	}
	var tally unit.Tally
	manager.getJSON("/api/v1/rolls/"+roll.ID, &tally)
	if want := (unit.Counts{Printed: 40, Used: 30, Voided: 20}); tally.Counts != want {
		t.Errorf("counts %+v, want %+v", tally.Counts, want)
	}
	provenOffline(t, stranger, code)
	if err := s.terminate(); err != nil {
		t.Fatal(err)
	}
	again := startServer(t, "serve", data) // with the same key
	if status, _ := newBrowser(t, again.HTTP).send(http.MethodGet, "/t/"+code, nil); status != http.StatusOK {
		t.Errorf("after a restart: %d", status)
	}
}

// activate sends a covered code as the page's form does.
func activate(t *testing.T, b *browser, code, cover string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.base+"/t/"+code+"/activate", strings.NewReader(url.Values{"cover": {cover}}.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := b.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	page, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("activate: %d %s, %v", resp.StatusCode, page, err)
	}
	return string(page)
}

// provenOffline downloads the proof of a code and has the program check it, once with
// the key of the log and once with its number changed.
func provenOffline(t *testing.T, b *browser, code string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "proof.json")
	_, key := b.send(http.MethodGet, "/log/key", nil)
	prove := func(proof []byte) (string, error) {
		if err := os.WriteFile(file, proof, 0o600); err != nil {
			t.Fatal(err)
		}
		return runTianhai(t, "label", "prove", "--key", strings.TrimSpace(string(key)), file)
	}
	var proof []byte
	waitFor(t, "the roll is sealed", 30*time.Second, func() bool {
		_, proof = b.send(http.MethodGet, "/t/"+code+"/proof", nil)
		return !strings.Contains(string(proof), `"receipt":""`)
	})
	if out, err := prove(proof); err != nil || !strings.Contains(out, code+" is code 7 of 50") {
		t.Errorf("prove: %v, %s", err, out)
	}
	if out, err := prove([]byte(strings.Replace(string(proof), `"number":7`, `"number":8`, 1))); err == nil {
		t.Errorf("a code is proven at another place: %s", out)
	}
}
