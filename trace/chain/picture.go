package chain

import (
	"bytes"
	"cmp"
	"encoding/xml"
	"fmt"
	"slices"
	"strings"
)

// MaxDrawn is the most batches that a picture draws one by one. Of a larger graph
// each layer shows some, and one box with how many more there are.
const MaxDrawn = 60

// Sizes of a picture, in pixels.
const (
	boxWidth   = 188
	boxHeight  = 54
	gapX       = 20
	gapY       = 58 // holds the movement between two layers
	margin     = 16
	maxLetters = 22 // of a line in a box; a Chinese one counts double
)

// Words are what a picture says, in the reader's language.
type Words struct {
	Title string
	Batch func(Node) (name, detail string)
	Step  func(Step) string
	More  func(n int) string                 // "and 12 more"
	Says  func(from, step, to string) string // one movement, for who cannot see the picture
	Href  func(Node) string                  // where a box leads; "" nowhere; may be nil
}

// A picture is a graph in layers: one for each depth.
type picture struct {
	Graph
	asked  map[string]bool
	words  Words
	layers [][]string  // batches, or "" for those not drawn one by one
	hidden map[int]int // how many are not, by layer
	nodes  map[string]Node
	base   int // depth of the first layer
}

// SVG draws a graph from top to bottom: above what a batch was made of, below what
// became of it. It is the same bytes for the same graph and words. What it shows is
// also said in words, in its description.
func (g Graph) SVG(asked []string, w Words) []byte {
	p := &picture{Graph: g, words: w, asked: map[string]bool{}, hidden: map[int]int{}, nodes: map[string]Node{}}
	for _, b := range asked {
		p.asked[b] = true
	}
	for _, n := range g.Batches {
		p.nodes[n.Batch] = n
	}
	p.arrange()
	return p.draw()
}

// arrange gives each batch its layer and, in it, a place near what it is tied to.
func (p *picture) arrange() {
	if len(p.Batches) == 0 {
		return
	}
	p.base = p.Batches[0].Depth
	last := p.Batches[len(p.Batches)-1].Depth
	p.layers = make([][]string, last-p.base+1)
	for _, n := range p.Batches {
		l := n.Depth - p.base
		p.layers[l] = append(p.layers[l], n.Batch)
	}
	tied := map[string][]string{}
	for _, s := range p.Steps {
		for _, i := range s.Inputs {
			for _, o := range s.Outputs {
				tied[i.Batch] = append(tied[i.Batch], o.Batch)
				tied[o.Batch] = append(tied[o.Batch], i.Batch)
			}
		}
	}
	place := map[string]float64{}
	put := func(layer []string) {
		for i, b := range layer {
			place[b] = float64(i) - float64(len(layer)-1)/2
		}
	}
	for _, layer := range p.layers {
		put(layer)
	}
	for range 4 { // down and up again, to where few lines cross
		for l := range p.layers {
			p.sortLayer(l, tied, place)
			put(p.layers[l])
		}
		for l := range slices.Backward(p.layers) {
			p.sortLayer(l, tied, place)
			put(p.layers[l])
		}
	}
	p.collapse()
}

func (p *picture) sortLayer(l int, tied map[string][]string, place map[string]float64) {
	mean := func(b string) float64 {
		if len(tied[b]) == 0 {
			return place[b]
		}
		sum := 0.0
		for _, other := range tied[b] {
			sum += place[other]
		}
		return sum / float64(len(tied[b]))
	}
	slices.SortStableFunc(p.layers[l], func(a, b string) int { return cmp.Compare(mean(a), mean(b)) })
}

// collapse leaves in each layer as many boxes as there is room for, those asked
// about among them.
func (p *picture) collapse() {
	room := len(p.Batches)
	if room > MaxDrawn {
		room = max(1, MaxDrawn/len(p.layers))
	}
	for l, layer := range p.layers {
		if len(layer) <= room {
			continue
		}
		keep := slices.DeleteFunc(slices.Clone(layer), func(b string) bool { return !p.asked[b] })
		for _, b := range layer {
			if len(keep) >= room {
				break
			}
			if !p.asked[b] {
				keep = append(keep, b)
			}
		}
		p.hidden[l] = len(layer) - len(keep)
		if p.hidden[l] > 0 {
			p.layers[l] = append(keep, "")
		}
	}
}

func (p *picture) columns() int {
	most := 1
	for _, layer := range p.layers {
		most = max(most, len(layer))
	}
	return most
}

// corner returns the left upper corner of the i-th box of a layer.
func (p *picture) corner(l, i int) (x, y int) {
	free := p.columns() - len(p.layers[l])
	return margin + i*(boxWidth+gapX) + free*(boxWidth+gapX)/2, margin + l*(boxHeight+gapY)
}

// middle returns the middle of a batch's box, or of the box that stands for it.
func (p *picture) middle(batch string) (x, y int, drawn bool) {
	n, known := p.nodes[batch]
	if !known {
		return 0, 0, false
	}
	l := n.Depth - p.base
	i := slices.Index(p.layers[l], batch)
	drawn = i >= 0
	if !drawn {
		i = len(p.layers[l]) - 1
	}
	x, y = p.corner(l, i)
	return x + boxWidth/2, y + boxHeight/2, drawn
}

