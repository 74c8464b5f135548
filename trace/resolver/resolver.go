// Package resolver answers GS1 Digital Links that point at this server: a till, a
// phone or a program asks for a GTIN, perhaps with a lot and a serial number, and is
// sent to the page that says most of it, or is given the set of all links (RFC 9264).
//
// It follows the GS1-Conformant Resolver standard 1.0, compressed links among it. Only
// GTINs are answered whose holder is registered here; of any other it knows nothing. Where a lot has a trace page, that page is where its link
// leads, whatever else its holder has added: a recall must be seen first.
package resolver

import (
	"context"
	"errors"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"tianhai/farm"
)

// Limits of a Link.
const (
	MaxLinks = 200  // of one GTIN
	maxHref  = 2000 // bytes
	maxTitle = 200  // bytes
)

// A Holding says who holds a GTIN, and of which product it is. GS1 gives GTINs, so a
// person has looked at its paper before this is entered.
type Holding struct {
	GTIN    string    `json:"gtin"` // 14 digits
	Tenant  string    `json:"tenant"`
	Product string    `json:"product"`
	Account string    `json:"account"` // who entered it
	Set     time.Time `json:"set"`
}

// A Link is where a holder sends those who ask for a GTIN, or for one lot or serial
// number of it.
type Link struct {
	ID       string    `json:"id"`                 // ULID
	GTIN     string    `json:"gtin"`               // 14 digits
	Lot      string    `json:"lot,omitempty"`      // AI 10
	Serial   string    `json:"serial,omitempty"`   // AI 21
	Type     string    `json:"type"`               // of Types
	Href     string    `json:"href"`               // https
	Title    string    `json:"title"`              // in the link's language
	Language string    `json:"language,omitempty"` // BCP 47; "" where it suits everybody
	Media    string    `json:"media,omitempty"`    // media type; "" where nobody knows
	Context  string    `json:"context,omitempty"`  // whom it is for, as ?context= asks
	Account  string    `json:"account"`            // who wrote it as it is
	Added    time.Time `json:"added"`              // or changed last
}

// A FieldError names what is wrong with a Link.
type FieldError struct {
	Field  string // JSON member
	Reason string // English, without the value
}

// Error tells the case in English.
func (e *FieldError) Error() string { return e.Field + " " + e.Reason }

// defaultLink is the type of the link that is followed where none is asked for.
const defaultLink = "defaultLink"

// types are the link types of the GS1 Web Vocabulary.
var types = strings.Fields(`activityIdeas allergenInfo appDownload brandHomepageClinical brandHomepagePatient
	careersInfo certificationInfo consumerHandlingStorageInfo defaultLink defaultLinkMulti disassemblyInfo dpp eifu
	epcis epil eventsInfo faqs handledBy handlingEndOfLife hasRetailers homepage ingredientsInfo instructions jws
	leaveReview locationInfo logisticsInfo loyaltyProgram masterData menuInfo nutritionalInfo openingHoursInfo
	paymentLink pip productPassport productSustainabilityInfo promotion purchaseSuppliesOrAccessories quickStartGuide
	recallStatus recipeInfo recyclingInfo registerProduct registryEntry relatedImage relatedVideo repairInfo reuseInfo
	review safetyInfo scheduleTime serviceInfo smartLabel smpc socialMedia sorting statisticInfo subscribe support
	sustainabilityInfo traceability tutorial userAgreement verificationService whatsInTheBox`)

// Types lists the link types that a Link may have, sorted.
func Types() []string { return slices.Clone(types) }

var (
	languageTag = regexp.MustCompile(`^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$`)
	mediaType   = regexp.MustCompile(`^[a-z0-9][a-z0-9!#$&^_.+-]*/[a-z0-9][a-z0-9!#$&^_.+-]*$`)
	notInURI    = regexp.MustCompile(`[^-A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%]`)
	contextWord = regexp.MustCompile(`^[A-Za-z0-9_-]{1,40}$`)
)

