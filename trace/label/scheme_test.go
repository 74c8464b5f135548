package label_test

import (
	"fmt"
	"testing"

	"tianhai/trace/label"
)

func TestSchemes(t *testing.T) {
	const base = "https://trace.example.cn"
	batch := label.Item{Code: "4Q7XH2M9KTB3D", Lot: "A/1", GTIN: "09506000134352", CreditCode: "91450700MA5KXXXX0X"}
	packet := label.Item{Code: "4Q7XH2M9KTB3D", Packet: true, GTIN: "09506000134352"}
	without := func(i label.Item) label.Item { i.GTIN = ""; return i }
	lot := func(lot string) label.Item { i := batch; i.Lot = lot; return i }
	all := label.NewSchemes(base)
	first := all.Packets()
	for name, tt := range map[string]struct {
		scheme label.Scheme
		item   label.Item
		want   string // "" for none
	}{
		"own, batch":                     {all[label.OwnScheme], batch, base + "/t/4Q7XH2M9KTB3D"},
		"own, packet":                    {all[label.OwnScheme], packet, base + "/t/4Q7XH2M9KTB3D"},
		"GTIN, batch":                    {all[label.GTINScheme], batch, base + "/01/09506000134352/10/A%2F1"},
		"GTIN, lot not of GS1's set":     {all[label.GTINScheme], lot("春茶一号"), base + "/01/09506000134352/10/4Q7XH2M9KTB3D"},
		"GTIN, lot too long":             {all[label.GTINScheme], lot("123456789012345678901"), base + "/01/09506000134352/10/4Q7XH2M9KTB3D"},
		"GTIN, no lot":                   {all[label.GTINScheme], lot(""), base + "/01/09506000134352/10/4Q7XH2M9KTB3D"},
		"GTIN, packet":                   {all[label.GTINScheme], packet, base + "/01/09506000134352/21/4Q7XH2M9KTB3D"},
		"no GTIN is made up, batch":      {all[label.GTINScheme], without(batch), ""},
		"no GTIN is made up, packet":     {all[label.GTINScheme], without(packet), ""},
		"a mistyped GTIN makes none":     {all[label.GTINScheme], label.Item{Code: "4Q7XH2M9KTB3D", GTIN: "09506000134353"}, ""},
		"open batch has neither":         {all[label.GTINScheme], label.Item{GTIN: "09506000134352"}, ""},
		"the first that has one":         {first, batch, base + "/01/09506000134352/10/A%2F1"},
		"the next where it has none":     {first, without(batch), base + "/t/4Q7XH2M9KTB3D"},
		"none where none has an address": {label.FirstOf{all[label.GTINScheme]}, without(batch), ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := tt.scheme.Address(tt.item)
			if got != tt.want || ok != (tt.want != "") {
				t.Errorf("%q, %t, want %q", got, ok, tt.want)
			}
		})
	}
}

// A scheme that somebody adds is asked like the others.
func TestSchemeAdded(t *testing.T) {
	all := label.NewSchemes("https://trace.example.cn")
	all["credit"] = creditCodes{}
	got := fmt.Sprint(all.Addresses(label.Item{Code: "4Q7XH2M9KTB3D", Lot: "A", GTIN: "09506000134352", CreditCode: "9145"}))
	if want := "[{own https://trace.example.cn/t/4Q7XH2M9KTB3D} {credit 9145/A} {gtin https://trace.example.cn/01/09506000134352/10/A}]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got := fmt.Sprint(all.Addresses(label.Item{Code: "4Q7XH2M9KTB3D"})); got != "[{own https://trace.example.cn/t/4Q7XH2M9KTB3D}]" {
		t.Errorf("of a person without a GTIN: %s", got)
	}
}

type creditCodes struct{}

func (creditCodes) Address(i label.Item) (string, bool) {
	return i.CreditCode + "/" + i.Lot, i.CreditCode != ""
}
