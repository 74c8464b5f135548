package press

import (
	"archive/zip"
	"context"
	"encoding/csv"
	"fmt"
	"io"
)

// zip writes the list first, which takes the labels once, and then their pictures,
// which takes them again: nothing is kept in between.
func (p *Press) zip(ctx context.Context, w io.Writer, job Job) error {
	if err := p.picture(io.Discard, SVG, job); err != nil { // before the list is on its way
		return err
	}
	out := zip.NewWriter(w)
	if job.Readme != "" {
		f, err := out.Create("README.txt")
		if err != nil {
			return err
		}
		if _, err := io.WriteString(f, "\ufeff"+job.Readme); err != nil {
			return err
		}
	}
	list, err := out.Create("labels.csv")
	if err != nil {
		return err
	}
	if err := writeList(ctx, list, job); err != nil {
		return err
	}
	if err := p.pictures(ctx, out, job); err != nil {
		return err
	}
	return out.Close()
}

// pictureName is where a label's picture is, counted from 1: a thousand to a
// folder, which is what file managers bear.
func pictureName(n int, job Job) string {
	return fmt.Sprintf("labels/%03d/%07d.%s", (n-1)/1000, n, job.Picture)
}

func writeList(ctx context.Context, w io.Writer, job Job) error {
	// Excel takes a file for UTF-8 that begins so.
	if _, err := io.WriteString(w, "\ufeff"); err != nil {
		return err
	}
	list := csv.NewWriter(w)
	n := 0
	for d, err := range job.Labels {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		n++
		head, row := []string{"number", "file", "copies"}, []string{fmt.Sprint(n), pictureName(n, job), fmt.Sprint(job.Copies)}
		for _, f := range d.facts() {
			head, row = append(head, f.name), append(row, guard(f.value))
		}
		if n == 1 {
			_ = list.Write(head) // Flush's error says it
		}
		_ = list.Write(row)
	}
	list.Flush()
	return list.Error()
}

// guard keeps a spreadsheet from taking a text for a formula.
func guard(s string) string {
	if s != "" && (s[0] == '=' || s[0] == '+' || s[0] == '-' || s[0] == '@' || s[0] == '\t' || s[0] == '\r') {
		return "'" + s
	}
	return s
}

func (p *Press) pictures(ctx context.Context, out *zip.Writer, job Job) error {
	n := 0
	for d, err := range p.drawings(ctx, job) {
		if err != nil {
			return err
		}
		n++
		h := &zip.FileHeader{Name: pictureName(n, job), Method: zip.Deflate}
		if job.Picture == PNG {
			h.Method = zip.Store // PNG is compressed
		}
		f, err := out.CreateHeader(h)
		if err != nil {
			return err
		}
		if job.Picture == SVG {
			err = p.face.svg(f, d)
		} else {
			err = p.face.png(f, d, job.DPI)
		}
		if err != nil {
			return fmt.Errorf("label %d: %w", n, err)
		}
	}
	return nil
}
