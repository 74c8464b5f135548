package consumer

import (
	"html/template"
	"strconv"

	"tianhai/trace"
	"tianhai/trace/chain"
)

// made is what a batch was made of: where all that was harvested, and a picture of
// how it came together.
type made struct {
	Origins []fact
	Picture template.HTML
}

// made lays out the kin that were sealed with a record; nil where there are none.
func (b base) made(r trace.PublicRecord) *made {
	if r.Kin == nil {
		return nil
	}
	m := &made{}
	for _, i := range r.Kin.Origins() {
		path, o := "kin.batches."+strconv.Itoa(i)+".", r.Kin.Batches[i]
		parts := []sealedText{}
		for _, part := range []sealedText{b.text(path+"place.prefecture", o.Place.Prefecture), b.text(path+"place.town", o.Place.Town)} {
			if part.Text != "" {
				parts = append(parts, part)
			}
		}
		parts = append(parts, sealedText{Text: day(o.Place.Harvest)})
		m.Origins = append(m.Origins, fact{Name: o.Product.In(b.Lang), Parts: parts})
	}
	steps := map[string]trace.KinStep{}
	g := r.Kin.Graph()
	for _, s := range g.Steps {
		n, err := strconv.Atoi(s.ID)
		if err == nil && n < len(r.Kin.Steps) {
			steps[s.ID] = r.Kin.Steps[n]
		}
	}
	if len(r.Kin.Steps) > 0 {
		// Every text in it is escaped where it is drawn.
		m.Picture = template.HTML(g.SVG([]string{g.Batches[len(g.Batches)-1].Batch}, b.kinWords(r, steps))) //nolint:gosec // see above
	}
	return m
}

func (b base) kinWords(r trace.PublicRecord, steps map[string]trace.KinStep) chain.Words {
	of := func(n chain.Node) trace.KinBatch {
		i, err := strconv.Atoi(n.Batch)
		if err != nil || i >= len(r.Kin.Batches) {
			return trace.KinBatch{}
		}
		return r.Kin.Batches[i]
	}
	return chain.Words{
		Title: b.T("consumer.kin"),
		Batch: func(n chain.Node) (name, detail string) {
			k := of(n)
			detail = b.local(k.Amount.Number()) + " " + b.unit(k.Amount.Unit)
			if k.Place != nil {
				detail = k.Place.Prefecture.In(b.Lang) + " " + k.Place.Town.In(b.Lang)
			}
			return k.Product.In(b.Lang), detail
		},
		Step: func(s chain.Step) string {
			if name := steps[s.ID].Name.In(b.Lang); name != "" {
				return name
			}
			return b.T("chain.kind." + string(s.Kind))
		},
		More: func(n int) string { return b.T("chain.more", "n", strconv.Itoa(n)) },
		Says: func(from, step, to string) string { return b.T("chain.says", "from", from, "step", step, "to", to) },
		Href: func(n chain.Node) string {
			if k := of(n); k.Code != "" && k.Code != r.Code {
				return "/t/" + k.Code
			}
			return ""
		},
	}
}
