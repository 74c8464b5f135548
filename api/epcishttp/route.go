package epcishttp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"strings"

	"tianhai/api/auth"
	"tianhai/trace/epcis/repository"
)

// A handler answers one method of a route.
type handler func(w http.ResponseWriter, r *request) error

// A route is a path of the standard: literal segments, and names in braces.
type route struct {
	path    string
	methods map[string]handler // besides OPTIONS
	// exists fails where what the path names does not exist; nil where that cannot be.
	exists func(w http.ResponseWriter, r *request) error
	// writable takes documents, and says its limits.
	writable bool
}

// A request is a request that was let in.
type request struct {
	*http.Request
	who    auth.Principal
	scope  repository.Scope
	values map[string]string // of the path
	base   context.Context   // without the limit of an answer, for what stays open
	asks                     // what its headers ask for
}

func (r *request) ctx() context.Context { return r.Context() }

// trees are the resources that events can be reached by, and what one of them is
// called.
func trees() map[string]string {
	return map[string]string{
		"eventTypes": "eventType", "epcs": "epc", "bizSteps": "bizStep", "bizLocations": "bizLocation",
		"readPoints": "readPoint", "dispositions": "disposition",
	}
}

// table lists every path of the REST binding.
func (s *server) table() []route {
	get := func(h handler) map[string]handler { return map[string]handler{http.MethodGet: h} }
	all := []route{
		{path: "", methods: get(s.getRoot)},
		{path: "capture", methods: map[string]handler{http.MethodGet: s.listJobs, http.MethodPost: s.capture}, writable: true},
		{path: "capture/{captureID}", methods: get(s.getJob), exists: s.jobExists},
		{path: "events", methods: map[string]handler{http.MethodGet: s.listEvents, http.MethodPost: s.addEvent}, writable: true},
		{path: "events/{eventID}", methods: get(s.getEvent), exists: s.eventExists},
		{path: "queries", methods: map[string]handler{http.MethodGet: s.listQueries, http.MethodPost: s.addQuery}},
		{path: "queries/{queryName}", methods: map[string]handler{http.MethodGet: s.getQuery, http.MethodDelete: s.deleteQuery}, exists: s.queryExists},
		{path: "queries/{queryName}/events", methods: get(s.queryEvents), exists: s.queryExists},
		{path: "queries/{queryName}/subscriptions", methods: map[string]handler{http.MethodGet: s.listSubscriptions, http.MethodPost: s.subscribe}, exists: s.queryExists},
		{path: "queries/{queryName}/subscriptions/{subscriptionID}", methods: map[string]handler{http.MethodGet: s.getSubscription, http.MethodDelete: s.unsubscribe}, exists: s.subscriptionExists},
		{path: "nextPageToken/{token}", methods: map[string]handler{http.MethodDelete: s.releaseToken}},
	}
	for tree, one := range trees() {
		all = append(all,
			route{path: tree, methods: get(s.listTree)},
			route{path: tree + "/{" + one + "}", methods: get(s.getTree), exists: s.valueExists},
			route{path: tree + "/{" + one + "}/events", methods: get(s.listEvents), exists: s.typeExists},
		)
	}
	return all
}

// match returns the route of a path, and what it names.
func (s *server) match(escaped string) (route, map[string]string, bool) {
	path := strings.Trim(strings.TrimPrefix(escaped, Prefix), "/")
	parts := strings.Split(path, "/")
	for _, rt := range s.routes {
		want := strings.Split(rt.path, "/")
		if len(want) != len(parts) {
			continue
		}
		values := map[string]string{}
		same := true
		for i, segment := range want {
			value, err := url.PathUnescape(parts[i])
			if name, named := strings.CutPrefix(segment, "{"); named {
				same = same && err == nil && value != ""
				values[strings.TrimSuffix(name, "}")] = value
			} else {
				same = same && value == segment
			}
		}
		if same {
			return rt, values, true
		}
	}
	return route{}, nil, false
}

func (rt route) allowed() []string {
	names := []string{http.MethodOptions}
	for name := range rt.methods {
		names = append(names, name)
	}
	slices.Sort(names[1:])
	return names
}

