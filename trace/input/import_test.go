package input_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"
	"golang.org/x/text/encoding/simplifiedchinese"

	"tianhai/farm"
	"tianhai/trace/input"
)

const productTable = `id,kind,name_zh,maker,registration,actives,species,dose_min,dose_max,dose_unit,dose_basis,dose_per,max_uses,wait_days,degree_days,source
p1,pesticide,示例乳油,示例厂,PD20080005,示例 7732-18-5 20%,tea,10,20,mL,area,mu,2,7,,标签 2024-03
p1,,,,,,fruit,,,,,,,15,,标签 2024-03
d1,drug,示例粉,兽药厂,兽药字 1,甲|乙,fish,,,,,,,,500,说明书
`

func wantProducts() []input.Product {
	seven, fifteen := 7, 15
	return []input.Product{
		{
			ID: "p1", Kind: input.Pesticide, Name: farm.Text{Zh: "示例乳油"}, Maker: "示例厂", Registration: "PD20080005",
			Actives: []input.Active{{Name: "示例", CAS: "7732-18-5", Content: "20%"}},
			Labels: []input.Label{
				{Species: "tea", Dose: input.Dose{Min: 10, Max: 20, Unit: "mL", Basis: input.PerArea, Per: "mu"}, MaxUses: 2, Wait: input.Wait{Days: &seven}, Source: "标签 2024-03"},
				{Species: "fruit", Wait: input.Wait{Days: &fifteen}, Source: "标签 2024-03"},
			},
		},
		{
			ID: "d1", Kind: input.Drug, Name: farm.Text{Zh: "示例粉"}, Maker: "兽药厂", Registration: "兽药字 1", Actives: []input.Active{{Name: "甲"}, {Name: "乙"}},
			Labels: []input.Label{{Species: "fish", Wait: input.Wait{DegreeDays: 500}, Source: "说明书"}},
		},
	}
}

