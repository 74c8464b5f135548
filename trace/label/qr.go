package label

import (
	"fmt"
	"strings"

	qrcode "github.com/skip2/go-qrcode"
)

// The level is Q: a quarter of the code may be dirty or torn. go-qrcode calls
// that level High; its Highest is H, which costs a larger code than a packet has
// room for. A host of up to 8 letters makes version 3, one of up to 22 version 4.
// Its bitmap has the quiet zone of 4 modules that ISO/IEC 18004 asks.
const level = qrcode.High

// MaxSize is the largest PNG, in pixels.
const MaxSize = 2048

func encode(url string) (*qrcode.QRCode, error) {
	if url == "" || len(url) > 300 {
		return nil, fmt.Errorf("draw QR code: %w", errURL)
	}
	q, err := qrcode.New(url, level)
	if err != nil {
		return nil, fmt.Errorf("draw QR code: %w", err)
	}
	return q, nil
}

// PNG draws the address as a square of size pixels, 1 to MaxSize; where that is
// less than a pixel a module, as many as needed.
func PNG(url string, size int) ([]byte, error) {
	if size < 1 || size > MaxSize {
		return nil, fmt.Errorf("draw QR code: size %d is not 1 to %d", size, MaxSize)
	}
	q, err := encode(url)
	if err != nil {
		return nil, err
	}
	png, err := q.PNG(size)
	if err != nil {
		return nil, fmt.Errorf("draw QR code: %w", err)
	}
	return png, nil
}

// SVG draws the address as one path of unit squares on white, to be scaled to
// any size without blur.
func SVG(url string) ([]byte, error) {
	q, err := encode(url)
	if err != nil {
		return nil, err
	}
	bits := q.Bitmap()
	n := len(bits)
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" shape-rendering="crispEdges"><path fill="#fff" d="M0 0h%dv%dH0z"/><path d="`, n, n, n, n)
	for y, row := range bits {
		for x := 0; x < n; x++ {
			run := 0
			for x+run < n && row[x+run] {
				run++
			}
			if run > 0 {
				fmt.Fprintf(&b, "M%d %dh%dv1h-%dz", x, y, run, run)
				x += run
			}
		}
	}
	b.WriteString(`"/></svg>`)
	return []byte(b.String()), nil
}

// Terminal draws the address for a terminal, two modules a character. It sets
// both colours itself, black on white, so that it scans on dark and on light
// ones alike. Every line ends in a line feed.
func Terminal(url string) (string, error) {
	q, err := encode(url)
	if err != nil {
		return "", err
	}
	bits := q.Bitmap()
	var b strings.Builder
	for y := 0; y < len(bits); y += 2 {
		b.WriteString("\x1b[30;107m")
		for x := range bits[y] {
			upper, lower := bits[y][x], y+1 < len(bits) && bits[y+1][x]
			switch {
			case upper && lower:
				b.WriteRune('█')
			case upper:
				b.WriteRune('▀')
			case lower:
				b.WriteRune('▄')
			default:
				b.WriteByte(' ')
			}
		}
		b.WriteString("\x1b[0m\n")
	}
	return b.String(), nil
}

// Modules returns the rows of the code that the address makes, true where it is
// dark, with the quiet zone around it.
func Modules(url string) ([][]bool, error) {
	q, err := encode(url)
	if err != nil {
		return nil, err
	}
	return q.Bitmap(), nil
}
