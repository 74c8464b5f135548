package main_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A manager brings lists in from files and takes them out as files, and every list
// of a real server is walked in pages of one without missing or meeting anything twice.
func TestLists(t *testing.T) {
	data, file := t.TempDir(), filepath.Join(t.TempDir(), "farm.yaml")
	if err := os.WriteFile(file, []byte(managedFarm+"products: [{id: oysters, kind: aquatic, species: oyster, name: {zh: 大蚝}}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := runTianhai(t, "import", file, "--data", data, "--credentials", filepath.Join(t.TempDir(), "creds.csv"))
	if err != nil {
		t.Fatalf("import: %v\n%s", err, out)
	}
	passwords := map[string]string{}
	for line := range strings.Lines(out) {
		if f := strings.Fields(line); len(f) == 3 {
			passwords[f[0]] = f[1]
		}
	}
	s := startServer(t, "serve", data)

	c := newChrome(t, 390, 844)
	c.open(s.HTTP + "/manage/#/lists")
	c.login("wang", passwords["wang"])
	c.says("列表导入导出")
	c.axe("the page of lists")
	if *screenshotDir != "" {
		c.picture("manage-lists-zh", 390, 1700)
	}
	c.choose("select", "batches")
	c.upload("#list-file", "bad.csv", "site,product,lot,quantity,unit,began,harvest\nraft-1,oysters,1,many,kg,2026-06-01,2026-06-30\ngarden-1,oysters,2,5,kg,2026-06-01,2026-06-30\n")
	c.says("第 2 行")
	c.says("不是数字")
	c.says("第 3 行")
	if *screenshotDir != "" {
		c.picture("manage-lists-faults-zh", 390, 2200)
	}
	good := "site,product,lot,quantity,unit,began,harvest\n"
	for i := range 7 {
		good += fmt.Sprintf("raft-%d,oysters,L-%d,%d,kg,2026-06-01,2026-06-30\n", i%2+1, i, i+1)
	}
	c.upload("#list-file", "good.csv", good)
	c.says("检查无误，共 7 行")
	c.click(".note .primary")
	c.says("已添加 7 行，已有 0 行，未添加 0 行")
	if *screenshotDir != "" {
		c.picture("manage-lists-wide-zh", 1280, 1500)
	}

	b := newBrowser(t, s.HTTP)
	b.login("wang", passwords["wang"])
	status, csv := b.send("GET", "/api/v1/batches?format=csv&lang=zh-CN", nil)
	if status != http.StatusOK || strings.Count(string(csv), "\r\n") != 8 || !strings.Contains(string(csv), "追溯码") {
		t.Errorf("%d %s", status, csv)
	}
	for _, login := range []string{"wang", "admin"} {
		b := newBrowser(t, s.HTTP)
		b.login(login, passwords[login])
		walkLists(t, b)
	}
}

// walkLists holds pages of one against the whole, of every list that the description
// tells of and that needs nothing but what a manager of oysters has.
func walkLists(t *testing.T, b *browser) {
	t.Helper()
	var spec struct {
		Paths map[string]map[string]json.RawMessage
	}
	b.getJSON("/api/v1/openapi.json", &spec)
	walked := 0
	for path, ops := range spec.Paths {
		var get struct {
			List string `json:"x-list"`
		}
		if ops["get"] == nil || json.Unmarshal(ops["get"], &get) != nil || get.List == "" {
			continue
		}
		at := "/api/v1" + strings.NewReplacer("/sites/{id}", "/sites/raft-1", "/tenants/{id}", "/tenants/oysters", "/devices/{id}", "/devices/sonde", "/models/{id}", "/models/station").Replace(path)
		if strings.Contains(at, "{") {
			continue // of one batch or recall; their own tests make some
		}
		var whole map[string]json.RawMessage
		status, raw := b.send("GET", at, nil)
		if status == http.StatusForbidden {
			continue
		}
		if err := json.Unmarshal(raw, &whole); err != nil || status != http.StatusOK {
			t.Errorf("GET %s: %d %s", at, status, raw)
			continue
		}
		var items, met []json.RawMessage
		if err := json.Unmarshal(whole[get.List], &items); err != nil {
			t.Errorf("GET %s: %v", at, err)
			continue
		}
		walked++
		next := ""
		for n := 0; (n == 0 || next != "") && n <= len(items); n++ {
			var page map[string]json.RawMessage
			b.getJSON(at+"?limit=1&after="+next, &page)
			var some []json.RawMessage
			if err := json.Unmarshal(page[get.List], &some); err != nil {
				t.Fatal(err)
			}
			met = append(met, some...)
			next = strings.Trim(string(page["next"]), `"`)
		}
		if want, got := fmt.Sprintf("%s", items), fmt.Sprintf("%s", met); want != got {
			t.Errorf("%s in pages of one\n%s\nwant\n%s", at, got, want)
		}
	}
	if walked < 15 {
		t.Errorf("only %d lists were walked", walked)
	}
}
