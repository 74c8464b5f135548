package press

import (
	"golang.org/x/image/font/sfnt"

	"tianhai/trace/label"
)

// A Certificate is the form that the law prescribes, filled in.
type Certificate label.Form

// The font has no ballot boxes, so a tick is laid over the square.
const square, tick = "□", "√"

func (c Certificate) facts() []fact {
	facts := []fact{{"url", c.URL}, {"title", c.Title}}
	for _, l := range c.Lines {
		facts = append(facts, fact{l.Name, l.Value})
	}
	return facts
}

// Sizes of a Certificate's parts, as multiples of that of its text.
const formTitle, formGap, formSide = 1.9, 0.3, 10.0

func (c Certificate) lay(f *face, on paper) (drawing, error) {
	s := formSetter{face: f, form: c.cleaned(), width: on.width, height: on.height}
	for _, t := range s.form.words() {
		if r := f.missing(&s.buf, t); r != 0 {
			return drawing{}, &FitError{Text: t, Missing: r}
		}
	}
	var err error
	if s.code, s.least, err = on.encode(c.URL); err != nil {
		return drawing{}, err
	}
	for size := maxSize(on.width, on.height); size > minSize-step/2; size -= step {
		if d, ok := s.set(size); ok {
			return d, nil
		}
	}
	return drawing{}, &FitError{Text: c.longest(), Width: on.width, Height: on.height}
}

func (c Certificate) cleaned() Certificate {
	line := func(l label.Line) label.Line { return label.Line{Name: clean(l.Name), Value: clean(l.Value)} }
	out := Certificate{URL: c.URL, Title: clean(c.Title), Promise: line(c.Promise), Basis: line(c.Basis), Sign: clean(c.Sign), Scan: clean(c.Scan)}
	for _, l := range c.Lines {
		out.Lines = append(out.Lines, line(l))
	}
	for _, choice := range c.Choices {
		out.Choices = append(out.Choices, label.Choice{Text: clean(choice.Text), Chosen: choice.Chosen})
	}
	return out
}

func (c Certificate) words() []string {
	words := []string{c.Title, c.Promise.Name, c.Promise.Value, c.Basis.Name, c.Sign, c.Scan}
	for _, choice := range c.Choices {
		words = append(words, choice.Text)
	}
	for _, l := range c.Lines {
		words = append(words, l.Name, l.Value)
	}
	return words
}

func (c Certificate) longest() string {
	s := c.Title
	for _, l := range c.Lines {
		if len(l.Value) > len(s) {
			s = l.Value
		}
	}
	return s
}

// A formSetter places a certificate at one size of its text after the other.
type formSetter struct {
	face          *face
	buf           sfnt.Buffer
	form          Certificate
	width, height float64
	code          code
	least         float64 // side of the code

	d drawing
	y float64 // how far down it is filled
}

// set places everything; false where it does not fit.
func (s *formSetter) set(size float64) (drawing, bool) {
	s.d, s.y = drawing{width: s.width, height: s.height}, margin
	title := formTitle * size
	across := s.wide(s.form.Title) * title
	if across > s.width-2*margin {
		return drawing{}, false
	}
	s.put((s.width-across)/2, title, s.form.Title)
	s.y += formGap * size

	top := s.y
	side := max(s.least, min(formSide*size, maxSide))
	column := s.width - side - margin - codeMargin
	if column < 8*size {
		return drawing{}, false
	}
	names := 0.0
	for _, l := range s.form.Lines {
		names = max(names, s.wide(l.Name)+0.6)
	}
	for _, l := range s.form.Lines {
		s.field(l, size, margin+names*size, column-1)
	}
	bottom := s.scan(size, column, top, side)
	s.y = max(s.y, bottom) + formGap*size

	s.paragraph(s.form.Promise.Name+s.form.Promise.Value, size)
	s.paragraph(s.form.Basis.Name, size)
	s.y -= size * lineHeight // the choices follow on the same line
	s.choices(size, margin+s.wide(s.form.Basis.Name)*size)
	s.y += formGap * size
	s.put(max(margin, s.width-margin-(s.wide(s.form.Sign)+9)*size), size, s.form.Sign) // room to sign
	return s.d, s.y <= s.height-margin/2
}

func (s *formSetter) wide(t string) float64 { return s.face.width(&s.buf, t) }

// put sets one line, and goes down.
func (s *formSetter) put(x, size float64, t string) {
	s.d.texts = append(s.d.texts, text{x: x, y: s.y + size*ascent, size: size, s: t})
	s.y += size * lineHeight
}

// field sets a name, and its value from at to end.
func (s *formSetter) field(l label.Line, size, at, end float64) {
	lines := s.face.wrap(&s.buf, l.Value, size, end-at)
	s.d.texts = append(s.d.texts, text{x: margin, y: s.y + size*ascent, size: size, s: l.Name})
	if len(lines) == 0 {
		lines = []string{""}
	}
	for _, t := range lines {
		s.put(at, size, t)
	}
}

// scan sets the code with its words below, and returns where that ends.
func (s *formSetter) scan(size, x, top, side float64) float64 {
	c := s.code
	c.x, c.y, c.side = x, top, side
	s.d.codes = []code{c}
	at := top + side
	small := max(0.85*size, minSize)
	for _, t := range s.face.wrap(&s.buf, s.form.Scan, small, side) {
		s.d.texts = append(s.d.texts, text{x: x + (side-s.wide(t)*small)/2, y: at + small*ascent, size: small, s: t})
		at += small * lineHeight
	}
	return at
}

func (s *formSetter) paragraph(t string, size float64) {
	for _, line := range s.face.wrap(&s.buf, t, size, s.width-2*margin) {
		s.put(margin, size, line)
	}
}

// choices sets them one after the other, each unbroken where it can be.
func (s *formSetter) choices(size, x float64) {
	begin := x
	for _, c := range s.form.Choices {
		t := square + c.Text
		if x > begin && x+s.wide(t)*size > s.width-margin {
			x = begin
			s.y += size * lineHeight
		}
		y := s.y + size*ascent
		for i, line := range s.face.wrap(&s.buf, t, size, s.width-margin-x) {
			if i > 0 {
				s.y += size * lineHeight
			}
			s.d.texts = append(s.d.texts, text{x: x, y: s.y + size*ascent, size: size, s: line})
		}
		if c.Chosen {
			s.d.texts = append(s.d.texts, text{x: x + 0.1*size, y: y, size: size, s: tick})
		}
		x += (s.wide(t) + 0.8) * size
	}
	s.y += size * lineHeight
}
