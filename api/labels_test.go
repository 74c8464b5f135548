package api_test

import (
	"strings"
	"testing"

	"tianhai/farm"
)

// Labels come as a page where a browser asks, and hold no secret.
func TestLabels(t *testing.T) {
	w := newWorld()
	base, _ := serve(t, w)
	admin, farmer := client{t, base, "admin"}, client{t, base, "farmer"}
	page := func(what string, status int, a answer, holds, lacks []string) {
		t.Helper()
		want(t, what, status, a.status)
		want(t, what, "text/html; charset=utf-8", a.header.Get("Content-Type"))
		if csp := a.header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") {
			t.Errorf("%s: policy %q", what, csp)
		}
		for _, s := range holds {
			if !strings.Contains(a.body, s) {
				t.Errorf("%s: %q is missing", what, s)
			}
		}
		for _, s := range lacks {
			if strings.Contains(a.body, s) {
				t.Errorf("%s: %q is there", what, s)
			}
		}
	}
	html := []string{"Accept", "text/html,*/*", "Accept-Language", "en"}
	page("issued", 201, admin.do("POST", "/devices?stock=70x37&skip=3", `{"model":"pond","count":1}`, html...),
		[]string{"pond-x", ">0000-0000-00000<", "claim this device", `download="secrets.csv"`, "--columns: 3", "--height: 37mm"}, []string{">s<", ",s,"})
	form := append(html, "Content-Type", "application/x-www-form-urlencoded")
	page("issued by a form", 201, admin.do("POST", "/devices?stock=plain", "model=pond&count=1", form...), []string{"pond-x", `download="secrets.csv"`}, nil)
	page("reissued by a form", 201, admin.do("POST", "/devices/pond-x/claim-code", "reason=lost", form...), []string{"pond-x", ">1111-"}, nil)
	want(t, "a form without a number", "count", admin.do("POST", "/devices", "model=pond&count=many", form...).problem(t).Field)
	page("reissued", 201, admin.do("POST", "/devices/pond-x/claim-code", `{}`, html...), []string{"pond-x", "塘", ">1111-"}, []string{"download="})
	page("of a site", 200, farmer.do("GET", "/devices/labels?site=raft-1", "", "Accept-Language", "zh"), []string{"do-1", "溶氧仪"}, []string{"shelf", "领取", "download="})
	page("by name", 200, farmer.do("GET", "/devices/labels?id=do-1&id=shelf", ""), []string{"do-1", "一号蚝排", "shelf"}, nil)

	want(t, "another's site", 404, client{t, base, "stranger"}.do("GET", "/devices/labels?site=raft-1", "").status)
	want(t, "one of another's", 404, farmer.do("GET", "/devices/labels?id=do-1&id=tea-1", "").status)
	wrote := w.writes()
	for query, field := range map[string]string{"stock=letter": "stock", "skip=21": "skip", "skip=-1": "skip", "skip=x": "skip"} {
		want(t, query, field, farmer.do("GET", "/devices/labels?id=do-1&"+query, "").problem(t).Field)
		want(t, "issued with "+query, field, admin.do("POST", "/devices?"+query, `{"model":"pond","count":1}`, html...).problem(t).Field)
	}
	model := &w.models[0]
	model.Name = farm.Text{Zh: "塘🐟"}
	want(t, "a name that cannot be printed", "label_character", admin.do("POST", "/devices", `{"model":"`+model.ID+`","count":1}`, html...).problem(t).Code)
	model.Name = farm.Text{Zh: strings.Repeat("很长的名字", 40)}
	want(t, "a name that does not fit", "label_long", admin.do("POST", "/devices/pond-x/claim-code", `{}`, html...).problem(t).Code)
	want(t, "nothing was issued", wrote, w.writes())
	want(t, "no identifier", "id", farmer.do("GET", "/devices/labels?id=A", "").problem(t).Field)
	want(t, "of issued ones", "state", admin.do("GET", "/devices/labels?state=issued", "").problem(t).Field)
}
