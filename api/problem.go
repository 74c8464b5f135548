package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"tianhai/api/auth"
	"tianhai/api/once"
	"tianhai/farm"
	"tianhai/ingest"
	"tianhai/ingest/device"
	"tianhai/ingest/history"
	"tianhai/trace"
	"tianhai/trace/catalog"
	"tianhai/trace/cert"
	"tianhai/trace/chain"
	"tianhai/trace/complaint"
	"tianhai/trace/gate"
	"tianhai/trace/input"
	"tianhai/trace/parcel"
	"tianhai/trace/photo"
	"tianhai/trace/recall"
	"tianhai/trace/resolver"
	"tianhai/trace/unit"
)

var (
	errUnauthenticated = errors.New("no session")
	errForbidden       = errors.New("forbidden")
	errOrigin          = errors.New("cross-origin request")
	errMethod          = errors.New("method not allowed")
	errTooLarge        = errors.New("body is too large")
	errMediaType       = errors.New("content type is not application/json")
	errJSON            = errors.New("body is not the JSON that is wanted")
)

// An invalidError says which field of a request cannot be.
type invalidError struct {
	field  string // JSON member or query parameter
	reason string // English, for whoever writes the client; without the value
}

func (e *invalidError) Error() string { return e.field + " " + e.reason }

// A faultsError says everything that cannot be.
type faultsError struct{ faults []device.Fault }

func (e *faultsError) Error() string { return fmt.Sprintf("%d faults", len(e.faults)) }

// A kind is what an error is to a client. Its code is stable, and the key
// problem.{code} holds the words for people.
type kind struct {
	err    error
	status int
	code   string
}

// kinds is the one place where errors become HTTP. The first that matches counts.
func kinds() []kind {
	return []kind{
		{errUnauthenticated, http.StatusUnauthorized, "unauthenticated"},
		{errForbidden, http.StatusForbidden, "forbidden"},
		{errOrigin, http.StatusForbidden, "cross_origin"},
		{errMethod, http.StatusMethodNotAllowed, "method_not_allowed"},
		{errTooLarge, http.StatusRequestEntityTooLarge, "too_large"},
		{device.ErrTooLarge, http.StatusRequestEntityTooLarge, "too_large"},
		{photo.ErrTooLarge, http.StatusRequestEntityTooLarge, "too_large"},
		{photo.ErrNoDocument, http.StatusBadRequest, "no_document"}, // before what it wraps
		{photo.ErrNoPicture, http.StatusBadRequest, "no_picture"},
		{photo.ErrFull, http.StatusConflict, "photos_full"},
		{errMediaType, http.StatusUnsupportedMediaType, "unsupported_type"},
		{errJSON, http.StatusBadRequest, "bad_json"},
		{auth.ErrDenied, http.StatusUnauthorized, "bad_login"},
		{auth.ErrTooMany, http.StatusTooManyRequests, "too_many"},
		{ingest.ErrGuesses, http.StatusTooManyRequests, "too_many"},
		{once.ErrFull, http.StatusTooManyRequests, "too_many"},
		{once.ErrKey, http.StatusBadRequest, "idempotency_key"},
		{once.ErrOther, http.StatusUnprocessableEntity, "idempotency_mismatch"},
		{once.ErrBusy, http.StatusConflict, "in_progress"},
		{device.ErrClaim, http.StatusForbidden, "claim_refused"},
		{auth.ErrInvitation, http.StatusForbidden, "invitation_refused"},
		{auth.ErrLastAdministrator, http.StatusConflict, "last_administrator"},
		{farm.ErrNotFound, http.StatusNotFound, "not_found"},
		{farm.ErrConflict, http.StatusConflict, "conflict"},
		{recall.ErrClosed, http.StatusConflict, "recall_closed"},
		{recall.ErrEmpty, http.StatusConflict, "recall_empty"},
		{recall.ErrTooLarge, http.StatusConflict, "recall_too_large"},
		{recall.ErrUnaccounted, http.StatusConflict, "recall_unaccounted"},
		{auth.ErrPrograms, http.StatusConflict, "programs_full"},
		{resolver.ErrCompanies, http.StatusConflict, "company_prefixes_full"},
		{unit.ErrFull, http.StatusConflict, "rolls_full"},
		{parcel.ErrFull, http.StatusConflict, "packages_full"},
		{parcel.ErrNoPlatform, http.StatusConflict, "no_platform"},
		{ingest.ErrNoDelete, http.StatusConflict, "no_delete"},
		{chain.ErrTooMany, http.StatusConflict, "genealogy_too_large"},
		{trace.ErrNoEvidence, http.StatusServiceUnavailable, "no_evidence"},
		{trace.ErrMoved, http.StatusServiceUnavailable, "busy"},
		{ingest.ErrBusy, http.StatusServiceUnavailable, "busy"},
		{context.DeadlineExceeded, http.StatusServiceUnavailable, "timeout"},
	}
}

