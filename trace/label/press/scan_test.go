package press_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	xdraw "golang.org/x/image/draw"
	"golang.org/x/image/math/f64"

	"tianhai/trace/label"
	"tianhai/trace/label/press"
)

func need(t *testing.T, programs ...string) {
	t.Helper()
	for _, program := range programs {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed (`make testdeps` installs it as root on Debian): labels are not read back", program)
		}
	}
}

func run(t *testing.T, program string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), program, args...).Output()
	var exit *exec.ExitError
	if nothing := errors.As(err, &exit) && program == "zbarimg" && exit.ExitCode() == 4; err != nil && !nothing {
		t.Fatalf("%s: %v", program, err)
	}
	return string(out)
}

// scan reads pictures one after the other, as zbar does.
func scan(t *testing.T, pictures ...string) []string {
	t.Helper()
	return strings.Fields(run(t, "zbarimg", append([]string{"-q", "--raw", "-Sdisable", "-Sqrcode.enable"}, pictures...)...))
}

func save(t *testing.T, name string, page image.Image) string {
	t.Helper()
	var b bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(&b, page); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func load(t *testing.T, name string) *image.Gray {
	t.Helper()
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return gray(t, raw)
}

func gray(t *testing.T, raw []byte) *image.Gray {
	t.Helper()
	page, err := png.Decode(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	if p, ok := page.(*image.Gray); ok {
		return p
	}
	out := image.NewGray(page.Bounds())
	draw.Draw(out, out.Bounds(), page, image.Point{}, draw.Src)
	return out
}

func addresses(n int) (all []string) {
	for i := range n {
		all = append(all, packet(i).URL)
	}
	return all
}

// Every label of every stock is read off the printed page, at the resolution of
// coarse and of fine printers, at its own place and no other.
func TestPrintedPages(t *testing.T) {
	need(t, "pdftoppm", "zbarimg")
	for _, s := range append(label.Stocks(), stock(t, "columns=4,rows=10,width=48.5,height=25.4,gap=0.5,row-gap=1,left=7,top=12")) {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			job := press.Job{Stock: s, Skip: min(1, s.PerSheet()-1), Count: max(s.PerSheet(), 2)}
			job.Labels = many(job.Count)
			file := filepath.Join(dir, "labels.pdf")
			if err := os.WriteFile(file, write(t, press.PDF, job), 0o600); err != nil {
				t.Fatal(err)
			}
			for _, dpi := range []int{203, 300} {
				prefix := filepath.Join(dir, strconv.Itoa(dpi))
				run(t, "pdftoppm", "-r", strconv.Itoa(dpi), "-gray", "-png", file, prefix)
				pages, err := filepath.Glob(prefix + "*.png")
				if err != nil || len(pages) != 2 {
					t.Fatalf("%d pages, %v; want 2", len(pages), err)
				}
				var cells []string
				for _, p := range pages {
					cells = append(cells, cut(t, p, s, dpi)...)
				}
				got := scan(t, cells[job.Skip:job.Skip+job.Count]...)
				if want := addresses(job.Count); !slices.Equal(got, want) {
					t.Errorf("at %d dpi read %d codes, want %d: %v", dpi, len(got), len(want), got)
				}
			}
		})
	}
}

// cut returns pictures of the labels of a page, as the cuts in the stock are.
func cut(t *testing.T, file string, s label.Stock, dpi int) (files []string) {
	t.Helper()
	page := load(t, file)
	px := func(mm float64) int { return int(mm / 25.4 * float64(dpi)) }
	for place := range s.PerSheet() {
		left, top := s.At(place)
		one := page.SubImage(image.Rect(px(left), px(top), px(left+s.Width), px(top+s.Height)))
		files = append(files, save(t, fmt.Sprintf("%s-%d.png", file, place), one))
	}
	return files
}

