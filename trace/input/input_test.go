package input_test

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"tianhai/trace/input"
)

func product() input.Product {
	n := 7
	p := input.Product{ID: "p1", Kind: input.Pesticide, Registration: "PD20080005", Maker: "示例厂", Actives: []input.Active{{Name: "示例", CAS: "7732-18-5"}}}
	p.Name.Zh = "示例"
	p.Labels = []input.Label{{Species: "tea", Dose: input.Dose{Min: 10, Max: 20, Unit: "mL", Basis: input.PerArea, Per: "mu"}, Wait: input.Wait{Days: &n}, Source: "label"}}
	return p
}

func TestProduct(t *testing.T) {
	if err := product().Check(); err != nil {
		t.Fatal(err)
	}
	for number, good := range map[string]bool{
		"PD20080005": true, "PDN2-88": true, "LS20071573": true, "ＰＤ２００８０００５": true, "pd20080005": true,
		"": false, "20080005": false, "兽药字123456789": false, "PD": false, "XPD20080005": false,
	} {
		p := product()
		p.Registration = number
		if err := p.Check(); (err == nil) != good {
			t.Errorf("number %q: %v", number, err)
		}
	}
}

func TestProductField(t *testing.T) {
	many, none := 2000, -1
	tests := map[string]struct {
		change func(*input.Product)
		field  string
	}{
		"id":              {func(p *input.Product) { p.ID = "A" }, "id"},
		"kind":            {func(p *input.Product) { p.Kind = "x" }, "kind"},
		"no maker":        {func(p *input.Product) { p.Maker = " " }, "maker"},
		"no actives":      {func(p *input.Product) { p.Actives = nil }, "actives"},
		"CAS check digit": {func(p *input.Product) { p.Actives[0].CAS = "7732-18-4" }, "actives[0].cas"},
		"no interval":     {func(p *input.Product) { p.Labels[0].Wait = input.Wait{} }, "labels[0].wait"},
		"negative":        {func(p *input.Product) { p.Labels[0].Wait.Days = &none }, "labels[0].wait.days"},
		"years":           {func(p *input.Product) { p.Labels[0].Wait.Days = &many }, "labels[0].wait.days"},
		"NaN":             {func(p *input.Product) { p.Labels[0].Wait.DegreeDays = math.NaN() }, "labels[0].wait.degree_days"},
		"dose backwards":  {func(p *input.Product) { p.Labels[0].Dose.Min = 30 }, "labels[0].dose.max"},
		"dose per litre":  {func(p *input.Product) { p.Labels[0].Dose.Per = "L" }, "labels[0].dose.per"},
		"twice":           {func(p *input.Product) { p.Labels = append(p.Labels, p.Labels[0]) }, "labels[1].species"},
		"no source":       {func(p *input.Product) { p.Labels[0].Source = "" }, "labels[0].source"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p := product()
			tt.change(&p)
			var fe *input.FieldError
			if err := p.Check(); !errors.As(err, &fe) || fe.Field != tt.field {
				t.Errorf("got %v, want a FieldError of %s", err, tt.field)
			}
		})
	}
}