// problemCodes returns every code that a problem can have.
func problemCodes() []string {
	codes := []string{"invalid", "item_missing", "stock_short", "changed", "internal", "batch_short", "unbalanced", "depended_on", "batch_incomplete", "test_failed", "recalled", "recall_amount", "label_long", "label_character", "label_small", "unit_state"}
	for _, k := range kinds() {
		codes = append(codes, k.code)
	}
	for _, g := range gate.Gates() {
		codes = append(codes, "gate_"+string(g))
	}
	slices.Sort(codes)
	return slices.Compact(codes)
}

// problem is the body of an error, RFC 9457 §3.
type problem struct {
	Type   string         `json:"type"`
	Title  string         `json:"title"`
	Status int            `json:"status"`
	Detail string         `json:"detail,omitempty"`
	Code   string         `json:"code"`
	Field  string         `json:"field,omitempty"`
	Name   *farm.Text     `json:"name,omitempty"`   // of the field, where it is an item of an operation
	Faults []device.Fault `json:"faults,omitempty"` // all, where there may be many
	// Refusals are every reason of a gate_… problem; its code and title are of the first.
	Refusals []gate.Refusal `json:"refusals,omitempty"`
	Recall   string         `json:"recall,omitempty"` // number, of a recalled problem
	Batch    string         `json:"batch,omitempty"`  // of a batch_short problem
	Left     *chain.Amount  `json:"left,omitempty"`
	In       *chain.Amount  `json:"in,omitempty"` // of an unbalanced problem
	Out      *chain.Amount  `json:"out,omitempty"`
	// Movements and Codes are what hangs on a movement that is depended_on.
	Movements []string   `json:"movements,omitempty"`
	Codes     []string   `json:"codes,omitempty"`
	Span      *unit.Span `json:"span,omitempty"` // of a unit_state problem
	// Missing is everything that must be recorded first, of batch_incomplete.
	Missing []missing `json:"missing,omitempty"`
	Request string    `json:"request,omitempty"` // where to look in the log
	// Text is what a label cannot hold, and Character what it cannot show.
	Text      string `json:"text,omitempty"`
	Character string `json:"character,omitempty"`
	// Current is what is there instead of what was edited, of changed.
	Current json.RawMessage `json:"current,omitempty"`
}

// retryAfter is what a client is told to wait when an error does not say.
const retryAfter = 5 * time.Second

