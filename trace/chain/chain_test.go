package chain_test

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"tianhai/trace/chain"
)

var noon = time.Date(2026, 5, 20, 4, 0, 0, 0, time.UTC)

func amount(t testing.TB, number, unit string) chain.Amount {
	t.Helper()
	a, err := chain.Measure(number, unit)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// A number comes back as it was written, and is never rounded.
func TestAmounts(t *testing.T) {
	for _, tt := range []struct {
		number, unit string
		n            int64
		says         string
	}{
		{"0.1", "kg", 100_000, "0.1 kg"},
		{"12.50", "kg", 12_500_000, "12.5 kg"},
		{"0.000001", "kg", 1, "0.000001 kg"},
		{"3", "斤", 1_500_000, "3 斤"},
		{"0.000002", "斤", 1, "0.000002 斤"},
		{"1000", "t", 1e12, "1000 t"},
		{"2.5", "{box}", 2500, "2.5 {box}"},
		{"0.001", "L", 1000, "0.001 L"},
		{"000120", "{head}", 120_000, "120 {head}"},
	} {
		a, err := chain.Measure(tt.number, tt.unit)
		if err != nil || a.N != tt.n || a.String() != tt.says {
			t.Errorf("%s %s: %d, %q, %v; want %d, %q", tt.number, tt.unit, a.N, a, err, tt.n, tt.says)
		}
		raw, err := json.Marshal(a)
		var back chain.Amount
		if err == nil {
			err = json.Unmarshal(raw, &back)
		}
		if err != nil || back != a {
			t.Errorf("%s: back %v, %v", raw, back, err)
		}
		if r, ok := chain.Round(a.Float(), a.Unit); !ok || r != a {
			t.Errorf("%s rounds to %s", a, r)
		}
	}
	for _, bad := range [][2]string{
		{"", "kg"},
		{"-1", "kg"},
		{"+1", "kg"},
		{"1e3", "kg"},
		{".5", "kg"},
		{"1.", "kg"},
		{"1,5", "kg"},
		{"NaN", "kg"},
		{"0x10", "kg"},
		{"0.0000001", "kg"},
		{"0.0001", "{box}"},
		{"1000000000000000", "t"},
		{"1", ""},
		{"1", strings.Repeat("x", 21)},
		{"1/3", "kg"},
	} {
		if a, err := chain.Measure(bad[0], bad[1]); !errors.As(err, new(*chain.FieldError)) {
			t.Errorf("%q %q is %v, %v", bad[0], bad[1], a, err)
		}
	}
}

func FuzzMeasure(f *testing.F) {
	f.Add("12.5", "kg")
	f.Add("0.000002", "斤")
	f.Add("1e9", "t")
	f.Fuzz(func(t *testing.T, number, unit string) {
		a, err := chain.Measure(number, unit)
		if err != nil {
			return
		}
		if back, err := chain.Measure(a.Number(), unit); err != nil || back != a || a.N < 0 {
			t.Errorf("%q %q is %v; back %v, %v", number, unit, a, back, err)
		}
	})
}

const (
	a, b, c = "01JZ00000000000000000000AA", "01JZ00000000000000000000AB", "01JZ00000000000000000000AC"
)

func in(t testing.TB, batch, n, unit string) chain.Input {
	return chain.Input{Batch: batch, Amount: amount(t, n, unit)}
}

func out(t testing.TB, batch, product, n, unit string) chain.Output {
	return chain.Output{Batch: batch, Product: product, Lot: "1", Amount: amount(t, n, unit)}
}

func from(t testing.TB, o chain.Output, n, unit string) chain.Output {
	f := amount(t, n, unit)
	o.From = &f
	return o
}

// What comes out, with what was lost, is what went in; anything else says how it
// became so.
func TestBalance(t *testing.T) {
	goods := map[string]chain.Goods{a: {Product: "leaf"}, b: {Product: "tea"}}
	lost := func(n, unit string) []chain.Lost { return []chain.Lost{{Amount: amount(t, n, unit), Reason: "x"}} }
	for name, tt := range map[string]struct {
		in     []chain.Input
		out    []chain.Output
		losses []chain.Lost
		want   string // of the error; empty for none
	}{
		"split":                 {[]chain.Input{in(t, a, "10", "kg")}, []chain.Output{out(t, b, "leaf", "4", "kg"), out(t, c, "leaf", "6", "kg")}, nil, ""},
		"in other units":        {[]chain.Input{in(t, a, "10", "kg")}, []chain.Output{out(t, b, "leaf", "8", "斤"), out(t, c, "leaf", "6000", "g")}, nil, ""},
		"stated loss":           {[]chain.Input{in(t, a, "10", "kg")}, []chain.Output{out(t, b, "leaf", "9", "kg")}, lost("1", "kg"), ""},
		"unsaid loss":           {[]chain.Input{in(t, a, "10", "kg")}, []chain.Output{out(t, b, "leaf", "9", "kg")}, nil, "9 kg came out or was lost, 10 kg went in"},
		"more than went in":     {[]chain.Input{in(t, a, "10", "kg")}, []chain.Output{out(t, b, "leaf", "10.000001", "kg")}, nil, "10.000001 kg of leaf came out, 10 kg went in"},
		"a hair of loss":        {[]chain.Input{in(t, a, "0.3", "kg")}, []chain.Output{out(t, b, "leaf", "0.1", "kg"), out(t, c, "leaf", "0.2", "kg")}, nil, ""},
		"another product":       {[]chain.Input{in(t, a, "100", "kg")}, []chain.Output{out(t, b, "tea", "24", "kg")}, nil, "outputs[0].from is missing"},
		"yield":                 {[]chain.Input{in(t, a, "100", "kg")}, []chain.Output{from(t, out(t, b, "tea", "24", "kg"), "100", "kg")}, nil, ""},
		"yield and loss":        {[]chain.Input{in(t, a, "100", "kg")}, []chain.Output{from(t, out(t, b, "tea", "24", "kg"), "96", "kg")}, lost("4", "kg"), ""},
		"yield of too much":     {[]chain.Input{in(t, a, "100", "kg")}, []chain.Output{from(t, out(t, b, "tea", "24", "kg"), "101", "kg")}, nil, "101 kg came out or was lost, 100 kg went in"},
		"another unit":          {[]chain.Input{in(t, a, "10", "kg")}, []chain.Output{out(t, b, "leaf", "100", "{bag}")}, nil, "outputs[0].from is missing"},
		"packed":                {[]chain.Input{in(t, a, "10", "kg")}, []chain.Output{from(t, out(t, b, "leaf", "100", "{bag}"), "10", "kg")}, nil, ""},
		"one sold as the other": {[]chain.Input{in(t, a, "10", "kg"), in(t, b, "10", "kg")}, []chain.Output{out(t, c, "tea", "20", "kg")}, nil, "20 kg of tea came out, 10 kg went in"},
		"a blend":               {[]chain.Input{in(t, a, "10", "kg"), in(t, b, "10", "kg")}, []chain.Output{from(t, out(t, c, "blend", "20", "kg"), "20", "kg")}, nil, ""},
		"litres of kilograms":   {[]chain.Input{in(t, a, "10", "kg")}, []chain.Output{from(t, out(t, b, "tea", "5", "L"), "5", "L")}, nil, "0 kg came out or was lost, 10 kg went in"},
		"a loss in litres":      {[]chain.Input{in(t, a, "10", "kg")}, []chain.Output{out(t, b, "leaf", "10", "kg")}, lost("1", "L"), "1000000 uL came out or was lost, 0 uL went in"},
	} {
		err := chain.Movement{Kind: chain.Process, Inputs: tt.in, Outputs: tt.out, Losses: tt.losses}.Balance(goods)
		got := ""
		if err != nil {
			got = err.Error()
		}
		if tt.want == "" && got != "" || !strings.HasPrefix(got, tt.want) {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

func TestCheck(t *testing.T) {
	good := func() chain.Movement {
		return chain.Movement{ID: "m", Tenant: "tea", Kind: chain.Process, Step: "fixing", At: noon, Inputs: []chain.Input{in(t, a, "10", "kg")}, Outputs: []chain.Output{out(t, b, "tea", "9", "kg")}}
	}
	if err := good().Check(noon); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		change func(*chain.Movement)
		field  string
	}{
		"kind":            {func(m *chain.Movement) { m.Kind = "eat" }, "kind"},
		"future":          {func(m *chain.Movement) { m.At = noon.Add(time.Hour) }, "at"},
		"no input":        {func(m *chain.Movement) { m.Inputs = nil }, "inputs"},
		"many inputs":     {func(m *chain.Movement) { m.Inputs = make([]chain.Input, chain.MaxInputs+1) }, "inputs"},
		"no output":       {func(m *chain.Movement) { m.Outputs = nil }, "outputs"},
		"no step":         {func(m *chain.Movement) { m.Step = "" }, "step"},
		"step of a split": {func(m *chain.Movement) { m.Kind = chain.Split }, "step"},
		"into itself":     {func(m *chain.Movement) { m.Outputs[0].Batch = a }, "outputs[0].batch"},
		"twice":           {func(m *chain.Movement) { m.Inputs = append(m.Inputs, m.Inputs[0]) }, "inputs[1].batch"},
		"nothing":         {func(m *chain.Movement) { m.Inputs[0].Amount.N = 0 }, "inputs[0].amount"},
		"negative":        {func(m *chain.Movement) { m.Outputs[0].Amount.N = -1 }, "outputs[0].amount"},
		"gains weight":    {func(m *chain.Movement) { f := amount(t, "8", "kg"); m.Outputs[0].From = &f }, "outputs[0].from"},
		"no lot":          {func(m *chain.Movement) { m.Outputs[0].Lot = " " }, "outputs[0].lot"},
		"loss unsaid":     {func(m *chain.Movement) { m.Losses = []chain.Lost{{Amount: amount(t, "1", "kg")}} }, "losses[0].reason"},
		"control":         {func(m *chain.Movement) { m.Place = "a\x00" }, "place"},
		"its own season":  {func(m *chain.Movement) { m.Outputs[0].Began = noon }, "outputs[0].began"},
		"handed over":     {func(m *chain.Movement) { m.To = "oysters" }, "to"},
		"a buyer":         {func(m *chain.Movement) { m.Buyer = &chain.Buyer{Name: "x"} }, "buyer"},
		"receives":        {func(m *chain.Movement) { m.Handover = "x" }, "handover"},
		"corrects itself": {func(m *chain.Movement) { m.Corrects, m.Reason = "m", "x" }, "corrects"},
		"why corrected":   {func(m *chain.Movement) { m.Corrects = "n" }, "reason"},
		"sold to nobody":  {func(m *chain.Movement) { m.Kind, m.Step, m.Outputs = chain.Sell, "", nil }, "buyer"},
		"sold to two": {func(m *chain.Movement) {
			m.Kind, m.Step, m.Outputs, m.To, m.Buyer = chain.Sell, "", nil, "oysters", &chain.Buyer{Name: "x"}
		}, "buyer"},
		"sold to oneself":   {func(m *chain.Movement) { m.Kind, m.Step, m.Outputs, m.To = chain.Sell, "", nil, "tea" }, "to"},
		"lost without why":  {func(m *chain.Movement) { m.Kind, m.Step, m.Outputs = chain.Loss, "", nil }, "reason"},
		"merge of one":      {func(m *chain.Movement) { m.Kind, m.Step = chain.Merge, "" }, "inputs"},
		"harvest of batch":  {func(m *chain.Movement) { m.Kind, m.Step, m.Site = chain.Harvest, "", "g" }, "inputs"},
		"voids nothing":     {func(m *chain.Movement) { *m = chain.Movement{Kind: chain.Void, At: noon, Reason: "x"} }, "corrects"},
		"void with outputs": {func(m *chain.Movement) { m.Kind, m.Step, m.Corrects, m.Reason = chain.Void, "", "n", "x" }, "inputs"},
	} {
		m := good()
		tt.change(&m)
		bad := (*chain.FieldError)(nil)
		if err := m.Check(noon); !errors.As(err, &bad) || bad.Field != tt.field {
			t.Errorf("%s: %v, want a FieldError of %s", name, err, tt.field)
		}
	}
}

// grid is a graph of layers, each made of the one before by one movement.
func grid(layers, each int) chain.Graph {
	var g chain.Graph
	for l := range layers {
		s := chain.Step{ID: fmt.Sprintf("m%02d", l), Kind: chain.Process, At: noon.Add(time.Duration(l) * time.Hour), Tenant: "tea"}
		for i := range each {
			name := fmt.Sprintf("b%02d-%02d", l, i)
			g.Batches = append(g.Batches, chain.Node{Goods: chain.Goods{Batch: name, Tenant: "tea", Product: "<tea>"}})
			s.Outputs = append(s.Outputs, chain.Input{Batch: name})
			if l > 0 {
				s.Inputs = append(s.Inputs, chain.Input{Batch: fmt.Sprintf("b%02d-%02d", l-1, i)})
			}
		}
		g.Steps = append(g.Steps, s)
	}
	return g
}

func plainWords() chain.Words {
	return chain.Words{
		Title: "Tea & more",
		Batch: func(n chain.Node) (string, string) { return n.Product, n.Batch },
		Step:  func(s chain.Step) string { return string(s.Kind) },
		More:  func(n int) string { return fmt.Sprintf("and %d more", n) },
		Says:  func(from, step, to string) string { return from + " " + step + " " + to + "." },
		Href:  func(n chain.Node) string { return "#/" + n.Batch + "?a&b" },
	}
}

// A picture draws up to sixty batches one by one, and never more; it is well-formed
// whatever names hold, and says in words what it shows.
func TestPicture(t *testing.T) {
	for _, size := range [][2]int{{1, 1}, {3, 20}, {20, 3}, {20, 50}, {2, 200}} {
		g := grid(size[0], size[1])
		asked := []string{fmt.Sprintf("b%02d-%02d", size[0]/2, size[1]-1)}
		g.Arrange(asked)
		svg := g.SVG(asked, plainWords())
		d, boxes, texts := xml.NewDecoder(strings.NewReader(string(svg))), 0, ""
		for {
			tok, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%v: %v\n%s", size, err, svg)
			}
			if e, ok := tok.(xml.StartElement); ok && e.Name.Local == "a" {
				boxes++
			}
			if c, ok := tok.(xml.CharData); ok {
				texts += string(c)
			}
		}
		want := min(len(g.Batches), chain.MaxDrawn)
		if boxes > chain.MaxDrawn || boxes < min(want, 1) || len(g.Batches) <= chain.MaxDrawn && boxes != len(g.Batches) {
			t.Errorf("%v: %d boxes of %d batches", size, boxes, len(g.Batches))
		}
		if !strings.Contains(string(svg), asked[0]+"?a") {
			t.Errorf("%v: the batch that was asked about is not drawn", size)
		}
		if !strings.Contains(texts, "Tea & more") || len(g.Batches) > boxes && !strings.Contains(texts, "and ") {
			t.Errorf("%v: it does not say what it leaves out", size)
		}
		if again := g.SVG(asked, plainWords()); string(again) != string(svg) {
			t.Errorf("%v: it is another picture the second time", size)
		}
	}
}

// A tenant sees what it holds and one movement up and down, and how much others have
// left of theirs no more than what lies beyond.
func TestFor(t *testing.T) {
	g := grid(5, 1)
	for i := range g.Batches {
		g.Batches[i].Left = chain.Amount{N: 7, Unit: "kg"}
		if i != 2 {
			g.Batches[i].Tenant, g.Steps[i].Tenant = "oysters", "oysters"
		}
	}
	g.Arrange([]string{"b02-00"})
	seen := g.For("tea")
	var got []string
	for _, n := range seen.Batches {
		got = append(got, fmt.Sprint(n.Batch, " ", n.Left.N))
	}
	if want := "[b01-00 0 b02-00 7 b03-00 0]"; fmt.Sprint(got) != want || len(seen.Steps) != 2 {
		t.Errorf("seen %v with %d movements, want %s with 2", got, len(seen.Steps), want)
	}
	if none := g.For("nobody"); len(none.Batches) != 0 || len(none.Steps) != 0 {
		t.Errorf("a stranger sees %+v", none)
	}
}
