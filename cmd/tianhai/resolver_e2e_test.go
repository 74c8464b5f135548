package main_test

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

// TestResolverOfTheProgram goes the way of a packet with a GTIN: entered by an
// administrator, sold by a manager, scanned by a stranger.
func TestResolverOfTheProgram(t *testing.T) {
	const gtin = "09506000134352"
	data := filepath.Join(t.TempDir(), "data")
	_, printed := importAccounts(t, data, managedFarm+"products: [{id: oyster, kind: aquatic, species: oyster, name: {zh: 大蚝, en: Oyster}}]\n")
	s := startServer(t, "serve", data)
	scan := func(path string) *http.Response {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.HTTP+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := http.DefaultTransport.RoundTrip(req) // follows nothing
		if err != nil {
			t.Fatal(err)
		}
		_ = got.Body.Close()
		return got
	}
	manager, admin := newBrowser(t, s.HTTP), newBrowser(t, s.HTTP)
	manager.login("wang", passwordOf(t, printed, "wang"))
	admin.login("admin", passwordOf(t, printed, "admin"))
	code := sellBatch(manager, "R/1")
	if got := scan("/01/" + gtin + "/10/R%2F1"); got.StatusCode != http.StatusNotFound {
		t.Errorf("before it is entered: %d", got.StatusCode)
	}
	entry := []byte(`{"gtin":"9506000134352","product":"oyster"}`)
	if status, raw := manager.send("POST", "/api/v1/tenants/oysters/gtins", entry); status != http.StatusForbidden {
		t.Errorf("a manager enters: %d %s", status, raw)
	}
	if status, raw := admin.send("POST", "/api/v1/tenants/oysters/gtins", entry); status != http.StatusCreated {
		t.Fatalf("enter: %d %s", status, raw)
	}
	if status, raw := manager.send("POST", "/api/v1/gtins/"+gtin+"/links", []byte(`{"id":"01JZ00000000000000000000G1","type":"recipeInfo","href":"https://shop.example/r","title":"做法"}`)); status != http.StatusCreated {
		t.Fatalf("link: %d %s", status, raw)
	}
	for path, want := range map[string]string{
		"/01/" + gtin + "/10/R%2F1?17=270630":           "/t/" + code + "?17=270630",
		"/01/" + gtin + "/10/" + code + "/21/1":         "/t/" + code,
		"/01/" + gtin + "/10/R%2F1?linkType=recipeInfo": "https://shop.example/r?linkType=recipeInfo",
		"/01/" + gtin + "/":                             "/t/",
	} {
		if got := scan(path); got.StatusCode != http.StatusTemporaryRedirect || !strings.HasSuffix(got.Header.Get("Location"), want) {
			t.Errorf("%s: %d to %s, want %s", path, got.StatusCode, got.Header.Get("Location"), want)
		}
	}
	if got := scan("/.well-known/gs1resolver"); got.StatusCode != http.StatusOK {
		t.Errorf("description: %d", got.StatusCode)
	}
}
