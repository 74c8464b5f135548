// Package consumer is the page behind the code on a packet. It needs no script,
// loads nothing from elsewhere, and shows nothing that is not read from the
// sealed bytes of the batch's record: before it shows them, it checks them
// against their receipt, and where they do not match it shows only that.
//
// The same addresses serve what anyone needs to check for themselves: the
// record's bytes with their salt, the receipt, and JSON for machines.
package consumer

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"tianhai/farm"
	"tianhai/i18n"
	"tianhai/trace"
	"tianhai/trace/catalog"
	"tianhai/trace/label"
	"tianhai/trace/ledger"
	"tianhai/trace/scan"
	"tianhai/trace/unit"
)

//go:embed templates style.css
var files embed.FS

const (
	languageCookie = "th_lang"
	qrPixels       = 480
)

// Records finds what was sealed; trace.Outbox is one.
type Records interface {
	// RecordByCode returns a closed batch's record, or farm.ErrNotFound.
	RecordByCode(ctx context.Context, code string) (trace.Record, error)
}

// Recalls knows what was taken back; *recall.Service does.
type Recalls interface {
	// Of returns the records of the recalls that a batch is in now, open ones first: of
	// each how it was opened, and how it was closed if it was.
	Of(ctx context.Context, batch string) ([][]trace.Record, error)
}

// Statements finds what was said of a batch beside its record.
type Statements interface {
	// Statements returns the records of a batch's tests and certificates, oldest first.
	Statements(ctx context.Context, batch string) ([]trace.Record, error)
}

// Options are what New needs; all but VerifyScript, Statements and ReportFile must be
// set.
type Options struct {
	Records    Records
	Recalls    Recalls    // nil: nothing is ever recalled
	Statements Statements // nil: there are none
	Shipments  Shipments  // nil: there are none
	Notes      Notes      // nil: only what the batch's own record says
	Units      Units      // nil: there are only codes of batches
	Scans      Scans      // nil: nobody counts
	Doors      scan.Doors // who stands in front of this server
	Complaints Complaints // nil: nobody takes them
	// ReportFile returns a laboratory report as it came, by its hash; farm.ErrNotFound.
	// The page asks only for those that a sealed record names.
	ReportFile func(hash string) (raw []byte, mediaType string, err error)
	// Key returns the verifier key of the log of that name, in signed-note form,
	// or "" where there never was one. A log whose key was changed has more.
	Key func(origin string) string
	// Policy says whose cosignatures the page speaks of.
	Policy ledger.Policy
	// PublicURL is where people reach this server, such as
	// "https://trace.example.cn"; QR codes point at PublicURL + "/t/" + code.
	PublicURL string
	Catalog   *i18n.Catalog
	// Photo returns a picture for strangers, a JPEG, by its hash; farm.ErrNotFound.
	// The page asks only for those that a sealed record names.
	Photo func(hash string) ([]byte, error)
	// Cover returns the JPEG of one that stands first on the page, photo.CoverWidth by
	// CoverHeight; nil: none does.
	Cover func(hash string) ([]byte, error)
	// Thumb returns the JPEG of one that stands small in the timeline; nil: Photo's stands
	// there.
	Thumb func(hash string) ([]byte, error)
	// Revision returns a word that is another after anything was committed, by whomever,
	// that a page may show; while it is the same, a page may be answered again as it was.
	// nil: every page is made anew.
	Revision func(ctx context.Context) (string, error)
	// VerifyScript returns the path of the built check script on this server, or
	// "" where the web faces are not built; the page then goes without button.
	VerifyScript func() string
	Logger       *slog.Logger
}

// server answers under /t/.
type server struct {
	Options
	templates *template.Template
	style     template.CSS
	shipped   trace.Words // of shippedWords: reading the catalog takes longer than the rest of a page
	policy    string      // Content-Security-Policy
	pages     pages
}

