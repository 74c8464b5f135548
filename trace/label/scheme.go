package label

import (
	"cmp"
	"slices"
)

// An Item is what a label is stuck to: each packet of a batch, or one packet of a roll.
type Item struct {
	Code       string // trace code of the batch, or of the packet
	Packet     bool   // Code is of one packet alone
	Lot        string // the operator's number of the batch; "" for a packet
	GTIN       string // 14 digits that GS1 gave the operator for the product; "" for none
	CreditCode string // 统一社会信用代码 of the operator, GB 32100; "" for a natural person
}

// A Scheme builds the codes that labels carry: one from the numbers of GS1, one from
// an operator's credit code, one of our own.
type Scheme interface {
	// Address returns what the QR code says. It is false where the scheme has nothing
	// for such an item; no number is made up to have one.
	Address(Item) (string, bool)
}

// The names of the schemes that are built in.
const (
	OwnScheme  = "own"
	GTINScheme = "gtin"
)

// Schemes are those that a server prints by, by their names; OwnScheme is one of them.
type Schemes map[string]Scheme

// NewSchemes returns those that point at base. A caller may add more: the codes that
// DB45/T 2857-2024 makes of credit codes are not among them, because its text was not
// to be had.
func NewSchemes(base string) Schemes {
	return Schemes{OwnScheme: Own{base}, GTINScheme: DigitalLinks{base}}
}

// Packets is what rolls are printed by: Digital Links where a roll has a GTIN.
func (s Schemes) Packets() Scheme { return FirstOf{s[GTINScheme], s[OwnScheme]} }

// An Address is what a scheme's QR code says.
type Address struct {
	Scheme  string `json:"scheme"`
	Address string `json:"address"`
}

// Addresses returns those of an item, our own first, the others by their names.
func (s Schemes) Addresses(i Item) []Address {
	var all []Address
	for name, scheme := range s {
		if address, ok := scheme.Address(i); ok {
			all = append(all, Address{name, address})
		}
	}
	rank := func(a Address) string {
		if a.Scheme == OwnScheme {
			return ""
		}
		return a.Scheme
	}
	slices.SortFunc(all, func(a, b Address) int { return cmp.Compare(rank(a), rank(b)) })
	return all
}

// Own is the scheme of trace codes, which need nobody's leave: Base, /t/ and the code.
// It has an address for every item.
type Own struct{ Base string }

// Address implements Scheme.
func (s Own) Address(i Item) (string, bool) { return s.Base + "/t/" + i.Code, true }

// DigitalLinks is the scheme of GS1 Digital Links on Base, for whoever holds a GTIN: a
// packet's code is its serial number (AI 21), a batch has its lot (AI 10), or where GS1
// does not allow the operator's number, its trace code as the lot.
type DigitalLinks struct{ Base string }

// Address implements Scheme.
func (s DigitalLinks) Address(i Item) (string, bool) {
	if i.GTIN == "" {
		return "", false
	}
	qualifiers := []Element{{"10", i.Lot}, {"10", i.Code}}
	if i.Packet {
		qualifiers = []Element{{"21", i.Code}}
	}
	for _, q := range slices.DeleteFunc(qualifiers, func(e Element) bool { return e.Value == "" }) {
		if link, err := MakeLink(s.Base, []Element{{"01", i.GTIN}, q}); err == nil {
			return link.String(), true
		}
	}
	return "", false
}

// FirstOf is the scheme of the first that has an address for an item.
type FirstOf []Scheme

// Address implements Scheme.
func (s FirstOf) Address(i Item) (string, bool) {
	for _, one := range s {
		if address, ok := one.Address(i); ok {
			return address, true
		}
	}
	return "", false
}
