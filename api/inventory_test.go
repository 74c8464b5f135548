package api_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"tianhai/api"
	"tianhai/farm"
	"tianhai/ingest/device"
)

// csvFile is a file of one device of the oyster farm's.
const csvFile = "id,tenant,model,name_zh,site\nnew-1,oyster,pond,新,raft-1\n"

func (w *world) FindDevices(_ context.Context, q api.DeviceQuery) ([]device.Placed, error) {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return nil, err
	}
	var out []device.Placed
	for id, d := range w.devices {
		at := w.places[id]
		fits := w.within(q.Scope, d.Tenant, at.Region) && (q.Site == "" || q.Site == at.Site) && (q.Model == "" || q.Model == d.Model) &&
			(q.State == "" || q.State == d.State) && (q.Online == nil || *q.Online == d.Online) && strings.Contains(id, q.Text) && id > q.After
		if fits {
			out = append(out, device.Placed{Device: d, Site: at.Site, Region: at.Region})
		}
	}
	slices.SortFunc(out, func(a, b device.Placed) int { return strings.Compare(a.ID, b.ID) })
	return out[:min(q.Limit, len(out))], nil
}

func (w *world) FindIssued(_ context.Context, q api.DeviceQuery) ([]device.Issued, error) {
	defer w.mu.Unlock()
	all := []device.Issued{
		{ID: "pond-x", Model: "pond", Name: farm.Text{Zh: "塘"}, SecretHash: []byte("hash"), Created: noon, Account: "admin", Locked: true},
		{ID: "pond-z", Model: "pond", Created: noon},
	}
	return all[:min(q.Limit, 2)], w.enter()
}

func (w *world) PutModel(_ context.Context, c device.ModelChange) error {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return err
	}
	w.wrote++
	w.models = append(slices.DeleteFunc(slices.Clone(w.models), func(m device.Model) bool { return m.ID == c.Model.ID }), c.Model)
	w.changes = append(w.changes, c.Model.ID+" by "+c.Account)
	return nil
}

func (w *world) ModelChanges(context.Context, string, int) ([]device.ModelChange, error) {
	defer w.mu.Unlock()
	return []device.ModelChange{{At: noon, Account: "admin", Model: w.models[0]}}, w.enter()
}

func (w *world) ModelUse(context.Context) (map[string]int, error) {
	defer w.mu.Unlock()
	return map[string]int{"mute": 2}, w.enter()
}

func (w *world) References(_ context.Context, tenant string) (device.References, error) {
	defer w.mu.Unlock()
	known := device.References{Tenants: map[string]bool{}, Models: map[string]bool{"pond": true}, Sites: map[string]string{}}
	for _, s := range w.sites {
		if tenant == "" || s.Tenant == tenant {
			known.Tenants[s.Tenant], known.Sites[s.ID] = true, s.Tenant
		}
	}
	return known, w.enter()
}

func (w *world) Taken(context.Context, []string) (map[string]bool, error) {
	defer w.mu.Unlock()
	return map[string]bool{"do-1": true}, w.enter()
}

func (w *world) CreateDevices(_ context.Context, devices []device.NewDevice) error {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return err
	}
	w.wrote++
	w.added = append(w.added, devices...)
	return nil
}

func TestListDevices(t *testing.T) {
	base, _ := serve(t, newWorld())
	list := func(login, query string) string {
		t.Helper()
		a := client{t, base, login}.do("GET", "/devices?"+query, "")
		if a.status != 200 {
			return a.problem(t).Code + " " + a.problem(t).Field
		}
		var page struct {
			Devices []struct{ ID string }
			Next    string
		}
		a.decode(t, &page)
		ids := ""
		for _, d := range page.Devices {
			ids += d.ID + " "
		}
		return ids + page.Next
	}
	for name, tt := range map[string]struct{ login, query, want string }{
		"everybody's":          {"admin", "", "do-1 shelf tea-1 "},
		"a page":               {"admin", "limit=2", "do-1 shelf MXNoZWxm"},
		"the next":             {"admin", "limit=2&after=MXNoZWxm", "tea-1 "},
		"a whole page":         {"admin", "limit=3", "do-1 shelf tea-1 "},
		"one's own":            {"farmer", "", "do-1 shelf "},
		"in the region":        {"bureau", "", "do-1 "},
		"of a site":            {"farmer", "site=raft-1", "do-1 "},
		"another's site":       {"stranger", "site=raft-1", ""},
		"of a model":           {"admin", "model=mute", "shelf tea-1 "},
		"in a state":           {"admin", "state=active", "do-1 "},
		"online":               {"admin", "online=true", "do-1 "},
		"offline":              {"manager", "online=false", "shelf "},
		"by text":              {"manager", "text=+she+", "shelf "},
		"nobody's":             {"admin", "state=issued", "pond-x pond-z "},
		"a page of nobody's":   {"admin", "state=issued&limit=1", "pond-x MXBvbmQteA"},
		"nobody's, to others":  {"manager", "state=issued", "forbidden "},
		"no site":              {"admin", "site=..", "invalid site"},
		"no model":             {"admin", "model=A", "invalid model"},
		"no state":             {"admin", "state=lost", "invalid state"},
		"no truth":             {"admin", "online=yes", "invalid online"},
		"no cursor":            {"admin", "after=%00", "invalid after"},
		"endless text":         {"admin", "text=" + strings.Repeat("x", 101), "invalid text"},
		"text that is none":    {"admin", "text=%ff", "invalid text"},
		"too many at once":     {"admin", "limit=1001", "invalid limit"},
		"who is nothing to us": {"nobody", "", ""},
	} {
		t.Run(name, func(t *testing.T) { want(t, tt.query, tt.want, list(tt.login, tt.query)) })
	}
	a := client{t, base, "farmer"}.do("GET", "/devices?limit=1", "")
	want(t, "one", `{"devices":[{"id":"do-1","tenant":"oyster","model":"pond","name":{"zh":"溶氧仪"},"created":"2026-07-01T04:00:00Z","online":true,"state":"active","site":"raft-1","region":"450512"}],"next":"MWRvLTE"}`, a.body)
	a = client{t, base, "admin"}.do("GET", "/devices?state=issued&limit=1", "")
	want(t, "one of nobody's", `{"devices":[{"id":"pond-x","model":"pond","name":{"zh":"塘"},"created":"2026-07-01T04:00:00Z","account":"admin","locked":true,"state":"issued"}],"next":"MXBvbmQteA"}`, a.body)
}

