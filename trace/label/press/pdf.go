package press

import (
	"context"
	"io"

	"github.com/signintech/gopdf"

	"tianhai/trace/label"
)

const fontName, pointsPerMM = "n", 72 / 25.4

// pdf writes pages of the stock. The font goes with it as far as it is used, and
// text can be searched and copied.
func (p *Press) pdf(ctx context.Context, w io.Writer, job Job) error {
	select {
	case p.pdfs <- struct{}{}:
		defer func() { <-p.pdfs }()
	case <-ctx.Done():
		return ctx.Err()
	}
	s := job.Stock
	var doc gopdf.GoPdf
	doc.Start(gopdf.Config{Unit: gopdf.UnitMM, PageSize: gopdf.Rect{W: s.PageWidth(), H: s.PageHeight()}})
	doc.SetInfo(gopdf.PdfInfo{Title: job.Title, Creator: "Tianhai"})
	if err := doc.AddTTFFontData(fontName, fontFile); err != nil {
		return err
	}
	place := job.Skip
	for d, err := range p.drawings(ctx, job) {
		if err != nil {
			return err
		}
		for range job.Copies {
			if place == job.Skip && doc.GetNumberOfPages() == 0 || place == s.PerSheet() {
				doc.AddPage()
				cutMarks(&doc, s)
				place %= s.PerSheet()
			}
			left, top := s.At(place)
			if err := put(&doc, d, left, top); err != nil {
				return err
			}
			place++
		}
	}
	_, err := doc.WriteTo(w)
	return err
}

// put draws a label where it stands on a page. Modules overlap a little, for some
// programs leave a white line between shapes that touch.
func put(doc *gopdf.GoPdf, d drawing, left, top float64) error {
	const overlap = 0.01
	doc.SetFillColor(0, 0, 0)
	for _, c := range d.codes {
		module := c.side / float64(len(c.modules))
		c.runs(func(x, y, n int) {
			doc.RectFromUpperLeftWithStyle(left+c.x+float64(x)*module, top+c.y+float64(y)*module, float64(n)*module, module+overlap, "F")
		})
	}
	for _, t := range d.texts {
		if err := doc.SetFont(fontName, "", t.size*pointsPerMM); err != nil {
			return err
		}
		doc.SetXY(left+t.x, top+t.y)
		if err := doc.Text(t.s); err != nil {
			return err
		}
	}
	return nil
}

// cutMarks stand at the edges of plain paper, within what printers reach.
func cutMarks(doc *gopdf.GoPdf, s label.Stock) {
	if !s.Plain {
		return
	}
	const edge, length = 4.5, 5.0
	doc.SetLineWidth(0.2)
	for _, x := range s.Across() {
		doc.Line(x, edge, x, edge+length)
		doc.Line(x, s.PageHeight()-edge-length, x, s.PageHeight()-edge)
	}
	for _, y := range s.Down() {
		doc.Line(edge, y, edge+length, y)
		doc.Line(s.PageWidth()-edge-length, y, s.PageWidth()-edge, y)
	}
}