// workbook is a table as a spreadsheet keeps it, with numbers as numbers.
func workbook(t *testing.T, table string, numbers map[string]any) []byte {
	t.Helper()
	book := excelize.NewFile()
	for i, line := range strings.Split(strings.TrimSpace(table), "\n") {
		for j, cell := range strings.Split(line, ",") {
			var v any = cell
			if n, ok := numbers[cell]; ok {
				v = n
			}
			at, err := excelize.CoordinatesToCellName(j+1, i+1)
			if err != nil {
				t.Fatal(err)
			}
			if err := book.SetCellValue("Sheet1", at, v); err != nil {
				t.Fatal(err)
			}
		}
	}
	out, err := book.WriteToBuffer()
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestParseProducts: the same products out of every kind of file.
func TestParseProducts(t *testing.T) {
	gbk, err := simplifiedchinese.GB18030.NewEncoder().String(productTable)
	if err != nil {
		t.Fatal(err)
	}
	for name, file := range map[string][]byte{
		"CSV":        []byte("\ufeff" + productTable),
		"semicolons": []byte(strings.ReplaceAll(productTable, ",", ";")),
		"GB18030":    []byte(gbk),
		"workbook":   workbook(t, productTable, map[string]any{"7": 7, "500": 500.0, "10": 10}),
		"YAML": []byte(`products:
  - {id: p1, kind: pesticide, name: {zh: 示例乳油}, maker: 示例厂, registration: PD20080005, actives: [{name: 示例, cas: 7732-18-5, content: 20%}],
     labels: [{species: tea, dose: {min: 10, max: 20, unit: mL, basis: area, per: mu}, max_uses: 2, wait: {days: 7}, source: 标签 2024-03}, {species: fruit, wait: {days: 15}, source: 标签 2024-03}]}
  - id: d1
    kind: drug
    name: {zh: 示例粉}
    maker: 兽药厂
    registration: 兽药字 1
    actives: [{name: 甲}, {name: 乙}]
    labels: [{species: fish, wait: {degree_days: 500}, source: 说明书}]
`),
	} {
		t.Run(name, func(t *testing.T) {
			got, faults, err := input.ParseProducts(bytes.NewReader(file))
			if err != nil || len(faults) > 0 {
				t.Fatalf("%v, %v", faults, err)
			}
			if d := cmp.Diff(wantProducts(), got); d != "" {
				t.Error(d)
			}
		})
	}
}

// TestParseFaults: whatever is wrong names its line and column.
func TestParseFaults(t *testing.T) {
	head, rest, _ := strings.Cut(productTable, "\n")
	for name, tt := range map[string]struct {
		file  string
		line  int
		field string
	}{
		"empty":                    {"", 1, "products"},
		"unknown column":           {"id,kind,name_zh,maker,wait\n", 1, "wait"},
		"missing column":           {"id,kind,maker\n", 1, "name_zh"},
		"no registration":          {head + "\n" + strings.Replace(rest, "PD20080005", "", 1), 2, "registration"},
		"another maker":            {head + "\n" + strings.Replace(rest, "p1,,,,", "p1,,,另一厂,", 1), 3, "maker"},
		"no wait":                  {head + "\n" + strings.Replace(rest, "500", "", 1), 4, "labels[0].wait"},
		"words for a number":       {head + "\n" + strings.Replace(rest, ",500,", ",五百,", 1), 4, "degree_days"},
		"half a day":               {head + "\n" + strings.Replace(rest, ",15,", ",1.5,", 1), 3, "wait_days"},
		"two labels for one":       {head + "\n" + strings.Replace(rest, ",fruit,", ",tea,", 1), 2, "labels[1].species"},
		"YAML with a typo":         {"products:\n  - {id: p1, kin: feed}\n", 2, "products"},
		"YAML product with faults": {"products:\n  - {id: f1, kind: feed, name: {zh: 料}, maker: 厂}\n  - {id: f2, kind: feed, name: {zh: 料}}\n", 3, "maker"},
		"a second document":        {"products:\n  - {id: f1, kind: feed, name: {zh: 料}, maker: 厂}\n---\nproducts: []\n", 3, "products"},
		"not text":                 {"\x00\x01\x02", 1, "file"},
		"an open quotation mark":   {head + "\n\"p1,pest\n", 2, "line"},
		"a workbook that is none":  {"PK\x03\x04 nonsense", 0, "file"},
	} {
		t.Run(name, func(t *testing.T) {
			_, faults, err := input.ParseProducts(strings.NewReader(tt.file))
			if err != nil || len(faults) == 0 || faults[0].Line != tt.line || faults[0].Field != tt.field || faults[0].Reason == "" {
				t.Errorf("got %+v, %v; want line %d, %s", faults, err, tt.line, tt.field)
			}
		})
	}
	if _, _, err := input.ParseProducts(strings.NewReader(strings.Repeat("a", input.MaxFile+1))); err == nil {
		t.Error("a file without end is read")
	}
}

func kindOf(product string) (input.Kind, bool) { return input.Pesticide, product == "p1" }

// TestParseLots: days as people and spreadsheets write them; the day on the label is
// the last on which the lot may be used; the same file again names the same lots.
func TestParseLots(t *testing.T) {
	const table = "product,batch,made,expires,supplier,quantity,unit\np1,20260301,2026-03-01,2028/2/28,农资店,2.5,L\n"
	var first input.Lot
	for name, file := range map[string][]byte{
		"CSV":       []byte(table),
		"workbook":  workbook(t, table, map[string]any{"2026-03-01": time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), "2028/2/28": time.Date(2028, 2, 28, 0, 0, 0, 0, time.UTC), "2.5": 2.5}),
		"YAML":      []byte("lots:\n  - {product: p1, batch: \"20260301\", made: 2026-03-01, expires: 2028-02-28, supplier: 农资店, quantity: 2.5, unit: L}\n"),
		"CSV again": []byte(table),
	} {
		lots, faults, err := input.ParseLots(bytes.NewReader(file), kindOf)
		if err != nil || len(faults) > 0 || len(lots) != 1 {
			t.Errorf("%s: %v, %v, %d lots", name, faults, err, len(lots))
			continue
		}
		l := lots[0]
		beijing := time.FixedZone("UTC+8", 8*3600)
		if l.Batch != "20260301" || l.Quantity != 2.5 || !l.Usable(time.Date(2028, 2, 28, 23, 59, 0, 0, beijing)) || l.Usable(time.Date(2028, 2, 29, 0, 0, 0, 0, beijing)) || !l.Made.Equal(time.Date(2026, 3, 1, 0, 0, 0, 0, beijing)) {
			t.Errorf("%s: %+v", name, l)
		}
		if strings.HasPrefix(name, "CSV") {
			if first.ID != "" && first.ID != l.ID {
				t.Errorf("the same file names lots %s and %s", first.ID, l.ID)
			}
			first = l
		}
	}
	for field, row := range map[string]string{
		"product":  "p9,b,,2028-02-28,店,1,L",
		"expires":  "p1,b,,someday,店,1,L",
		"unit":     "p1,b,,2028-02-28,店,1,瓶",
		"quantity": "p1,b,,2028-02-28,店,-1,L",
		"batch":    "p1,,,2028-02-28,店,1,L",
	} {
		_, faults, err := input.ParseLots(strings.NewReader("product,batch,made,expires,supplier,quantity,unit\n"+row+"\n"), kindOf)
		if err != nil || len(faults) != 1 || faults[0].Line != 2 || faults[0].Field != field {
			t.Errorf("%s: %+v, %v", field, faults, err)
		}
	}
}

func FuzzParseProducts(f *testing.F) {
	f.Add([]byte(productTable))
	f.Add([]byte("products:\n  - {id: f1, kind: feed, name: {zh: 料}, maker: 厂}\n"))
	f.Add([]byte("lots: [{product: p1}]"))
	f.Add([]byte("PK\x03\x04"))
	f.Add([]byte("products: !!s:\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		got, faults, err := input.ParseProducts(bytes.NewReader(raw))
		if err == nil && len(faults) == 0 {
			for _, p := range got {
				if err := p.Check(); err != nil {
					t.Errorf("%+v: %v", p, err)
				}
			}
		}
		if _, _, err := input.ParseLots(bytes.NewReader(raw), kindOf); err != nil && len(raw) <= input.MaxFile {
			t.Error(err)
		}
	})
}