func TestModels(t *testing.T) {
	w := newWorld()
	base, _ := serve(t, w)
	farmer, admin := client{t, base, "farmer"}, client{t, base, "admin"}
	const pond = `{"id":"pond","name":{"zh":""},"format":"json","channels":[{"key":"t","quantity":"water.temperature"}],"commands":["aerator"],"interval":90`
	if list := farmer.do("GET", "/models", "").body; !strings.Contains(list, pond+"}") || strings.Contains(list, "devices") {
		t.Errorf("a farmer sees %s", list)
	}
	if list := admin.do("GET", "/models", "").body; !strings.Contains(list, pond+`,"devices":0}`) || !strings.Contains(list, `"devices":2}`) {
		t.Errorf("an administrator sees %s", list)
	}
	a := admin.do("PUT", "/models/mute", `{"name":{"zh":"哑","en":"Mute"},"format":"json","interval":0.5,"channels":[{"key":"t","quantity":"water.temperature","slope":0.1}]}`)
	want(t, "changed", `{"id":"mute","name":{"zh":"哑","en":"Mute"},"format":"json","channels":[{"key":"t","quantity":"water.temperature","slope":0.1}],"interval":0.5}`, a.body)
	want(t, "changes", []string{"mute by admin"}, w.changes)
	want(t, "history", `{"changes":[{"at":"2026-07-01T04:00:00Z","account":"admin","model":`+pond+`}}]}`, admin.do("GET", "/models/pond/changes", "").body)
	want(t, "history of nothing", 404, admin.do("GET", "/models/nothing/changes", "").status)
	want(t, "no identifier", 404, admin.do("PUT", "/models/A", `{}`).status)

	writes := w.writes()
	p := admin.do("PUT", "/models/mute", `{"name":{},"format":"morse","interval":1e300,"channels":[{"key":"","quantity":"x"}],"commands":["A"]}`).problem(t)
	var fields []string
	for _, f := range p.Faults {
		fields = append(fields, f.Field)
	}
	want(t, "every fault", []string{"name", "interval", "channels[0].key", "channels[0].quantity", "commands[0]", "format"}, fields)
	want(t, "nothing was written", writes, w.writes())
}

func TestImportDevices(t *testing.T) {
	w := newWorld()
	base, _ := serve(t, w)
	post := func(login, query, body string) answer {
		return client{t, base, login}.do("POST", "/devices/import"+query, body, "Content-Type", "text/csv; charset=utf-8")
	}
	const two = "id,model,name_zh\nnew-1,pond,新\nnew-2,pond,旧\n"
	want(t, "dry run", `{"dry_run":true,"count":2,"faults":[],"devices":[]}`, post("manager", "?dry_run=true", two).body)
	bad := two + "do-1,clock,塘\n"
	want(t, "dry run with faults", `{"dry_run":true,"count":3,"faults":[{"line":4,"field":"model","reason":"\"clock\" is not registered"},{"line":4,"field":"id","reason":"do-1 is there already"}],"devices":[]}`, post("manager", "?dry_run=true", bad).body)
	p := post("manager", "", bad).problem(t)
	want(t, "with faults", "invalid 2", p.Code+" "+string(rune('0'+len(p.Faults))))
	want(t, "nothing was written", 0, w.writes())
	want(t, "another's tenant", "tenant", post("manager", "", "id,model,name_zh,tenant\na,pond,新,tea\n").problem(t).Field)
	want(t, "an administrator says whose", "tenant", post("admin", "", two).problem(t).Field)
	want(t, "no truth", "dry_run", post("admin", "?dry_run=perhaps", two).problem(t).Field)
	want(t, "no CSV", "unsupported_type", client{t, base, "manager"}.do("POST", "/devices/import", two).problem(t).Code)
	want(t, "too large", "too_large", post("manager", "", strings.Repeat("x", api.MaxBody+1)).problem(t).Code)

	a := post("manager", "", two)
	want(t, "status", 201, a.status)
	var got struct {
		Count   int
		Devices []struct{ ID, Model, Secret string }
	}
	a.decode(t, &got)
	if got.Count != 2 || len(got.Devices) != 2 || len(got.Devices[0].Secret) != 32 || got.Devices[1].ID != "new-2" {
		t.Errorf("answer %s", a.body)
	}
	if d := w.added[1]; len(w.added) != 2 || d.Tenant != "oyster" || d.Account != "manager" || len(d.SecretHash) != 32 {
		t.Errorf("registered %+v", w.added)
	}
}