// What cameras and printers do to a label, it bears: at any angle, out of focus,
// on grey paper with pale ink, worn.
func TestSpoilt(t *testing.T) {
	need(t, "zbarimg")
	spoil := map[string]func(*image.Gray, float64) *image.Gray{
		"blurred":               blur,
		"low contrast":          func(p *image.Gray, _ float64) *image.Gray { return fade(p, 120, 175) },
		"faded on white":        func(p *image.Gray, _ float64) *image.Gray { return fade(p, 170, 250) },
		"dark paper":            func(p *image.Gray, _ float64) *image.Gray { return fade(p, 20, 90) },
		"blurred, low contrast": func(p *image.Gray, module float64) *image.Gray { return fade(blur(p, module), 110, 190) },
		"stained":               stain,
	}
	for _, angle := range []float64{3, 15, 30, 45, 60, 90, 135, 180, 270} {
		spoil[fmt.Sprintf("rotated by %v", angle)] = func(p *image.Gray, _ float64) *image.Gray { return rotate(p, angle) }
	}
	spoil["all at once"] = func(p *image.Gray, module float64) *image.Gray { return fade(blur(rotate(p, 20), module/2), 100, 200) }
	for _, s := range label.Stocks() {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			page, dir := gray(t, write(t, press.PNG, press.Job{Stock: s, DPI: 203, Count: 1, Labels: many(1)})), t.TempDir()
			if module(page) < 4 { // a camera makes more than three dots of a module
				page = zoom(xdraw.NearestNeighbor, page, 2)
			}
			for name, spoil := range spoil {
				file, spoilt := filepath.Join(dir, "label.png"), spoil(page, module(page))
				got := scan(t, save(t, file, spoilt))
				if len(got) == 0 { // and looks again, from a little nearer
					got = scan(t, save(t, file, zoom(xdraw.BiLinear, spoilt, 1.3)))
				}
				if !slices.Equal(got, addresses(1)) {
					t.Errorf("%s: read %v", name, got)
				}
			}
		})
	}
}

// module is that of the code in a picture, in dots: a seventh of the bar above
// its first finder.
func module(p *image.Gray) float64 {
	left, top := corner(p)
	n := 0
	for p.GrayAt(left+n, top).Y < 10 {
		n++
	}
	return float64(n) / 7
}

// corner is where the code begins: the first square corner of two black bars, each
// as long as the other.
func corner(p *image.Gray) (left, top int) {
	for y := range p.Bounds().Dy() {
		for x := range p.Bounds().Dx() / 2 {
			n := 0
			for n < 21 && p.GrayAt(x+n, y).Y < 10 && p.GrayAt(x, y+n).Y < 10 {
				n++
			}
			if n == 21 {
				return x, y
			}
		}
	}
	return 0, 0
}

// blur takes the mean over two thirds of a module, at least over three dots.
func blur(p *image.Gray, module float64) *image.Gray {
	r, out := max(1, int(module/3)), image.NewGray(p.Bounds())
	for y := range p.Bounds().Dy() {
		for x := range p.Bounds().Dx() {
			sum, n := 0, 0
			for dy := -r; dy <= r; dy++ {
				for dx := -r; dx <= r; dx++ {
					if image.Pt(x+dx, y+dy).In(p.Bounds()) {
						sum += int(p.GrayAt(x+dx, y+dy).Y)
						n++
					}
				}
			}
			out.SetGray(x, y, color.Gray{Y: uint8(sum / n)}) //nolint:gosec // a mean
		}
	}
	return out
}

func fade(p *image.Gray, ink, paper int) *image.Gray {
	out := image.NewGray(p.Bounds())
	for i, v := range p.Pix {
		out.Pix[i] = uint8(ink + int(v)*(paper-ink)/255) //nolint:gosec // between the two
	}
	return out
}

// stain covers a place among the data, a fiftieth of the code.
func stain(p *image.Gray, module float64) *image.Gray {
	out := image.NewGray(p.Bounds())
	copy(out.Pix, p.Pix)
	left, top := corner(p)
	at := image.Pt(left+int(16*module), top+int(14*module))
	draw.Draw(out, image.Rectangle{at, at.Add(image.Pt(int(5*module), int(5*module)))}, image.White, image.Point{}, draw.Src)
	return out
}

