package label_test

import (
	"bytes"
	"crypto/rand"
	"encoding/xml"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

	"tianhai/trace/label"
)

const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

func newCode(t testing.TB) string {
	t.Helper()
	code, err := label.NewCode(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return code
}

func TestNewCode(t *testing.T) {
	seen := map[string]bool{}
	var places [label.CodeLength]map[byte]bool
	for range 5000 {
		code := newCode(t)
		if len(code) != label.CodeLength || seen[code] {
			t.Fatalf("code %q is too short or was there before", code)
		}
		seen[code] = true
		for i := range places {
			if places[i] == nil {
				places[i] = map[byte]bool{}
			}
			places[i][code[i]] = true
		}
		if got, err := label.ParseCode(code); err != nil || got != code {
			t.Fatalf("ParseCode(%q) = %q, %v", code, got, err)
		}
	}
	for i, p := range places {
		if len(p) != len(alphabet) {
			t.Errorf("place %d takes %d values, want all %d", i, len(p), len(alphabet))
		}
	}
	if _, err := label.NewCode(iotest.ErrReader(errors.New("no entropy"))); err == nil {
		t.Error("a code without randomness")
	}
}

// Every single wrong character and every exchange of two different ones, at
// every place, with every value: none makes another code.
func TestCheckCharacter(t *testing.T) {
	refused := func(code []byte) {
		t.Helper()
		var e *label.CodeError
		if _, err := label.ParseCode(string(code)); !errors.As(err, &e) || !e.Mistyped {
			t.Fatalf("%q: %v", code, err)
		}
	}
	for range 200 {
		code := []byte(newCode(t))
		for i := range code {
			for _, c := range []byte(alphabet) {
				if wrong := bytes.Clone(code); c != code[i] {
					wrong[i] = c
					refused(wrong)
				}
			}
			for j := range i {
				if code[i] != code[j] {
					wrong := bytes.Clone(code)
					wrong[i], wrong[j] = code[j], code[i]
					refused(wrong)
				}
			}
		}
	}
}

func TestParseCodeForgives(t *testing.T) {
	const code = "01A0BCDEFGHJ"
	full := ""
	for _, c := range alphabet {
		if got, err := label.ParseCode(code + string(c)); err == nil {
			full = got
		}
	}
	if full == "" {
		t.Fatal("no check character fits")
	}
	check := full[12:]
	for name, s := range map[string]string{
		"lower case":      strings.ToLower(full),
		"grouped":         label.Group(full),
		"spaces":          " " + full[:5] + " " + full[5:] + "\n",
		"look-alikes":     "OIAoBCDEFGHJ" + check,
		"more look-alike": "0La0bcdefghj" + check,
		"full width":      "０１Ａ０－ＢＣＤＥ　ＦＧＨＪ" + check,
		"long dash":       full[:4] + "—" + full[4:],
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := label.ParseCode(s); err != nil || got != full {
				t.Errorf("ParseCode(%q) = %q, %v; want %q", s, got, err, full)
			}
		})
	}
}

func TestParseCodeNamesTheFault(t *testing.T) {
	code := newCode(t)
	tests := map[string]struct {
		in   string
		want label.CodeError
	}{
		"empty":       {"", label.CodeError{}},
		"short":       {code[:12], label.CodeError{Length: 12}},
		"long":        {code + "00", label.CodeError{Length: 15}},
		"U":           {code[:4] + "U" + code[5:], label.CodeError{Position: 5, Char: 'U'}},
		"Chinese":     {"码" + code[1:], label.CodeError{Position: 1, Char: '码'}},
		"broken text": {code[:12] + "\xff", label.CodeError{Position: 13, Char: '\uFFFD'}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := label.ParseCode(tt.in)
			var e *label.CodeError
			if !errors.As(err, &e) || e.Length != tt.want.Length || e.Position != tt.want.Position || e.Char != tt.want.Char || e.Mistyped {
				t.Errorf("ParseCode(%q): %+v", tt.in, err)
			}
		})
	}
}

