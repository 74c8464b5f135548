package api

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/oklog/ulid/v2"

	"tianhai/api/auth"
	"tianhai/farm"
	"tianhai/trace"
	"tianhai/trace/label"
	"tianhai/trace/resolver"
)

// GTINs knows who holds a GTIN. What does not exist is farm.ErrNotFound.
type GTINs interface {
	Holding(ctx context.Context, gtin string) (resolver.Holding, error)
	Holdings(ctx context.Context, tenant string) ([]resolver.Holding, error)
	// AddHolding enters a holder; farm.ErrConflict where the GTIN has another.
	AddHolding(ctx context.Context, h resolver.Holding) error
}

// Links knows where holders of GTINs send those who ask for them.
type Links interface {
	Links(ctx context.Context, gtin string) ([]resolver.Link, error)
	// AddLink is farm.ErrConflict where a request could not tell the link from another.
	AddLink(ctx context.Context, l resolver.Link) error
	// ChangeLink is farm.ErrConflict as AddLink is, farm.ErrNotFound.
	ChangeLink(ctx context.Context, l resolver.Link) error
	DeleteLink(ctx context.Context, gtin, id string) error
}

// A Resolver says where scans are sent.
type Resolver interface {
	// Lead is a *label.LinkError for what GS1 does not allow.
	Lead(ctx context.Context, scan resolver.Scan) (resolver.Lead, error)
}

func (s *server) listGTINs() listing[resolver.Holding] {
	return listing[resolver.Holding]{
		name: "gtins",
		key:  func(h resolver.Holding) string { return h.GTIN },
		read: func(c *gin.Context, _ page) ([]resolver.Holding, error) {
			t, err := s.tenant(c, auth.Read)
			if err != nil {
				return nil, err
			}
			return s.GTINs.Holdings(c.Request.Context(), t.ID)
		},
	}
}

type addGTINRequest struct {
	GTIN    string `json:"gtin"`
	Product string `json:"product"`
}

// addGTIN enters a GTIN that an administrator has seen GS1's paper of: whoever may
// enter one decides where everybody who scans it is sent.
func (s *server) addGTIN(c *gin.Context) error {
	t, err := s.tenant(c, auth.Administer)
	if err != nil {
		return err
	}
	if who(c).Role != auth.Administrator {
		return errForbidden
	}
	var in addGTINRequest
	if err := body(c, &in); err != nil {
		return err
	}
	link, err := label.MakeLink("", []label.Element{{AI: "01", Value: in.GTIN}})
	if bad, ok := errors.AsType[*label.LinkError](err); ok {
		return &invalidError{"gtin", bad.Reason}
	}
	h := resolver.Holding{GTIN: link.Elements()[0].Value, Tenant: t.ID, Product: in.Product, Account: who(c).Login, Set: s.Now().UTC()}
	if err := s.GTINs.AddHolding(c.Request.Context(), h); err != nil {
		return err
	}
	c.JSON(http.StatusCreated, h)
	return nil
}

// holding returns the GTIN of the path if the caller may do a with its holder's things.
func (s *server) holding(c *gin.Context, a auth.Action) (resolver.Holding, error) {
	gtin, err := id(c)
	if err != nil {
		return resolver.Holding{}, err
	}
	h, err := s.GTINs.Holding(c.Request.Context(), gtin)
	if err != nil {
		return resolver.Holding{}, err
	}
	_, err = s.tenantNamed(c, h.Tenant, a)
	return h, err
}

func (s *server) listLinks() listing[resolver.Link] {
	return listing[resolver.Link]{
		name: "links",
		key:  func(l resolver.Link) string { return l.ID },
		read: func(c *gin.Context, _ page) ([]resolver.Link, error) {
			h, err := s.holding(c, auth.Read)
			if err != nil {
				return nil, err
			}
			return s.Links.Links(c.Request.Context(), h.GTIN)
		},
	}
}

type addLinkRequest struct {
	ID string `json:"id"`
	changeLinkRequest
}

type changeLinkRequest struct {
	Lot      string `json:"lot"`
	Serial   string `json:"serial"`
	Type     string `json:"type"`
	Href     string `json:"href"`
	Title    string `json:"title"`
	Language string `json:"language"`
	Media    string `json:"media"`
	Context  string `json:"context"`
}

// link returns the link as an account has written it at a time.
func (in changeLinkRequest) link(h resolver.Holding, id, account string, at time.Time) resolver.Link {
	return resolver.Link{
		ID: id, GTIN: h.GTIN, Lot: in.Lot, Serial: in.Serial, Type: in.Type, Href: in.Href, Title: in.Title,
		Language: in.Language, Media: in.Media, Context: in.Context, Account: account, Added: at.UTC().Truncate(time.Microsecond),
	}
}

func (s *server) addLink(c *gin.Context) error {
	h, err := s.holding(c, auth.Administer)
	if err != nil {
		return err
	}
	var in addLinkRequest
	if err := body(c, &in); err != nil {
		return err
	}
	l := in.link(h, in.ID, who(c).Login, s.Now())
	if err := checkLink(l); err != nil {
		return err
	}
	switch err := s.Links.AddLink(c.Request.Context(), l); {
	case errors.Is(err, resolver.ErrFull):
		return &invalidError{"", "the GTIN has 200 links, which is the most"}
	case err != nil:
		return err
	}
	c.JSON(http.StatusCreated, l)
	return nil
}

