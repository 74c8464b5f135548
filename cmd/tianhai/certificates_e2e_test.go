package main_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tianhai/trace"
	"tianhai/trace/cert"
	"tianhai/trace/ledger"
)

// checkCertificates goes the way of a certificate: each story has one that anybody can
// check; one is printed, scanned, voided and scanned again.
func checkCertificates(t *testing.T, d *demo) {
	b := newBrowser(t, d.HTTP)
	_, key := b.send("GET", "/log/key", nil)
	for _, code := range d.codes {
		_, page := b.send("GET", "/t/"+code, nil)
		if strings.Contains(string(page), `id="kin"`) {
			continue // made of others: its certificate is offered, and nobody has issued it
		}
		if !strings.Contains(string(page), `id="certificate"`) {
			t.Errorf("the page of %s shows no certificate", code)
		}
		checkStatements(t, b, code, strings.TrimSpace(string(key)))
	}

	manager := newBrowser(t, d.HTTP)
	manager.login("tea", d.passwords["tea"])
	var all struct{ Certificates []cert.Issued }
	manager.getJSON("/api/v1/certificates", &all)
	if len(all.Certificates) != 1 || all.Certificates[0].Void != nil {
		t.Fatalf("the tea farm has %+v", all.Certificates)
	}
	c := all.Certificates[0]
	scanned := scanPrinted(t, manager, "/api/v1/certificates/"+c.ID+"/print")
	status, page := b.send("GET", scanned, nil)
	if status != http.StatusOK || !strings.Contains(string(page), c.Number) || strings.Contains(string(page), "已作废") {
		t.Errorf("%s: %d, and it should show certificate %s", scanned, status, c.Number)
	}
	if status, answer := manager.send("POST", "/api/v1/certificates/"+c.ID+"/void", []byte(`{"reason":"重量写错"}`)); status != http.StatusNoContent {
		t.Fatalf("void: %d %s", status, answer)
	}
	if _, page := b.send("GET", scanned, nil); !strings.Contains(string(page), "您扫描的合格证（"+c.Number+"）已作废") || !strings.Contains(string(page), "重量写错") {
		t.Error("the label that was printed before does not lead to the void")
	}

	// What failed a test has no certificate, and gets none.
	oyster := newBrowser(t, d.HTTP)
	oyster.login("oyster", d.passwords["oyster"])
	var failed struct{ Reports []cert.Tested }
	oyster.getJSON("/api/v1/reports?verdict=fail", &failed)
	if len(failed.Reports) != 1 || failed.Reports[0].Source != cert.Laboratory || failed.Reports[0].Items[0].Verdict != cert.Fail {
		t.Fatalf("failed tests: %+v", failed.Reports)
	}
	body := []byte(`{"id":"01JZ00000000000000000000C9","style":"producer","basis":["control"]}`)
	if status, answer := oyster.send("POST", "/api/v1/batches/"+failed.Reports[0].Batch+"/certificates", body); status != http.StatusConflict {
		t.Errorf("a certificate for what failed: %d %s", status, answer)
	}
}

// checkStatements verifies what was said of a batch beside its record.
func checkStatements(t *testing.T, b *browser, code, key string) {
	t.Helper()
	var got struct {
		Statements []struct {
			Record  json.RawMessage `json:"record"`
			Receipt string          `json:"receipt"`
		} `json:"statements"`
	}
	waitFor(t, "the receipts of what was said of "+code, time.Minute, func() bool {
		_, raw := b.send("GET", "/t/"+code+"/statements", nil)
		if err := json.Unmarshal(raw, &got); err != nil {
			t.Fatal(err)
		}
		for _, s := range got.Statements {
			if s.Receipt == "" {
				return false
			}
		}
		return len(got.Statements) > 0
	})
	for _, s := range got.Statements {
		rec, err := trace.ParseOpening(s.Record)
		if err != nil {
			t.Fatal(err)
		}
		proof, err := ledger.Verify(key, s.Receipt)
		if err != nil || string(proof.Leaf) != string(rec.Leaf()) {
			t.Errorf("%s of %s: %v, the leaf is %s", rec.Kind, code, err, proof.Leaf)
		}
	}
}

// scanPrinted prints a page of the API as a browser does, reads its code, and returns
// where it leads on this server.
func scanPrinted(t *testing.T, b *browser, path string) string {
	t.Helper()
	for _, program := range []string{"chromium", "pdftoppm", "zbarimg"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed (`make testdeps` installs it as root on Debian): certificates are not printed", program)
		}
	}
	status, page := b.send("GET", path, nil)
	if status != http.StatusOK {
		t.Fatalf("print: %d %s", status, page)
	}
	dir := t.TempDir()
	html, pdf := filepath.Join(dir, "c.html"), filepath.Join(dir, "c.pdf")
	if err := os.WriteFile(html, page, 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(program string, args ...string) string {
		out, err := exec.CommandContext(t.Context(), program, args...).Output()
		if err != nil {
			t.Fatalf("%s: %v", program, err)
		}
		return strings.TrimSpace(string(out))
	}
	run("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--user-data-dir="+filepath.Join(dir, "profile"), "--no-pdf-header-footer", "--print-to-pdf="+pdf, "file://"+html)
	run("pdftoppm", "-r", "200", "-gray", "-png", "-singlefile", pdf, filepath.Join(dir, "c"))
	u, err := url.Parse(run("zbarimg", "-q", "--raw", "-Sdisable", "-Sqrcode.enable", filepath.Join(dir, "c.png")))
	if err != nil {
		t.Fatal(err)
	}
	return u.RequestURI()
}
