package catalog_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"tianhai/farm"
	"tianhai/trace/catalog"
)

// The products that the shipped catalog promises, each from origin to certificate.
func TestDefaultHasEveryProduct(t *testing.T) {
	c := catalog.Default()
	want := []string{"tea", "vegetables", "fruit", "pig", "cattle", "poultry", "eggs", "fish", "shrimp", "oyster", "clam", "pearl"}
	for _, id := range want {
		p, ok := c.Product(id)
		if !ok {
			t.Errorf("no product %s", id)
			continue
		}
		stages := map[string]bool{}
		for _, kind := range p.Operations {
			o, _ := c.Operation(kind)
			stages[o.Stage] = true
		}
		for _, s := range []string{"origin", "inputs", "pests", "harvest", "process", "test", "store", "sale", "label", "certificate"} {
			if !stages[s] {
				t.Errorf("%s has no operation of stage %s", id, s)
			}
		}
	}
}

// What the law wants of a use, word for word: name, source, usage, dose, dates.
func TestDefaultRequires(t *testing.T) {
	for kind, items := range map[string][]string{
		"spray":    {"product", "maker", "target", "dose", "interval"},   // 农药管理条例 art. 36
		"medicate": {"product", "dose", "disease", "stop", "withdrawal"}, // 兽药管理条例 art. 38
		"exit":     {"heads", "quarantine"},                              // 动物防疫法 art. 51
		"stock":    {"variety", "seed_source", "quantity"},               // 农业部令 31
		"buy":      {"product", "maker", "quantity", "supplier"},         // 农产品质量安全法 art. 27
		"death":    {"heads", "reason", "disposal"},                      // 畜牧法 art. 41
		"void":     {"reason"},
	} {
		o, ok := catalog.Default().Operation(kind)
		for _, item := range items {
			if !ok || !slices.Contains(o.Required, item) {
				t.Errorf("%s does not require %s", kind, item)
			}
		}
	}
}

const small = `
stages: [{id: use, name: {zh: 使用, en: Use}}]
common: [note]
items:
  - {key: note, type: text, name: {zh: 备注, en: Note}, source: 本场}
  - {key: reason, type: text, name: {zh: 原因, en: Reason}, source: 本场}
  - {key: product, type: text, name: {zh: 名称, en: Product}, source: 本场}
  - {key: dose, type: number, units: [g, mL], min: 0.5, max: 900, name: {zh: 用量, en: Dose}, source: 本场}
  - {key: days, type: number, min: 0, name: {zh: 天数, en: Days}, source: 本场}
  - {key: sex, type: choice, choices: [{key: m, name: {zh: 公, en: male}}], name: {zh: 性别, en: Sex}, source: 本场}
  - {key: stop, type: date, name: {zh: 停药, en: Stop}, source: 本场}
  - {key: lot, type: lot, name: {zh: 批次, en: Lot}, source: 本场}
  - {key: photo, type: photo, many: true, name: {zh: 照片, en: Photo}, source: 本场}
operations:
  - {kind: dose, stage: use, name: {zh: 用药, en: Dosing}, required: [product, dose], stated: [lot], wanted: [days, sex, stop, photo], source: 本场}
  - {kind: void, stage: use, name: {zh: 作废, en: Void}, required: [reason], source: 本场}
products: [{id: goat, group: livestock, name: {zh: 羊, en: Goats}, sites: [barn], operations: [dose]}]
`