func (p *picture) draw() []byte {
	width := 2*margin + p.columns()*(boxWidth+gapX) - gapX
	height := 2*margin + max(1, len(p.layers))*(boxHeight+gapY) - gapY
	role := "img"
	if p.words.Href != nil {
		role = "group" // of an image, nobody could reach the links
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" role="%s" aria-labelledby="chain-title chain-desc" font-family="system-ui,sans-serif" font-size="13">`+"\n", width, height, width, height, role)
	fmt.Fprintf(&b, `<title id="chain-title">%s</title><desc id="chain-desc">%s</desc><rect width="100%%" height="100%%" fill="#fff"/>`+"\n", escape(p.words.Title), escape(p.says()))
	for _, s := range p.Steps {
		p.drawStep(&b, s)
	}
	for l, layer := range p.layers {
		for i, batch := range layer {
			p.drawBox(&b, l, i, batch)
		}
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

// drawStep draws lines from what went in to a dot just above what came out, and from
// there to each of that.
func (p *picture) drawStep(b *bytes.Buffer, s Step) {
	if len(s.Inputs) == 0 || len(s.Outputs) == 0 {
		return
	}
	x, top, n := 0, 1<<30, 0
	for _, o := range s.Outputs {
		if ox, oy, _ := p.middle(o.Batch); oy > 0 {
			x, n, top = x+ox, n+1, min(top, oy-boxHeight/2)
		}
	}
	for _, i := range s.Inputs {
		ix, _, _ := p.middle(i.Batch)
		x, n = x+ix, n+1
	}
	x, y := x/n, top-gapY*2/5
	line := func(x1, y1, x2, y2 int) {
		fmt.Fprintf(b, `<path d="M%d %dC%d %d %d %d %d %d" fill="none" stroke="#6b8a7c" stroke-width="1.5"/>`, x1, y1, x1, (y1+y2)/2, x2, (y1+y2)/2, x2, y2)
	}
	drawn := map[[2]int]bool{}
	for _, i := range s.Inputs {
		if ix, iy, _ := p.middle(i.Batch); !drawn[[2]int{ix, iy}] {
			drawn[[2]int{ix, iy}] = true
			line(ix, iy+boxHeight/2, x, y)
		}
	}
	for _, o := range s.Outputs {
		if ox, oy, _ := p.middle(o.Batch); !drawn[[2]int{ox, oy}] {
			drawn[[2]int{ox, oy}] = true
			line(x, y, ox, oy-boxHeight/2)
		}
	}
	fmt.Fprintf(b, `<circle cx="%d" cy="%d" r="3.500" fill="#175a41"/><text x="%d" y="%d" font-size="12" fill="#175a41" stroke="#fff" stroke-width="4" paint-order="stroke">%s</text>`+"\n",
		x, y, x+8, y+4, escape(short(p.words.Step(s), maxLetters)))
}

func (p *picture) drawBox(b *bytes.Buffer, l, i int, batch string) {
	x, y := p.corner(l, i)
	if batch == "" {
		fmt.Fprintf(b, `<rect x="%d" y="%d" width="%d" height="%d" rx="8" fill="#f4f6f5" stroke="#6b8a7c" stroke-dasharray="4 3"/><text x="%d" y="%d" text-anchor="middle" fill="#24352d">%s</text>`+"\n",
			x, y, boxWidth, boxHeight, x+boxWidth/2, y+boxHeight/2+5, escape(p.words.More(p.hidden[l])))
		return
	}
	n := p.nodes[batch]
	name, detail := p.words.Batch(n)
	fill, stroke := "#eef5f1", `stroke="#6b8a7c"`
	if p.asked[batch] {
		fill, stroke = "#f6ead2", `class="asked" stroke="#8a5a00" stroke-width="2.500"`
	}
	href := ""
	if p.words.Href != nil {
		href = p.words.Href(n)
	}
	if href != "" {
		fmt.Fprintf(b, `<a href="%s">`, escape(href))
	}
	fmt.Fprintf(b, `<rect x="%d" y="%d" width="%d" height="%d" rx="8" fill="%s" %s/><text x="%d" y="%d" font-weight="600" fill="#14241c">%s</text><text x="%d" y="%d" font-size="12" fill="#35473e">%s</text>`,
		x, y, boxWidth, boxHeight, fill, stroke, x+10, y+22, escape(short(name, maxLetters)), x+10, y+42, escape(short(detail, maxLetters+2)))
	if href != "" {
		b.WriteString("</a>")
	}
	b.WriteString("\n")
}

// says tells the picture, one movement a sentence, as far as boxes are drawn.
func (p *picture) says() string {
	var all []string
	names := func(parts []Input) string {
		var out []string
		for i, in := range parts {
			if i == 5 {
				out = append(out, p.words.More(len(parts)-5))
				break
			}
			name, detail := p.words.Batch(p.nodes[in.Batch])
			out = append(out, name+" "+detail)
		}
		return strings.Join(out, ", ")
	}
	for _, s := range p.Steps {
		if len(s.Inputs) == 0 || len(s.Outputs) == 0 {
			continue
		}
		if len(all) == MaxDrawn {
			break
		}
		all = append(all, p.words.Says(names(s.Inputs), p.words.Step(s), names(s.Outputs)))
	}
	return strings.Join(all, " ")
}

// short cuts a text to what fits into a box.
func short(s string, letters int) string {
	n := 0
	for i, r := range s {
		n++
		if r >= 0x2E80 {
			n++
		}
		if n > letters {
			return s[:i] + "…"
		}
	}
	return s
}

func escape(s string) string {
	var b strings.Builder
	if err := xml.EscapeText(&b, []byte(s)); err != nil {
		return ""
	}
	return b.String()
}