func TestLot(t *testing.T) {
	end := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	good := input.Lot{Batch: "20260101", Supplier: "示例农资店", Quantity: 2.5, Unit: "L", Expires: end}
	if err := good.Check(input.Pesticide); err != nil {
		t.Fatal(err)
	}
	if !good.Usable(end.Add(-time.Second)) || good.Usable(end) {
		t.Error("the lot does not end when it expires")
	}
	for name, change := range map[string]func(*input.Lot){
		"batch": func(l *input.Lot) { l.Batch = "" }, "supplier": func(l *input.Lot) { l.Supplier = "" },
		"quantity": func(l *input.Lot) { l.Quantity = 0 }, "unit": func(l *input.Lot) { l.Unit = "瓶" },
		"expires": func(l *input.Lot) { l.Made = end }, "document": func(l *input.Lot) { l.Document = "x" },
	} {
		l := good
		change(&l)
		var fe *input.FieldError
		if err := l.Check(input.Pesticide); !errors.As(err, &fe) || fe.Field != name {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestMeasure(t *testing.T) {
	tests := map[string]struct {
		v    float64
		unit string
		in   string
		want float64
	}{
		"kilograms in grams":      {1.5, "kg", "g", 1500},
		"jin":                     {3, "斤", "kg", 1.5},
		"millilitres":             {250, "mL", "L", 0.25},
		"mu in square metres":     {1, "mu", "m2", 666.667},
		"a tenth ten times":       {0.1, "kg", "mg", 100000},
		"hectares, the UCUM code": {1, "har", "m2", 10000},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			a, err := input.Measure(tt.v, tt.unit)
			if err != nil {
				t.Fatal(err)
			}
			if got, ok := a.In(tt.in); !ok || math.Abs(got-tt.want) > 1e-9 {
				t.Errorf("got %v, %v", got, ok)
			}
		})
	}
	a, _ := input.Measure(1, "kg")
	if _, ok := a.In("L"); ok {
		t.Error("mass became volume")
	}
	for name, v := range map[string]float64{"negative": -1, "NaN": math.NaN(), "endless": math.Inf(1), "huge": 1e10, "vanishing": 1e-12} {
		if _, err := input.Measure(v, "kg"); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestBanned(t *testing.T) {
	l := input.Banned()
	if len(l) < 70 {
		t.Fatalf("%d bans", len(l))
	}
	for _, b := range l {
		if !strings.Contains(b.Source, "公告") {
			t.Errorf("%s has no announcement: %q", b.Name, b.Source)
		}
	}
	tests := map[string]struct {
		active, group, species string
		banned                 bool
	}{
		"by name":                    {"甲胺磷", "vegetable", "cabbage", true},
		"by English name":            {"Methamidophos", "tea", "tea", true},
		"full width":                 {"ＤＤＴ", "fruit", "citrus", true},
		"spaced":                     {"parathion - methyl", "fruit", "citrus", true},
		"part of another's name":     {"硫磷", "fruit", "citrus", false},
		"a name that contains it":    {"辛对硫磷", "fruit", "citrus", false},
		"a salt":                     {"盐酸克仑特罗", "livestock", "pig", true},
		"on citrus":                  {"水胺硫磷", "fruit", "citrus", true},
		"not on other fruit":         {"水胺硫磷", "fruit", "mango", false},
		"not on what nobody eats":    {"甲拌磷", "", "cotton", false},
		"on tea only":                {"氰戊菊酯", "tea", "tea", true},
		"a pesticide, given to fish": {"克百威", "aquatic", "tilapia", true},
		"allowed":                    {"苏云金杆菌", "tea", "tea", false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p := input.Product{Actives: []input.Active{{Name: tt.active}}}
			if got := l.Find(p, input.Target{Group: tt.group, Species: tt.species}, time.Now()); (len(got) > 0) != tt.banned {
				t.Errorf("got %+v", got)
			}
		})
	}
	byNumber := input.List{{Name: "水", CAS: "7732-18-5", Scope: []string{"crops"}, Source: "公告"}}
	if got := byNumber.Find(input.Product{Actives: []input.Active{{Name: "water", CAS: "7732-18-5"}}}, input.Target{Group: "tea"}, time.Now()); len(got) != 1 {
		t.Error("not found by CAS number")
	}
}

func TestParseBansSays(t *testing.T) {
	const head = "name,aliases,cas,scope,source\n"
	for name, tt := range map[string]struct{ text, want string }{
		"columns": {"name,cas\n", "line 1"}, "scope": {head + "x,,,,y\n", "line 2: scope is missing"},
		"source": {head + "x,,,tea,\n", "line 2: source"}, "CAS": {head + "x,,1-1-1,tea,y\n", "line 2: cas"},
		"fields": {head + "x,y\n", "line 2"},
	} {
		if _, err := input.ParseBans(strings.NewReader(tt.text)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}

func FuzzParseBans(f *testing.F) {
	f.Add("name,aliases,cas,scope,source\n六六六,HCH|BHC,,crops,公告\n")
	f.Fuzz(func(t *testing.T, text string) {
		l, err := input.ParseBans(strings.NewReader(text))
		if err != nil {
			return
		}
		for _, b := range l {
			if err := b.Check(); err != nil {
				t.Errorf("read, but %v", err)
			}
		}
	})
}
