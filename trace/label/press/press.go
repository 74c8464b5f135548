// Package press turns labels into files that printers and print shops take: PDF
// for sheets and rolls, ZPL for thermal printers, SVG and PNG of one label, and a
// ZIP of numbered pictures with a CSV file.
//
// Every kind of file is drawn from one layout, in mm, with one font that is part
// of the program; so what one shows, all show. Text is made smaller until it fits,
// and refused where it would be too small to read: it is never cut off, and no
// character is ever an empty box.
package press

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"

	"tianhai/trace/label"
)

// A Format is a kind of file.
type Format string

// The formats.
const (
	PDF Format = "pdf" // pages of the stock; text stays text
	ZPL Format = "zpl" // for thermal printers; a roll's labels as pictures
	SVG Format = "svg" // one label
	PNG Format = "png" // one label
	ZIP Format = "zip" // a picture of each label and a list of them, for print shops
)

// Formats lists them.
func Formats() []Format { return []Format{PDF, ZPL, SVG, PNG, ZIP} }

// MediaType returns what HTTP calls the format.
func (f Format) MediaType() string {
	switch f {
	case PDF:
		return "application/pdf"
	case ZPL:
		return "application/zpl; charset=us-ascii" // nobody has registered one
	case SVG:
		return "image/svg+xml"
	case PNG:
		return "image/png"
	default:
		return "application/zip"
	}
}

// Limits of one file. A PDF is made in memory, some 2 kB a label; the others are
// written as they are made.
const (
	MaxPDF    = 2_000
	MaxLabels = 1_000_000

	maxPDFs = 2 // at a time, some 100 MB each with the font; others wait
)

// A Design is what stands on a label: a Label or a Certificate.
type Design interface {
	// lay draws it, or returns a *FitError.
	lay(f *face, on paper) (drawing, error)
	facts() []fact
}

// A fact is a column of the list that goes with pictures.
type fact struct{ name, value string }

// A Job is what is to be printed.
type Job struct {
	Stock   label.Stock
	Skip    int    // labels of the first sheet that are used already
	Copies  int    // of each; 0 is one
	DPI     int    // of ZPL and of pictures in dots: 203, 300 or 600; 0 is 203 for ZPL, 300 else
	Picture Format // in a ZIP: SVG or PNG; "" is SVG
	Title   string // of a PDF
	Readme  string // in a ZIP, for who prints them

	// Count is how many Labels yields, which is asked more than once and yields the
	// same each time. An error ends the job.
	Count  int
	Labels iter.Seq2[Design, error]

	Progress func(done int) // called now and then; may be nil

	dots int // DPI where the file is of dots, otherwise 0
}

// paper is that of one label.
func (j *Job) paper() paper { return paper{j.Stock.Width, j.Stock.Height, j.dots} }

// Of returns the labels of a job that has them all at hand.
func Of(designs ...Design) (count int, labels iter.Seq2[Design, error]) {
	return len(designs), func(yield func(Design, error) bool) {
		for _, d := range designs {
			if !yield(d, nil) {
				return
			}
		}
	}
}

// A JobError says what cannot be printed as asked.
type JobError struct {
	Field  string // stock, skip, copies, dpi, format, picture or count
	Reason string // what is wrong, and what would be right
}

// Error tells the case in English, for command lines.
func (e *JobError) Error() string { return "print labels: " + e.Field + ": " + e.Reason }

func jobError(field, format string, args ...any) error {
	return &JobError{Field: field, Reason: fmt.Sprintf(format, args...)}
}

// A Press makes files of labels. It may be used by many at a time.
type Press struct {
	face *face
	pdfs chan struct{} // a place for each that is being made
}

// New returns a press with its font.
func New() (*Press, error) {
	f, err := newFace()
	if err != nil {
		return nil, err
	}
	return &Press{face: f, pdfs: make(chan struct{}, maxPDFs)}, nil
}

