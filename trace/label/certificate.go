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

// The size of a printed certificate and how many stand on A4, in columns and rows.
const (
	certificateWidth, certificateHeight = 80, 60 // mm
	certificateColumns, certificateRows = 2, 4
)

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
	Form
	Paper  Paper
	Copies int

	Lang  string
	How   string // how to print
	Gloss []Line // the same in the reader's language, on the screen; may be empty
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
	perPage := 1
	switch c.Paper {
	case Roll:
	case A4:
		perPage = certificateColumns * certificateRows
	default:
		return fmt.Errorf("write certificates: paper %q is neither label nor a4", c.Paper)
	}
	svg, err := SVG(c.URL)
	if err != nil {
		return errors.Join(errors.New("write certificates"), err)
	}
	page, err := template.New("certificate").Parse(certificateHTML)
	if err != nil {
		return fmt.Errorf("write certificates: %w", err)
	}
	copies := make([]int, c.Copies)
	err = page.Execute(w, map[string]any{
		"C": c, "Style": template.CSS(certificateCSS), "QR": template.HTML(svg), //nolint:gosec // our own
		"Pages": slices.Collect(slices.Chunk(copies, perPage)), "Across": cuts(pageWidth, certificateWidth, certificateColumns), "Down": cuts(pageHeight, certificateHeight, certificateRows),
	})
	if err != nil {
		return fmt.Errorf("write certificates: %w", err)
	}
	return nil
}

// cuts returns where labels in the middle of a sheet begin and end, in mm.
func cuts(page, size float64, n int) []float64 {
	var at []float64
	for i := range n + 1 {
		at = append(at, (page-float64(n)*size)/2+float64(i)*size)
	}
	return at
}
