package api

import (
	"context"
	"encoding/csv"
	"errors"
	"iter"
	"net/http"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"
	"github.com/oklog/ulid/v2"

	"tianhai/api/auth"
	"tianhai/farm"
	"tianhai/trace/label"
	"tianhai/trace/label/press"
	"tianhai/trace/unit"
)

// Units issues codes of single packets and follows them; *unit.Service does.
type Units interface {
	Issue(ctx context.Context, r unit.Roll) (unit.Roll, error)
	Step(ctx context.Context, st unit.Step) (unit.Step, error)
	Tally(ctx context.Context, roll string) (unit.Tally, error)
	// Between returns the roll and the numbers of two codes as they were scanned.
	Between(ctx context.Context, tenant, first, last string) (unit.Roll, int, int, error)
	// Lookup returns what a code stands for; farm.ErrNotFound.
	Lookup(ctx context.Context, code string) (unit.Unit, error)
}

// Rolls knows rolls of codes. What does not exist is farm.ErrNotFound.
type Rolls interface {
	Roll(ctx context.Context, id string) (unit.Roll, error)
	Rolls(ctx context.Context, tenant string) ([]unit.Roll, error) // those issued last first
	// RollStepsOf returns the steps that bind codes to a batch or take that back.
	RollStepsOf(ctx context.Context, batch string) ([]unit.Step, error)
	// Labels yields what is printed for the codes of a roll.
	Labels(r unit.Roll, first, last int) iter.Seq[unit.Label]
}

func (s *server) listRolls() listing[unit.Roll] {
	return listing[unit.Roll]{
		name: "rolls", falling: true, key: func(r unit.Roll) string { return timeKey(r.Issued, r.ID) },
		read: func(c *gin.Context, _ page) ([]unit.Roll, error) {
			t, err := s.tenant(c, auth.Read)
			if err != nil {
				return nil, err
			}
			return s.Rolls.Rolls(c.Request.Context(), t.ID)
		},
	}
}

type issueRollRequest struct {
	ID      string `json:"id"`
	Product string `json:"product"`
	GTIN    string `json:"gtin"`
	Codes   int    `json:"codes"`
	Covered bool   `json:"covered"`
	Note    string `json:"note"`
}

// issueRoll is the manager's. A GTIN is one that the operator holds for the product:
// none is ever made up.
func (s *server) issueRoll(c *gin.Context) error {
	t, err := s.tenant(c, auth.Administer)
	if err != nil {
		return err
	}
	var in issueRollRequest
	if err := body(c, &in); err != nil {
		return err
	}
	if in.GTIN != "" {
		h, err := s.GTINs.Holding(c.Request.Context(), in.GTIN)
		if err != nil || h.Tenant != t.ID || h.Product != in.Product {
			return &invalidError{"gtin", "is not one that this operator holds for the product"}
		}
	}
	r, err := s.Units.Issue(c.Request.Context(), unit.Roll{
		ID: in.ID, Tenant: t.ID, Product: in.Product, GTIN: in.GTIN, Codes: in.Codes, Covered: in.Covered,
		Note: strings.TrimSpace(in.Note), Account: who(c).Login,
	})
	if err != nil {
		return err
	}
	c.JSON(http.StatusCreated, r)
	return nil
}

// roll returns the roll of the path if the caller may do a with its operator's things.
func (s *server) roll(c *gin.Context, a auth.Action) (unit.Roll, error) {
	if _, err := ulid.ParseStrict(c.Param("id")); err != nil {
		return unit.Roll{}, farm.ErrNotFound
	}
	r, err := s.Rolls.Roll(c.Request.Context(), c.Param("id"))
	if err != nil {
		return unit.Roll{}, err
	}
	_, err = s.tenantNamed(c, r.Tenant, a)
	return r, err
}

func (s *server) getRoll(c *gin.Context) error {
	r, err := s.roll(c, auth.Read)
	if err != nil {
		return err
	}
	tally, err := s.Units.Tally(c.Request.Context(), r.ID)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, tally)
	return nil
}

type rollStepRequest struct {
	ID        string    `json:"id"`
	Kind      unit.Kind `json:"kind"`
	First     int       `json:"first"`
	Last      int       `json:"last"`
	Batch     string    `json:"batch"`
	Withdraws string    `json:"withdraws"`
	Reason    string    `json:"reason"`
}

