package press

import (
	"bufio"
	"context"
	"fmt"
	"image"
	"io"
	"strings"
)

// zpl writes each label as one picture (^GF). Printers that speak ZPL, Zebra's and
// those that imitate them, differ in which Chinese fonts they have and in what ^BQ
// draws; a picture they all print alike.
//
// Source: Zebra, ZPL II Programming Guide, "^GF" and "Alternative Data Compression".
func (p *Press) zpl(ctx context.Context, w io.Writer, job Job) error {
	out := bufio.NewWriterSize(w, 1<<16)
	for d, err := range p.drawings(ctx, job) {
		if err != nil {
			return err
		}
		page, err := p.face.raster(d, job.DPI)
		if err != nil {
			return err
		}
		size, stride := page.Bounds().Size(), (page.Bounds().Dx()+7)/8
		fmt.Fprintf(out, "^XA^PW%d^LL%d^LH0,0^PQ%d\n^FO0,0^GFA,%[4]d,%[4]d,%[5]d,", size.X, size.Y, job.Copies, stride*size.Y, stride)
		squeeze(out, page)
		if _, err := out.WriteString("^FS\n^XZ\n"); err != nil {
			return err
		}
	}
	return out.Flush()
}

// squeeze writes the dots of a page, black is 1, in hexadecimal digits with runs
// written short: G to Y stand for 1 to 19 of the digit that follows, g to z for 20
// to 400; "," fills a row with white, "!" with black, ":" repeats the row before.
func squeeze(out *bufio.Writer, page *image.Gray) {
	before := ""
	for y := range page.Bounds().Dy() {
		row := digits(page.Pix[y*page.Stride : y*page.Stride+page.Bounds().Dx()])
		if row == before {
			_ = out.WriteByte(':')
			continue
		}
		before = row
		fill := ""
		if rest := strings.TrimRight(row, "0"); len(rest) < len(row) {
			row, fill = rest, ","
		} else if rest := strings.TrimRight(row, "F"); len(rest) < len(row) {
			row, fill = rest, "!"
		}
		for len(row) > 0 {
			n := len(row) - len(strings.TrimLeft(row, row[:1]))
			repeat(out, n)
			_ = out.WriteByte(row[0])
			row = row[n:]
		}
		_, _ = out.WriteString(fill)
	}
}

// repeat writes how often the next digit stands there; nothing for once.
func repeat(out *bufio.Writer, n int) {
	if n == 1 {
		return
	}
	for ; n >= 400; n -= 400 {
		_ = out.WriteByte('z')
	}
	if n >= 20 {
		_ = out.WriteByte('g' + byte(n/20-1))
		n %= 20
	}
	if n > 0 {
		_ = out.WriteByte('G' + byte(n-1))
	}
}

// digits writes a row in hexadecimal digits of four dots, an even number of them.
func digits(row []uint8) string {
	const hex, half = "0123456789ABCDEF", 128
	out := make([]byte, 0, len(row)/4+2)
	for len(row) > 0 || len(out)%2 == 1 {
		v := 0
		for i := range 4 {
			v <<= 1
			if i < len(row) && row[i] < half {
				v |= 1
			}
		}
		out = append(out, hex[v])
		row = row[min(4, len(row)):]
	}
	return string(out)
}
