package api

import (
	"cmp"
	"context"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gin-gonic/gin"

	"tianhai/api/auth"
	"tianhai/farm"
	"tianhai/trace"
)

// How operators are looked up.
const (
	maxFound    = 20
	minWords    = 2  // characters
	maxWords    = 60 // characters
	FindsByUser = 30 // in FindWindow
	FindWindow  = time.Minute
)

// An OperatorQuery asks for operators. Natural persons are found by their whole name
// or their ID only.
type OperatorQuery struct {
	Words  string // in the name, at the beginning of the credit code, or the whole ID
	Region string // GB/T 2260, of the operator; with all divisions within it
	Limit  int
}

// A Directory finds operators, by ID.
type Directory interface {
	FindOperators(ctx context.Context, q OperatorQuery) ([]farm.Tenant, error)
}

// operatorView is what anybody may know of an operator: what stands on its packets and
// in the register of enterprises. Of a natural person it is what one has to know to
// find it, and the city.
type operatorView struct {
	ID         string            `json:"id"`
	Kind       farm.OperatorKind `json:"kind,omitempty"`
	Name       farm.Text         `json:"name"`
	CreditCode string            `json:"credit_code,omitempty"`
	Region     string            `json:"region"`
	Place      farm.Text         `json:"place"` // the city that the region is or lies in
}

// operatorList is what was found; more says that it is not all.
type operatorList struct {
	Operators []operatorView `json:"operators"`
	More      bool           `json:"more"`
}

// findOperators looks up to whom goods are handed over. Nobody reads the whole
// directory with it: words are needed, few are told, and not often.
func (s *server) findOperators(c *gin.Context) error {
	p := who(c)
	if !auth.Can(p, auth.Find, auth.Object{}) {
		return errForbidden
	}
	q := OperatorQuery{Words: strings.TrimSpace(c.Query("q")), Region: c.Query("region"), Limit: maxFound + 1}
	if n := utf8.RuneCountInString(q.Words); n < minWords || n > maxWords || !utf8.ValidString(q.Words) {
		return &invalidError{"q", "is not 2 to 60 characters of a name, a credit code or an ID"}
	}
	if q.Region != "" && !farm.RegionContains(q.Region, q.Region) {
		return &invalidError{"region", "is not the code of a region"}
	}
	if err := s.finds.Take(cmp.Or(p.Login, p.Tenant), s.Now()); err != nil {
		return err
	}
	found, err := s.Directory.FindOperators(c.Request.Context(), q)
	if err != nil {
		return err
	}
	out := operatorList{Operators: []operatorView{}, More: len(found) > maxFound}
	for _, t := range found[:min(len(found), maxFound)] {
		v := shown(t)
		if trace.NaturalPerson(t) && !strings.EqualFold(q.Words, t.Name.Zh) && !strings.EqualFold(q.Words, t.Name.En) {
			first, _ := utf8.DecodeRuneInString(t.Name.Zh) // who knows an ID does not learn the name
			v.Name = farm.Text{Zh: string(first) + "**"}
		}
		out.Operators = append(out.Operators, v)
	}
	c.JSON(http.StatusOK, out)
	return nil
}

func shown(t farm.Tenant) operatorView {
	city, _ := farm.Prefecture(t.Region)
	v := operatorView{ID: t.ID, Kind: t.Kind, Name: t.Name, CreditCode: t.CreditCode, Region: t.Region, Place: city.Name}
	if trace.NaturalPerson(t) {
		v.CreditCode, v.Region = "", cmp.Or(city.Code, farm.GuangxiCode)
	}
	return v
}
