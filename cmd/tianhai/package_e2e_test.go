package main_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/xuri/excelize/v2"

	"tianhai/trace"
	"tianhai/trace/ledger"
	"tianhai/trace/parcel"
)

// packageDoc is what tests look at in a package.
type packageDoc struct {
	Complete        bool
	Count, Unsealed int
	Records         []struct {
		ID, Kind, Stage string
		Codes           []string
		Index           *int64
		Leaf, Opening   json.RawMessage
		Receipt         string
	}
}

// readPackage holds a package against its schema, with formats, and reads it.
func readPackage(t *testing.T, raw []byte) packageDoc {
	t.Helper()
	described, err := jsonschema.UnmarshalJSON(bytes.NewReader(parcel.Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("package.json", described); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("package.json")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(doc); err != nil {
		t.Errorf("the schema refuses the package: %v", err)
	}
	var p packageDoc
	if err := json.Unmarshal(raw, &p); err != nil {
		t.Fatal(err)
	}
	return p
}

// checkProofs opens every record and holds it against the log's key.
func checkProofs(t *testing.T, key string, p packageDoc) {
	t.Helper()
	for _, r := range p.Records {
		opened, err := trace.ParseOpening(r.Opening)
		if err != nil {
			t.Fatal(err)
		}
		proof, err := ledger.Verify(key, r.Receipt)
		if err != nil || !bytes.Equal(proof.Leaf, r.Leaf) || !bytes.Equal(opened.Leaf(), r.Leaf) || r.Index == nil {
			t.Errorf("%s %s: %v", r.Kind, r.ID, err)
		}
	}
}

// checkWorkbook looks for every record of a package on the sheet of its stage, once,
// and on no other.
func checkWorkbook(t *testing.T, raw []byte, p packageDoc) {
	t.Helper()
	book, err := excelize.OpenReader(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string][]string{} // by ID, with the sheet before them
	for _, sheet := range book.GetSheetList()[2:] {
		lines, err := book.GetRows(sheet)
		if err != nil {
			t.Fatal(err)
		}
		id := slices.Index(lines[0], "记录号 id")
		for _, line := range lines[1:] {
			if rows[line[id]] != nil {
				t.Errorf("record %s stands there twice", line[id])
			}
			rows[line[id]] = append([]string{sheet}, line...)
		}
	}
	for _, r := range p.Records {
		row := rows[r.ID]
		var leaf struct {
			H string
		}
		if err := json.Unmarshal(r.Leaf, &leaf); err != nil {
			t.Fatal(err)
		}
		if row == nil || !strings.HasSuffix(row[0], " "+r.Stage) || row[1] != strings.Join(r.Codes, "、") || !slices.Contains(row, leaf.H) {
			t.Errorf("record %s of %s with codes %q has the row %q", r.ID, r.Stage, r.Codes, row)
		}
		delete(rows, r.ID)
	}
	if len(rows) > 0 {
		t.Errorf("nobody knows the rows %v", rows)
	}
}

// orderPackages orders the same package from the server, which is killed meanwhile,
// looks at both of its files and has one handed over.
func orderPackages(t *testing.T, s *server, b *browser, password string, want packageDoc) {
	t.Helper()
	today := time.Now().UTC()
	first, last := today.AddDate(0, 0, -1).Format(time.DateOnly), today.AddDate(0, 0, 1).Format(time.DateOnly)
	var preview struct{ Records int }
	b.getJSON("/api/v1/packages/preview?first="+first+"&last="+last, &preview)
	if preview.Records != want.Count {
		t.Errorf("%d records are foretold, %d are there", preview.Records, want.Count)
	}
	id := ulid.Make().String()
	status, answer := b.send("POST", "/api/v1/packages", []byte(`{"id":"`+id+`","first":"`+first+`","last":"`+last+`"}`))
	if status != 201 {
		t.Fatalf("order: %d %s", status, answer)
	}
	s.kill()
	platform := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(w, r.Body) // a receipt that shows what came
	}))
	defer platform.Close()
	cfg := filepath.Join(t.TempDir(), "tianhai.yaml")
	if err := os.WriteFile(cfg, []byte("packages: {platform: {url: "+platform.URL+"/in, secret: 0123456789abcdef}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s = startServer(t, "serve", s.dir, "--config", cfg)
	b = newBrowser(t, s.HTTP)
	b.login("wang", password)
	waitFor(t, "the package", 30*time.Second, func() bool {
		var p struct{ State string }
		b.getJSON("/api/v1/packages/"+id, &p)
		return p.State == "done"
	})
	status, raw := b.send("GET", "/api/v1/packages/"+id+"/files/json", nil)
	if p := readPackage(t, raw); status != 200 || len(p.Records) != want.Count {
		t.Errorf("ordered: %d %s", status, raw)
	}
	var head struct {
		Schema string `json:"$schema"`
	}
	if err := json.Unmarshal(raw, &head); err != nil {
		t.Fatal(err)
	}
	stranger := newBrowser(t, s.HTTP) // without a session
	if status, schema := stranger.send("GET", strings.TrimPrefix(head.Schema, s.HTTP), nil); status != 200 || !bytes.Equal(schema, parcel.Schema()) {
		t.Errorf("the schema is to be had at %s: %d %s", head.Schema, status, schema)
	}
	_, raw = b.send("GET", "/api/v1/packages/"+id+"/files/xlsx", nil)
	checkWorkbook(t, raw, want)
	if status, answer := stranger.send("GET", "/api/v1/packages/"+id+"/files/json", nil); status != 401 {
		t.Errorf("to a stranger: %d %s", status, answer)
	}
	if status, answer := b.send("POST", "/api/v1/packages/"+id+"/handover", []byte(`{"form":"json"}`)); status != 201 {
		t.Errorf("hand over: %d %s", status, answer)
	}
	waitFor(t, "the receipt of the platform", 10*time.Second, func() bool {
		var p struct{ Handover parcel.Handover }
		b.getJSON("/api/v1/packages/"+id, &p)
		return p.Handover.State == parcel.Delivered && strings.HasPrefix(p.Handover.Receipt, `{"$schema":"`+head.Schema)
	})
	if status, answer := b.send("DELETE", "/api/v1/packages/"+id, nil); status != 204 {
		t.Errorf("delete: %d %s", status, answer)
	}
	if left, err := os.ReadDir(filepath.Join(s.dir, "packages")); err != nil || len(left) > 0 {
		t.Errorf("deleted, %v are left: %v", left, err)
	}
}

// TestPackage hands the records of an operator over: each leads to the leaf that its
// receipt proves by the log's key, and stands in the workbook as well.
func TestPackage(t *testing.T) {
	data, dir := filepath.Join(t.TempDir(), "data"), t.TempDir()
	_, printed := importAccounts(t, data, managedFarm+"products: [{id: oyster, kind: aquatic, species: oyster, name: {zh: 大蚝, en: Oyster}}]\n")
	s := startServer(t, "serve", data)
	b := newBrowser(t, s.HTTP)
	b.login("wang", passwordOf(t, printed, "wang"))
	code := sellBatch(b, "P-1")
	waitFor(t, "the receipt", 30*time.Second, func() bool {
		status, _ := b.send("GET", "/t/"+code+"/receipt", nil)
		return status == 200
	})
	_, key := b.send("GET", "/log/key", nil)
	today := time.Now().UTC()
	pack := func(operator, name string) []byte {
		t.Helper()
		file := filepath.Join(dir, name)
		if out, err := runTianhai(t, "package", operator, "--data", data, "--from", today.AddDate(0, 0, -1).Format(time.DateOnly), "--to", today.AddDate(0, 0, 1).Format(time.DateOnly), "--out", file); err != nil {
			t.Fatalf("package: %v\n%s", err, out)
		}
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	p := readPackage(t, pack("oysters", "own.json"))
	if len(p.Records) != 5 || p.Count != 5 || p.Unsealed != 0 || p.Complete {
		t.Fatalf("the package is %+v", p)
	}
	checkProofs(t, string(bytes.TrimSpace(key)), p)
	for _, r := range p.Records {
		if r.Kind == trace.OperationRecord && !slices.Contains(r.Codes, code) {
			t.Errorf("operation %s is of no batch: %v", r.ID, r.Codes)
		}
	}
	checkWorkbook(t, pack("oysters", "own.xlsx"), p)
	orderPackages(t, s, b, passwordOf(t, printed, "wang"), p)
	if other := readPackage(t, pack("tea", "other.json")); len(other.Records) != 0 {
		t.Errorf("another operator has %+v", other)
	}
	for name, args := range map[string][]string{
		"over a file":      {"oysters", "--from", "2026-01-01", "--to", "2026-01-31", "--out", filepath.Join(dir, "own.json")},
		"no such file":     {"oysters", "--from", "2026-01-01", "--to", "2026-01-31", "--out", filepath.Join(dir, "own.csv")},
		"nobody":           {"nobody", "--from", "2026-01-01", "--to", "2026-01-31", "--out", filepath.Join(dir, "nobody.json")},
		"days in reverse":  {"oysters", "--from", "2026-02-01", "--to", "2026-01-01", "--out", filepath.Join(dir, "x.json")},
		"no day of a year": {"oysters", "--from", "2026-02-30", "--to", "2026-03-01", "--out", filepath.Join(dir, "x.json")},
	} {
		if out, err := runTianhai(t, append([]string{"package", "--data", data}, args...)...); err == nil {
			t.Errorf("%s: %s", name, out)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "nobody.json")); err == nil {
		t.Error("a package of nobody was left")
	}
}
