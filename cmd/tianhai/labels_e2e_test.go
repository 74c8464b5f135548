package main_test

import (
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"tianhai/trace/label"
)

// A manager looks at the labels of a batch, takes them as files, and a scan of what
// was printed leads to the batch's page; what does not fit is said on the page.
func TestPrintLabels(t *testing.T) {
	data, file := t.TempDir(), filepath.Join(t.TempDir(), "farm.yaml")
	if err := os.WriteFile(file, []byte(managedFarm+"products: [{id: oyster, kind: aquatic, species: oyster, name: {zh: 大蚝（吊养）, en: Oysters}}]\ngtins: [{gtin: \"9506000134352\", tenant: oysters, product: oyster}]\n"), 0o600); err != nil {
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
	b := newBrowser(t, s.HTTP)
	b.login("wang", passwords["wang"])
	code := sellBatch(b, "2026-07/3")
	var all struct{ Batches []struct{ ID, Code string } }
	b.getJSON("/api/v1/batches", &all)
	labels := "/api/v1/batches/" + all.Batches[0].ID + "/labels"

	// A stranger learns nothing.
	stranger := newBrowser(t, s.HTTP)
	stranger.login("cha", passwords["cha"])
	if status, answer := stranger.send("GET", labels, nil); status != http.StatusNotFound {
		t.Errorf("a stranger prints: %d %s", status, answer)
	}
	scanLabels(t, b, labels+"?stock=63.5x33.9&skip=22", code)
	scanLabels(t, b, labels+"?stock=roll-40x30&copies=2", code)
	scanLabels(t, b, labels+"?stock=roll-60x40&scheme=gtin", "01/09506000134352/10/2026-07/3")
	if _, page := b.send("GET", "/01/09506000134352/10/2026-07%2F3", nil); !strings.Contains(string(page), label.Group(code)) || !strings.Contains(string(page), s.HTTP+"/01/09506000134352/10/2026-07%2F3") {
		t.Errorf("the Digital Link leads elsewhere, or the page does not name it:\n%.600s", page)
	}
	scanLabels(t, b, "/api/v1/devices/labels?format=pdf&id=sonde&stock=roll-60x40", "sonde")

	c := newChrome(t, 1280, 900)
	c.open(s.HTTP + "/manage/#/labels?of=batch&id=" + all.Batches[0].ID)
	c.login("wang", passwords["wang"])
	c.waitJS("the preview", `document.querySelector('figure img')?.naturalWidth > 300`)
	c.axe("labels")
	if *screenshotDir != "" {
		c.picture("manage-labels-zh", 1280, 900)
	}
	c.choose(`form.labels .panel > .field select`, "gtin")
	c.says("/01/09506000134352/10/2026-07%2F3")
	c.waitJS("the preview of a Digital Link", `document.querySelector('figure img')?.naturalWidth > 300`)
	if *screenshotDir != "" {
		c.picture("manage-labels-gtin-zh", 390, 1900)
	}
	c.choose(`form.labels .panel > .field select`, "")
	c.click(`.sheet button:nth-child(5)`)
	c.says("1 页")
	c.choose(`form.labels select`, "roll-40x30")
	c.choose(`form.labels label:nth-of-type(2) select`, "zpl")
	c.says("不需要打印机有中文字库")
	c.choose(`form.labels select`, "own")
	c.retype(`fieldset input[max="210"]`, "16")
	c.waitJS("what does not fit", `document.querySelector('figure .note.bad')?.innerText.includes('标签太小')`)
	if *screenshotDir != "" {
		c.picture("manage-labels-own-zh", 390, 1900)
		c.open(s.HTTP + "/manage/?lang=en#/labels?of=device")
		c.waitJS("the preview", `document.querySelector('figure img')?.naturalWidth > 300`)
		c.click(`.segments button[lang="en"]`)
		c.picture("manage-labels-en", 390, 1500)
		c.open(s.HTTP + "/manage/?lang=en#/labels?of=certificate")
		c.picture("manage-labels-none-en", 1280, 600)
	}
}

// scanLabels prints labels as the program makes them, one a page, and reads them back.
func scanLabels(t *testing.T, b *browser, path, want string) {
	t.Helper()
	for _, program := range []string{"pdftoppm", "zbarimg"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed (`make testdeps` installs it as root on Debian): labels are not read back", program)
		}
	}
	status, pdf := b.send("GET", path, nil)
	if status != http.StatusOK {
		t.Fatalf("%s: %d %s", path, status, pdf)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "labels.pdf")
	if err := os.WriteFile(file, pdf, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "pdftoppm", "-r", "300", "-gray", "-png", file, filepath.Join(dir, "page")).CombinedOutput(); err != nil {
		t.Fatalf("pdftoppm: %v %s", err, out)
	}
	pages, err := filepath.Glob(filepath.Join(dir, "page*.png"))
	if err != nil {
		t.Fatal(err)
	}
	read, err := exec.CommandContext(t.Context(), "zbarimg", append([]string{"-q", "--raw", "-Sdisable", "-Sqrcode.enable"}, pages...)...).Output()
	if err != nil {
		t.Fatalf("zbarimg: %v", err)
	}
	codes := strings.Fields(string(read))
	if len(codes) != len(pages) {
		t.Errorf("%s: read %d codes on %d pages", path, len(codes), len(pages))
	}
	at, err := url.Parse(codes[0])
	if err != nil || !strings.HasSuffix(at.Path, "/"+want) {
		t.Fatalf("%s: read %q, %v", path, codes[0], err)
	}
	if status, _ := b.send("GET", at.EscapedPath(), nil); status >= http.StatusBadRequest {
		t.Errorf("%s leads to %d", codes[0], status)
	}
}
