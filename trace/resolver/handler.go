package resolver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"tianhai/farm"
	"tianhai/i18n"
	"tianhai/trace/label"
)

// Where the answers' JSON gets its meaning, and what rel says so.
const (
	linksetContext = "https://ref.gs1.org/standards/resolver/linkset-context"
	contextRel     = "http://www.w3.org/ns/json-ld#context"
	linksetType    = "application/linkset+json"
)

// Options are what New needs; all but Packets must be set.
type Options struct {
	Registry Registry
	Packets  Packets // nil: there are only lots
	// PublicURL is where people reach this server, such as "https://trace.example.cn";
	// links that are resolved begin with it.
	PublicURL string
	Catalog   *i18n.Catalog
	Logger    *slog.Logger
}

// A Server answers /01/…, compressed links and /.well-known/gs1resolver.
type Server struct {
	Options

	mux *http.ServeMux
}

// New does no I/O.
func New(opts Options) *Server {
	opts.PublicURL = strings.TrimSuffix(opts.PublicURL, "/")
	s := &Server{opts, http.NewServeMux()}
	s.mux.HandleFunc("/01/", s.open(s.resolve))
	s.mux.HandleFunc("/{compressed}", s.open(s.decompress))
	s.mux.HandleFunc("/.well-known/gs1resolver", s.open(s.describe))
	return s
}

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// open lets every origin read, and nobody do anything else.
func (s *Server) open(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Access-Control-Allow-Origin", "*")
		h.Set("Access-Control-Allow-Methods", "GET, HEAD, OPTIONS") // on each answer: GS1's test suite reads it on HEAD
		h.Set("Access-Control-Expose-Headers", "Link, Location")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Allow", "GET, HEAD, OPTIONS")
		switch r.Method {
		case http.MethodGet, http.MethodHead:
			h.Del("Allow")
			next(w, r)
		case http.MethodOptions:
			h.Set("Access-Control-Allow-Headers", "Accept, Accept-Language")
			h.Set("Access-Control-Max-Age", "86400")
			w.WriteHeader(http.StatusNoContent)
		default:
			fail(w, problem{Status: http.StatusMethodNotAllowed, Code: "method_not_allowed", Title: "only GET, HEAD and OPTIONS"})
		}
	}
}

// A problem is an answer that says why there is none (RFC 9457).
type problem struct {
	Status int      `json:"status"`
	Code   string   `json:"code"`
	Title  string   `json:"title"`
	Part   string   `json:"part,omitempty"`   // of the link, as label.LinkError has it
	AI     string   `json:"ai,omitempty"`     // at fault
	Detail string   `json:"detail,omitempty"` // English
	Types  []string `json:"types,omitempty"`  // that there are
}

func fail(w http.ResponseWriter, p problem) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // a reader who leaves is not our error
}

// parse reads the link that a request is for. A slash at its end is let through.
func (s *Server) parse(r *http.Request) (label.Link, error) {
	uri := s.PublicURL + strings.TrimRight(r.URL.EscapedPath(), "/")
	if r.URL.RawQuery != "" {
		uri += "?" + r.URL.RawQuery
	}
	return label.ParseLink(uri, label.LinkOptions{})
}

// compressed reports whether the path of a good link is no pairs of AI and value.
func compressed(r *http.Request) bool {
	return len(strings.Split(strings.Trim(r.URL.EscapedPath(), "/"), "/"))%2 == 1
}

// decompress resolves a link with its key in a compressed path. What is none is no
// page of ours.
func (s *Server) decompress(w http.ResponseWriter, r *http.Request) {
	if _, err := s.parse(r); err != nil {
		http.NotFound(w, r)
		return
	}
	s.resolve(w, r)
}