// New returns the handler for everything under /t/ and /c/: the page, qr.svg, qr.png,
// receipt and record. It does no I/O; an error means that Options make no sense.
func New(opts Options) (http.Handler, error) {
	u, err := url.Parse(opts.PublicURL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("consumer page: public URL %q is not http(s)://host", opts.PublicURL)
	}
	opts.PublicURL = strings.TrimSuffix(opts.PublicURL, "/")
	if opts.VerifyScript == nil {
		opts.VerifyScript = func() string { return "" }
	}
	css, err := files.ReadFile("style.css")
	if err != nil {
		return nil, fmt.Errorf("consumer page: %w", err)
	}
	templates, err := template.ParseFS(files, "templates/*.html")
	if err != nil {
		return nil, fmt.Errorf("consumer page: %w", err)
	}
	sum := sha256.Sum256(css)
	s := &server{
		Options: opts, templates: templates, style: template.CSS(css), shipped: shippedWords(),
		policy: "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; script-src 'self'; " +
			"connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
	}
	s.pages.revisions.ask = opts.Revision
	mux := http.NewServeMux()
	mux.HandleFunc("GET /t/{$}", s.form)
	mux.HandleFunc("GET /t/{code}", s.page)
	mux.HandleFunc("POST /t/{code}/activate", s.reveal)
	mux.HandleFunc("GET /t/{code}/activate", s.revealed)
	mux.HandleFunc("GET /t/{code}/proof", s.proof)
	mux.HandleFunc("GET /t/{code}/{part}", s.part)
	mux.HandleFunc("POST /t/{code}/complaint", s.receive)
	mux.HandleFunc("GET /c/{reference}", s.complaint)
	mux.HandleFunc("POST /c/{reference}/forget", s.forget)
	mux.HandleFunc("GET /t/{code}/photo/{hash}", func(w http.ResponseWriter, r *http.Request) { s.photo(w, r, s.Photo) })
	mux.HandleFunc("GET /t/{code}/cover/{hash}", func(w http.ResponseWriter, r *http.Request) { s.photo(w, r, s.Cover) })
	mux.HandleFunc("GET /t/{code}/thumb/{hash}", func(w http.ResponseWriter, r *http.Request) { s.photo(w, r, s.Thumb) })
	mux.HandleFunc("GET /t/{code}/report/{hash}", s.reportFile)
	return mux, nil
}

// state says how a record stands towards the log.
type state string

const (
	sealed  state = "sealed"  // the receipt proves these bytes
	pending state = "pending" // the log has not answered yet
	broken  state = "broken"  // the receipt does not prove these bytes
)

// prove checks the record against its receipt as any stranger would.
func (s *server) prove(ctx context.Context, rec trace.Record) view {
	fail := func(err error) view {
		s.Logger.ErrorContext(ctx, "a sealed record does not match its receipt", "code", rec.Code, "record", rec.ID, "error", err)
		return view{state: broken}
	}
	public, err := trace.ParsePublicRecord(rec.Body)
	if err != nil {
		return fail(err)
	}
	if public.Code != rec.Code {
		return fail(errors.New("the sealed body is of another code"))
	}
	if err := public.Disclose(rec.Personal); err != nil {
		return fail(err)
	}
	v := view{state: pending, public: public}
	if rec.Receipt == "" {
		return v
	}
	if v.key, v.proof, err = s.check(rec); err != nil {
		return fail(err)
	}
	v.state = sealed
	if _, v.witnesses, err = ledger.VerifyCosigned(v.key, s.Policy, rec.Receipt); err != nil {
		v.witnesses = nil // not yet: the log's own signature holds
	}
	return v
}

// check holds a record against its receipt. It returns the key of the log.
func (s *server) check(rec trace.Record) (key string, proof ledger.Proof, err error) {
	origin, err := ledger.Origin(rec.Receipt)
	if err != nil {
		return "", ledger.Proof{}, err
	}
	key = s.Key(origin)
	if proof, err = ledger.Verify(key, rec.Receipt); err != nil {
		return "", ledger.Proof{}, err
	}
	if !bytes.Equal(proof.Leaf, rec.Leaf()) {
		return "", ledger.Proof{}, errors.New("the receipt is for other bytes")
	}
	return key, proof, nil
}

// find is scan for what is the same for every packet of a batch.
func (s *server) find(w http.ResponseWriter, r *http.Request) (trace.Record, bool) {
	rec, _, ok := s.scan(w, r)
	return rec, ok
}

