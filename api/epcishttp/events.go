package epcishttp

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"tianhai/farm"
	"tianhai/trace/epcis"
	"tianhai/trace/epcis/query"
	"tianhai/trace/epcis/repository"
)

// A page is where a list goes on. It holds nothing that its holder may not know: whose
// events are seen is asked anew for each page.
type page struct {
	Of      []byte    `json:"o"` // hash of what is listed
	Expires time.Time `json:"x"`
	Value   string    `json:"v,omitempty"` // the last of the page before
	Seq     int64     `json:"s,omitempty"` // of events
	At      time.Time `json:"t,omitzero"`
	UpTo    int64     `json:"u,omitempty"` // events that come in later are not in this list
	Sent    int       `json:"n,omitempty"`
	per     int
	first   bool
}

// page reads perPage and nextPageToken of a list; which is what is listed besides what
// the URL says.
func (s *server) page(r *request, which string) (page, error) {
	params := r.URL.Query()
	per := usualPage
	if v := params.Get("perPage"); params.Has("perPage") {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 {
			return page{}, refuse("QueryParameter", "perPage: %.80q is not a whole number from 1", v)
		}
		per = min(n, MaxPage)
	}
	of := listed(r, params, which)
	token := params.Get("nextPageToken")
	if token == "" {
		return page{Of: of, per: per, first: true}, nil
	}
	p := page{}
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || json.Unmarshal(raw, &p) != nil || string(p.Of) != string(of) {
		return page{}, refuse("QueryParameter", "nextPageToken: is not of this list; begin again without it")
	}
	if s.Now().After(p.Expires) {
		return page{}, refuse("QueryParameter", "nextPageToken: has expired at %s; begin again without it", p.Expires.Format(time.RFC3339))
	}
	p.per, p.first = per, false
	return p, nil
}

// listed returns what tells one list from another.
func listed(r *request, params url.Values, which string) []byte {
	rest := maps.Clone(params)
	for _, name := range query.Others() {
		delete(rest, name)
	}
	sum := sha256.Sum256([]byte(r.URL.EscapedPath() + "?" + rest.Encode() + "\n" + which))
	return sum[:8]
}

// more says where the next page is.
func (s *server) more(w http.ResponseWriter, r *request, p page) {
	p.Expires = s.Now().Add(tokenLives).UTC().Truncate(time.Second)
	raw, err := json.Marshal(p)
	if err != nil {
		panic(err) // such a struct always marshals
	}
	params := r.URL.Query()
	params.Set("perPage", strconv.Itoa(p.per))
	params.Set("nextPageToken", base64.RawURLEncoding.EncodeToString(raw))
	w.Header().Set("Link", "<"+s.PublicURL+r.URL.EscapedPath()+"?"+params.Encode()+`>; rel="next"`)
	w.Header().Set("GS1-Next-Page-Token-Expires", p.Expires.Format(time.RFC3339))
}

// releaseToken has nothing to do: a token holds nothing here.
func (s *server) releaseToken(_ http.ResponseWriter, _ *request) error {
	e := exceptions()["Implementation"]
	e.status, e.title, e.detail = http.StatusNotImplemented, "A token need not be given back", "it expires by itself and holds nothing here"
	return &e
}

// asked returns the query of a URL, with what its path says.
func (r *request) asked() (query.Query, error) {
	q, err := query.Parse(r.URL.Query(), r.names)
	if err != nil {
		return q, err
	}
	for tree, one := range trees() {
		if value, ok := r.values[one]; ok {
			of, _ := query.Of(tree, value, r.names)
			q = q.And(of)
		}
	}
	return q, nil
}

func (s *server) listEvents(w http.ResponseWriter, r *request) error {
	if err := s.typeExists(w, r); err != nil {
		return err
	}
	q, err := r.asked()
	if err != nil {
		return err
	}
	return s.answerQuery(w, r, q, repository.SimpleEventQuery)
}

// answerQuery answers with a page of events.
func (s *server) answerQuery(w http.ResponseWriter, r *request, q query.Query, name string) error {
	p, err := s.page(r, name)
	if err != nil {
		return err
	}
	a := repository.Ask{Scope: r.scope, Query: q, UpTo: p.UpTo, Skip: p.Sent}
	if p.first {
		if a.UpTo, err = s.Events.LastEvent(r.ctx()); err != nil {
			return err
		}
		p.UpTo = a.UpTo
		if err := s.few(r, a); err != nil {
			return err
		}
	} else {
		a.After = &repository.Stored{Seq: p.Seq, Time: p.At}
	}
	want := p.per
	if q.Limit > 0 {
		want = min(want, q.Limit-p.Sent)
	}
	events, more, err := s.gather(r, a, want)
	if err != nil {
		return err
	}
	p.Sent += len(events)
	if more && (q.Limit == 0 || p.Sent < q.Limit) {
		last := events[len(events)-1]
		p.Seq, p.At = last.Seq, last.Time
		s.more(w, r, p)
	}
	return s.writeEvents(w, r, name, events)
}

// few refuses a query that finds more than maxEventCount.
func (s *server) few(r *request, a repository.Ask) error {
	if a.Query.Max == 0 {
		return nil
	}
	n, err := s.Events.CountEvents(r.ctx(), a, a.Query.Max+1)
	if err == nil && n > a.Query.Max {
		err = refuse("QueryTooLarge", "maxEventCount: the query finds more than %d events", a.Query.Max)
	}
	return err
}

