package resolver

import (
	"slices"
	"strings"

	"tianhai/trace/label"
)

// A key is what a link asks for, as far as we tell things apart: variants (22) and
// what makers of packages number (235) are passed by.
type key struct {
	base                string // address of the GTIN, with the stem before it
	gtin, lot, serial   string
	withLot, withSerial string // addresses of the lot and the serial number; "" where not asked for
}

// keyOf takes a parsed link with (01) for its key apart.
func keyOf(l label.Link) key {
	var k key
	address, _, _ := strings.Cut(l.String(), "?")
	for _, e := range l.Elements() {
		switch e.AI {
		case "01":
			if k.gtin == "" {
				k.gtin = e.Value
			}
		case "10":
			k.lot = e.Value
		case "21":
			k.serial = e.Value
		}
	}
	at := strings.LastIndex(address, "/01/"+k.gtin) + len("/01/"+k.gtin)
	k.base = address[:at]
	if k.lot != "" {
		k.withLot = address
		if i := strings.Index(address[at:], "/21/"); i >= 0 && k.serial != "" {
			k.withLot = address[:at+i]
		}
	}
	if k.serial != "" {
		k.withSerial = address
	}
	return k
}

// levels returns what there is of a key, the most granular first. A level without
// a link is left out, but for the GTIN, which always leads somewhere.
func (s *Server) levels(k key, item Item, lang string) []level {
	var out []level
	if k.withSerial != "" {
		own := theirs(item.Links, func(l Link) bool { return l.Serial == k.serial && (l.Lot == "" || l.Lot == k.lot) })
		var page []target
		if item.packet != "" {
			page = s.pages([]string{item.packet}, lang)
		}
		out = append(out, level{k.withSerial, slices.Concat(page, own)})
	}
	if k.withLot != "" {
		own := theirs(item.Links, func(l Link) bool { return l.Serial == "" && l.Lot == k.lot })
		out = append(out, level{k.withLot, slices.Concat(s.pages(item.Codes, lang), own)})
	}
	whole := level{k.base, theirs(item.Links, func(l Link) bool { return l.Lot+l.Serial == "" })}
	if len(whole.of(defaultLink)) == 0 {
		enter := target{Type: defaultLink, Href: s.PublicURL + "/t/", Title: s.Catalog.T(lang, "resolver.enter")}
		asTrace := enter
		asTrace.Type = "traceability"
		whole.targets = append([]target{enter, asTrace}, whole.targets...)
	}
	whole.targets = described(whole.targets)
	return append(slices.DeleteFunc(out, func(l level) bool { return len(l.targets) == 0 }), whole)
}

func theirs(links []Link, of func(Link) bool) []target {
	var out []target
	for _, l := range links {
		if l.Lot+l.Serial != "" && l.Type == "defaultLinkMulti" || !of(l) {
			continue
		}
		out = append(out, target{l.Type, l.Href, l.Title, l.Language, l.Media, l.Context})
	}
	return out
}

// described adds what else a default link is, for the standard wants it under a type
// that tells: its holder's, or else a page about the product.
func described(targets []target) []target {
	out := slices.Clone(targets)
	for _, t := range targets {
		if !strings.HasPrefix(t.Type, defaultLink) {
			continue
		}
		tells := func(o target) bool {
			alike := o.Language == t.Language && o.Media == t.Media && o.Context == t.Context
			return !strings.HasPrefix(o.Type, defaultLink) && (o.Href == t.Href || o.Type == "pip" && alike)
		}
		if !slices.ContainsFunc(out, tells) {
			t.Type = "pip"
			out = append(out, t)
		}
	}
	return out
}

// pages returns the links to the trace pages of a lot. The one closed last is where
// the lot leads; a producer may have used one number for several batches.
func (s *Server) pages(codes []string, lang string) []target {
	var out []target
	for i, code := range codes {
		href := s.PublicURL + "/t/" + code
		if i == 0 {
			out = append(out, target{Type: defaultLink, Href: href, Title: s.Catalog.T(lang, "resolver.trace", "code", code)})
		}
		out = append(out, target{Type: "traceability", Href: href, Title: s.Catalog.T(lang, "resolver.trace", "code", code), Media: "text/html"},
			target{Type: "recallStatus", Href: href, Title: s.Catalog.T(lang, "resolver.recall", "code", code), Media: "text/html"})
	}
	return out
}
