package main_test

import (
	"encoding/json"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

// TestEPCISAccess asks for everything as everybody. Objects are the oyster farm's.
func TestEPCISAccess(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	secrets, printed := importAccounts(t, data, managedFarm+`  - {login: ju, name: 王科长, role: bureau, region: "450700"}
  - {login: cun, name: 梧州, role: inspector, region: "450400"}
  - {login: lab, name: 检测, role: laboratory, tenant: tea}
`)
	s := startServer(t, "serve", data)
	as := map[string]partner{"": {t, s.HTTP, ""}}
	for _, login := range []string{"wang", "li", "cha", "ju", "cun", "lab", "admin"} {
		as[login] = newPartner(t, s.HTTP, login, passwordOf(t, printed, login))
	}
	if resp, body := as["wang"].do("POST", "/events", epcisEvent("a", "")); resp.StatusCode != http.StatusCreated {
		t.Fatal(body)
	}
	resp, body := as["wang"].do("POST", "/capture", epcisHead+"]}}")
	job := strings.TrimPrefix(resp.Header.Get("Location"), s.HTTP+"/epcis")
	if resp.StatusCode != http.StatusAccepted {
		t.Fatal(body)
	}
	if resp, body := as["wang"].do("POST", "/queries", `{"name": "all", "query": {}}`); resp.StatusCode != http.StatusCreated {
		t.Fatal(body)
	}
	resp, body = as["wang"].do("POST", "/queries/all/subscriptions", `{"dest": "https://x.invalid/", "stream": true}`)
	if resp.StatusCode != http.StatusCreated {
		t.Fatal(body)
	}
	subscription := strings.TrimPrefix(resp.Header.Get("Location"), s.HTTP+"/epcis")

	const epc = "urn:epc:id:sgtin:4012345.011111.a"
	type row map[string]int // login, status; cun is like cha and lab gets 403 unless they are named
	seesAll := row{"wang": 200, "li": 200, "cha": 200, "ju": 200, "admin": 200}
	sees := row{"wang": 200, "li": 200, "cha": 404, "ju": 200, "admin": 200}
	own := row{"wang": 200, "li": 200, "cha": 404, "ju": 404, "admin": 404}
	for _, test := range []struct {
		method, path, body string
		want               row
	}{
		{"GET", "/", "", seesAll},
		{"GET", "/capture", "", seesAll},
		{"GET", job, "", sees},
		{"OPTIONS", job, "", row{"wang": 204, "li": 204, "cha": 404, "ju": 204, "admin": 204}},
		{"POST", "/capture", epcisHead + "]}}", row{"wang": 202, "li": 202, "cha": 202, "cun": 403, "ju": 403, "admin": 403}},
		{"GET", "/events", "", seesAll},
		{"POST", "/events", epcisEvent("a", ""), row{"wang": 409, "li": 409, "cha": 201, "cun": 403, "ju": 403, "admin": 403}},
		{"GET", "/events/urn:uuid:none", "", row{"wang": 404, "li": 404, "cha": 404, "ju": 404, "admin": 404}},
		{"GET", "/epcs", "", seesAll},
		{"GET", "/epcs/" + epc + "/events", "", seesAll},
		{"GET", "/bizSteps/shipping", "", seesAll},
		{"GET", "/readPoints/https:%2F%2Fexample.com%2Fgate", "", row{"wang": 200, "li": 200, "cha": 200, "cun": 200, "ju": 200, "admin": 200}},
		{"GET", "/queries", "", seesAll},
		{"POST", "/queries", `{"name": "all", "query": {}}`, row{"wang": 409, "li": 409, "cha": 201, "cun": 403, "ju": 403, "admin": 403}},
		{"GET", "/queries/all", "", row{"wang": 200, "li": 200, "cha": 200, "cun": 404, "ju": 404, "admin": 404}}, // cha has one of her own now
		{"GET", "/queries/all/subscriptions", "", row{"wang": 200, "li": 200, "cha": 200, "cun": 404, "ju": 404, "admin": 404}},
		{"GET", subscription, "", own},
		{"DELETE", subscription, "", row{"li": 403, "cha": 403, "cun": 403, "ju": 403, "admin": 403, "wang": 204}},
		{"POST", "/queries/all/subscriptions", `{"dest": "https://x.invalid/", "stream": true}`, row{"li": 403, "cha": 403, "cun": 403, "ju": 403, "admin": 403, "wang": 201}},
		{"DELETE", "/queries/all", "", row{"cun": 403, "ju": 403, "admin": 403, "cha": 204, "li": 204, "wang": 404}}, // li was first
	} {
		for _, login := range []string{"", "lab", "cun", "ju", "admin", "cha", "li", "wang"} {
			want, said := test.want[login]
			switch {
			case login == "":
				want = http.StatusUnauthorized
			case login == "lab":
				want = http.StatusForbidden
			case !said && login == "cun":
				want = test.want["cha"]
			}
			if resp, body := as[login].do(test.method, test.path, test.body); resp.StatusCode != want {
				t.Errorf("%s %s as %q: %d %s, want %d", test.method, test.path, login, resp.StatusCode, body, want)
			}
		}
	}
	// Of the events themselves: nothing of another tenant or region in any list.
	for login, want := range map[string]string{"wang": "a", "li": "a", "cha": "a", "ju": "a", "admin": "a a", "cun": "a"} {
		_, body := as[login].do("GET", "/events", "")
		if got := ids(t, body); got != want {
			t.Errorf("events of %s: %q, want %q", login, got, want)
		}
	}
	for login, tenant := range map[string]string{"cun": "tea", "ju": "oysters"} {
		_, mine := as[map[string]string{"tea": "cha", "oysters": "wang"}[tenant]].do("GET", "/events", "")
		_, theirs := as[login].do("GET", "/events", "")
		if when := func(s string) string { _, after, _ := strings.Cut(s, `"recordTime"`); return after }; when(mine) != when(theirs) {
			t.Errorf("%s sees %s\nand not %s", login, theirs, mine)
		}
	}
	// A device has a secret, and nothing to say here.
	if resp, _ := as[""].do("GET", "/events", "", "Authorization", "Bearer "+secrets["sonde"]); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("a device: %d", resp.StatusCode)
	}
	programAccess(t, s.HTTP, passwordOf(t, printed, "wang"), as["admin"])
}

