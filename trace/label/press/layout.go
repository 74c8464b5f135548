package press

import (
	"math"

	"golang.org/x/image/font/sfnt"
)

// A Label is for a batch, a packet or a device: a code to scan, and words beside
// it. Empty parts take no room.
type Label struct {
	URL   string // behind the QR code
	Title string // what it is stuck on, in the largest type
	Lines []string
	Note  string // what Code is for
	Code  string // for whoever cannot scan, in one line of large type
}

func (l Label) facts() []fact {
	facts := []fact{{"url", l.URL}, {"code", l.Code}, {"title", l.Title}}
	for i, s := range l.Lines {
		facts = append(facts, fact{"line" + string(rune('1'+i)), s})
	}
	return facts
}

// Sizes of a layout, in mm. The quiet zone of a code keeps text away from it.
const (
	margin      = 1.5 // around text; labels are cut and fed within a millimetre
	codeMargin  = 0.8
	comfortable = 2.6 // of Lines; below that the code gives way, as far as it can
	maxSide     = 45.0
	minCode     = 2.4 // of Code
	step        = 0.1
)

// maxSize is the largest type of Lines: on a large label it grows with it.
func maxSize(width, height float64) float64 { return max(5, min(width/14, height/9)) }

// Sizes of the parts of a Label, as multiples of that of Lines.
const titleScale, noteScale, codeScale, strideScale = 1.3, 0.9, 1.9, 0.25

// An arrangement is where the parts of a label stand.
type arrangement int

const (
	beside  arrangement = iota // the words beside the code
	striped                    // as beside, and Code below both
	below                      // the words below the code
)

func (l Label) lay(f *face, on paper) (drawing, error) {
	var buf sfnt.Buffer
	s := l.cleaned()
	for _, t := range append([]string{s.Title, s.Note, s.Code}, s.Lines...) {
		if r := f.missing(&buf, t); r != 0 {
			return drawing{}, &FitError{Text: t, Missing: r}
		}
	}
	probe, least, err := on.encode(s.URL)
	if err != nil {
		return drawing{}, err
	}
	best, bestSize := drawing{}, 0.0
	for _, part := range []float64{1, 0.85, 0.7, 0} {
		for _, a := range []arrangement{beside, striped, below} {
			b := setter{face: f, buf: &buf, label: s, width: on.width, height: on.height, arrangement: a}
			if d, size := b.largest(part, probe, least); size > bestSize+step/2 {
				best, bestSize = d, size
			}
		}
		if bestSize >= comfortable {
			break
		}
	}
	if bestSize == 0 {
		return drawing{}, l.unfit(on.width, on.height, least)
	}
	return best, nil
}

// unfit names what is in the way: the code, or the longest text.
func (l Label) unfit(width, height, least float64) error {
	e := &FitError{Width: width, Height: height}
	if math.Min(width, height) < least+2*codeMargin {
		return e
	}
	for _, s := range append([]string{l.Code, l.Title}, l.Lines...) {
		if len([]rune(s)) > len([]rune(e.Text)) {
			e.Text = s
		}
	}
	return e
}

func (l Label) cleaned() Label {
	out := Label{URL: l.URL, Title: clean(l.Title), Note: clean(l.Note), Code: clean(l.Code)}
	for _, s := range l.Lines {
		if s = clean(s); s != "" {
			out.Lines = append(out.Lines, s)
		}
	}
	return out
}

// A setter tries one arrangement of a label.
type setter struct {
	face          *face
	buf           *sfnt.Buffer
	label         Label
	width, height float64
	arrangement   arrangement
}