func parse(t *testing.T, doc string) *catalog.Catalog {
	t.Helper()
	c, err := catalog.Parse([]byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCheck(t *testing.T) {
	c := parse(t, small)
	o, _ := c.Operation("dose")
	good := func() []catalog.Item {
		return []catalog.Item{{Key: "product", Value: "恩诺沙星"}, {Key: "dose", Value: "2.5", Unit: "g"}, {Key: "lot", Value: catalog.Dash}}
	}
	hash := strings.Repeat("0a", 32)
	for name, more := range map[string][]catalog.Item{
		"nothing more": nil,
		"all":          {{Key: "days", Value: "3"}, {Key: "sex", Value: "m"}, {Key: "stop", Value: "2026-02-28"}, {Key: "note", Value: "好"}},
		"two photos":   {{Key: "photo", Value: hash}, {Key: "photo", Value: hash}},
		"a dash":       {{Key: "stop", Value: catalog.Dash}},
	} {
		if err := c.Check(o, append(good(), more...)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	tests := map[string]struct {
		items   []catalog.Item
		key     string
		missing bool
	}{
		"no dose":          {good()[:1], "dose", true},
		"nothing stated":   {good()[:2], "lot", true},
		"dash for a dose":  {[]catalog.Item{{Key: "dose", Value: catalog.Dash}}, "dose", true},
		"blank":            {[]catalog.Item{{Key: "product", Value: " "}}, "product", false},
		"not in the kind":  {append(good(), catalog.Item{Key: "reason", Value: "x"}), "reason", false},
		"not in any":       {append(good(), catalog.Item{Key: "dosage", Value: "x"}), "dosage", false},
		"twice":            {append(good(), good()[0]), "product", false},
		"another unit":     {[]catalog.Item{{Key: "dose", Value: "2", Unit: "kg"}}, "dose", false},
		"no unit":          {[]catalog.Item{{Key: "dose", Value: "2"}}, "dose", false},
		"a unit too many":  {append(good(), catalog.Item{Key: "days", Value: "2", Unit: "d"}), "days", false},
		"unit of a text":   {[]catalog.Item{{Key: "product", Value: "x", Unit: "g"}}, "product", false},
		"below the range":  {[]catalog.Item{{Key: "dose", Value: "0.4", Unit: "g"}}, "dose", false},
		"above the range":  {[]catalog.Item{{Key: "dose", Value: "900.1", Unit: "g"}}, "dose", false},
		"a word":           {[]catalog.Item{{Key: "dose", Value: "some", Unit: "g"}}, "dose", false},
		"not a number":     {[]catalog.Item{{Key: "dose", Value: "NaN", Unit: "g"}}, "dose", false},
		"hexadecimal":      {[]catalog.Item{{Key: "dose", Value: "0x10", Unit: "g"}}, "dose", false},
		"another choice":   {append(good(), catalog.Item{Key: "sex", Value: "x"}), "sex", false},
		"no date":          {append(good(), catalog.Item{Key: "stop", Value: "2026-02-30"}), "stop", false},
		"no lot":           {[]catalog.Item{{Key: "lot", Value: "batch 7"}}, "lot", false},
		"path for a photo": {append(good(), catalog.Item{Key: "photo", Value: "../../etc/passwd"}), "photo", false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			err := c.Check(o, tt.items)
			var ie *catalog.ItemError
			if !errors.As(err, &ie) || ie.Key != tt.key || ie.Missing != tt.missing {
				t.Fatalf("error %v, want one of item %s, missing %v", err, tt.key, tt.missing)
			}
			if k, known := c.Item(tt.key); known && (ie.Name != k.Name || !strings.Contains(err.Error(), k.Name.Zh) || !strings.Contains(err.Error(), k.Name.En)) {
				t.Errorf("error %q does not name the item in both languages", err)
			}
		})
	}
}

// Each fault names its line and key.
func TestParseRefuses(t *testing.T) {
	for name, tt := range map[string]struct{ old, put, want string }{
		"empty":             {small, "", "YAML"},
		"unknown key":       {"stages:", "levels: 1\nstages:", "line 2"},
		"no English":        {"{zh: 用量, en: Dose}", "{zh: 用量}", "line 8: dose: name"},
		"unknown type":      {"key: days, type: number", "key: days, type: decimal", "line 9: days: type"},
		"key twice":         {"key: days", "key: dose", "line 9: dose: key"},
		"no source":         {"en: Days}, source: 本场}", "en: Days}}", "line 9: days: source"},
		"range upside down": {"min: 0.5, max: 900", "min: 5, max: 4", "line 8: dose: min"},
		"unit twice":        {"[g, mL]", "[g, g]", "line 8: dose: units"},
		"unit of a text":    {"key: note, type: text", "key: note, type: text, units: [g]", "line 5: note: type"},
		"choice of nothing": {"choices: [{key: m, name: {zh: 公, en: male}}], ", "", "line 10: sex: choices"},
		"no such item":      {"wanted: [days", "wanted: [day", "line 15: dose: wanted"},
		"item twice":        {"wanted: [days", "wanted: [dose", "line 15: dose:"},
		"no such stage":     {"{kind: dose, stage: use", "{kind: dose, stage: abuse", "line 15: dose: stage"},
		"no such common":    {"common: [note]", "common: [nota]", "line 3: common"},
		"no void":           {"kind: void", "kind: voids", "kind void"},
		"void for nothing":  {"required: [reason]", "wanted: [reason]", "kind void"},
		"no such group":     {"group: livestock", "group: pets", "line 17: goat: group"},
		"no such site":      {"sites: [barn]", "sites: [zoo]", "line 17: goat: sites"},
		"no such operation": {"operations: [dose]", "operations: [doze]", "line 17: goat: operations"},
		"bad identifier":    {"id: goat", "id: Goat", "line 17: number 1: id"},
	} {
		t.Run(name, func(t *testing.T) {
			doc := strings.Replace(small, tt.old, tt.put, 1)
			if doc == small {
				t.Fatal("the document was not changed")
			}
			_, err := catalog.Parse([]byte(doc))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
	if _, err := catalog.Parse(make([]byte, catalog.MaxDoc+1)); err == nil {
		t.Error("a document of any size is read")
	}
}

func TestNewProductIsData(t *testing.T) {
	c := parse(t, small)
	if p, ok := c.Product("goat"); !ok || p.Name.In("en") != "Goats" || !slices.Equal(p.Sites, []farm.SiteKind{farm.Barn}) {
		t.Errorf("the new product is %+v", p)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(small))
	f.Add(catalog.Shipped())
	f.Add([]byte("products: !!s:\n"))
	f.Fuzz(func(t *testing.T, doc []byte) {
		c, err := catalog.Parse(doc)
		if err != nil {
			return
		}
		for _, o := range c.Operations {
			for _, key := range slices.Concat(o.Required, o.Stated, o.Wanted) {
				if _, ok := c.Item(key); !ok {
					t.Errorf("%s has the unknown item %s", o.Kind, key)
				}
			}
		}
	})
}
