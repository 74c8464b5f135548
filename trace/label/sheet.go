package label

import (
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"
)

// A Stock is a sheet of labels in A4, as its maker sells it. Lengths are in mm;
// the labels stand in the middle of the sheet.
type Stock struct {
	Name          string
	Columns, Rows int
	Width, Height float64 // of a label
	Gap           float64 // between columns; rows touch
	Plain         bool    // paper without cuts: marks show where to cut
}

// A4, in mm.
const pageWidth, pageHeight = 210.0, 297.0

// Stocks lists what can be printed on, the first by default. Those that are no
// plain paper are named by the size of their labels.
//
// Source: data sheets of Avery L7160, L7159, L7163, L7173 and 3474; other makers
// sell the same under other numbers.
func Stocks() []Stock {
	return []Stock{
		{Name: "plain", Columns: 3, Rows: 7, Width: 62, Height: 39, Plain: true},
		{Name: "63.5x38.1", Columns: 3, Rows: 7, Width: 63.5, Height: 38.1, Gap: 2.5},
		{Name: "63.5x33.9", Columns: 3, Rows: 8, Width: 63.5, Height: 33.9, Gap: 2.5},
		{Name: "70x37", Columns: 3, Rows: 8, Width: 70, Height: 37},
		{Name: "99.1x38.1", Columns: 2, Rows: 7, Width: 99.1, Height: 38.1, Gap: 2.5},
		{Name: "99.1x57", Columns: 2, Rows: 5, Width: 99.1, Height: 57, Gap: 2.5},
	}
}

// LookupStock returns the stock of a name; the default one where it is empty.
func LookupStock(name string) (Stock, bool) {
	all := Stocks()
	if name == "" {
		return all[0], true
	}
	i := slices.IndexFunc(all, func(s Stock) bool { return s.Name == name })
	if i < 0 {
		return Stock{}, false
	}
	return all[i], true
}

// PerSheet returns how many labels one sheet has.
func (s Stock) PerSheet() int { return s.Columns * s.Rows }

// Left and Top are the margins of a sheet.
func (s Stock) Left() float64 {
	return (pageWidth - float64(s.Columns)*s.Width - float64(s.Columns-1)*s.Gap) / 2
}

// Top is the margin above, and below.
func (s Stock) Top() float64 { return (pageHeight - float64(s.Rows)*s.Height) / 2 }

// Across and Down are where the labels of a sheet begin and end.
func (s Stock) Across() []float64 {
	var at []float64
	for i := range s.Columns + 1 {
		at = append(at, s.Left()+float64(i)*(s.Width+s.Gap))
	}
	return at
}

// Down is Across for rows.
func (s Stock) Down() []float64 {
	var at []float64
	for i := range s.Rows + 1 {
		at = append(at, s.Top()+float64(i)*s.Height)
	}
	return at
}

// A Tag is one label that is stuck on a device, for all to see: it holds no secret
// of the device's. Its claim code is worth something until the device is claimed.
type Tag struct {
	URL   string // behind the QR code
	ID    string
	Name  string // of the model, or of a device that has a name
	Place string // where it stands; may be empty
	Code  string // claim code; empty where the device is claimed
}

// MaxTags is how many labels one document holds.
const MaxTags = 1000

// A Sheet is a document of labels to be printed from a browser. It needs nothing
// from the network and runs no script.
type Sheet struct {
	Stock Stock
	Skip  int // labels of the first sheet that are used already
	Lang  string
	T     func(key string, args ...string) string // texts for people, in Lang
	Tags  []Tag

	// Secrets is offered beside the labels on the screen, as a file to be kept, and
	// is never printed; empty: nothing is offered.
	Secrets []byte
}

var (
	//go:embed sheet.html
	sheetHTML string
	//go:embed sheet.css
	sheetCSS string
)

// SheetPolicy is the Content-Security-Policy that a Sheet works under.
const SheetPolicy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

type drawnTag struct {
	Tag
	QR     template.HTML
	Groups []string // of the claim code
}

// Write writes the document.
func (s Sheet) Write(w io.Writer) error {
	if s.Skip < 0 || s.Skip >= s.Stock.PerSheet() {
		return fmt.Errorf("write labels: %d to skip is not within 0 and %d", s.Skip, s.Stock.PerSheet()-1)
	}
	if len(s.Tags) > MaxTags {
		return fmt.Errorf("write labels: more than %d", MaxTags)
	}
	page, err := template.New("sheet").Funcs(template.FuncMap{"t": s.T}).Parse(sheetHTML)
	if err != nil {
		return fmt.Errorf("write labels: %w", err)
	}
	cells := make([]*drawnTag, s.Skip, s.Skip+len(s.Tags)) // nil: used already
	for _, tag := range s.Tags {
		svg, err := SVG(tag.URL)
		if err != nil {
			return errors.Join(fmt.Errorf("write label of %s", tag.ID), err)
		}
		d := &drawnTag{Tag: tag, QR: template.HTML(svg)} //nolint:gosec // our own drawing, of numbers
		if tag.Code != "" {
			d.Groups = strings.Split(Group(tag.Code), "-")
		}
		cells = append(cells, d)
	}
	err = page.Execute(w, map[string]any{
		"Lang": s.Lang, "Stock": s.Stock, "Style": template.CSS(sheetCSS), "Count": fmt.Sprint(len(s.Tags)),
		"Pages": slices.Collect(slices.Chunk(cells, s.Stock.PerSheet())), "Secrets": s.secrets(),
	})
	if err != nil {
		return fmt.Errorf("write labels: %w", err)
	}
	return nil
}

func (s Sheet) secrets() template.URL {
	if len(s.Secrets) == 0 {
		return ""
	}
	return template.URL("data:text/csv;charset=utf-8;base64," + base64.StdEncoding.EncodeToString(s.Secrets)) //nolint:gosec // ours
}
