package resolver

import (
	"context"

	"tianhai/trace/label"
)

// A Scan is what somebody asks for who scans a code with a browser.
type Scan struct {
	GTIN, Lot, Serial string // the last two may be empty
	Type              string // as ?linkType= names it; "" for what is shown first
	Languages         string // as Accept-Language has them
	Context           string // as ?context= has it
}

// A Lead says where a Scan is sent.
type Lead struct {
	URI string `json:"uri"` // what the code holds
	// Links are one, which is followed; several, of which people choose; or none, and
	// the answer is that there is no link of the type.
	Links []Destination `json:"links"`
}

// A Destination is one link of a Lead.
type Destination struct {
	Type     string `json:"type"` // of Types
	Href     string `json:"href"`
	Title    string `json:"title"`
	Language string `json:"language,omitempty"`
}

// browser is how browsers ask for pages.
var browser = parseAccept("text/html, application/xhtml+xml, */*;q=0.8")

// Lead says where a scan would be sent now, without anybody scanning. A lot or serial
// number that GS1 does not allow is a *label.LinkError, a GTIN that nobody here holds
// farm.ErrNotFound.
func (s *Server) Lead(ctx context.Context, scan Scan) (Lead, error) {
	elements := []label.Element{{AI: "01", Value: scan.GTIN}}
	for _, e := range []label.Element{{AI: "10", Value: scan.Lot}, {AI: "21", Value: scan.Serial}} {
		if e.Value != "" {
			elements = append(elements, e)
		}
	}
	link, err := label.MakeLink(s.PublicURL, elements)
	if err != nil {
		return Lead{}, err
	}
	k := keyOf(link)
	item, err := s.item(ctx, k)
	if err != nil {
		return Lead{}, err
	}
	lead := Lead{URI: link.String(), Links: []Destination{}}
	levels := s.levels(k, item, s.Catalog.MatchConsumer("", scan.Languages))
	wished := wish{languages: parseAccept(scan.Languages), media: browser, context: scan.Context}
	for _, t := range choose(levels, typeOf(scan.Type), wished) {
		lead.Links = append(lead.Links, Destination{t.Type, t.Href, t.Title, t.Language})
	}
	return lead, nil
}