// ServeHTTP lets a request in, and answers it.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer func() {
		if p := recover(); p != nil {
			if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(p)
			}
			s.fail(w, r, fmt.Errorf("panic: %v\n%s", p, debug.Stack()))
		}
	}()
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	versions(h)
	if err := s.serve(w, r); err != nil {
		s.fail(w, r, err)
	}
}

func (s *server) serve(w http.ResponseWriter, r *http.Request) error {
	if len(r.URL.EscapedPath())+len(r.URL.RawQuery) > MaxURL {
		return refuse("URITooLong", "the URL has more than %d bytes; define the query under queries instead", MaxURL)
	}
	if err := s.origins.Check(r); err != nil {
		return refuse("Security", "the request comes from a page of another site")
	}
	who, err := s.principal(r)
	if err != nil {
		return err
	}
	scope, ok := scopeOf(who)
	if !ok {
		return refuse("Security", "a %s sees no events", who.Role)
	}
	rt, values, ok := s.match(r.URL.EscapedPath())
	if !ok {
		return refuse("NoSuchResource", "EPCIS has no such path")
	}
	asked, err := readHeaders(r.Header)
	if err != nil {
		return err
	}
	one := &request{Request: r, who: who, scope: scope, values: values, base: r.Context(), asks: asked}
	if r.Method == http.MethodOptions {
		return s.options(w, one, rt)
	}
	method := r.Method
	if method == http.MethodHead { // whose body the server leaves out
		method = http.MethodGet
	}
	do, ok := rt.methods[method]
	if !ok {
		w.Header().Set("Allow", strings.Join(rt.allowed(), ", "))
		e := exceptions()["Implementation"]
		e.status, e.title, e.detail = http.StatusMethodNotAllowed, "The resource does not take this method", "want one of "+strings.Join(rt.allowed(), ", ")
		return &e
	}
	if rt.writable && r.Method == http.MethodPost {
		r.Body = http.MaxBytesReader(w, r.Body, repository.MaxDocument)
	} else {
		r.Body = http.MaxBytesReader(w, r.Body, maxQuery)
	}
	ctx, cancel := context.WithTimeout(r.Context(), timeout)
	defer cancel()
	one.Request = r.WithContext(ctx)
	err = do(w, one)
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) { // whatever a database calls that
		err = ctx.Err()
	}
	return err
}

// options says what a resource is able to, section 12.4.
func (s *server) options(w http.ResponseWriter, r *request, rt route) error {
	if rt.exists != nil {
		if err := rt.exists(w, r); err != nil {
			return err
		}
	}
	w.Header().Set("Allow", strings.Join(rt.allowed(), ", "))
	w.Header().Set("GS1-Vendor-Version", "Tianhai 1")
	if rt.writable {
		limits(w)
		w.Header().Set("GS1-Capture-Error-Behaviour", "rollback")
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// principal returns who is asking.
func (s *server) principal(r *http.Request) (auth.Principal, error) {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if c, err := r.Cookie(s.Cookie); !ok && err == nil && r.Header.Get("Authorization") == "" {
		token = c.Value
	}
	if token == "" {
		return auth.Principal{}, errUnauthenticated
	}
	p, err := s.Sessions.Principal(r.Context(), token)
	if errors.Is(err, auth.ErrDenied) {
		err = errUnauthenticated
	}
	return p, err
}

// scopeOf returns whose events somebody sees; false where nobody's.
func scopeOf(p auth.Principal) (repository.Scope, bool) {
	switch p.Role {
	case auth.Administrator:
		return repository.Scope{}, true
	case auth.Bureau, auth.Inspector:
		return repository.Scope{Region: p.Region}, p.Region != ""
	case auth.Manager, auth.Farmer, auth.Writer, auth.Reader:
		return repository.Scope{Tenant: p.Tenant}, p.Tenant != ""
	}
	return repository.Scope{}, false
}

// owner returns the tenant for which somebody may do a.
func (r *request) owner(a auth.Action) (string, error) {
	if r.who.Tenant == "" || !auth.Can(r.who, a, auth.Object{Tenant: r.who.Tenant}) {
		return "", refuse("Security", "a %s may not do this; who does belongs to an operator and may %s", r.who.Role, a)
	}
	return r.who.Tenant, nil
}