func (s *Server) resolve(w http.ResponseWriter, r *http.Request) {
	w.Header().Add("Vary", "Accept, Accept-Language")
	link, err := s.parse(r)
	if bad, ok := errors.AsType[*label.LinkError](err); ok {
		fail(w, problem{Status: http.StatusBadRequest, Code: "bad_link", Title: "this is no GS1 Digital Link", Part: bad.Part, AI: bad.AI, Detail: bad.Error()})
		return
	}
	if compressed(r) {
		w.Header().Add("Link", fmt.Sprintf(`<%s>; rel="owl:sameAs"`, link))
	}
	if link.Elements()[0].AI != "01" { // compressed, for /01/ leads to no other key
		fail(w, problem{Status: http.StatusNotFound, Code: "not_held", Title: "only GTINs are registered here", AI: link.Elements()[0].AI})
		return
	}
	asked, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		fail(w, problem{Status: http.StatusBadRequest, Code: "bad_link", Title: "this is no GS1 Digital Link", Part: "query", Detail: "the query cannot be read"})
		return
	}
	key := keyOf(link)
	item, err := s.item(r.Context(), key)
	switch {
	case errors.Is(err, farm.ErrNotFound):
		fail(w, problem{Status: http.StatusNotFound, Code: "not_held", Title: "no holder of this GTIN is registered here", AI: "01"})
		return
	case err != nil:
		s.Logger.ErrorContext(r.Context(), "cannot resolve a link", "gtin", key.gtin, "error", err)
		w.Header().Set("Retry-After", "2")
		fail(w, problem{Status: http.StatusServiceUnavailable, Code: "busy", Title: "try again in seconds"})
		return
	}
	lang := s.Catalog.MatchConsumer("", r.Header.Get("Accept-Language"))
	s.answer(w, r, asked, set{levels: s.levels(key, item, lang), name: item.Name.In(lang), lang: lang})
}

// item returns what is known of a key; farm.ErrNotFound where nobody here holds it.
func (s *Server) item(ctx context.Context, k key) (Item, error) {
	item, err := s.Registry.Item(ctx, k.gtin, k.lot)
	if err != nil || s.Packets == nil || k.serial == "" {
		return item, err
	}
	if item.packet, err = s.Packets.Packet(ctx, k.gtin, k.serial); errors.Is(err, farm.ErrNotFound) {
		err = nil // of a serial number that is the holder's alone
	}
	return item, err
}

// A set is all that is known of what was asked for, in one language.
type set struct {
	levels     []level
	name, lang string
}

// answer sends to the best link, or gives the set.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, asked url.Values, all set) {
	w.Header().Add("Link", fmt.Sprintf(`<%s?linkType=linkset>; rel="linkset"; type=%q`, all.levels[0].anchor, linksetType))
	kind := typeOf(asked.Get("linkType"))
	media := parseAccept(r.Header.Get("Accept"))
	if kind == "linkset" || kind == "all" || kind == "" && wantsLinkset(media) {
		s.linkset(w, http.StatusOK, media, all)
		return
	}
	found := choose(all.levels, kind, wish{languages: parseAccept(r.Header.Get("Accept-Language")), media: media, context: asked.Get("context")})
	switch len(found) {
	case 0:
		fail(w, problem{Status: http.StatusNotFound, Code: "no_such_link", Title: "there is no link of this type", Types: all.types()})
	case 1:
		w.Header().Set("Location", passOn(found[0].Href, r.URL.RawQuery))
		w.Header().Set("Cache-Control", "no-cache")
		w.WriteHeader(http.StatusTemporaryRedirect)
	default:
		all.levels = []level{{anchor: all.levels[0].anchor, targets: found}}
		if weightOf(media, "text/html") > 0 && weightOf(media, "text/html") >= weightOf(media, linksetType) {
			s.page(w, all, r.URL.RawQuery)
			return
		}
		s.linkset(w, http.StatusMultipleChoices, media, all)
	}
}