// checkLink holds what a holder wrote against GS1's rules.
func checkLink(l resolver.Link) error {
	if _, err := ulid.ParseStrict(l.ID); err != nil {
		return &invalidError{"id", "is not a ULID"}
	}
	elements := []label.Element{{AI: "01", Value: l.GTIN}}
	if l.Lot != "" {
		elements = append(elements, label.Element{AI: "10", Value: l.Lot})
	}
	if l.Serial != "" {
		elements = append(elements, label.Element{AI: "21", Value: l.Serial})
	}
	_, err := label.MakeLink("", elements)
	if bad, ok := errors.AsType[*label.LinkError](err); ok {
		return &invalidError{numberField(bad), "is not 1 to 20 of the characters that GS1 allows"}
	}
	if bad, ok := errors.AsType[*resolver.FieldError](l.Check()); ok {
		return &invalidError{bad.Field, bad.Reason}
	}
	return nil
}

// changeLink writes a link anew; its account and time are those of the change.
func (s *server) changeLink(c *gin.Context) error {
	h, err := s.holding(c, auth.Administer)
	if err != nil {
		return err
	}
	var in changeLinkRequest
	if err := body(c, &in); err != nil {
		return err
	}
	l := in.link(h, c.Param("link"), who(c).Login, s.Now())
	if err := checkLink(l); err != nil {
		return err
	}
	if err := s.Links.ChangeLink(c.Request.Context(), l); err != nil {
		return err
	}
	c.JSON(http.StatusOK, l)
	return nil
}

func (s *server) deleteLink(c *gin.Context) error {
	h, err := s.holding(c, auth.Administer)
	if err != nil {
		return err
	}
	if err := s.Links.DeleteLink(c.Request.Context(), h.GTIN, c.Param("link")); err != nil {
		return err
	}
	c.Status(http.StatusNoContent)
	return nil
}

// previewScan says where whoever scans a GTIN of the operator's is sent.
func (s *server) previewScan(c *gin.Context) error {
	h, err := s.holding(c, auth.Read)
	if err != nil {
		return err
	}
	scan := resolver.Scan{
		GTIN: h.GTIN, Lot: c.Query("lot"), Serial: c.Query("serial"), Type: c.Query("linkType"), Context: c.Query("context"), Languages: c.Query("languages"),
	}
	lead, err := s.Resolver.Lead(c.Request.Context(), scan)
	if bad, ok := errors.AsType[*label.LinkError](err); ok {
		return &invalidError{numberField(bad), "is not 1 to 20 of the characters that GS1 allows"}
	}
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, lead)
	return nil
}

// numberField returns which of lot and serial number is at fault.
func numberField(bad *label.LinkError) string {
	if bad.AI == "21" {
		return "serial"
	}
	return "lot"
}

// digitalLinkView is what a till reads on a packet of a batch.
type digitalLinkView struct {
	URI string `json:"uri"`
}

func (s *server) getDigitalLink(c *gin.Context) error {
	uri, err := s.digitalLink(c)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, digitalLinkView{uri})
	return nil
}

func (s *server) drawDigitalLink(c *gin.Context) error {
	uri, err := s.digitalLink(c)
	if err != nil {
		return err
	}
	svg, err := label.SVG(uri)
	if err != nil {
		return err
	}
	c.Data(http.StatusOK, "image/svg+xml", svg)
	return nil
}

// digitalLink returns the link of a batch; farm.ErrNotFound where it has none.
func (s *server) digitalLink(c *gin.Context) (string, error) {
	item, err := s.batchItem(c)
	if err != nil {
		return "", err
	}
	link, ok := s.Schemes[label.GTINScheme].Address(item)
	if !ok {
		return "", farm.ErrNotFound
	}
	return link, nil
}

// addressesView is the answer.
type addressesView struct {
	Addresses []label.Address `json:"addresses"`
}

// listAddresses tells what codes can be put on the packets of a batch.
func (s *server) listAddresses(c *gin.Context) error {
	item, err := s.batchItem(c)
	if err != nil {
		return err
	}
	view := addressesView{Addresses: []label.Address{}}
	if item.Code != "" { // an open batch has no packets
		view.Addresses = s.Schemes.Addresses(item)
	}
	c.JSON(http.StatusOK, view)
	return nil
}

// batchItem returns what the codes of the batch in the path are built of.
func (s *server) batchItem(c *gin.Context) (label.Item, error) {
	b, err := s.batch(c, auth.Read)
	if err != nil {
		return label.Item{}, err
	}
	producer, err := s.Operators.Tenant(c.Request.Context(), b.Tenant)
	if err != nil {
		return label.Item{}, err
	}
	gtin, err := s.gtinOf(c.Request.Context(), b)
	return item(b, gtin, producer), err
}

// gtinOf returns the GTIN that the operator of a batch holds for its product, the
// lowest of several; "" for none: none is ever made up.
func (s *server) gtinOf(ctx context.Context, b trace.Batch) (string, error) {
	held, err := s.GTINs.Holdings(ctx, b.Tenant)
	if i := slices.IndexFunc(held, func(h resolver.Holding) bool { return h.Product == b.Product }); i >= 0 {
		return held[i].GTIN, nil
	}
	return "", err
}