// scan returns the record that the address asks for, and the packet where the code is
// that of a single one. It answers the request itself where there is no record or
// where the code is written in another way.
func (s *server) scan(w http.ResponseWriter, r *http.Request) (trace.Record, *unit.Unit, bool) {
	typed := r.PathValue("code")
	code, err := label.ParseCode(typed)
	if err != nil {
		s.refuse(w, r, typed, err)
		return trace.Record{}, nil, false
	}
	if code != typed {
		target := url.URL{Path: "/t/" + code, RawQuery: r.URL.RawQuery}
		if part := r.PathValue("part"); part != "" {
			target.Path += "/" + part
		}
		http.Redirect(w, r, target.String(), http.StatusMovedPermanently)
		return trace.Record{}, nil, false
	}
	rec, err := s.Records.RecordByCode(r.Context(), code)
	switch {
	case errors.Is(err, farm.ErrNotFound) && s.Units != nil:
		return s.scanUnit(w, r, code)
	case errors.Is(err, farm.ErrNotFound):
		s.saw(r, scan.Subject{Code: code, State: scan.Unknown})
		s.refuse(w, r, code, nil)
		return trace.Record{}, nil, false
	case err != nil:
		s.Logger.ErrorContext(r.Context(), "cannot read the record of a code", "code", code, "error", err)
		s.unavailable(w, r, code)
		return trace.Record{}, nil, false
	}
	return rec, nil, true
}

func (s *server) page(w http.ResponseWriter, r *http.Request) {
	key, revision := s.pages.key(r, s.language(w, r))
	if a, ok := s.make(w, r, key, revision); ok {
		s.saw(r, a.subject)
		s.document(w, r, a)
	}
}

// make returns the page that was asked for, as it was kept or made now. It answers the
// request itself where there is none to show.
func (s *server) make(w http.ResponseWriter, r *http.Request, key, revision string) (answer, bool) {
	a, ok, done := s.pages.claim(r.Context(), key, revision)
	defer done()
	if ok {
		return a, true
	}
	rec, u, ok := s.scan(w, r)
	if !ok {
		return answer{}, false
	}
	a, ok = s.lay(w, r, rec, s.packet(r, u))
	if ok && u == nil { // a packet tells the phone that knows it other things
		a = s.pages.keep(key, revision, a)
	}
	return a, ok
}

// lay makes the page of a batch, or of one packet of it. It answers the request itself
// where there is none to show.
func (s *server) lay(w http.ResponseWriter, r *http.Request, rec trace.Record, scanned *packet) (answer, bool) {
	recalls, ok := s.recallsOf(w, r, rec)
	if !ok {
		return answer{}, false
	}
	v := s.prove(r.Context(), rec)
	v.recalls = recalls
	if wantsJSON(r) {
		s.json(w, r, rec, v)
		return answer{}, false
	}
	cache := "no-cache"
	if v.state != sealed || len(recalls) > 0 || scanned != nil {
		cache = "no-store"
	}
	p := newPage(s, s.base(w, r, "consumer.title"), rec, v)
	p.Packet = scanned.say(p.base)
	p.Looks, p.Complain = s.looks(r.Context(), p.base, r.PathValue("code")), s.Complaints != nil
	if v.state != broken {
		said, err := s.assurance(r.Context(), v.public.Batch)
		if err != nil {
			s.Logger.ErrorContext(r.Context(), "cannot read the certificates of a batch", "code", rec.Code, "error", err)
			s.unavailable(w, r, rec.Code)
			return answer{}, false
		}
		p.show(said, r.URL.Query().Get("c"))
		way, err := s.transport(r.Context(), v.public.Batch)
		if err != nil {
			s.Logger.ErrorContext(r.Context(), "cannot read the shipments of a batch", "code", rec.Code, "error", err)
			s.unavailable(w, r, rec.Code)
			return answer{}, false
		}
		p.carry(way)
		if p.Notes, err = s.notes(r.Context(), p.base, v.public); err != nil {
			s.Logger.ErrorContext(r.Context(), "cannot read what is said of a batch", "code", rec.Code, "error", err)
			s.unavailable(w, r, rec.Code)
			return answer{}, false
		}
	}
	return s.render(w, r, answer{template: "page.html", status: http.StatusOK, cache: cache, data: p, subject: subjectOf(rec, scanned, recalls)})
}

