package label

import (
	_ "embed"
	"errors"
	"fmt"
	"html/template"
	"io"
	"slices"
)

// Paper is what certificates are printed on.
type Paper string

// The papers.
const (
	Roll Paper = "label" // a roll or sheet of labels of 80 × 60 mm, one a page
	A4   Paper = "a4"    // plain A4, to be cut: eight labels of 80 × 60 mm
)

// Stock returns what the paper is as a stock; false where there is no such paper.
func (p Paper) Stock() (Stock, bool) {
	switch p {
	case Roll:
		return LookupStock("roll-80x60")
	case A4:
		return LookupStock("plain-80x60")
	}
	return Stock{}, false
}

// MaxCopies is how often one document holds a certificate.
const MaxCopies = 400

// A Line is a field of a certificate's form and what stands in it.
type Line struct{ Name, Value string }

// A Choice is a box to be ticked.
type Choice struct {
	Text   string
	Chosen bool
}

// A Form is the certificate that the law prescribes, filled in, in Chinese.
type Form struct {
	Title   string
	Lines   []Line
	Promise Line
	Basis   Line // Value is empty: the choices stand there
	Choices []Choice
	Sign    string // 签名（盖章）
	URL     string // behind the QR code
	Scan    string // below it
}

// A Certificate is a document of copies of one certificate to be printed from a
// browser. The form is printed, the rest is shown on the screen only. It needs
// nothing from the network and runs no script.
type Certificate struct {
	Title   string
	Drawing []byte // the form as an SVG element, of the size of the paper's labels
	Paper   Paper
	Copies  int

	Lang  string
	How   string // how to print
	Gloss []Line // the form in the reader's language, on the screen; may be empty
}

var (
	//go:embed certificate.html
	certificateHTML string
	//go:embed certificate.css
	certificateCSS string
)

// Write writes the document.
func (c Certificate) Write(w io.Writer) error {
	if c.Copies < 1 || c.Copies > MaxCopies {
		return fmt.Errorf("write certificates: %d copies are not from 1 to %d", c.Copies, MaxCopies)
	}
	stock, ok := c.Paper.Stock()
	if !ok {
		return fmt.Errorf("write certificates: paper %q is neither label nor a4", c.Paper)
	}
	if len(c.Drawing) == 0 {
		return errors.New("write certificates: there is no drawing")
	}
	page, err := template.New("certificate").Parse(certificateHTML)
	if err != nil {
		return fmt.Errorf("write certificates: %w", err)
	}
	copies := make([]int, c.Copies)
	err = page.Execute(w, map[string]any{
		"C": c, "Stock": stock, "Style": template.CSS(certificateCSS), "Drawing": template.HTML(c.Drawing), //nolint:gosec // our own
		"Pages": slices.Collect(slices.Chunk(copies, stock.PerSheet())),
	})
	if err != nil {
		return fmt.Errorf("write certificates: %w", err)
	}
	return nil
}
