package main_test

import (
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
}
