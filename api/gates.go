package api

import (
	"cmp"
	"net/http"
	"slices"
	"time"

	"github.com/gin-gonic/gin"

	"tianhai/api/auth"
	"tianhai/farm"
	"tianhai/trace/gate"
	"tianhai/trace/input"
)

// A refusal is a gate.Refusal with words for people.
type refusal struct {
	gate.Refusal
	Title string `json:"title"`
}

// gatesView says whether an act may be.
type gatesView struct {
	Act      gate.ActKind `json:"act"`
	Allowed  bool         `json:"allowed"`
	At       time.Time    `json:"at"`
	Refusals []refusal    `json:"refusals"`
}

// refusalWords are what problem.gate_{gate} is completed with.
func refusalWords(r gate.Refusal, lang string) []string {
	return []string{"name", r.Name.In(lang), "date", r.Date, "earliest", cmp.Or(r.Earliest, "—"), "number", r.Number}
}

// showGates says whether an act may be on a site or with a batch of it, before
// anybody sets out: what the recording of it will be held against.
func (s *server) showGates(c *gin.Context) error {
	site, err := s.site(c, auth.Read)
	if err != nil {
		return err
	}
	kinds := slices.DeleteFunc(gate.ActKinds(), func(k gate.ActKind) bool { return k == gate.Apply })
	act := gate.Act{Kind: gate.ActKind(c.Query("act")), Site: site.ID, Quarantine: c.Query("quarantine")}
	if !slices.Contains(kinds, act.Kind) {
		return &invalidError{"act", "is none of harvest, catch, collect, exit, slaughter, sale, certificate"}
	}
	if act.At, err = queryTime(c, "at", s.Now()); err != nil {
		return err
	}
	if id := c.Query("product"); id != "" {
		if act.Target, err = s.target(c, id); err != nil {
			return err
		}
	}
	refusals, err := s.refusals(c, site, act)
	if err != nil {
		return err
	}
	lang := s.lang(c)
	said := []refusal{}
	for _, r := range refusals {
		said = append(said, refusal{r, s.Catalog.T(lang, "problem.gate_"+string(r.Gate), refusalWords(r, lang)...)})
	}
	c.JSON(http.StatusOK, gatesView{act.Kind, len(said) == 0, act.At, said})
	return nil
}

// refusals asks the gates, of the batch in the query where there is one.
func (s *server) refusals(c *gin.Context, site farm.Site, act gate.Act) ([]gate.Refusal, error) {
	ctx, id := c.Request.Context(), c.Query("batch")
	if id == "" {
		return s.Recorder.Permit(ctx, site.Tenant, act)
	}
	b, err := s.Records.Batch(ctx, id)
	if err == nil && (b.Tenant != site.Tenant || b.Site != site.ID) {
		err = farm.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return s.Recorder.PermitBatch(ctx, b, act.Kind, act.At)
}

// target returns what a product is to labels.
func (s *server) target(c *gin.Context, id string) (input.Target, error) {
	if farm.CheckID(id) != nil {
		return input.Target{}, &invalidError{"product", "is not an identifier"}
	}
	products, err := s.Records.Products(c.Request.Context())
	if err != nil {
		return input.Target{}, err
	}
	for _, p := range products {
		if p.ID == id {
			return input.Target{Group: string(p.Kind), Species: cmp.Or(p.Species, p.ID)}, nil
		}
	}
	return input.Target{}, farm.ErrNotFound
}