// largest returns the label with text as large as it can be, and that size; 0
// where nothing fits. The code is part of the largest that the arrangement has
// room for, or the least that can be read.
func (b setter) largest(part float64, probe code, least float64) (drawing, float64) {
	most := min(b.height-2*codeMargin, 0.46*b.width)
	if b.arrangement == below {
		most = min(b.width-2*codeMargin, 0.6*b.height)
	}
	for size := maxSize(b.width, b.height); size > minSize-step/2; size -= step {
		strip, codeSize := b.strip(size)
		room := min(b.width, b.height-strip) - 2*codeMargin
		side := max(least, part*min(most, room, maxSide))
		if side > room+1e-9 || b.arrangement == striped && codeSize == 0 {
			continue
		}
		d := drawing{width: b.width, height: b.height}
		probe.side = side
		if b.set(&d, probe, size, strip) {
			return d, size
		}
	}
	return drawing{}, 0
}

// strip returns how high the line of Code is that goes below everything, and its
// size; 0 where there is none or it does not fit.
func (b setter) strip(size float64) (height, codeSize float64) {
	if b.arrangement != striped || b.label.Code == "" {
		return 0, 0
	}
	codeSize = b.codeSize(size, b.width-2*margin)
	return codeSize * lineHeight, codeSize
}

// codeSize is that of Code in a width; 0 where it does not fit.
func (b setter) codeSize(size, width float64) float64 {
	s := min(codeScale*size, width/b.face.width(b.buf, b.label.Code))
	if s < max(minCode, size) {
		return 0
	}
	return s
}

// set places everything; false where it does not fit.
func (b setter) set(d *drawing, c code, size, strip float64) bool {
	x, y := codeMargin+c.side+0.4, margin
	room := b.width - x - margin
	free := b.height - 2*margin - strip
	c.x, c.y = codeMargin, (b.height-strip-c.side)/2
	if b.arrangement == below {
		c.x, c.y = (b.width-c.side)/2, codeMargin
		x, y, room = margin, codeMargin+c.side, b.width-2*margin
		free = b.height - y - margin
	}
	d.codes = []code{c}
	lines := b.lines(size, room)
	if lines == nil {
		return false
	}
	total := 0.0
	for i, t := range lines {
		if b.face.width(b.buf, t.s)*t.size > room+1e-6 {
			return false
		}
		total += t.size * lineHeight
		if i > 0 {
			total += t.y
		}
	}
	if total > free {
		return false
	}
	top := y
	if b.arrangement != below {
		top += (free - total) / 2
	}
	for i, t := range lines {
		if i > 0 {
			top += t.y
		}
		t.x = x
		if b.arrangement == below {
			t.x += (room - b.face.width(b.buf, t.s)*t.size) / 2
		}
		t.y = top + t.size*ascent
		top += t.size * lineHeight
		d.texts = append(d.texts, t)
	}
	if strip > 0 {
		s := strip / lineHeight
		d.texts = append(d.texts, text{x: (b.width - b.face.width(b.buf, b.label.Code)*s) / 2, y: b.height - margin - strip + s*ascent, size: s, s: b.label.Code})
	}
	return true
}

// titleSize is smaller where that puts a title on one line.
func (b setter) titleSize(size, room float64) float64 {
	if one := room / max(b.face.width(b.buf, b.label.Title), 1e-3); one >= size && one < titleScale*size {
		return one - 1e-9
	}
	return titleScale * size
}

// lines breaks the words; y is the extra distance to the line before. It returns
// nil where Code has no room.
func (b setter) lines(size, room float64) []text {
	lines := []text{}
	add := func(s string, size, before float64) {
		for i, part := range b.face.wrap(b.buf, s, size, room) {
			t := text{size: size, s: part}
			if i == 0 {
				t.y = before
			}
			lines = append(lines, t)
		}
	}
	add(b.label.Title, b.titleSize(size, room), 0)
	for _, s := range b.label.Lines {
		add(s, size, strideScale*size)
	}
	add(b.label.Note, max(noteScale*size, minSize), 2*strideScale*size)
	if b.arrangement != striped && b.label.Code != "" {
		codeSize := b.codeSize(size, room)
		if codeSize == 0 {
			return nil
		}
		add(b.label.Code, codeSize-1e-9, strideScale*size)
	}
	return lines
}
