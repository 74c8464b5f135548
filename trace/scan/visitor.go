package scan

import (
	"math"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Doors says who stands in front of this server, and which headers say where a
// visitor is. Headers count only where one of the proxies sent them.
type Doors struct {
	Proxies []netip.Prefix
	// Region is the header with a place: digits of GB/T 2260, a province of ISO
	// 3166-2 such as CN-GX, or a country of ISO 3166-1. "" where there is none; so
	// for the others.
	Region    string
	Latitude  string
	Longitude string
}

// Visitor returns who asks.
func (d Doors) Visitor(r *http.Request) Visitor {
	v := Visitor{Agent: r.UserAgent()}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return v
	}
	if v.Address = network(host); !d.trusts(host) {
		return v
	}
	v.Address = network(d.client(host, r.Header.Values("X-Forwarded-For")))
	v.Place = d.place(r.Header)
	return v
}

// network returns an address, of IPv6 its network: a phone changes the rest at will.
func network(host string) string {
	a, err := netip.ParseAddr(host)
	if err != nil {
		return host
	}
	if a = a.Unmap(); a.Is4() {
		return a.String()
	}
	p, err := a.WithZone("").Prefix(64)
	if err != nil {
		return host
	}
	return p.String()
}

func (d Doors) trusts(host string) bool {
	a, err := netip.ParseAddr(host)
	return err == nil && slices.ContainsFunc(d.Proxies, func(p netip.Prefix) bool { return p.Contains(a.Unmap()) })
}

// client returns the last address that no proxy of ours has.
func (d Doors) client(last string, forwarded []string) string {
	chain := strings.Split(strings.Join(forwarded, ","), ",")
	for _, hop := range slices.Backward(chain) {
		hop = strings.TrimSpace(hop)
		if _, err := netip.ParseAddr(hop); err != nil {
			break
		}
		if last = hop; !d.trusts(hop) {
			break
		}
	}
	return last
}

func (d Doors) place(h http.Header) (p Place) {
	if d.Region != "" {
		p.Region = regionOf(h.Get(d.Region))
	}
	if d.Latitude == "" || d.Longitude == "" {
		return p
	}
	lat, err1 := strconv.ParseFloat(h.Get(d.Latitude), 64)
	lon, err2 := strconv.ParseFloat(h.Get(d.Longitude), 64)
	if err1 == nil && err2 == nil && math.Abs(lat) <= 90 && math.Abs(lon) <= 180 {
		p.Cell, p.Located = Cell{int16(math.Round(lat * 2)), int16(math.Round(lon * 2))}, true
	}
	return p
}

// provinces maps ISO 3166-2:CN to the digits of GB/T 2260.
var provinces = map[string]string{
	"BJ": "11", "TJ": "12", "HE": "13", "SX": "14", "NM": "15", "LN": "21", "JL": "22", "HL": "23", "SH": "31", "JS": "32", "ZJ": "33", "AH": "34",
	"FJ": "35", "JX": "36", "SD": "37", "HA": "41", "HB": "42", "HN": "43", "GD": "44", "GX": "45", "HI": "46", "CQ": "50", "SC": "51", "GZ": "52",
	"YN": "53", "XZ": "54", "SN": "61", "GS": "62", "QH": "63", "NX": "64", "XJ": "65", "TW": "71", "HK": "81", "MO": "82",
}

// regionOf reads a region as proxies write it; "" where it is none.
func regionOf(s string) string {
	s = strings.ToUpper(strings.TrimSpace(s))
	if province, ok := strings.CutPrefix(s, "CN-"); ok {
		if code, known := provinces[province]; known {
			return code
		}
		s = province
	}
	switch {
	case digits(s) && (len(s) == 2 || len(s) == 4 || len(s) == 6):
		for len(s) > 2 && strings.HasSuffix(s, "00") {
			s = s[:len(s)-2]
		}
		return s
	case len(s) == 2 && s[0] >= 'A' && s[0] <= 'Z' && s[1] >= 'A' && s[1] <= 'Z':
		return s
	}
	return ""
}

func digits(s string) bool { return strings.Trim(s, "0123456789") == "" }
