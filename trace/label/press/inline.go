package press

import (
	"bytes"
	"fmt"
	"html"
	"io"
	"strconv"

	"golang.org/x/image/font/sfnt"

	"tianhai/trace/label"
)

// Inline returns a label as an SVG element of its size, to stand in a page that a
// browser prints. Its words are text, in whichever font the browser has: each line is
// stretched to the width that it has in ours, so that it fits there as it does here.
// What does not fit is a *FitError.
func (p *Press) Inline(s label.Stock, d Design) ([]byte, error) {
	out, err := d.lay(p.face, paper{width: s.Width, height: s.Height})
	if err != nil {
		return nil, fmt.Errorf("draw label: %w", err)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%[1]smm" height="%[2]smm" viewBox="0 0 %[1]s %[2]s">`, short(out.width), short(out.height))
	for _, c := range out.codes {
		c.svg(&b)
	}
	var buf sfnt.Buffer
	for _, t := range out.texts {
		fmt.Fprintf(&b, `<text x="%s" y="%s" font-size="%s" textLength="%s" lengthAdjust="spacingAndGlyphs">%s</text>`,
			short(t.x), short(t.y), short(t.size), short(p.face.width(&buf, t.s)*t.size), html.EscapeString(t.s))
	}
	b.WriteString("</svg>")
	return b.Bytes(), nil
}

// svg writes a code as one shape of unit squares.
func (c code) svg(w io.Writer) {
	fmt.Fprintf(w, `<g transform="translate(%s %s) scale(%s)" shape-rendering="crispEdges"><path d="`, short(c.x), short(c.y), strconv.FormatFloat(c.side/float64(len(c.modules)), 'f', 5, 64))
	c.runs(func(x, y, n int) { fmt.Fprintf(w, "M%d %dh%dv1h-%dz", x, y, n, n) })
	_, _ = io.WriteString(w, `"/></g>`)
}
