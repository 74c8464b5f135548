package api_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"

	"tianhai/ingest/device"
	"tianhai/trace"
)

// asked returns the request of the access table for a described path.
func asked(t *testing.T, path string) string {
	t.Helper()
	for route, row := range access {
		if method, p, _ := strings.Cut(route, " "); method == "GET" && ginParam.ReplaceAllString(p, "{$1}") == path {
			return row.path
		}
	}
	t.Fatalf("GET %s is not in the table of who gets what", path)
	return ""
}

// with adds parameters to a request.
func with(path string, pairs ...string) string {
	u, err := url.Parse(path)
	if err != nil {
		panic(err)
	}
	q := u.Query()
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	u.RawQuery = q.Encode()
	return u.String()
}

// full is a world in which lists have something in them.
func full() *world {
	w := newWorld()
	for _, id := range []string{"01JZ00000000000000000000C1", "01JZ00000000000000000000C2", "01JZ00000000000000000000C3"} {
		c := device.CommandRecord{Tenant: "oyster", Account: "farmer", State: device.Done, Created: noon}
		c.ID, c.Device, c.Name = id, "do-1", "aerator"
		w.commands = slices.Insert(w.commands, 0, c)
		w.batches[id] = trace.Batch{ID: id, Tenant: "oyster", Site: "raft-1", Opened: noon, Lot: "=cmd|' /C calc'!A0"}
		w.ops[id] = trace.Operation{ID: id, Tenant: "oyster", Site: "raft-1", Kind: "feed", At: noon.Add(-2), Person: "farmer"}
	}
	return w
}

func page(t *testing.T, a answer, member string) (items []string, next string) {
	t.Helper()
	var all map[string]json.RawMessage
	a.decode(t, &all)
	var raw []json.RawMessage
	if err := json.Unmarshal(all[member], &raw); err != nil {
		t.Fatalf("%v in %s", err, a.body)
	}
	for _, r := range raw {
		items = append(items, string(r))
	}
	if all["next"] != nil {
		if err := json.Unmarshal(all["next"], &next); err != nil {
			t.Fatal(err)
		}
	}
	return items, next
}

// Whoever walks a list in small pages meets everything once, in the order of one
// large page.
func TestWalk(t *testing.T) {
	lists := specOf(t).lists()
	if len(lists) < 20 {
		t.Fatalf("only %d lists", len(lists))
	}
	for path, member := range lists {
		t.Run(path, func(t *testing.T) {
			base, _ := serve(t, full())
			c := client{t, base, "admin"}
			whole, next := page(t, c.do("GET", with(asked(t, path), "limit", "1000"), ""), member)
			if next != "" {
				t.Fatal("more than a thousand")
			}
			var walked []string
			for first := true; first || next != ""; first = false {
				var items []string
				a := c.do("GET", with(asked(t, path), "limit", "1", "after", next), "")
				items, next = page(t, a, member)
				walked = append(walked, items...)
				if link := a.header.Get("Link"); (link != "") != (next != "") || !strings.Contains(link, next) {
					t.Errorf("Link %q beside next %q", link, next)
				}
				if len(walked) > len(whole) {
					break
				}
			}
			want(t, "items", whole, walked)
			want(t, "a cursor of nobody's", 400, c.do("GET", with(asked(t, path), "after", "!"), "").status)
			want(t, "no items", 400, c.do("GET", with(asked(t, path), "limit", "0"), "").status)
			want(t, "too many", 400, c.do("GET", with(asked(t, path), "limit", "1001"), "").status)
		})
	}
}

// What comes in at the head of a list while somebody walks it moves nothing.
func TestWalkWhileItGrows(t *testing.T) {
	w := full()
	base, _ := serve(t, w)
	c := client{t, base, "farmer"}
	before, _ := page(t, c.do("GET", "/batches", ""), "batches")
	var walked []string
	next := ""
	for n := 0; n == 0 || next != ""; n++ {
		var items []string
		items, next = page(t, c.do("GET", with("/batches", "limit", "1", "after", next), ""), "batches")
		walked = append(walked, items...)
		w.mu.Lock()
		id := "01JZ00000000000000000000D" + string(rune('0'+n))
		w.batches[id] = trace.Batch{ID: id, Tenant: "oyster", Site: "raft-1", Opened: noon.Add(1e9)}
		w.mu.Unlock()
	}
	want(t, "what was there", before, walked)
}