// json answers the sealed bytes themselves; of a batch that was recalled, these with
// the recalls before everything else.
func (s *server) json(w http.ResponseWriter, r *http.Request, rec trace.Record, v view) {
	h := w.Header()
	h.Add("Vary", "Accept")
	h.Set("Access-Control-Allow-Origin", "*")
	if v.state == broken && len(v.recalls) == 0 {
		h.Set("Content-Type", "application/problem+json")
		h.Set("Cache-Control", "no-store")
		w.WriteHeader(http.StatusInternalServerError)
		fmt.Fprintln(w, `{"type":"about:blank","title":"the record does not match its receipt","status":500,"code":"record_broken"}`)
		return
	}
	h.Set("Link", fmt.Sprintf(`</t/%s/receipt>; rel="describedby"; type="text/plain"`, rec.Code))
	body, cache := rec.Body, "no-cache"
	if len(v.recalls) > 0 {
		var err error
		if body, err = withRecalls(rec.Body, v); err != nil {
			s.Logger.ErrorContext(r.Context(), "cannot write recalls", "code", rec.Code, "error", err)
			http.Error(w, "cannot be shown", http.StatusInternalServerError)
			return
		}
		h.Set("Recall-Status", v.recalls[0].status())
		cache = "no-store"
	}
	s.write(w, r, answer{status: http.StatusOK, cache: cache, contentType: "application/json; charset=utf-8", body: body})
}