// gather reads a page, and whether there is more. Where events are large the page is
// shorter than it may be, so that no answer fills the memory.
func (s *server) gather(r *request, a repository.Ask, want int) (events []repository.Stored, more bool, err error) {
	size := 0
	for size < maxAnswer {
		left := want - len(events)
		a.Limit = min(left, usualPage) + 1
		if len(events) > 0 { // as many as fit, by what they have been
			a.Limit = min(left, max(1, (maxAnswer-size)/(size/len(events)+1))) + 1
		}
		some, err := s.Events.FindEvents(r.ctx(), a)
		if err != nil {
			return nil, false, err
		}
		more = len(some) == a.Limit
		some = some[:min(len(some), a.Limit-1)]
		for _, e := range some {
			size += len(e.JSON) + len(e.Context)
		}
		events = append(events, some...)
		if !more || len(events) == want {
			break
		}
		a.After, a.Skip = &events[len(events)-1], a.Skip+len(some)
	}
	return events, more, nil
}

func (s *server) writeEvents(w http.ResponseWriter, r *request, name string, events []repository.Stored) error {
	var extensions []string
	for prefix, uri := range repository.Prefixes(events) {
		extensions = append(extensions, prefix+"="+uri)
	}
	if len(extensions) > 0 && len(extensions) <= 50 {
		slices.Sort(extensions)
		w.Header().Set("GS1-Extensions", strings.Join(extensions, ","))
	}
	head := repository.Head{Query: name, Created: s.Now()}
	companies, err := s.companies(r.ctx(), r)
	if err != nil {
		return err
	}
	doc, left := r.format.Write(repository.AppendDocument(nil, head, events), companies)
	if left != "" {
		return refuse("NotAcceptable", "GS1-EPC-Format: %.200s has no EPC URN as long as nobody stated its company prefix; state it, or ask for another format", left)
	}
	if r.format != epcis.NoPreference {
		w.Header().Set("GS1-EPC-Format", string(r.format))
	}
	return r.write(w, http.StatusOK, doc)
}

// companies returns the company prefixes that the format of an answer needs.
func (s *server) companies(ctx context.Context, r *request) ([]string, error) {
	if r.format != epcis.EPCURNs {
		return nil, nil
	}
	return s.Events.CompanyPrefixes(ctx, r.scope)
}

// tree returns the resource that a path begins with.
func (r *request) tree() (tree, value string) {
	path := strings.TrimPrefix(r.URL.EscapedPath(), Prefix+"/")
	tree, _, _ = strings.Cut(path, "/")
	return tree, r.values[trees()[tree]]
}

// listTree lists the values that events have.
func (s *server) listTree(w http.ResponseWriter, r *request) error {
	tree, _ := r.tree()
	p, err := s.page(r, "")
	if err != nil {
		return err
	}
	fields := query.Listed(tree)
	values, err := s.Events.EventValues(r.ctx(), repository.Values{Scope: r.scope, Fields: fields, After: p.Value, Limit: p.per + 1})
	if err != nil {
		return err
	}
	if len(values) > p.per {
		values = values[:p.per]
		p.Value = values[p.per-1]
		s.more(w, r, p)
	}
	for i, v := range values {
		values[i] = r.short(epcis.Bare(fields[0], v))
	}
	if values == nil {
		values = []string{}
	}
	if tree == "epcs" {
		return r.answer(w, http.StatusOK, values)
	}
	one := trees()[tree]
	return r.answer(w, http.StatusOK, map[string]any{
		"@context": r.context(), "type": strings.ToUpper(one[:1]) + one[1:] + "ItemList", one: values,
	})
}

// short writes a URI with a prefix that the client declared.
func (r *request) short(uri string) string {
	standard := epcis.NamesOf()
	for _, prefix := range slices.Sorted(maps.Keys(r.names)) {
		if local, ok := strings.CutPrefix(uri, r.names[prefix]); ok && local != "" && standard[prefix] == "" {
			return prefix + ":" + local
		}
	}
	return uri
}

func (r *request) context() any {
	own := map[string]string{}
	standard := epcis.NamesOf()
	for prefix, uri := range r.names {
		if standard[prefix] != uri {
			own[prefix] = uri
		}
	}
	if len(own) == 0 {
		return epcis.OwnContext
	}
	return []any{epcis.OwnContext, own}
}

func (s *server) getTree(w http.ResponseWriter, r *request) error {
	if err := s.valueExists(w, r); err != nil {
		return err
	}
	return r.answer(w, http.StatusOK, []string{"events"})
}

// valueExists fails where no event has the value, and it is not one of the standard's.
func (s *server) valueExists(w http.ResponseWriter, r *request) error {
	if err := s.typeExists(w, r); err != nil {
		return err
	}
	tree, value := r.tree()
	of, _ := query.Of(tree, value, r.names)
	field := of.Conditions[0].Fields[0]
	if tree == "eventTypes" && slices.Contains(query.EventTypes(), value) || (tree == "bizSteps" || tree == "dispositions") && epcis.Standard(field, epcis.Bare(field, of.Conditions[0].Texts[0])) {
		return nil
	}
	n, err := s.Events.CountEvents(r.ctx(), repository.Ask{Scope: r.scope, Query: of}, 1)
	if err == nil && n == 0 {
		err = farm.ErrNotFound
	}
	return err
}

// typeExists fails where a path names a kind of event that cannot be.
func (s *server) typeExists(_ http.ResponseWriter, r *request) error {
	value, ok := r.values["eventType"]
	if ok && !slices.Contains(query.EventTypes(), value) && !epcis.URI(value) {
		return refuse("NoSuchResource", "%.80q is not a kind of event; want one of %s, or the URI of one that somebody added", value, strings.Join(query.EventTypes(), ", "))
	}
	return nil
}