func zoom(by xdraw.Scaler, p *image.Gray, times float64) *image.Gray {
	out := image.NewGray(image.Rect(0, 0, int(float64(p.Bounds().Dx())*times), int(float64(p.Bounds().Dy())*times)))
	by.Scale(out, out.Bounds(), p, p.Bounds(), xdraw.Src, nil)
	return out
}

func rotate(p *image.Gray, degrees float64) *image.Gray {
	w, h := float64(p.Bounds().Dx()), float64(p.Bounds().Dy())
	side := math.Hypot(w, h)
	out := image.NewGray(image.Rect(0, 0, int(side), int(side)))
	draw.Draw(out, out.Bounds(), image.White, image.Point{}, draw.Src)
	sin, cos := math.Sincos(degrees * math.Pi / 180)
	m := f64.Aff3{cos, -sin, side/2 - cos*w/2 + sin*h/2, sin, cos, side/2 - sin*w/2 - cos*h/2}
	xdraw.BiLinear.Transform(out, m, p, p.Bounds(), xdraw.Src, nil)
	return out
}

// A certificate, with its longer address, wherever it fits.
func TestPrintedCertificate(t *testing.T) {
	need(t, "pdftoppm", "pdftotext", "zbarimg")
	for _, name := range []string{"plain-80x60", "99.1x57", "99.1x67.7", "roll-80x60", "roll-100x60", "roll-100x80"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, dir := stock(t, name), t.TempDir()
			n, labels := press.Of(promise())
			file := filepath.Join(dir, "certificate.pdf")
			if err := os.WriteFile(file, write(t, press.PDF, press.Job{Stock: s, Count: n, Labels: labels, Copies: s.PerSheet()}), 0o600); err != nil {
				t.Fatal(err)
			}
			run(t, "pdftoppm", "-r", "203", "-gray", "-png", file, filepath.Join(dir, "page"))
			pages, err := filepath.Glob(filepath.Join(dir, "page*.png"))
			if err != nil || len(pages) != 1 {
				t.Fatalf("%d pages, %v", len(pages), err)
			}
			got := scan(t, cut(t, pages[0], s, 203)...)
			if len(got) != s.PerSheet() || got[0] != promise().URL {
				t.Errorf("read %v", got)
			}
			// Every word is there, as text.
			said := strings.Join(strings.Fields(run(t, "pdftotext", "-raw", file, "-")), "")
			for _, l := range promise().Lines {
				if v := strings.ReplaceAll(l.Value, " ", ""); !strings.Contains(said, v) {
					t.Errorf("%s is missing in %s", v, said)
				}
			}
			if n := strings.Count(said, "承诺达标合格证"); n != s.PerSheet() {
				t.Errorf("%d titles", n)
			}
			fonts := run(t, "pdffonts", file)
			if !strings.Contains(fonts, "CID TrueType") || !strings.Contains(fonts, "yes") {
				t.Errorf("the font is not in the file:\n%s", fonts)
			}
		})
	}
}

// What a thermal printer is sent is unpacked here as the manual of ZPL says, and read.
func TestThermal(t *testing.T) {
	need(t, "zbarimg")
	for _, s := range label.Stocks() {
		if !s.Roll {
			continue
		}
		for _, dpi := range []int{203, 300, 600} {
			t.Run(fmt.Sprintf("%s, %d dpi", s.Name, dpi), func(t *testing.T) {
				t.Parallel()
				const count = 3
				zpl := write(t, press.ZPL, press.Job{Stock: s, DPI: dpi, Count: count, Labels: many(count), Copies: 2})
				if i := bytes.IndexFunc(zpl, func(r rune) bool { return r > '~' }); i >= 0 {
					t.Fatalf("byte %d is not ASCII", i)
				}
				dir := t.TempDir()
				var files []string
				for i, page := range unpack(t, string(zpl)) {
					width, height := int(math.Round(s.Width/25.4*float64(dpi))), int(math.Round(s.Height/25.4*float64(dpi)))
					if size := page.Bounds().Size(); size.Y != height || size.X < width || size.X > width+7 {
						t.Errorf("%v dots, want %d × %d", size, width, height)
					}
					files = append(files, save(t, filepath.Join(dir, fmt.Sprintf("%d.png", i)), page))
				}
				if got := scan(t, files...); !slices.Equal(got, addresses(count)) {
					t.Errorf("read %v", got)
				}
			})
		}
	}
}