func newProblem(err error) problem {
	if invalid, ok := errors.AsType[*invalidError](err); ok {
		return problem{Status: http.StatusBadRequest, Code: "invalid", Field: invalid.field, Detail: invalid.reason}
	}
	if field, ok := errors.AsType[*trace.FieldError](err); ok {
		return problem{Status: http.StatusBadRequest, Code: "invalid", Field: field.Field, Detail: field.Reason}
	}
	if item, ok := errors.AsType[*catalog.ItemError](err); ok {
		return itemProblem(item)
	}
	if bad, ok := errors.AsType[*recall.FieldError](err); ok {
		return problem{Status: http.StatusBadRequest, Code: "invalid", Field: bad.Field, Detail: bad.Reason}
	}
	if bad, ok := errors.AsType[*complaint.FieldError](err); ok {
		return problem{Status: http.StatusBadRequest, Code: "invalid", Field: bad.Field, Detail: bad.Reason}
	}
	if bad, ok := errors.AsType[*parcel.FieldError](err); ok {
		return problem{Status: http.StatusBadRequest, Code: "invalid", Field: bad.Field, Detail: bad.Reason}
	}
	if recalled, ok := errors.AsType[*recall.Refused](err); ok {
		return problem{Status: http.StatusConflict, Code: "recalled", Recall: recalled.Number}
	}
	if much, ok := errors.AsType[*recall.AmountError](err); ok {
		return problem{Status: http.StatusConflict, Code: "recall_amount", Field: "amount", Left: &much.Left}
	}
	if refused, ok := errors.AsType[*gate.Refused](err); ok {
		return problem{Status: http.StatusConflict, Code: "gate_" + string(refused.Refusals[0].Gate), Refusals: refused.Refusals}
	}
	if lacking, ok := errors.AsType[*trace.IncompleteError](err); ok {
		return problem{Status: http.StatusConflict, Code: "batch_incomplete", Missing: missingOf(lacking)}
	}
	if bad, ok := errors.AsType[*cert.FieldError](err); ok {
		return problem{Status: http.StatusBadRequest, Code: "invalid", Field: bad.Field, Detail: bad.Reason}
	}
	if failed, ok := errors.AsType[*cert.FailedError](err); ok {
		return problem{Status: http.StatusConflict, Code: "test_failed", Detail: failed.Error()}
	}
	if bad, ok := errors.AsType[*input.FieldError](err); ok {
		return problem{Status: http.StatusBadRequest, Code: "invalid", Field: bad.Field, Detail: bad.Reason}
	}
	if e, ok := errors.AsType[*changedError](err); ok {
		return problem{Status: http.StatusPreconditionFailed, Code: "changed", Current: e.current}
	}
	if _, ok := errors.AsType[*input.ShortError](err); ok {
		return problem{Status: http.StatusConflict, Code: "stock_short"}
	}
	if p, ok := chainProblem(err); ok {
		return p
	}
	if p, ok := labelProblem(err); ok {
		return p
	}
	if p, ok := unitProblem(err); ok {
		return p
	}
	if keep, ok := errors.AsType[*ingest.RetentionError](err); ok {
		return problem{Status: http.StatusBadRequest, Code: "invalid", Field: keep.Field, Detail: keep.Reason}
	}
	if order, ok := errors.AsType[*history.OrderError](err); ok {
		return problem{Status: http.StatusBadRequest, Code: "invalid", Field: order.Field, Detail: order.Reason}
	}
	if all, ok := errors.AsType[*faultsError](err); ok {
		first := all.faults[0]
		return problem{Status: http.StatusBadRequest, Code: "invalid", Field: first.Field, Detail: first.Reason, Faults: all.faults}
	}
	for _, k := range kinds() {
		if errors.Is(err, k.err) {
			return problem{Status: k.status, Code: k.code}
		}
	}
	return problem{Status: http.StatusInternalServerError, Code: "internal"}
}

// chainProblem returns what is wrong with a movement.
func chainProblem(err error) (problem, bool) {
	if bad, ok := errors.AsType[*chain.FieldError](err); ok {
		return problem{Status: http.StatusBadRequest, Code: "invalid", Field: bad.Field, Detail: bad.Reason}, true
	}
	if short, ok := errors.AsType[*chain.ShortError](err); ok {
		return problem{Status: http.StatusConflict, Code: "batch_short", Batch: short.Batch, Left: &short.Left}, true
	}
	if off, ok := errors.AsType[*chain.BalanceError](err); ok {
		return problem{Status: http.StatusConflict, Code: "unbalanced", Detail: off.Error(), In: &off.In, Out: &off.Out}, true
	}
	if on, ok := errors.AsType[*chain.DependentError](err); ok {
		return problem{Status: http.StatusConflict, Code: "depended_on", Detail: on.Error(), Movements: on.Movements, Codes: on.Codes}, true
	}
	return problem{}, false
}

