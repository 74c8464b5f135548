package press

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"io"
	"math"
	"strconv"

	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/vector"
)

// dots returns how many dots a length has.
func dots(mm float64, dpi int) int { return int(math.Round(mm / 25.4 * float64(dpi))) }

// raster draws on paper of dots. Modules of a code are whole dots, all alike,
// because a printer that rounds some up and others down is read worse.
func (f *face) raster(d drawing, dpi int) (*image.Gray, error) {
	scale := float64(dpi) / 25.4
	page := image.NewGray(image.Rect(0, 0, dots(d.width, dpi), dots(d.height, dpi)))
	for i := range page.Pix {
		page.Pix[i] = white
	}
	for _, c := range d.codes {
		n := float64(len(c.modules))
		module := max(1, int(c.side*scale/n+1e-6))
		rest := (c.side*scale - n*float64(module)) / 2
		left, top := int(math.Round(c.x*scale+rest)), int(math.Round(c.y*scale+rest))
		c.runs(func(x, y, length int) {
			at := image.Rect(x*module, y*module, (x+length)*module, (y+1)*module).Add(image.Pt(left, top))
			blacken(page, at.Intersect(page.Bounds()))
		})
	}
	var buf sfnt.Buffer
	for _, t := range d.texts {
		if err := f.paint(&buf, page, t, scale); err != nil {
			return nil, err
		}
	}
	return page, nil
}

const white = 0xff

// blacken fills a rectangle. image/draw takes ten times as long with grey pages.
func blacken(page *image.Gray, at image.Rectangle) {
	for y := at.Min.Y; y < at.Max.Y; y++ {
		clear(page.Pix[page.PixOffset(at.Min.X, y):page.PixOffset(at.Max.X, y)])
	}
}

// paint draws a text on a patch of its own size, for the time that the rasterizer
// takes goes with the area.
func (f *face) paint(buf *sfnt.Buffer, page *image.Gray, t text, scale float64) error {
	width := f.width(buf, t.s) * t.size
	patch := image.Rect(int((t.x-0.2*t.size)*scale), int((t.y-1.2*t.size)*scale), int((t.x+width+0.2*t.size)*scale)+1, int((t.y+0.4*t.size)*scale)+1).Intersect(page.Bounds())
	if patch.Empty() {
		return nil
	}
	ink := &pen{Rasterizer: vector.NewRasterizer(patch.Dx(), patch.Dy()), scale: scale, left: float64(patch.Min.X), top: float64(patch.Min.Y)}
	if err := f.outline(buf, t, ink); err != nil {
		return err
	}
	ink.ClosePath()
	ink.DrawOp = draw.Src
	cover := image.NewAlpha(image.Rect(0, 0, patch.Dx(), patch.Dy())) // for which the rasterizer is quick
	ink.Draw(cover, cover.Bounds(), image.Opaque, image.Point{})
	for y := range patch.Dy() {
		to := page.Pix[page.PixOffset(patch.Min.X, patch.Min.Y+y):]
		for x, a := range cover.Pix[y*cover.Stride : y*cover.Stride+patch.Dx()] {
			to[x] = min(to[x], white-a)
		}
	}
	return nil
}

// A pen draws contours into a rasterizer.
type pen struct {
	*vector.Rasterizer
	scale, left, top float64
}

func (p *pen) at(x, y float64) (float32, float32) {
	return float32(x*p.scale - p.left), float32(y*p.scale - p.top)
}

func (p *pen) move(x, y float64) { p.ClosePath(); p.MoveTo(p.at(x, y)) }
func (p *pen) line(x, y float64) { p.LineTo(p.at(x, y)) }
func (p *pen) curve(cx, cy, x, y float64) {
	ax, ay := p.at(cx, cy)
	bx, by := p.at(x, y)
	p.QuadTo(ax, ay, bx, by)
}

// png writes a picture that says its resolution, so that a print shop's program
// places it at its size.
func (f *face) png(w io.Writer, d drawing, dpi int) error {
	page, err := f.raster(d, dpi)
	if err != nil {
		return err
	}
	var raw bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(&raw, grays(page)); err != nil {
		return err
	}
	const header = 8 + 25 // the signature and IHDR, which pHYs follows
	chunk := []byte("pHYs")
	perMetre := uint32(math.Round(float64(dpi) / 0.0254)) //nolint:gosec // three digits of dpi
	chunk = binary.BigEndian.AppendUint32(chunk, perMetre)
	chunk = binary.BigEndian.AppendUint32(chunk, perMetre)
	chunk = append(chunk, 1)
	var out []byte
	out = append(out, raw.Bytes()[:header]...)
	out = binary.BigEndian.AppendUint32(out, uint32(len(chunk)-4)) //nolint:gosec // 9
	out = append(out, chunk...)
	out = binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(chunk))
	out = append(out, raw.Bytes()[header:]...)
	_, err = w.Write(out)
	return err
}

// grays reduces a picture to 16 shades, which makes a quarter of the file.
func grays(page *image.Gray) *image.Paletted {
	palette := make(color.Palette, 16)
	for i := range palette {
		palette[i] = color.Gray{Y: uint8(i * 17)} //nolint:gosec // to 255
	}
	out := image.NewPaletted(page.Bounds(), palette)
	for i, v := range page.Pix {
		out.Pix[i] = uint8((int(v) + 8) / 17) //nolint:gosec // to 15
	}
	return out
}

// svg writes a picture of shapes alone, which looks the same where the font is not.
func (f *face) svg(w io.Writer, d drawing) error {
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, `<svg xmlns="http://www.w3.org/2000/svg" width="%[1]smm" height="%[2]smm" viewBox="0 0 %[1]s %[2]s"><path fill="#fff" d="M0 0h%[1]sv%[2]sH0z"/>`, short(d.width), short(d.height))
	for _, c := range d.codes {
		c.svg(out)
	}
	fmt.Fprintf(out, `<path transform="scale(%v)" d="`, 1.0/grid)
	var buf sfnt.Buffer
	to := &path{Writer: out}
	for _, t := range d.texts {
		if err := f.outline(&buf, t, to); err != nil {
			return err
		}
	}
	_, _ = out.WriteString(`"/></svg>`)
	return out.Flush()
}

// grid is how finely the shapes of characters are placed, in parts of a mm: four
// times as finely as the best label printers print.
const grid = 100

// A path writes contours as SVG does, each point from the one before, which makes
// a third of the file.
type path struct {
	*bufio.Writer
	x, y int // where the pen is
}

func (p *path) to(command byte, points ...float64) {
	_ = p.WriteByte(command)
	fromX, fromY := p.x, p.y
	for i := 0; i < len(points); i += 2 {
		x, y := int(math.Round(points[i]*grid)), int(math.Round(points[i+1]*grid))
		if i > 0 && x >= fromX {
			_ = p.WriteByte(' ')
		}
		_, _ = p.WriteString(strconv.Itoa(x - fromX))
		if y >= fromY {
			_ = p.WriteByte(' ')
		}
		_, _ = p.WriteString(strconv.Itoa(y - fromY))
		p.x, p.y = x, y
	}
}

func (p *path) move(x, y float64)          { p.to('m', x, y) }
func (p *path) line(x, y float64)          { p.to('l', x, y) }
func (p *path) curve(cx, cy, x, y float64) { p.to('q', cx, cy, x, y) }

// short writes mm to the micrometre.
func short(v float64) string { return strconv.FormatFloat(math.Round(v*1000)/1000, 'f', -1, 64) }