// A covered code is a shorter code of the same kind.
func TestCoveredCode(t *testing.T) {
	for range 2000 {
		v := label.Decode(newCode(t))
		code := label.Encode(v, label.CoverLength)
		typed := strings.ToLower(label.Group(code))
		if got, err := label.ParseCover(typed); err != nil || got != code || len(typed) != label.CoverLength+1 {
			t.Fatalf("ParseCover(%q) = %q, %v; want %q", typed, got, err, code)
		}
		if got := label.Decode(code); got != v&(1<<35-1) {
			t.Fatalf("%q holds %x, want the lowest 35 bits of %x", code, got, v)
		}
	}
	var e *label.CodeError
	if _, err := label.ParseCover("1234567"); !errors.As(err, &e) || e.Length != 7 || e.Want != label.CoverLength {
		t.Errorf("seven characters: %v", err)
	}
}

// Somebody who reads 8 for B, or S for 5, is told where.
func TestGuesses(t *testing.T) {
	pairs := map[byte]byte{'B': '8', '8': 'B', '5': 'S', 'S': '5', 'Z': '2', '2': 'Z', 'G': '6', 'Q': '0', 'V': 'Y', 'W': 'V'}
	tried := 0
	for range 300 {
		code := newCode(t)
		for i := range code {
			misread, ok := pairs[code[i]]
			if !ok {
				continue
			}
			tried++
			wrong := code[:i] + string(misread) + code[i+1:]
			var e *label.CodeError
			if _, err := label.ParseCode(wrong); !errors.As(err, &e) {
				t.Fatal(err)
			}
			found := false
			for _, g := range e.Guesses {
				if _, err := label.ParseCode(g.Code); err != nil {
					t.Fatalf("guess %+v is no code", g)
				}
				found = found || g.Code == code && g.Position == i+1 && g.Read == misread && g.Meant == code[i]
			}
			if !found {
				t.Fatalf("%s for %s: guesses %+v", wrong, code, e.Guesses)
			}
		}
	}
	if tried == 0 {
		t.Fatal("nothing was misread")
	}
}

func FuzzParseCode(f *testing.F) {
	for _, s := range []string{"", "0000000000000", "ABCD-EFGH-JKMNP", "０", "\xff\xfe"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if cover, err := label.ParseCover(s); err == nil && label.Encode(label.Decode(cover), label.CoverLength) != cover {
			t.Fatalf("ParseCover(%q) = %q, which is written in another way", s, cover)
		}
		code, err := label.ParseCode(s)
		if err != nil {
			var e *label.CodeError
			if !errors.As(err, &e) || e.Error() == "" {
				t.Errorf("%q: %v", s, err)
			}
			return
		}
		if again, err := label.ParseCode(code); err != nil || again != code {
			t.Errorf("%q reads as %q, which reads as %q, %v", s, code, again, err)
		}
	})
}

const address = "https://trace.example.cn/t/4Q7XH2M9KTB3D"

func zbarimg(t *testing.T, picture []byte) string {
	t.Helper()
	path, err := exec.LookPath("zbarimg")
	if err != nil {
		t.Skip("zbarimg (Debian package zbar-tools) is not installed: drawings are not decoded")
	}
	file := filepath.Join(t.TempDir(), "qr.png")
	if err := os.WriteFile(file, picture, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), path, "--quiet", "--raw", file).Output()
	if err != nil {
		t.Fatalf("zbarimg: %v", err)
	}
	return strings.TrimSpace(string(out))
}