// itemProblem names the item in both languages, for whoever stands in a field.
func itemProblem(item *catalog.ItemError) problem {
	p := problem{Status: http.StatusBadRequest, Code: "invalid", Field: "items." + item.Key, Detail: item.Error()}
	if item.Missing {
		p.Code = "item_missing"
	}
	if item.Name.Zh != "" {
		p.Name = &item.Name
	}
	return p
}

// A missing is a trace.Missing and where to record it.
type missing struct {
	trace.Missing
	Link string `json:"link"` // path on this server: a form of the field page
}

func missingOf(e *trace.IncompleteError) []missing {
	all := make([]missing, 0, len(e.Missing))
	for _, m := range e.Missing {
		query := url.Values{"kind": {m.Kind}}
		if m.Operation != "" {
			query.Set("corrects", m.Operation)
		}
		all = append(all, missing{m, "/field/#/record/" + url.PathEscape(e.Site) + "?" + query.Encode()})
	}
	return all
}

// fail answers a request with an error.
func (s *server) fail(c *gin.Context, err error) {
	c.Abort()
	ctx := c.Request.Context()
	if errors.Is(ctx.Err(), context.Canceled) {
		return // nobody is there to read it
	}
	p := newProblem(err)
	if p.Status >= http.StatusInternalServerError {
		s.Logger.ErrorContext(ctx, "request failed", slog.String("request", requestID(c)),
			slog.String("method", c.Request.Method), slog.String("route", c.FullPath()), slog.Any("error", err))
		p.Request = requestID(c)
	}
	if c.Writer.Written() {
		return
	}
	if p.Status == http.StatusTooManyRequests || p.Status == http.StatusServiceUnavailable {
		c.Header("Retry-After", strconv.Itoa(int(math.Ceil(wait(err).Seconds()))))
	}
	if e, ok := errors.AsType[*changedError](err); ok && e.tag != "" {
		c.Header("ETag", e.tag)
	}
	p = s.words(c, p)
	c.Header("Content-Language", s.lang(c))
	c.Header("Content-Type", "application/problem+json")
	c.JSON(p.Status, p)
}

func (s *server) lang(c *gin.Context) string {
	return s.Catalog.Match(c.Query("lang"), c.GetHeader("Accept-Language"))
}

// words gives a problem its title.
func (s *server) words(c *gin.Context, p problem) problem {
	lang := s.lang(c)
	p.Type, p.Title = "about:blank", s.Catalog.T(lang, "problem."+p.Code, slices.Concat(gateWords(p, lang), s.chainProblemWords(p, lang), s.unitProblemWords(p, lang), []string{"recall", p.Recall, "text", p.Text, "character", p.Character})...)
	return p
}

// gateWords returns what the words of a refusal are completed with.
func gateWords(p problem, lang string) []string {
	if len(p.Refusals) == 0 {
		return nil
	}
	return refusalWords(p.Refusals[0], lang)
}

// chainProblemWords are what the words about a movement are completed with.
func (s *server) chainProblemWords(p problem, lang string) []string {
	var all []string
	for name, a := range map[string]*chain.Amount{"left": p.Left, "in": p.In, "out": p.Out} {
		if a != nil {
			all = append(all, name, a.Number()+" "+s.unitWord(lang, a.Unit))
		}
	}
	return append(all, "n", strconv.Itoa(len(p.Movements)+len(p.Codes)))
}

// wait returns how long an error asks the client to wait.
func wait(err error) time.Duration {
	if e, ok := errors.AsType[*auth.TooManyError](err); ok {
		return max(e.Retry, time.Second)
	}
	return retryAfter
}