// Every list is to be had as a file, with words over its columns, times in Beijing,
// and nothing that a spreadsheet would carry out.
func TestFiles(t *testing.T) {
	for path, member := range specOf(t).lists() {
		t.Run(path, func(t *testing.T) {
			base, _ := serve(t, full())
			c := client{t, base, "admin"}
			whole, _ := page(t, c.do("GET", with(asked(t, path), "limit", "1000"), ""), member)
			var sizes []int
			for _, lang := range []string{"zh-CN", "en"} {
				a := c.do("GET", with(asked(t, path), "format", "csv", "lang", lang), "")
				body, ok := strings.CutPrefix(a.body, "\ufeff")
				if !ok || a.header.Get("Content-Type") != "text/csv; charset=utf-8" || !strings.HasPrefix(a.header.Get("Content-Disposition"), "attachment") {
					t.Fatalf("%v %q", a.header, a.body)
				}
				rows, err := csv.NewReader(strings.NewReader(body)).ReadAll()
				if err != nil {
					t.Fatal(err)
				}
				for _, h := range rows[0] {
					if strings.HasPrefix(h, "column.") {
						t.Errorf("%s has no words for %s", lang, h)
					}
				}
				for _, cell := range slices.Concat(rows...) {
					if strings.HasPrefix(cell, "=") {
						t.Errorf("a formula: %s", cell)
					}
				}
				sizes = append(sizes, len(rows)-1)
			}
			x := c.do("GET", asked(t, path), "", "Accept", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")
			f, err := excelize.OpenReader(bytes.NewReader([]byte(x.body)))
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasPrefix(f.GetSheetName(0), "list.") {
				t.Errorf("no words for %s", f.GetSheetName(0))
			}
			rows, err := f.GetRows(f.GetSheetName(0))
			if err != nil {
				t.Fatal(err)
			}
			want(t, "rows", []int{len(whole), len(whole), len(whole)}, append(sizes, len(rows)-1))
			want(t, "an unknown format", "format", c.do("GET", with(asked(t, path), "format", "pdf"), "").problem(t).Field)
		})
	}
}

func TestFile(t *testing.T) {
	w := full()
	base, _ := serve(t, w)
	c := client{t, base, "farmer"}
	a := c.do("GET", "/batches?format=csv&lang=en", "")
	lines := strings.Split(a.body, "\r\n")
	want(t, "headings", "\ufeffID,Trace code,Operator,Site,Product,Lot,Quantity,Unit,Growing since (Beijing time),Harvest (Beijing time),Opened (Beijing time),Closed (Beijing time),Left,Made by movement,Void", lines[0])
	want(t, "a row", `01JZ00000000000000000000C3,,oyster,raft-1,,'=cmd|' /C calc'!A0,0,,,,2026-07-01 12:00:00,,,,false`, lines[1])
	want(t, "of another", 1, strings.Count(client{t, base, "stranger"}.do("GET", "/batches?format=csv", "").body, "\n")+1)
}

// A client that has an answer already is told so; one that edits what somebody has
// changed since is told what is there now.
func TestTags(t *testing.T) {
	for route, row := range access {
		method, path, _ := strings.Cut(route, " ")
		if method != "GET" || row.want.of(t, "admin") != 200 || path == "/live" {
			continue
		}
		t.Run(route, func(t *testing.T) {
			base, _ := serve(t, newWorld())
			c := client{t, base, "admin"}
			a := c.do(method, row.path, "")
			if !strings.HasPrefix(a.header.Get("Content-Type"), "application/json") {
				return
			}
			tag := a.header.Get("ETag")
			if tag == "" {
				t.Fatal("no ETag")
			}
			again := c.do(method, row.path, "", "If-None-Match", `"other", W/`+tag)
			want(t, "again", [2]any{304, ""}, [2]any{again.status, again.body})
			want(t, "something else", 200, c.do(method, row.path, "", "If-None-Match", `"other"`).status)
		})
	}
}

func TestIfMatch(t *testing.T) {
	guarded := 0
	for route, row := range access {
		method, path, _ := strings.Cut(route, " ")
		if method == "GET" || method == "POST" {
			continue
		}
		params, _ := specOf(t).at("paths", ginParam.ReplaceAllString(path, "{$1}"), strings.ToLower(method), "parameters").([]any)
		if !slices.ContainsFunc(params, func(p any) bool { return p.(map[string]any)["name"] == "If-Match" }) {
			continue
		}
		guarded++
		read := row.path
		if _, alone := access["GET "+path]; !alone { // it is read in its list
			read = row.path[:strings.LastIndex(row.path, "/")]
		}
		t.Run(route, func(t *testing.T) {
			w := newWorld()
			base, _ := serve(t, w)
			c := client{t, base, "admin"}
			a := c.do(method, row.path, row.body, "If-Match", `"before"`)
			want(t, "changed meanwhile", "changed", a.problem(t).Code)
			want(t, "status", 412, a.status)
			want(t, "nothing was written", 0, w.writes())
			for _, p := range people {
				other := client{t, base, p.login}
				mayRead := other.do("GET", read, "").status == 200
				if b := other.do(method, row.path, row.body, "If-Match", `"before"`); !mayRead && strings.Contains(b.body, "current") {
					t.Errorf("%s is told what is there: %s", p.login, b.body)
				}
			}
			if tag := a.header.Get("ETag"); tag != "" {
				want(t, "with the tag of what is there", row.want.of(t, "admin"), c.do(method, row.path, row.body, "If-Match", tag).status)
			}
		})
	}
	if guarded < 5 {
		t.Errorf("only %d routes are guarded", guarded)
	}
}
