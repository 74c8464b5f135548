package label_test

import (
	"bytes"
	"fmt"
	"image"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tianhai/farm"
	"tianhai/trace/label"
	"tianhai/trace/label/press"
)

func newSheet(t *testing.T, stock string, tags int) label.Sheet {
	t.Helper()
	s, ok := label.LookupStock(stock)
	if !ok {
		t.Fatalf("no stock %s", stock)
	}
	p := newPress(t)
	sheet := label.Sheet{Stock: s, Lang: "zh-CN", T: func(key string, _ ...string) string { return key }}
	sheet.Draw = func(tag label.Tag) ([]byte, error) {
		design := press.Label{URL: tag.URL, Title: tag.Name, Lines: []string{tag.Place, tag.ID}}
		if tag.Code != "" {
			design.Note, design.Code = "领取码", label.Group(tag.Code)
		}
		return p.Inline(s, design)
	}
	for i := range tags {
		id := fmt.Sprintf("station-%04d", i)
		sheet.Tags = append(sheet.Tags, label.Tag{URL: "https://tianhai.example.cn/d/" + id, ID: id, Name: "六参数水质监测站", Code: newCode(t)})
	}
	return sheet
}

func newPress(t *testing.T) *press.Press {
	t.Helper()
	p, err := press.New()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func write(t *testing.T, sheet label.Sheet) string {
	t.Helper()
	var b bytes.Buffer
	if err := sheet.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// The claim code is for all to see who hold the label; the secrets are a file beside
// it, and in no label.
func TestSheet(t *testing.T) {
	sheet := newSheet(t, "70x37", 23)
	sheet.Skip = 2
	sheet.Secrets = []byte("id,secret\nstation-0000,hushhush\n")
	sheet.Tags[0].Name = `<script>alert("蚝")</script>`
	sheet.Tags[1].Code, sheet.Tags[1].Place = "", "一号排"
	page := write(t, sheet)
	if n := strings.Count(page, "<section"); n != 2 {
		t.Errorf("%d sheets, want 2", n)
	}
	if n := strings.Count(page, "<article"); n != 25 {
		t.Errorf("%d labels with those that are used, want 25", n)
	}
	if strings.Contains(page, "hushhush") || strings.Contains(page, "<script") {
		t.Error("a secret or a script is in the page")
	}
	labels := page[strings.Index(page, "<main>"):]
	if strings.Contains(labels, "data:") || !strings.Contains(page, "aWQsc2VjcmV0CnN0YXRpb24tMDAwMCxodXNoaHVzaAo=") {
		t.Error("the secrets are not where they belong")
	}
	if !strings.Contains(labels, ">"+label.Group(sheet.Tags[0].Code)+"<") {
		t.Error("the claim code is missing")
	}
	if n := strings.Count(labels, "领取码"); n != 22 {
		t.Errorf("%d claim codes, want 22", n)
	}
	for _, bad := range []label.Sheet{{Stock: sheet.Stock, Skip: 24}, {Stock: sheet.Stock, Skip: -1}, {Stock: sheet.Stock, Tags: make([]label.Tag, label.MaxTags+1)}, {Stock: sheet.Stock, Tags: make([]label.Tag, 1)}} {
		bad.T, bad.Draw = sheet.T, sheet.Draw
		if err := bad.Write(&bytes.Buffer{}); err == nil {
			t.Errorf("wrote %d labels, skipping %d", len(bad.Tags), bad.Skip)
		}
	}
}

// What a browser prints is read back, every label, from every page and no other.
func TestSheetPrinted(t *testing.T) {
	for _, program := range []string{"chromium", "pdftoppm", "zbarimg"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed (`make testdeps` installs it as root on Debian): sheets are not printed", program)
		}
	}
	for _, stock := range []string{"plain", "63.5x33.9"} {
		t.Run(stock, func(t *testing.T) {
			sheet := newSheet(t, stock, 30)
			sheet.Skip = 1
			long := &sheet.Tags[0] // of which not a letter may be cut off
			long.ID = strings.Repeat("station-of-the-second-raft-", 3)[:farm.MaxIDLength]
			long.URL, long.Place = "https://tianhai.example.cn/d/"+long.ID, "钦州市龙门港蚝业专业合作社一号排"
			dir := t.TempDir()
			html, pdf := filepath.Join(dir, "labels.html"), filepath.Join(dir, "labels.pdf")
			if err := os.WriteFile(html, []byte(write(t, sheet)), 0o600); err != nil {
				t.Fatal(err)
			}
			run(t, "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--user-data-dir="+filepath.Join(dir, "profile"), "--no-pdf-header-footer", "--print-to-pdf="+pdf, "file://"+html)
			run(t, "pdftoppm", "-r", "200", "-gray", "-png", pdf, filepath.Join(dir, "page"))
			pages, err := filepath.Glob(filepath.Join(dir, "page*.png"))
			if err != nil || len(pages) != 2 {
				t.Fatalf("%d pages, %v; want 2", len(pages), err)
			}
			text := strings.Join(strings.Fields(run(t, "pdftotext", "-raw", pdf, "-")), "")
			for _, tag := range sheet.Tags {
				if !strings.Contains(text, tag.ID) || !strings.Contains(text, label.Group(tag.Code)) || !strings.Contains(text, tag.Place) {
					t.Errorf("not all of the label of %s is printed", tag.ID)
				}
			}
			var cells []string
			for _, p := range pages {
				cells = append(cells, cut(t, p, sheet.Stock)...)
			}
			options := []string{"-q", "--raw", "-Sdisable", "-Sqrcode.enable"}
			got := strings.Fields(run(t, "zbarimg", append(options, cells[sheet.Skip:sheet.Skip+len(sheet.Tags)]...)...))
			var want []string
			for _, tag := range sheet.Tags {
				want = append(want, tag.URL)
			}
			if !slices.Equal(got, want) {
				t.Errorf("read %d codes, want %d: %v", len(got), len(want), got)
			}
		})
	}
}

// cut returns pictures of the labels of a printed page, as scissors would.
func cut(t *testing.T, page string, s label.Stock) (files []string) {
	t.Helper()
	raw, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	sheet, err := png.Decode(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	px := func(mm float64) int { return int(mm / 25.4 * 200) }
	for _, top := range s.Down()[:s.Rows] {
		for _, left := range s.Across()[:s.Columns] {
			at := image.Rect(px(left), px(top), px(left+s.Width), px(top+s.Height))
			one := sheet.(interface {
				SubImage(r image.Rectangle) image.Image
			}).SubImage(at)
			var out bytes.Buffer
			if err := png.Encode(&out, one); err != nil {
				t.Fatal(err)
			}
			name := fmt.Sprintf("%s-%d.png", page, len(files))
			if err := os.WriteFile(name, out.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
			files = append(files, name)
		}
	}
	return files
}

func run(t *testing.T, program string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), program, args...).Output()
	if err != nil {
		t.Fatalf("%s: %v", program, err)
	}
	return string(out)
}
