package label_test

import (
	"bytes"
	"image"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"tianhai/trace/label"
	"tianhai/trace/label/press"
)

const certificateURL = "https://trace.nongye.gx.example.cn/t/4Q7XH2M9KTB3D?c=2026-000123"

// drawn is a certificate of a form, as a page has it.
func drawn(t *testing.T, paper label.Paper, copies int, form label.Form) label.Certificate {
	t.Helper()
	stock, ok := paper.Stock()
	if !ok {
		t.Fatalf("no paper %s", paper)
	}
	drawing, err := newPress(t).Inline(stock, press.Certificate(form))
	if err != nil {
		t.Fatal(err)
	}
	return label.Certificate{
		Title: form.Title, Drawing: drawing, Paper: paper, Copies: copies,
		Lang: "en", How: "Print at 100 %.", Gloss: []label.Line{{Name: "Product", Value: "Pond-raised tilapia"}},
	}
}

func newForm() label.Form {
	return label.Form{
		Title: "承诺达标合格证",
		Lines: []label.Line{
			{"编号", "2026-000123"},
			{"产品名称", "六堡茶（特级一芽二叶春季头采茶鲜叶）"},
			{"数量（重量）", "1,234.5 公斤"},
			{"产地", "广西梧州市苍梧县六堡镇"},
			{"承诺主体", "梧州市苍梧县六堡镇山坪村黑石山茶叶种植农民专业合作社"},
			{"联系方式", "0774-0000000"},
			{"开具日期", "2026 年 11 月 25 日"},
			{"上游合格证", "2026-000101、2026-000102、2026-000103、2026-000104、2026-000105"},
		},
		Promise: label.Line{"我承诺：", "已按规定收取并保存该批次农产品承诺达标合格证或者其他质量安全合格证明；未违规使用保鲜剂、防腐剂、添加剂等。"},
		Basis:   label.Line{Name: "承诺依据："}, Choices: []label.Choice{{"质量安全控制符合要求", true}, {"自行检测合格", false}, {"委托检测合格", true}},
		Sign: "签名（盖章）：", URL: certificateURL, Scan: "扫码查验",
	}
}

func TestCertificate(t *testing.T) {
	form := newForm()
	form.Lines[1].Value = `<script>alert("茶")</script>`
	c := drawn(t, label.A4, 9, form)
	var b bytes.Buffer
	if err := c.Write(&b); err != nil {
		t.Fatal(err)
	}
	page := b.String()
	if n := strings.Count(page, "<section"); n != 2 {
		t.Errorf("%d sheets, want 2", n)
	}
	if n := strings.Count(page, "<article"); n != 9 {
		t.Errorf("%d copies, want 9", n)
	}
	if strings.Contains(page, "<script") || strings.Count(page, ">□自行检测合格<") != 9 || strings.Count(page, ">√<") != 2*9 {
		t.Error("the form does not say what was chosen")
	}
	for _, bad := range []struct {
		paper  label.Paper
		copies int
	}{{label.Roll, 0}, {label.Roll, label.MaxCopies + 1}, {"a3", 1}} {
		c.Paper, c.Copies = bad.paper, bad.copies
		if err := c.Write(&bytes.Buffer{}); err == nil {
			t.Errorf("wrote %d copies on %q", c.Copies, c.Paper)
		}
	}
	if err := (label.Certificate{Paper: label.Roll, Copies: 1}).Write(&bytes.Buffer{}); err == nil {
		t.Error("wrote nothing")
	}
}

// What a browser prints is read back at the size on the label, and nothing of the
// longest form is cut off.
func TestCertificatePrinted(t *testing.T) {
	for _, program := range []string{"chromium", "pdftoppm", "pdftotext", "zbarimg"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed (`make testdeps` installs it as root on Debian): certificates are not printed", program)
		}
	}
	for paper, want := range map[label.Paper]struct{ copies, pages, codes int }{label.Roll: {2, 2, 2}, label.A4: {9, 2, 9}} {
		t.Run(string(paper), func(t *testing.T) {
			var b bytes.Buffer
			if err := drawn(t, paper, want.copies, newForm()).Write(&b); err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			html, pdf := filepath.Join(dir, "certificate.html"), filepath.Join(dir, "certificate.pdf")
			if err := os.WriteFile(html, b.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
			run(t, "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--user-data-dir="+filepath.Join(dir, "profile"), "--no-pdf-header-footer", "--print-to-pdf="+pdf, "file://"+html)
			run(t, "pdftoppm", "-r", "200", "-gray", "-png", pdf, filepath.Join(dir, "page"))
			pages, err := filepath.Glob(filepath.Join(dir, "page*.png"))
			if err != nil || len(pages) != want.pages {
				t.Fatalf("%d pages, %v; want %d", len(pages), err, want.pages)
			}
			if paper == label.Roll {
				wantSize(t, pages[0], 80, 60)
				wantWithin(t, run(t, "pdftotext", "-bbox", pdf, "-"), 80)
			}
			options := []string{"-q", "--raw", "-Sdisable", "-Sqrcode.enable"}
			got := strings.Fields(run(t, "zbarimg", append(options, pages...)...))
			if len(got) != want.codes {
				t.Errorf("read %d codes, want %d", len(got), want.codes)
			}
			for _, url := range got {
				if url != certificateURL {
					t.Errorf("read %s", url)
				}
			}
			text := strings.Join(strings.Fields(run(t, "pdftotext", "-raw", pdf, "-")), "")
			if strings.Contains(text, "tilapia") {
				t.Error("the gloss is printed")
			}
			for _, said := range []string{"承诺达标合格证", "签名（盖章）：", "2026年11月25日", "防腐剂、添加剂等。", "委托检测合格", "2026-000105", "黑石山茶叶种植农民专业合作社"} {
				if n := strings.Count(text, said); n < want.codes {
					t.Errorf("%s is printed %d times, want %d", said, n, want.codes)
				}
			}
		})
	}
}

// wantWithin finds no word within a millimetre of the sides of a page, in mm.
func wantWithin(t *testing.T, boxes string, width float64) {
	t.Helper()
	words := regexp.MustCompile(`<word xMin="(\S+)" yMin="\S+" xMax="(\S+)" yMax="\S+">(.*)</word>`).FindAllStringSubmatch(boxes, -1)
	for _, w := range words {
		var at [2]float64
		for i := range at {
			points, err := strconv.ParseFloat(w[i+1], 64)
			if err != nil {
				t.Fatal(err)
			}
			at[i] = points / 72 * 25.4
		}
		if at[0] < 1 || at[1] > width-1 {
			t.Errorf("%s is at %.1f mm", w[3], at)
		}
	}
	if len(words) < 10 {
		t.Errorf("%d words", len(words))
	}
}

func wantSize(t *testing.T, name string, width, height float64) {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var size image.Config
	if size, err = png.DecodeConfig(f); err != nil {
		t.Fatal(err)
	}
	for _, side := range []struct {
		px int
		mm float64
	}{{size.Width, width}, {size.Height, height}} {
		if got := float64(side.px) / 200 * 25.4; got < side.mm-.5 || got > side.mm+.5 {
			t.Errorf("a page is %.1f mm, want %.0f", got, side.mm)
		}
	}
}