// part answers what lies below a code.
func (s *server) part(w http.ResponseWriter, r *http.Request) {
	part := r.PathValue("part")
	switch part {
	case "qr.svg", "qr.png", "receipt", "record", "statements":
	case "complaint":
		if rec, ok := s.find(w, r); ok {
			s.complain(w, r, rec)
		}
		return
	default:
		http.NotFound(w, r)
		return
	}
	rec, ok := s.find(w, r)
	if !ok {
		return
	}
	a := answer{status: http.StatusOK, cache: "public, max-age=86400"}
	address := s.PublicURL + "/t/" + rec.Code
	var err error
	switch part {
	case "qr.svg":
		a.contentType = "image/svg+xml"
		a.body, err = label.SVG(address)
	case "qr.png":
		a.contentType = "image/png"
		a.body, err = label.PNG(address, qrPixels)
	case "receipt":
		if rec.Receipt == "" {
			w.Header().Set("Retry-After", "2")
			http.Error(w, "the record is being sealed, try again in seconds", http.StatusNotFound)
			return
		}
		a.contentType, a.body, a.cache = "text/plain; charset=utf-8", []byte(rec.Receipt), "no-cache"
		a.download = rec.Code + ".tlog-proof"
	case "record":
		a.contentType, a.cache = "application/json; charset=utf-8", "no-cache"
		a.download = rec.Code + ".json"
		a.body, err = rec.Opening()
	case "statements":
		a.contentType, a.cache = "application/json; charset=utf-8", "no-cache"
		a.download = rec.Code + "-statements.json"
		a.body, err = s.statements(r.Context(), rec.Subject)
	}
	if err != nil {
		s.Logger.ErrorContext(r.Context(), "cannot make part of a consumer page", "part", part, "code", rec.Code, "error", err)
		http.Error(w, "cannot be made", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Access-Control-Allow-Origin", "*")
	s.write(w, r, a)
}

// photo answers a picture that the record names, and no other.
func (s *server) photo(w http.ResponseWriter, r *http.Request, get func(hash string) ([]byte, error)) {
	rec, ok := s.find(w, r)
	if !ok {
		return
	}
	hash := r.PathValue("hash")
	v := s.prove(r.Context(), rec)
	if v.state == broken || get == nil || !slices.Contains(s.photosOf(v.public), hash) {
		http.NotFound(w, r)
		return
	}
	raw, err := get(hash)
	if errors.Is(err, farm.ErrNotFound) {
		http.NotFound(w, r)
		return
	}
	if err != nil {
		s.Logger.ErrorContext(r.Context(), "cannot show a picture", "code", rec.Code, "hash", hash, "error", err)
		http.Error(w, "cannot be shown", http.StatusInternalServerError)
		return
	}
	s.write(w, r, answer{status: http.StatusOK, cache: "public, max-age=86400", contentType: "image/jpeg", body: raw})
}

// photosOf returns the hashes of the pictures that a record names.
func (s *server) photosOf(r trace.PublicRecord) []string {
	var hashes []string
	names := s.words(r)
	for _, o := range r.Operations {
		for _, i := range o.Items {
			if isPhoto(names, i) {
				hashes = append(hashes, i.Value)
			}
		}
	}
	return hashes
}

func isPhoto(names trace.Words, i trace.Item) bool {
	return names.Items[i.Key].Type == catalog.Photo && catalog.IsHash(i.Value)
}

// An answer is one response.
type answer struct {
	status      int
	contentType string
	cache       string
	download    string // file name to save under; "" to show
	body        []byte
	template    string // for html, in place of body
	data        any
	tag         string // of the body; "" where it is not yet known
	zipped      []byte // the body, compressed, where it was before
	subject     scan.Subject
}

// html renders a page in one language and answers it.
func (s *server) html(w http.ResponseWriter, r *http.Request, a answer) {
	if a, ok := s.render(w, r, a); ok {
		s.document(w, r, a)
	}
}

// render makes the body of a page. It answers the request itself where it cannot.
func (s *server) render(w http.ResponseWriter, r *http.Request, a answer) (answer, bool) {
	var b bytes.Buffer
	if err := s.templates.ExecuteTemplate(&b, a.template, a.data); err != nil {
		s.Logger.ErrorContext(r.Context(), "cannot render a consumer page", "template", a.template, "error", err)
		http.Error(w, "the page cannot be shown", http.StatusInternalServerError)
		return a, false
	}
	a.contentType, a.body, a.data = "text/html; charset=utf-8", b.Bytes(), nil
	return a, true
}

// document answers a page that was rendered.
func (s *server) document(w http.ResponseWriter, r *http.Request, a answer) {
	h := w.Header()
	h.Add("Vary", "Accept, Accept-Language, Cookie")
	h.Set("Content-Security-Policy", s.policy)
	h.Set("Referrer-Policy", "same-origin") // with none, browsers hide where a form of ours comes from
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
	s.write(w, r, a)
}

// write sends a body, compressed where the client can, or only that it has not
// changed.
func (s *server) write(w http.ResponseWriter, r *http.Request, a answer) {
	tag := a.tag
	if tag == "" {
		tag = tagOf(a.body)
	}
	h := w.Header()
	h.Add("Vary", "Accept-Encoding")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Type", a.contentType)
	h.Set("Cache-Control", a.cache)
	if a.download != "" {
		h.Set("Content-Disposition", `attachment; filename="`+a.download+`"`)
	}
	if a.status == http.StatusOK && a.cache != "no-store" {
		h.Set("ETag", tag)
		if strings.Contains(r.Header.Get("If-None-Match"), tag) {
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	body := a.body
	if a.zipped != nil || len(body) > 1<<10 && zips(r) {
		if body = a.zipped; body == nil {
			body = gzipped(a.body)
		}
		h.Set("Content-Encoding", "gzip")
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(a.status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // a reader who leaves is not our error
	}
}

func tagOf(body []byte) string {
	sum := sha256.Sum256(body)
	return `W/"` + hex.EncodeToString(sum[:8]) + `"`
}

// zips reports whether the client reads gzip.
func zips(r *http.Request) bool { return strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") }

func gzipped(body []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(body) // into memory
	_ = z.Close()
	return b.Bytes()
}

// language picks by ?lang, then the cookie, then the browser; asking sets the
// cookie. A face that does not speak the language goes by the browser.
func (s *server) language(w http.ResponseWriter, r *http.Request) string {
	asked := r.URL.Query().Get("lang")
	if asked != "" {
		if found := s.Catalog.MatchConsumer(asked, ""); strings.EqualFold(found, asked) {
			choice := http.Cookie{
				Name: languageCookie, Value: found, Path: "/", MaxAge: 365 * 24 * 3600, SameSite: http.SameSiteLaxMode,
				Secure: strings.HasPrefix(s.PublicURL, "https:"),
			}
			if !slices.Contains(w.Header()["Set-Cookie"], choice.String()) {
				http.SetCookie(w, &choice)
			}
		}
	} else if c, err := r.Cookie(languageCookie); err == nil {
		asked = c.Value
	}
	return s.Catalog.MatchConsumer(asked, r.Header.Get("Accept-Language"))
}

// wantsJSON tells a machine from a browser.
func wantsJSON(r *http.Request) bool {
	accept := r.Header.Get("Accept")
	return strings.Contains(accept, "application/json") && !strings.Contains(accept, "text/html")
}