// draw makes a picture of modules, eight pixels each.
func draw(t *testing.T, modules [][]bool) []byte {
	t.Helper()
	const scale = 8
	img := image.NewGray(image.Rect(0, 0, scale*len(modules[0]), scale*len(modules)))
	for y := range img.Rect.Dy() {
		for x := range img.Rect.Dx() {
			if !modules[y/scale][x/scale] {
				img.SetGray(x, y, color.Gray{Y: 255})
			}
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestPNG(t *testing.T) {
	for _, size := range []int{1, 120, 600} {
		picture, err := label.PNG(address, size)
		if err != nil {
			t.Fatal(err)
		}
		cfg, err := png.DecodeConfig(bytes.NewReader(picture))
		if err != nil {
			t.Fatal(err)
		}
		if cfg.Width != cfg.Height || cfg.Width < size {
			t.Errorf("size %d is drawn %d×%d", size, cfg.Width, cfg.Height)
		}
		if size > 100 {
			if got := zbarimg(t, picture); got != address {
				t.Errorf("decodes as %q", got)
			}
		}
	}
	for _, size := range []int{0, -1, label.MaxSize + 1} {
		if _, err := label.PNG(address, size); err == nil {
			t.Errorf("size %d is drawn", size)
		}
	}
	for _, url := range []string{"", strings.Repeat("x", 301)} {
		if _, err := label.PNG(url, 100); err == nil {
			t.Errorf("an address of %d bytes is drawn", len(url))
		}
	}
}

func TestSVG(t *testing.T) {
	raw, err := label.SVG(address)
	if err != nil {
		t.Fatal(err)
	}
	var svg struct {
		ViewBox string `xml:"viewBox,attr"`
		Paths   []struct {
			D string `xml:"d,attr"`
		} `xml:"path"`
	}
	if err := xml.Unmarshal(raw, &svg); err != nil {
		t.Fatal(err)
	}
	var n int
	if _, err := fmt.Sscanf(svg.ViewBox, "0 0 %d", &n); err != nil || len(svg.Paths) != 2 {
		t.Fatalf("view box %q, %d paths: %v", svg.ViewBox, len(svg.Paths), err)
	}
	if n != 33+8 {
		t.Errorf("the address is drawn in %d modules, want version 4 with its quiet zone", n)
	}
	modules := make([][]bool, n)
	for y := range modules {
		modules[y] = make([]bool, n)
	}
	for _, m := range regexp.MustCompile(`M(\d+) (\d+)h(\d+)v1h-(\d+)z`).FindAllStringSubmatch(svg.Paths[1].D, -1) {
		x, _ := strconv.Atoi(m[1])
		y, _ := strconv.Atoi(m[2])
		run, _ := strconv.Atoi(m[3])
		for i := range run {
			modules[y][x+i] = true
		}
	}
	for i := range n {
		for q := range 4 {
			if modules[q][i] || modules[n-1-q][i] || modules[i][q] || modules[i][n-1-q] {
				t.Fatal("the quiet zone is not quiet")
			}
		}
	}
	if got := zbarimg(t, draw(t, modules)); got != address {
		t.Errorf("decodes as %q", got)
	}
}

// The code says its own level, beside its first finder (ISO/IEC 18004 §7.9.1): the two
// highest bits of its format, masked with 10, are 11 for Q.
func TestLevel(t *testing.T) {
	const quiet = 4
	for n := len("https://a.cn/t/"); n <= 300; n += 19 {
		modules, err := label.Modules(("https://a.cn/t/" + strings.Repeat("X", 300))[:n])
		if err != nil {
			t.Fatal(err)
		}
		if row := modules[quiet+8]; row[quiet] || !row[quiet+1] {
			t.Errorf("the code of an address of %d bytes is not of level Q", n)
		}
	}
}

func TestTerminal(t *testing.T) {
	out, err := label.Terminal(address)
	if err != nil {
		t.Fatal(err)
	}
	var modules [][]bool
	for line := range strings.Lines(out) {
		line, ok := strings.CutPrefix(line, "\x1b[30;107m")
		if !ok {
			t.Fatal("a line does not set its colours")
		}
		line, ok = strings.CutSuffix(line, "\x1b[0m\n")
		if !ok {
			t.Fatal("a line does not put the colours back")
		}
		var upper, lower []bool
		for _, r := range line {
			upper = append(upper, r == '█' || r == '▀')
			lower = append(lower, r == '█' || r == '▄')
		}
		modules = append(modules, upper, lower)
	}
	if got := zbarimg(t, draw(t, modules)); got != address {
		t.Errorf("decodes as %q", got)
	}
}