// addRollStep lets whoever works there bind labels and say that some are gone; what
// brings codes into the world or makes them worthless is the manager's.
func (s *server) addRollStep(c *gin.Context) error {
	r, err := s.roll(c, auth.Write)
	if err != nil {
		return err
	}
	var in rollStepRequest
	if err := body(c, &in); err != nil {
		return err
	}
	if in.Kind != unit.Bind && in.Kind != unit.Destroy {
		if _, err := s.tenantNamed(c, r.Tenant, auth.Administer); err != nil {
			return err
		}
	}
	return s.stepped(c, unit.Step{
		ID: in.ID, Roll: r.ID, Tenant: r.Tenant, Kind: in.Kind, First: in.First, Last: in.Last, Batch: in.Batch,
		Withdraws: in.Withdraws, Reason: strings.TrimSpace(in.Reason), Account: who(c).Login,
	})
}

func (s *server) stepped(c *gin.Context, st unit.Step) error {
	st, err := s.Units.Step(c.Request.Context(), st)
	if err != nil {
		return err
	}
	c.JSON(http.StatusCreated, st)
	return nil
}

// exportCodes answers the codes of labels that were printed, or are about to be: of
// those that nobody has said so of, none leaves the server.
func (s *server) exportCodes(c *gin.Context) error {
	r, err := s.roll(c, auth.Administer)
	if err != nil {
		return err
	}
	first, last, err := s.printed(c, r)
	if err != nil {
		return err
	}
	c.Header("Content-Type", "text/csv; charset=utf-8")
	c.Header("Content-Disposition", `attachment; filename="codes-`+r.ID+`.csv"`)
	c.Header("Cache-Control", "no-store")
	out := csv.NewWriter(c.Writer)
	rows := []string{"number", "code", "url"}
	if r.Covered {
		rows = append(rows, "covered_code")
	}
	for l := range s.Rolls.Labels(r, first, last) {
		if err := out.Write(rows); err != nil {
			return nil //nolint:nilerr // a reader who leaves is not our error
		}
		rows = []string{strconv.Itoa(l.Number), l.Text, l.URL}
		if r.Covered {
			rows = append(rows, l.Cover)
		}
	}
	if err := out.Write(rows); err == nil {
		out.Flush()
	}
	return nil
}

// specimen is on a label that only shows what others look like; it is the code of
// nothing.
const specimen = "0000000000000"

// printRoll answers with labels of codes that a step says are printed, or with one that
// shows what they look like.
func (s *server) printRoll(c *gin.Context) error {
	r, err := s.roll(c, auth.Administer)
	if err != nil {
		return err
	}
	format, job, err := s.printJob(c, "")
	if err != nil {
		return err
	}
	title, err := s.rollTitle(c, r)
	if err != nil {
		return err
	}
	if c.Query("specimen") == "true" {
		address, _ := s.Schemes.Packets().Address(label.Item{Code: specimen, Packet: true, GTIN: r.GTIN})
		l := unit.Label{Number: 1, Code: specimen, Text: label.Group(specimen), URL: address}
		if r.Covered {
			l.Cover = label.Group(specimen[:label.CoverLength])
		}
		job.Count, job.Labels = press.Of(s.Labels.Unit(s.lang(c), title, l))
		return s.sendLabels(c, "specimen", format, job)
	}
	first, last, err := s.printed(c, r)
	if err != nil {
		return err
	}
	job.Count, job.Title = last-first+1, job.Title+" "+r.ID
	job.Labels = func(yield func(press.Design, error) bool) {
		for l := range s.Rolls.Labels(r, first, last) {
			if !yield(s.Labels.Unit(s.lang(c), title, l), nil) {
				return
			}
		}
	}
	return s.sendLabels(c, "labels-"+r.ID, format, job)
}

// rollTitle is what stands above the codes of a roll: the product, or who made it.
func (s *server) rollTitle(c *gin.Context, r unit.Roll) (string, error) {
	products, err := s.Records.Products(c.Request.Context())
	if err != nil {
		return "", err
	}
	for _, p := range products {
		if p.ID == r.Product {
			return p.Name.In(s.lang(c)), nil
		}
	}
	t, err := s.Operators.Tenant(c.Request.Context(), r.Tenant)
	return t.Name.In(s.lang(c)), err
}

// Unit returns the label of a single packet. A covered code stands alone and large at
// the bottom, to be coated or covered by a scratch sticker.
func (l Labels) Unit(lang, title string, u unit.Label) press.Label {
	out := press.Label{URL: u.URL, Title: title, Lines: []string{l.Catalog.T(lang, "label.number", "n", strconv.Itoa(u.Number))}, Code: u.Text}
	if u.Cover != "" {
		out.Lines = append(out.Lines, u.Text)
		out.Note, out.Code = l.Catalog.T(lang, "label.covered"), u.Cover
	}
	return out
}

