package parcel_test

import (
	"bytes"
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"

	"tianhai/farm"
	"tianhai/trace"
	"tianhai/trace/catalog"
	"tianhai/trace/chain"
	"tianhai/trace/parcel"
)

var noon = time.Date(2026, 3, 1, 4, 0, 0, 0, time.UTC)

// records are a source of nothing but these, all of one farm.
type records []trace.Record

func (records) Facts(context.Context, string) (parcel.Facts, error) {
	return parcel.Facts{Operator: farm.Tenant{ID: "tea", Kind: "household", Name: farm.Text{Zh: "茶农"}}}, nil
}

func (r records) CountRecords(context.Context, string, time.Time, time.Time) (map[string]int, error) {
	return map[string]int{"all": len(r)}, nil
}

func (r records) EachRecord(_ context.Context, _ string, _, _ time.Time, each func(trace.Record) error) error {
	for _, rec := range r {
		if err := each(rec); err != nil {
			return err
		}
	}
	return nil
}

func (records) EachBatchRecord(context.Context, string, time.Time, func(trace.Record) error) error {
	return nil
}

func (records) Goods(context.Context, []string) ([]chain.Goods, error) { return nil, nil }

func (records) Current() *catalog.Catalog { return catalog.Default() }

func (records) At(context.Context, int) (*catalog.Catalog, error) { return catalog.Default(), nil }

// An officer reads words and dates, each under its heading, and numbers of documents as
// they were written.
func TestWorkbookIsRead(t *testing.T) {
	all := records{
		{ID: "r1", Kind: trace.LotRecord, At: noon, Body: []byte(`{"v":1,"what":{"product":"matrine","batch":"1200000000000","made":"2026-01-31T16:00:00Z","supplier":"农资店","quantity":6,"unit":"L"}}`)},
		{ID: "r2", Kind: trace.BatchRecord, At: noon, Code: "BEZP3N4V766M5", Body: []byte(`{"v":2,"product":{"id":"liubao","kind":"tea","name":{"zh":"六堡茶"}},"producer":{"name":{"zh":"合作社"}},"lot":"2026-01-31","quantity":2,"unit":"{box}",
			"evidence":{"series":[{"quantity":"soil.moisture","min":24.2,"max":30.7,"unit":"%"}]}}`)},
		{ID: "r3", Kind: trace.OperationRecord, At: noon, Body: []byte(`{"v":1,"kind":"fertilise","items":[{"key":"dose","value":"150","unit":"kg/[mu_chn]"}]}`)},
		{ID: "r4", Kind: trace.MovementRecord, At: noon, Body: []byte(`{"v":1,"movement":{"kind":"sell","at":"2026-02-28T04:00:00Z"}}`)},
	}
	words := map[string]string{"unit.L": "升", "unit.{box}": "箱", "unit.kg": "千克", "unit.[mu_chn]": "亩", "quantity.soil.moisture": "土壤水分", "chain.kind.sell": "销售", "operator_kind.household": "农户"}
	var out bytes.Buffer
	composer := parcel.Composer{Source: all, Catalogs: all, Word: func(key string) string { return words[key] }}
	if _, err := composer.Compose(t.Context(), "tea", parcel.Month(noon), nil, &out, func(int) error { return nil }); err != nil {
		t.Fatal(err)
	}
	f, err := excelize.OpenReader(&out)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	row := func(sheet string, columns ...string) (cells []string) {
		rows, err := f.GetRows(sheet)
		if err != nil || len(rows) < 2 {
			t.Fatalf("%s has %d rows: %v", sheet, len(rows), err)
		}
		for _, c := range columns {
			i := slices.Index(rows[0], c)
			if i < 0 || i >= len(rows[1]) {
				t.Fatalf("%s has no %s: %q", sheet, c, rows)
			}
			cells = append(cells, rows[1][i])
		}
		return cells
	}
	for name, tt := range map[string]struct{ got, want []string }{
		"a lot":        {row("投入品购入 inputs", "记录时间（北京） recorded", "批次 batch", "生产日期 made", "供货单位 supplier", "数量 quantity"), []string{"2026-03-01 12:00", "1200000000000", "2026-02-01 00:00", "农资店", "6 升"}},
		"a batch":      {row("批次 batch", "追溯码 codes", "名称 product", "生产者 producer", "批号 lot", "数量 quantity", "传感器记录 evidence"), []string{"BEZP3N4V766M5", "六堡茶", "合作社", "2026-01-31", "2 箱", "土壤水分 24.2～30.7 %"}},
		"a dose":       {row("投入品使用 use", "用量 dose"), []string{"150 千克/亩"}},
		"a sale":       {row("销售 sale", "时间（北京） at", "类型 kind"), []string{"2026-02-28 12:00", "销售"}},
		"who it is of": {row("主体 subject", "编号 id", "种类 kind"), []string{"tea", "农户"}},
	} {
		if diff := cmp.Diff(tt.want, tt.got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	for cell, want := range map[string]excelize.CellType{"A2": excelize.CellTypeInlineString, "B2": excelize.CellTypeUnset} { // a code is a text, a date a number
		if got, err := f.GetCellType("批次 batch", cell); err != nil || got != want {
			t.Errorf("%s is of type %v, want %v: %v", cell, got, want, err)
		}
	}
}