// types lists the types that the set has, as ?linkType= takes them.
func (a set) types() []string {
	var out []string
	for _, l := range a.levels {
		for _, t := range l.targets {
			out = append(out, "gs1:"+t.Type)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// weightOf returns how much a media type is wished by its own name.
func weightOf(media []ranged, name string) float64 {
	i := slices.IndexFunc(media, func(r ranged) bool { return r.name == name })
	if i < 0 {
		return 0
	}
	return media[i].q
}

// wantsLinkset tells a program from a browser: it names JSON, and no page before it.
func wantsLinkset(media []ranged) bool {
	q := max(weightOf(media, linksetType), weightOf(media, "application/json"), weightOf(media, "application/ld+json"))
	return q > 0 && q > weightOf(media, "text/html")
}

// passOn adds the request's query to a link's own, as the standard asks: what a
// link leads to may know more attributes than we do.
func passOn(href, query string) string {
	if query == "" {
		return href
	}
	href, fragment, has := strings.Cut(href, "#")
	separator := "?"
	if strings.Contains(href, "?") {
		separator = "&"
	}
	href += separator + query
	if has {
		href += "#" + fragment
	}
	return href
}

// linkset writes the set as RFC 9264 has it in JSON.
func (s *Server) linkset(w http.ResponseWriter, status int, media []ranged, all set) {
	contexts := []map[string]any{}
	for _, l := range all.levels {
		entry := map[string]any{"anchor": l.anchor, "itemDescription": all.name}
		for _, t := range l.targets {
			link := map[string]any{"href": t.Href, "title": t.Title}
			if t.Media != "" {
				link["type"] = t.Media
			}
			if tag := plainTag(t.Language); tag != "" {
				link["hreflang"] = []string{tag}
			}
			if t.Context != "" {
				link["context"] = []string{t.Context}
			}
			list, _ := entry[vocabulary+t.Type].([]any)
			entry[vocabulary+t.Type] = append(list, link)
		}
		contexts = append(contexts, entry)
	}
	body, kind := map[string]any{"linkset": contexts}, linksetType
	switch plain, linked := weightOf(media, "application/json"), weightOf(media, "application/ld+json"); {
	case weightOf(media, linksetType) >= max(plain, linked):
	case linked > plain:
		kind, body["@context"] = "application/ld+json", linksetContext
	default:
		kind = "application/json"
	}
	w.Header().Add("Link", fmt.Sprintf(`<%s>; rel=%q; type="application/ld+json"`, linksetContext, contextRel))
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", "no-cache")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // a reader who leaves is not our error
}

// plainTag returns as much of a BCP 47 tag as GS1's schema knows: a language of two
// letters, and a region of two. "" for "fil" and such.
func plainTag(tag string) string {
	parts := strings.Split(tag, "-")
	if len(parts[0]) != 2 {
		return ""
	}
	if i := slices.IndexFunc(parts[1:], func(p string) bool { return len(p) == 2 }); i >= 0 {
		return parts[0] + "-" + parts[1+i]
	}
	return parts[0]
}

// choices is the page for people where several links do equally well.
var choices = template.Must(template.New("choices").Parse(`<!doctype html>
<html lang="{{.Lang}}"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{{.Name}}</title>
<body><h1>{{.Name}}</h1><p>{{.Choose}}</p><ul>{{range .Links}}<li><a href="{{.Href}}"{{with .Language}} hreflang="{{.}}"{{end}}{{with .Media}} type="{{.}}"{{end}}>{{.Title}}</a>{{with .Language}} ({{.}}){{end}}{{end}}</ul></body></html>
`))

func (s *Server) page(w http.ResponseWriter, all set, query string) {
	links := slices.Clone(all.levels[0].targets)
	for i := range links {
		links[i].Href = passOn(links[i].Href, query)
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("Cache-Control", "no-cache")
	w.WriteHeader(http.StatusMultipleChoices)
	_ = choices.Execute(w, map[string]any{"Lang": all.lang, "Name": all.name, "Choose": s.Catalog.T(all.lang, "resolver.choose"), "Links": links})
}

// describe answers what this resolver can do, after GS1's description file schema.
func (s *Server) describe(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "public, max-age=3600")
	_ = json.NewEncoder(w).Encode(map[string]any{
		"name": "田海 Tianhai", "resolverRoot": s.PublicURL, "supportedPrimaryKeys": []string{"01"},
		"supportedLinkType":           []map[string]string{{"namespace": vocabulary, "prefix": "gs1:"}},
		"linkTypeDefaultCanBeLinkset": false, "jsonLdContextLocation": linksetContext,
		"supportsLanguageVariants": true, "validatesAIcombinations": true, "supportsSemanticInterpretation": false,
	}) // a reader who leaves is not our error
}