// printed returns the codes that the parameters first and last ask for, once all of
// them may be printed and a step says that they are.
func (s *server) printed(c *gin.Context, r unit.Roll) (first, last int, err error) {
	if first, err = queryInt(c, "first", 1, r.Codes); err != nil {
		return 0, 0, err
	}
	if last, err = queryInt(c, "last", r.Codes, r.Codes); err != nil {
		return 0, 0, err
	}
	if last < first {
		return 0, 0, &invalidError{"last", "comes before the first"}
	}
	tally, err := s.Units.Tally(c.Request.Context(), r.ID)
	if err != nil {
		return 0, 0, err
	}
	for _, span := range tally.Spans {
		if span.Last >= first && span.First <= last && (span.State == unit.Issued || span.State == unit.Voided || span.State == unit.Destroyed) {
			return 0, 0, &unit.StateError{Kind: unit.Reprint, Span: span}
		}
	}
	return first, last, nil
}

type bindUnitsRequest struct {
	ID    string `json:"id"`
	First string `json:"first"`
	Last  string `json:"last"`
}

// bindUnits binds the codes between two that were scanned.
func (s *server) bindUnits(c *gin.Context) error {
	b, err := s.batch(c, auth.Write)
	if err != nil {
		return err
	}
	var in bindUnitsRequest
	if err := body(c, &in); err != nil {
		return err
	}
	r, first, last, err := s.Units.Between(c.Request.Context(), b.Tenant, scanned(in.First), scanned(in.Last))
	if err != nil {
		return err
	}
	return s.stepped(c, unit.Step{ID: in.ID, Roll: r.ID, Tenant: r.Tenant, Kind: unit.Bind, First: first, Last: last, Batch: b.ID, Account: who(c).Login})
}

// scanned returns the code of what a scanner reads, an address or a code.
func scanned(text string) string {
	if !strings.Contains(text, "://") {
		return text
	}
	if l, err := label.ParseLink(text, label.LinkOptions{}); err == nil {
		for _, e := range l.Elements() {
			if e.AI == "21" {
				return e.Value
			}
		}
	}
	text, _, _ = strings.Cut(text, "?")
	return text[strings.LastIndexByte(text, '/')+1:]
}

func (s *server) listUnits() listing[unit.Step] {
	return listing[unit.Step]{
		name: "units", key: func(st unit.Step) string { return timeKey(st.At, st.ID) },
		read: func(c *gin.Context, _ page) ([]unit.Step, error) {
			b, err := s.batch(c, auth.Read)
			if err != nil {
				return nil, err
			}
			return s.Rolls.RollStepsOf(c.Request.Context(), b.ID)
		},
	}
}

// A unitView is what a code stands for.
type unitView struct {
	Code   string     `json:"code"`
	Roll   string     `json:"roll"`
	Number int        `json:"number"`
	State  unit.State `json:"state"`
	Batch  string     `json:"batch,omitempty"`
}

func (s *server) getUnit(c *gin.Context) error {
	code, err := label.ParseCode(c.Param("id"))
	if err != nil {
		return farm.ErrNotFound
	}
	u, err := s.Units.Lookup(c.Request.Context(), code)
	if err != nil {
		return err
	}
	if _, err := s.tenantNamed(c, u.Roll.Tenant, auth.Read); err != nil {
		return err
	}
	c.JSON(http.StatusOK, unitView{code, u.Roll.ID, u.Number, u.State, u.Batch})
	return nil
}

// unitProblem returns what is wrong with a roll or step.
func unitProblem(err error) (problem, bool) {
	if bad, ok := errors.AsType[*unit.FieldError](err); ok {
		return problem{Status: http.StatusBadRequest, Code: "invalid", Field: bad.Field, Detail: bad.Reason}, true
	}
	if state, ok := errors.AsType[*unit.StateError](err); ok {
		return problem{Status: http.StatusConflict, Code: "unit_state", Detail: state.Error(), Span: &state.Span}, true
	}
	return problem{}, false
}

// unitProblemWords are what the words about codes are completed with.
func (s *server) unitProblemWords(p problem, lang string) []string {
	if p.Span == nil {
		return nil
	}
	return []string{"first", strconv.Itoa(p.Span.First), "last", strconv.Itoa(p.Span.Last), "state", s.Catalog.T(lang, "unit_code.state."+string(p.Span.State))}
}