// programAccess: a program does at /epcis what its token is for, does nothing anywhere
// else, and ends with it or with who added it.
func programAccess(t *testing.T, base, password string, admin partner) {
	t.Helper()
	wang := newBrowser(t, base)
	wang.login("wang", password)
	add := func(body string) (partner, string) {
		t.Helper()
		var made struct{ ID, Token string }
		if status, raw := wang.send("POST", "/api/v1/tenants/oysters/programs", []byte(body)); status != http.StatusCreated || json.Unmarshal(raw, &made) != nil {
			t.Fatalf("program: %d %s", status, raw)
		}
		return partner{t, base, made.Token}, made.ID
	}
	reader, id := add(`{"name": "冷库", "days": 30}`)
	writer, _ := add(`{"name": "ERP", "writes": true, "days": 365}`)
	for _, test := range []struct {
		method, path, body string
		reads, writes      int
	}{
		{"GET", "/events", "", 200, 200},
		{"GET", "/queries", "", 200, 200},
		{"POST", "/events", epcisEvent("p", ""), 403, 201},
		{"POST", "/capture", epcisHead + "]}}", 403, 202},
		{"POST", "/queries", `{"name": "p", "query": {}}`, 403, 201},
		{"POST", "/queries/p/subscriptions", `{"dest": "https://x.invalid/", "stream": true}`, 403, 201},
		{"GET", "/queries/p/events", "", 200, 200},
		{"DELETE", "/queries/p", "", 403, 204},
		{"GET", base + "/api/v1/tenants/oysters", "", 401, 401},
	} {
		if resp, body := reader.do(test.method, test.path, test.body); resp.StatusCode != test.reads {
			t.Errorf("%s %s of a reader: %d %s, want %d", test.method, test.path, resp.StatusCode, body, test.reads)
		}
		if resp, body := writer.do(test.method, test.path, test.body); resp.StatusCode != test.writes {
			t.Errorf("%s %s of a writer: %d %s, want %d", test.method, test.path, resp.StatusCode, body, test.writes)
		}
	}
	if resp, _ := reader.do("GET", base+"/api/v1/tenants/oysters", "", "Cookie", "th_session="+reader.token); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("a token as a cookie: %d", resp.StatusCode)
	}
	if _, body := writer.do("GET", "/events", ""); ids(t, body) != "p a" {
		t.Errorf("a program sees %s", body)
	}
	if _, raw := wang.send("GET", "/api/v1/tenants/oysters/programs", nil); strings.Count(string(raw), `"used"`) != 2 || strings.Contains(string(raw), "thp_") {
		t.Errorf("programs: %s", raw)
	}
	if status, raw := wang.send("DELETE", "/api/v1/tenants/oysters/programs/"+id, nil); status != http.StatusNoContent {
		t.Fatalf("%d %s", status, raw)
	}
	if resp, _ := reader.do("GET", "/events", ""); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("a program that was taken away: %d", resp.StatusCode)
	}
	if resp, body := admin.do("PUT", base+"/api/v1/accounts/wang", `{"disabled": true}`, "Cookie", "th_session="+admin.token, "Content-Type", "application/json"); resp.StatusCode != http.StatusOK {
		t.Fatal(body)
	}
	if resp, _ := writer.do("GET", "/events", ""); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("a program of a disabled account: %d", resp.StatusCode)
	}
}