// Write writes the labels as a file of a format. A *JobError or *FitError of the
// first label comes before anything is written; errors of later ones leave an
// unfinished file behind.
func (p *Press) Write(ctx context.Context, w io.Writer, format Format, job Job) error {
	if err := job.check(format); err != nil {
		return err
	}
	job.fill(format)
	var err error
	switch format {
	case PDF:
		err = p.pdf(ctx, w, job)
	case ZPL:
		err = p.zpl(ctx, w, job)
	case ZIP:
		err = p.zip(ctx, w, job)
	default:
		err = p.picture(w, format, job)
	}
	if err != nil {
		return fmt.Errorf("print labels: %w", err)
	}
	return nil
}

func (j *Job) fill(format Format) {
	if j.Copies == 0 {
		j.Copies = 1
	}
	if j.DPI == 0 {
		j.DPI = 300
		if format == ZPL {
			j.DPI = 203
		}
	}
	if j.Picture == "" {
		j.Picture = SVG
	}
	if format == ZPL || format == PNG || format == ZIP && j.Picture == PNG {
		j.dots = j.DPI
	}
	if j.Progress == nil {
		j.Progress = func(int) {}
	}
}

func (j *Job) check(format Format) error {
	if s := j.Stock; s.PerSheet() < 1 || s.Width <= 0 || s.Height <= 0 {
		return jobError("stock", "there is none")
	}
	if j.Skip < 0 || j.Skip >= j.Stock.PerSheet() {
		return jobError("skip", "%d is not 0 to %d", j.Skip, j.Stock.PerSheet()-1)
	}
	if j.Copies < 0 || j.Count < 1 || j.Copies > MaxLabels || j.Count > MaxLabels || max(j.Copies, 1)*j.Count > MaxLabels {
		return jobError("copies", "%d of %d labels are not 1 to %d", max(j.Copies, 1), j.Count, MaxLabels)
	}
	switch j.DPI {
	case 0, 203, 300, 600:
	default:
		return jobError("dpi", "%d is none of 203, 300 and 600", j.DPI)
	}
	switch j.Picture {
	case "", SVG, PNG:
	default:
		return jobError("picture", "%q is neither svg nor png", j.Picture)
	}
	return j.suits(format)
}

// suits checks what only one format asks.
func (j *Job) suits(format Format) error {
	switch format {
	case PDF:
		if n := max(j.Copies, 1) * j.Count; n > MaxPDF {
			return jobError("copies", "%d labels are more than the %d of one PDF; print fewer, or take a ZIP", n, MaxPDF)
		}
	case ZPL:
		if !j.Stock.Roll {
			return jobError("stock", "%s is a sheet; ZPL is for rolls", j.Stock.Name)
		}
	case SVG, PNG:
		if j.Count != 1 {
			return jobError("format", "%s holds one label, not %d; take pdf or zip", format, j.Count)
		}
	case ZIP:
	default:
		return jobError("format", "%q is none of pdf, zpl, svg, png and zip", format)
	}
	return nil
}

// drawings lays out the job's labels, one after the other.
func (p *Press) drawings(ctx context.Context, job Job) iter.Seq2[drawing, error] {
	return func(yield func(drawing, error) bool) {
		done := 0
		for d, err := range job.Labels {
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				yield(drawing{}, err)
				return
			}
			out, err := d.lay(p.face, job.paper())
			if !yield(out, err) || err != nil {
				return
			}
			if done++; done%1000 == 0 {
				job.Progress(done)
			}
		}
		if done != job.Count {
			yield(drawing{}, fmt.Errorf("%d labels instead of %d", done, job.Count))
			return
		}
		job.Progress(done)
	}
}

// picture writes the only label of a job.
func (p *Press) picture(w io.Writer, format Format, job Job) error {
	for d, err := range job.Labels {
		if err != nil {
			return err
		}
		return p.draw(w, format, d, job)
	}
	return errors.New("no label")
}

// draw writes one label as a picture.
func (p *Press) draw(w io.Writer, format Format, d Design, job Job) error {
	out, err := d.lay(p.face, job.paper())
	if err != nil {
		return err
	}
	if format == SVG {
		return p.face.svg(w, out)
	}
	return p.face.png(w, out, job.DPI)
}