// Check says in a *FieldError what is wrong with what a holder wrote. The GTIN, lot
// and serial number are held against GS1's rules elsewhere, by making a link of them.
func (l Link) Check() error {
	switch u, err := url.Parse(l.Href); {
	case !slices.Contains(types, l.Type):
		return &FieldError{"type", "is no link type of the GS1 Web Vocabulary, such as pip or recipeInfo"}
	case l.Type == defaultLink && l.Lot+l.Serial != "":
		return &FieldError{"type", "may be defaultLink only for the GTIN as a whole; a lot leads to its trace page"}
	case l.Type == defaultLink && l.Language+l.Media+l.Context != "":
		return &FieldError{"type", "is defaultLink, which has neither language nor media nor context; defaultLinkMulti has"}
	case l.Type == "defaultLinkMulti" && l.Lot+l.Serial != "":
		return &FieldError{"type", "may be defaultLinkMulti only for the GTIN as a whole; a lot leads to its trace page"}
	case l.Type == "defaultLinkMulti" && l.Language+l.Media+l.Context == "":
		return &FieldError{"type", "is defaultLinkMulti, which needs language, media or context to be told apart"}
	case err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || len(l.Href) > maxHref:
		return &FieldError{"href", "is not of the form https://host/path of at most 2000 bytes"}
	case notInURI.MatchString(l.Href):
		return &FieldError{"href", "has characters that stand in no URI; they are percent-encoded, and in the host written as xn--"}
	case l.Title == "" || len(l.Title) > maxTitle || strings.ContainsFunc(l.Title, func(r rune) bool { return r < ' ' }):
		return &FieldError{"title", "is not one line of 1 to 200 bytes"}
	case l.Language != "" && (!languageTag.MatchString(l.Language) || len(l.Language) > 35):
		return &FieldError{"language", "is no BCP 47 tag, such as zh-CN"}
	case l.Media != "" && (!mediaType.MatchString(l.Media) || len(l.Media) > 100):
		return &FieldError{"media", "is no media type in small letters, such as text/html"}
	case l.Context != "" && !contextWord.MatchString(l.Context):
		return &FieldError{"context", "is not 1 to 40 letters, digits, - and _"}
	}
	return nil
}

// An Item is what is known of a GTIN.
type Item struct {
	Name  farm.Text // of the product
	Links []Link    // of its holder: for the GTIN, for any lot, for any serial number
	Codes []string  // trace codes of the lot that was asked for, closed last first

	packet string // code of the single packet that was asked for
}

// ErrFull reports that a GTIN has MaxLinks links.
var ErrFull = errors.New("the GTIN has as many links as it may")

// Registry knows the GTINs of holders.
type Registry interface {
	// Item returns what is known of a GTIN of 14 digits, with the codes of a lot unless
	// it is "". The lot may be the producer's number or the trace code itself.
	// farm.ErrNotFound where nobody here holds the GTIN.
	Item(ctx context.Context, gtin, lot string) (Item, error)
}

// Packets knows single packets.
type Packets interface {
	// Packet returns the trace code of the packet with a serial number of a GTIN;
	// farm.ErrNotFound.
	Packet(ctx context.Context, gtin, serial string) (string, error)
}

// typeOf returns the type that the value of ?linkType= names: "gs1:pip", "pip" or
// its URI.
func typeOf(asked string) string {
	for _, prefix := range []string{"gs1:", vocabulary, "http://gs1.org/voc/", "https://www.gs1.org/voc/", "https://ref.gs1.org/voc/"} {
		if t, ok := strings.CutPrefix(asked, prefix); ok {
			return t
		}
	}
	return asked
}

// vocabulary is the namespace of link types.
const vocabulary = "https://gs1.org/voc/"

// A target is one link of a level, ours or a holder's.
type target struct {
	Type, Href, Title, Language, Media, Context string
}

// A level is one granularity of what was asked for: a serial number, a lot, a GTIN.
type level struct {
	anchor  string
	targets []target
}

// of returns the targets of one type.
func (l level) of(kind string) []target {
	return slices.DeleteFunc(slices.Clone(l.targets), func(t target) bool { return t.Type != kind })
}