var format = regexp.MustCompile(`(?s)\^XA\^PW(\d+)\^LL(\d+)\^LH0,0\^PQ2\n\^FO0,0\^GFA,(\d+),(\d+),(\d+),([^^]*)\^FS\n\^XZ\n`)

// unpack returns the pictures that a stream of ZPL prints.
func unpack(t *testing.T, zpl string) (pages []*image.Gray) {
	t.Helper()
	if rest := format.ReplaceAllString(zpl, ""); rest != "" {
		t.Fatalf("more than pictures is sent: %.200s", rest)
	}
	for _, m := range format.FindAllStringSubmatch(zpl, -1) {
		total, _ := strconv.Atoi(m[4])
		stride, _ := strconv.Atoi(m[5])
		hex := expand(t, m[6], 2*stride)
		if len(hex) != 2*total || m[3] != m[4] {
			t.Fatalf("%d digits, want %d", len(hex), 2*total)
		}
		page := image.NewGray(image.Rect(0, 0, stride*8, total/stride))
		for i, c := range hex {
			v, err := strconv.ParseUint(string(c), 16, 4)
			if err != nil {
				t.Fatalf("digit %q", c)
			}
			for bit := range 4 {
				page.Pix[i*4+bit] = 255
				if v&(8>>bit) != 0 {
					page.Pix[i*4+bit] = 0
				}
			}
		}
		pages = append(pages, page)
	}
	return pages
}

// expand undoes the compression of a picture whose rows have width digits.
func expand(t *testing.T, packed string, width int) string {
	t.Helper()
	var out strings.Builder
	row, before, count := "", "", 0
	end := func() { out.WriteString(row); before, row = row, "" }
	in := bufio.NewReader(strings.NewReader(packed))
	for {
		c, err := in.ReadByte()
		if err != nil {
			break
		}
		switch {
		case c >= 'G' && c <= 'Y':
			count += int(c-'G') + 1
			continue
		case c >= 'g' && c <= 'z':
			count += (int(c-'g') + 1) * 20
			continue
		case c == ':' && row == "":
			row = before
		case c == ',':
			row += strings.Repeat("0", width-len(row))
		case c == '!':
			row += strings.Repeat("F", width-len(row))
		default:
			row += strings.Repeat(string(c), max(count, 1))
		}
		if count = 0; len(row) > width {
			t.Fatalf("a row of %d digits, want %d", len(row), width)
		}
		if len(row) == width {
			end()
		}
	}
	return out.String()
}

// SVG is drawn by a browser, as a print shop's program would.
func TestDrawn(t *testing.T) {
	need(t, "chromium", "zbarimg")
	dir := t.TempDir()
	page := "<!doctype html><style>body{margin:0}img{display:block;margin:4mm}</style>"
	n := 0
	for _, s := range label.Stocks() {
		l := packet(n)
		count, labels := press.Of(l)
		name := fmt.Sprintf("%d.svg", n)
		if err := os.WriteFile(filepath.Join(dir, name), write(t, press.SVG, press.Job{Stock: s, Count: count, Labels: labels}), 0o600); err != nil {
			t.Fatal(err)
		}
		page += `<img src="` + name + `">`
		n++
	}
	html, shot := filepath.Join(dir, "all.html"), filepath.Join(dir, "all.png")
	if err := os.WriteFile(html, []byte(page), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--user-data-dir="+filepath.Join(dir, "profile"), "--force-device-scale-factor=2.1", "--window-size=500,4200", "--screenshot="+shot, "file://"+html)
	got := scan(t, shot)
	slices.Sort(got)
	if want := addresses(n); !slices.Equal(got, want) {
		t.Errorf("read %d codes, want %d: %v", len(got), len(want), got)
	}
}
