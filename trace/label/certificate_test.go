package label_test

import (
	"bytes"
	"image"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"tianhai/trace/label"
)

const certificateURL = "https://trace.nongye.gx.example.cn/t/4Q7XH2M9KTB3D?c=2026-000123"

func newCertificate(paper label.Paper, copies int) label.Certificate {
	return label.Certificate{
		Paper: paper, Copies: copies, Lang: "en", How: "Print at 100 %.", Gloss: []label.Line{{Name: "Product", Value: "Pond-raised tilapia"}},
		Form: newForm(),
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
		},
		Promise: label.Line{"我承诺：", "已按规定收取并保存该批次农产品承诺达标合格证或者其他质量安全合格证明；未违规使用保鲜剂、防腐剂、添加剂等。"},
		Basis:   label.Line{Name: "承诺依据："}, Choices: []label.Choice{{"质量安全控制符合要求", true}, {"自行检测合格", false}, {"委托检测合格", true}},
		Sign: "签名（盖章）：", URL: certificateURL, Scan: "扫码查验",
	}
}

func TestCertificate(t *testing.T) {
	c := newCertificate(label.A4, 9)
	c.Lines[1].Value = `<script>alert("茶")</script>`
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
	if strings.Contains(page, "<script") || strings.Count(page, "☑质量安全控制符合要求") != 9 || strings.Count(page, "☐自行检测合格") != 9 {
		t.Error("the form does not say what was chosen")
	}
	for _, bad := range []label.Certificate{newCertificate(label.Roll, 0), newCertificate(label.Roll, label.MaxCopies+1), newCertificate("a3", 1), {Paper: label.Roll, Copies: 1}} {
		if err := bad.Write(&bytes.Buffer{}); err == nil {
			t.Errorf("wrote %d copies on %q", bad.Copies, bad.Paper)
		}
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
			if err := newCertificate(paper, want.copies).Write(&b); err != nil {
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
			text := strings.Join(strings.Fields(run(t, "pdftotext", pdf, "-")), "")
			if strings.Contains(text, "tilapia") {
				t.Error("the gloss is printed")
			}
			for _, said := range []string{"承诺达标合格证", "签名（盖章）：", "2026年11月25日", "防腐剂、添加剂等。", "委托检测合格"} {
				if n := strings.Count(text, said); n < want.codes {
					t.Errorf("%s is printed %d times, want %d", said, n, want.codes)
				}
			}
		})
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
