package api_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"tianhai/farm"
	"tianhai/ingest/device"
	"tianhai/table"
)

func (w *world) CreateSite(_ context.Context, site farm.Site) error {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return err
	}
	if slices.ContainsFunc(w.sites, func(s farm.Site) bool { return s.ID == site.ID }) {
		return fmt.Errorf("create site: %w", farm.ErrConflict)
	}
	w.wrote++
	w.sites = append(w.sites, site)
	return nil
}

type imported struct {
	Count, Done, Created, Existing, Failed int
	Faults                                 []device.Fault
}

func importAs(t *testing.T, base, as, path, file string) (v imported) {
	t.Helper()
	a := client{t, base, as}.do("POST", "/imports/"+path, file, "Content-Type", "text/csv")
	if a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	a.decode(t, &v)
	return v
}

// workbook makes an .xlsx file of rows.
func workbook(t *testing.T, rows ...[]any) string {
	t.Helper()
	var b bytes.Buffer
	w, err := table.NewXLSX(&b, "x")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		if err := w.Row(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// A file is checked as a whole, line by line, before anything is added; added in
// parts, it may be sent again.
func TestImport(t *testing.T) {
	w := newWorld()
	base, _ := serve(t, w)
	const good = "编号,监测点,产品,批号,数量,单位,生长开始（北京时间）,收获（北京时间）\n" +
		",raft-1,oysters,A-1,5,kg,2026-06-01,2026-06-30 08:00\n" +
		",raft-1,oysters,A-2,2.5,kg,2026/6/1,2026-06-30\n"
	const bad = "site,product,lot,quantity,harvest\n" +
		"raft-1,oysters,1,five,2026-06-30\n" +
		"garden-1,oysters,2,5,yesterday\n" +
		"raft-1,gold,3,5,2026-06-30\n" +
		"raft-1,oysters,4,5,2026-06-30\n" +
		"raft-1,oysters,4,5,2026-06-30\n"
	v := importAs(t, base, "farmer", "batches?dry_run=true", bad)
	want(t, "faults", []device.Fault{
		{Line: 2, Field: "quantity", Reason: "is not a number"},
		{Line: 3, Field: "harvest", Reason: "is not a time such as 2026-07-01 08:00, in Beijing"},
		{Line: 4, Field: "product", Reason: "is not known"},
		{Line: 6, Field: "file", Reason: "says the same as line 5"},
	}, v.Faults)
	want(t, "counts", imported{Count: 5, Done: 5, Failed: 4}, imported{v.Count, v.Done, v.Created, v.Existing, v.Failed, nil})
	want(t, "nothing was written", 0, w.writes())

	want(t, "all is well", imported{Count: 2, Done: 2, Faults: []device.Fault{}}, importAs(t, base, "farmer", "batches?dry_run=true", good))
	want(t, "added", imported{Count: 2, Done: 2, Created: 2, Faults: []device.Fault{}}, importAs(t, base, "farmer", "batches", good))
	want(t, "again", imported{Count: 2, Done: 2, Existing: 2, Faults: []device.Fault{}}, importAs(t, base, "farmer", "batches", good))
	stranger := importAs(t, base, "stranger", "batches", good)
	want(t, "by a stranger", [2]int{0, 2}, [2]int{stranger.Created, stranger.Failed})
	var harvests []string
	for _, b := range w.batches {
		if strings.HasPrefix(b.Lot, "A-") {
			harvests = append(harvests, b.Harvest.Format("2006-01-02 15:04"))
		}
	}
	slices.Sort(harvests)
	want(t, "Beijing time", []string{"2026-06-29 16:00", "2026-06-30 00:00"}, harvests)

	v = importAs(t, base, "farmer", "batches", "site,colour\nraft-1,red\n")
	want(t, "an unknown column", device.Fault{Line: 1, Field: "colour", Reason: "is no column of this list"}, v.Faults[0])
	c := client{t, base, "farmer"}
	want(t, "an unknown list", 404, c.do("POST", "/imports/wishes", "a\n1\n", "Content-Type", "text/csv").status)
	want(t, "an empty file", "file", c.do("POST", "/imports/batches", "", "Content-Type", "text/csv").problem(t).Field)
	want(t, "a picture", "file", c.do("POST", "/imports/batches", "\x89PNG\x00", "Content-Type", "text/csv").problem(t).Field)
}

func TestImportOperations(t *testing.T) {
	w := newWorld()
	base, _ := serve(t, w)
	file := workbook(t,
		[]any{"site", "kind", "at", "items.product", "items.quantity", "items.maker", "items.lot"},
		[]any{"raft-1", "feed", 46203.5, "海藻", "2.5 kg", "—", "—"},
		[]any{"raft-1", "feed", "2026-06-30 09:00", "海藻", nil, "—", "—"},
		[]any{"raft-1", "dance", "2026-06-30 09:00", nil, nil, nil, nil},
	)
	v := importAs(t, base, "farmer", "operations?dry_run=true", file)
	want(t, "what lacks an item", [2]string{"items.quantity", "kind"}, [2]string{v.Faults[0].Field, v.Faults[1].Field})
	want(t, "lines", [2]int{3, 4}, [2]int{v.Faults[0].Line, v.Faults[1].Line})
	v = importAs(t, base, "farmer", "operations", file)
	want(t, "the good one", 1, v.Created)
	for _, op := range w.ops {
		if op.ID == opID {
			continue
		}
		want(t, "time", "2026-06-30T04:00:00Z", op.At.Format("2006-01-02T15:04:05Z"))
		want(t, "unit", "kg", op.Items[1].Unit)
	}
	want(t, "again", 1, importAs(t, base, "farmer", "operations", file).Existing)
	want(t, "an officer", 3, importAs(t, base, "bureau", "operations", file).Failed)
}

func TestImportSitesAndLicences(t *testing.T) {
	w := newWorld()
	base, _ := serve(t, w)
	const sites = "id,kind,name,name.en,latitude,longitude\nraft-8,raft,八号,Raft 8,21.6,109\nraft-1,raft,一号,,21.6,109\n"
	v := importAs(t, base, "manager", "sites", sites)
	want(t, "sites", [2]int{1, 1}, [2]int{v.Created, v.Failed})
	want(t, "one that is there and differs", 3, v.Faults[0].Line)
	want(t, "its English name", "Raft 8", w.sites[len(w.sites)-1].Name.En)
	want(t, "again", 1, importAs(t, base, "manager", "sites", sites).Existing)
	want(t, "by a farmer", 2, importAs(t, base, "farmer", "sites", sites).Failed)

	const licences = "kind,number,issuer,issued\naquaculture,桂-1,农业农村局,2026-01-01\n"
	want(t, "licence", 1, importAs(t, base, "manager", "licences", licences).Created)
	want(t, "again", 1, importAs(t, base, "manager", "licences", licences).Existing)
	want(t, "by another, for itself", 1, importAs(t, base, "manager-tea", "licences", licences).Created)
	want(t, "for a stranger", 1, importAs(t, base, "manager-tea", "licences", "tenant,"+strings.Replace(licences, "\n", "\noyster,", 1)).Failed)
}

// A long file tells how far it is.
func TestImportTellsProgress(t *testing.T) {
	w := newWorld()
	base, _ := serve(t, w)
	var b strings.Builder
	b.WriteString("site,product,lot,quantity,unit\n")
	for i := range 120 {
		fmt.Fprintf(&b, "raft-1,oysters,L-%d,1,kg\n", i)
	}
	a := client{t, base, "farmer"}.do("POST", "/imports/batches", b.String(), "Content-Type", "text/csv", "Accept", "application/x-ndjson")
	lines := strings.Split(a.body, "\n")
	want(t, "lines", 3, len(lines))
	for i, done := range []int{50, 100, 120} {
		var v imported
		answer{body: lines[i]}.decode(t, &v)
		want(t, "done", [2]int{done, done}, [2]int{v.Done, v.Created})
	}
	want(t, "too many rows", "file", client{t, base, "farmer"}.do("POST", "/imports/batches", "site\n"+strings.Repeat("raft-1\n", 5001), "Content-Type", "text/csv").problem(t).Field)
}
