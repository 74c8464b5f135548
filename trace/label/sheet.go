package label

import (
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"io"
	"slices"
)

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
	Draw  func(Tag) ([]byte, error) // as an SVG element, of the size of the stock's labels

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

// Write writes the document.
func (s Sheet) Write(w io.Writer) error {
	if s.Skip < 0 || s.Skip >= s.Stock.PerSheet() {
		return fmt.Errorf("write labels: %d to skip is not within 0 and %d", s.Skip, s.Stock.PerSheet()-1)
	}
	if s.Stock.Roll {
		return errors.New("write labels: a roll's labels are printed from a file, not from a browser")
	}
	if len(s.Tags) > MaxTags {
		return fmt.Errorf("write labels: more than %d", MaxTags)
	}
	page, err := template.New("sheet").Funcs(template.FuncMap{"t": s.T}).Parse(sheetHTML)
	if err != nil {
		return fmt.Errorf("write labels: %w", err)
	}
	cells := make([]template.HTML, s.Skip, s.Skip+len(s.Tags)) // empty: used already
	for _, tag := range s.Tags {
		svg, err := s.Draw(tag)
		if err != nil {
			return fmt.Errorf("write label of %s: %w", tag.ID, err)
		}
		cells = append(cells, template.HTML(svg)) //nolint:gosec // our own drawing
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
