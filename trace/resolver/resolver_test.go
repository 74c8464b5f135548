package resolver_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"tianhai/farm"
	"tianhai/i18n"
	"tianhai/trace/label"
	"tianhai/trace/resolver"
)

const (
	gtin = "09506000134352"
	base = "https://trace.example.cn"
	code = "0123456789ABC"
)

// held is a registry with one GTIN, whose lot A/1 has a trace page and lot B two.
type held struct{ links []resolver.Link }

var errDown = errors.New("the database is away")

func (h held) Item(_ context.Context, asked, lot string) (resolver.Item, error) {
	switch {
	case asked == "09506000134369":
		return resolver.Item{}, errDown
	case asked != gtin:
		return resolver.Item{}, farm.ErrNotFound
	}
	item := resolver.Item{Name: farm.Text{Zh: "六堡茶", En: "Liubao tea"}, Links: h.links}
	switch lot {
	case "A/1", "A1":
		item.Codes = []string{code}
	case "B":
		item.Codes = []string{"BBBBBBBBBBBB2", "BBBBBBBBBBBB1"}
	}
	return item, nil
}

func holder() held {
	link := func(kind, href, language, media, context string) resolver.Link {
		return resolver.Link{GTIN: gtin, Type: kind, Href: "https://shop.example/" + href, Title: href, Language: language, Media: media, Context: context}
	}
	lot := link("certificationInfo", "lot.pdf", "", "application/pdf", "")
	lot.Lot = "A/1"
	one := link("registerProduct", "serial", "", "", "")
	one.Lot, one.Serial = "A/1", "7"
	return held{[]resolver.Link{
		link("pip", "zh", "zh-CN", "text/html", ""), link("pip", "en", "en", "text/html", ""), link("pip", "en.json", "en", "application/json", ""),
		link("pip", "trade", "en", "text/html", "b2b"), link("recipeInfo", "a", "", "", ""), link("recipeInfo", "b<i>", "", "", ""),
		link("certificationInfo", "all.pdf", "", "application/pdf", ""), link("support", "help?x=1#top", "", "", ""), lot, one,
	}}
}

// A preview says where the same scan is sent, over HTTP.
func TestLead(t *testing.T) {
	h := shop()
	s := serverOf(t, h)
	for name, scan := range map[string]resolver.Scan{
		"product":             {GTIN: gtin},
		"product, in English": {GTIN: gtin, Languages: "en"},
		"lot":                 {GTIN: gtin, Lot: "A/1", Languages: "en"},
		"lot of two batches":  {GTIN: gtin, Lot: "B", Type: "gs1:traceability"},
		"serial number":       {GTIN: gtin, Lot: "A/1", Serial: "7", Type: "registerProduct"},
		"trade":               {GTIN: gtin, Type: "pip", Languages: "en", Context: "b2b"},
		"no such type":        {GTIN: gtin, Type: "epcis"},
		"several":             {GTIN: gtin, Type: "recipeInfo"},
	} {
		lead, err := s.Lead(t.Context(), scan)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		target := strings.TrimPrefix(lead.URI, base) + "?linkType=" + scan.Type + "&context=" + scan.Context
		w := ask(t, h, http.MethodGet, target, "Accept", "text/html,*/*;q=0.8", "Accept-Language", scan.Languages)
		want := map[int]int{http.StatusTemporaryRedirect: 1, http.StatusNotFound: 0, http.StatusMultipleChoices: 2}[w.Code]
		if len(lead.Links) != want || want == 1 && !strings.HasPrefix(w.Header().Get("Location"), lead.Links[0].Href) {
			t.Errorf("%s: %+v; a scan: %d %s", name, lead, w.Code, w.Header().Get("Location"))
		}
	}
	if _, err := s.Lead(t.Context(), resolver.Scan{GTIN: "04012345111118"}); !errors.Is(err, farm.ErrNotFound) {
		t.Errorf("nobody's: %v", err)
	}
	if _, err := s.Lead(t.Context(), resolver.Scan{GTIN: gtin, Lot: "批"}); err == nil {
		t.Error("a Chinese lot is let through")
	}
}

func serverOf(t *testing.T, h held) *resolver.Server {
	t.Helper()
	texts, err := i18n.Load()
	if err != nil {
		t.Fatal(err)
	}
	return resolver.New(resolver.Options{Registry: h, PublicURL: base, Catalog: texts, Logger: slog.New(slog.DiscardHandler)})
}

func ask(t *testing.T, h held, method, target string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, base+target, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	serverOf(t, h).ServeHTTP(w, r)
	return w
}

// One row or more for each rule that says where a request is sent.
func TestRedirects(t *testing.T) {
	const trace, shop = base + "/t/" + code, "https://shop.example/"
	lot, err := label.MakeLink(base, []label.Element{{AI: "01", Value: gtin}, {AI: "10", Value: "A/1"}})
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		target  string
		headers []string
		want    string
	}{
		"GTIN alone":                      {"/01/" + gtin, nil, base + "/t/"},
		"slash at the end":                {"/01/" + gtin + "/", nil, base + "/t/"},
		"lot":                             {"/01/" + gtin + "/10/A%2F1", nil, trace},
		"HTML by a browser":               {"/01/" + gtin + "/10/A%2F1", []string{"Accept", "text/html,application/xhtml+xml,*/*;q=0.8"}, trace},
		"lot used twice, closed last":     {"/01/" + gtin + "/10/B", nil, base + "/t/BBBBBBBBBBBB2"},
		"variant passed by":               {"/01/" + gtin + "/22/V/10/A%2F1", nil, trace},
		"serial walks up to the lot":      {"/01/" + gtin + "/10/A%2F1/21/9", nil, trace},
		"lot walks up to the GTIN":        {"/01/" + gtin + "/10/none", nil, base + "/t/"},
		"compressed":                      {strings.TrimPrefix(lot.Compressed(), base), nil, trace},
		"partly compressed":               {"/01/" + gtin + "/EEKh", nil, trace},
		"partly, with a slash at the end": {"/01/" + gtin + "/EEKh/", nil, trace},
		"partly, and its query":           {"/01/" + gtin + "/EEKh?17=270630&linkType=gs1:traceability", nil, trace + "?17=270630&linkType=gs1:traceability"},
		"serial's own link":               {"/01/" + gtin + "/10/A%2F1/21/7?linkType=gs1:registerProduct", nil, shop + "serial?linkType=gs1:registerProduct"},
		"lot's own before the GTIN's":     {"/01/" + gtin + "/10/A%2F1?linkType=gs1:certificationInfo", nil, shop + "lot.pdf?linkType=gs1:certificationInfo"},
		"type walks up":                   {"/01/" + gtin + "/10/B?linkType=gs1:certificationInfo", nil, shop + "all.pdf?linkType=gs1:certificationInfo"},
		"type as URI":                     {"/01/" + gtin + "?linkType=https%3A%2F%2Fgs1.org%2Fvoc%2FcertificationInfo", nil, shop + "all.pdf?linkType=https%3A%2F%2Fgs1.org%2Fvoc%2FcertificationInfo"},
		"traceability":                    {"/01/" + gtin + "/10/A%2F1?linkType=gs1:traceability", nil, trace + "?linkType=gs1:traceability"},
		"query passed on":                 {"/01/" + gtin + "/10/A%2F1?17=270630&x=y", nil, trace + "?17=270630&x=y"},
		"query joined, before fragment":   {"/01/" + gtin + "?linkType=gs1:support", nil, shop + "help?x=1&linkType=gs1:support#top"},
		"language":                        {"/01/" + gtin + "?linkType=gs1:pip", []string{"Accept-Language", "zh;q=0.9, en;q=0.2", "Accept", "text/html"}, shop + "zh?linkType=gs1:pip"},
		"language by region":              {"/01/" + gtin + "?linkType=gs1:pip", []string{"Accept-Language", "en-GB", "Accept", "text/html"}, shop + "en?linkType=gs1:pip"},
		"media type":                      {"/01/" + gtin + "?linkType=gs1:pip", []string{"Accept-Language", "en", "Accept", "application/json"}, shop + "en.json?linkType=gs1:pip"},
		"context":                         {"/01/" + gtin + "?linkType=gs1:pip&context=b2b", []string{"Accept-Language", "en", "Accept", "text/html"}, shop + "trade?linkType=gs1:pip&context=b2b"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := ask(t, holder(), http.MethodGet, tt.target, tt.headers...)
			if got := w.Header().Get("Location"); w.Code != http.StatusTemporaryRedirect || got != tt.want {
				t.Errorf("%d to %q, want 307 to %q; %s", w.Code, got, tt.want, w.Body)
			}
			if l := strings.Join(w.Header().Values("Link"), ","); !strings.Contains(l, `linkType=linkset>; rel="linkset"; type="application/linkset+json"`) {
				t.Errorf("Link: %s", l)
			}
			if w.Header().Get("Access-Control-Allow-Origin") != "*" || !strings.Contains(w.Header().Get("Vary"), "Accept-Language") {
				t.Errorf("headers: %v", w.Header())
			}
			head := ask(t, holder(), http.MethodHead, tt.target, tt.headers...)
			if head.Code != w.Code || head.Header().Get("Location") != tt.want {
				t.Errorf("HEAD: %d %v", head.Code, head.Header())
			}
		})
	}
}

// A GTIN's own default is followed for the GTIN, never for a lot with a trace page.
func TestDefaults(t *testing.T) {
	h := held{[]resolver.Link{
		{GTIN: gtin, Type: "defaultLink", Href: "https://shop.example/", Title: "home"},
		{GTIN: gtin, Type: "defaultLinkMulti", Href: "https://shop.example/en", Title: "home", Language: "en"},
		{GTIN: gtin, Lot: "A/1", Type: "defaultLinkMulti", Href: "https://evil.example/", Title: "no recall here", Language: "en"},
	}}
	for target, want := range map[string]string{"/01/" + gtin: "https://shop.example/en", "/01/" + gtin + "/10/A%2F1": base + "/t/" + code} {
		if got := ask(t, h, http.MethodGet, target, "Accept-Language", "en").Header().Get("Location"); got != want {
			t.Errorf("%s: %s, want %s", target, got, want)
		}
	}
	for _, language := range []string{"th", ""} {
		if got := ask(t, h, http.MethodGet, "/01/"+gtin, "Accept-Language", language).Header().Get("Location"); got != "https://shop.example/" {
			t.Errorf("in %q: %s", language, got)
		}
	}
}

func TestRefusals(t *testing.T) {
	tests := map[string]struct {
		method, target string
		status         int
		says           string
	}{
		"check digit":       {"GET", "/01/09506000134353", 400, "check digit"},
		"short GTIN":        {"GET", "/01/9506000134352", 400, gtin},
		"serial before lot": {"GET", "/01/" + gtin + "/21/7/10/A", 400, `"ai":"10"`},
		"expiry in path":    {"GET", "/01/" + gtin + "/17/270630", 400, "?17=270630"},
		"bad attribute":     {"GET", "/01/" + gtin + "?17=271399", 400, `"ai":"17"`},
		"no value":          {"GET", "/01/", 400, "bad_link"},
		"compressed SSCC":   {"GET", "/AAFdGUuw5W0g", 404, "only GTINs"},
		"nobody's GTIN":     {"GET", "/01/04012345111118", 404, "not_held"},
		"no such type":      {"GET", "/01/" + gtin + "?linkType=gs1:epcis", 404, "gs1:pip"},
		"nonsense type":     {"GET", "/01/" + gtin + "?linkType=x%20y", 404, "no_such_link"},
		"store away":        {"GET", "/01/09506000134369", 503, "busy"},
		"POST":              {"POST", "/01/" + gtin, 405, "method_not_allowed"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := ask(t, holder(), tt.method, tt.target)
			if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.says) || w.Header().Get("Content-Type") != "application/problem+json" {
				t.Errorf("%d %s %s, want %d and %q", w.Code, w.Header().Get("Content-Type"), w.Body, tt.status, tt.says)
			}
			if strings.Contains(w.Body.String(), errDown.Error()) {
				t.Error("it tells of the inside")
			}
		})
	}
}

func TestChoices(t *testing.T) {
	w := ask(t, holder(), http.MethodGet, "/01/"+gtin+"?linkType=gs1:recipeInfo", "Accept", "text/html")
	if body := w.Body.String(); w.Code != http.StatusMultipleChoices || !strings.Contains(body, "https://shop.example/a?linkType") || !strings.Contains(body, "b&lt;i&gt;") {
		t.Errorf("%d %s", w.Code, body)
	}
	w = ask(t, holder(), http.MethodGet, "/01/"+gtin+"?linkType=gs1:recipeInfo")
	if w.Code != http.StatusMultipleChoices || len(linkset(t, w)[0]["https://gs1.org/voc/recipeInfo"].([]any)) != 2 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := ask(t, holder(), http.MethodGet, "/01/"+gtin+"/10/B?linkType=gs1:recallStatus"); w.Code != http.StatusMultipleChoices {
		t.Errorf("of two batches: %d", w.Code)
	}
}

func linkset(t *testing.T, w *httptest.ResponseRecorder) []map[string]any {
	t.Helper()
	var body struct{ Linkset []map[string]any }
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || len(body.Linkset) == 0 {
		t.Fatalf("linkset: %v, %s", err, w.Body)
	}
	return body.Linkset
}

func TestLinkset(t *testing.T) {
	const target = "/01/" + gtin + "/10/A%2F1/21/7"
	tests := map[string]struct {
		query   string
		headers []string
		is      string
	}{
		"asked for":   {"?linkType=linkset", nil, "application/linkset+json"},
		"all":         {"?linkType=all", []string{"Accept", "text/html"}, "application/linkset+json"},
		"by Accept":   {"", []string{"Accept", "application/linkset+json"}, "application/linkset+json"},
		"plain JSON":  {"", []string{"Accept", "application/json"}, "application/json"},
		"linked data": {"", []string{"Accept", "application/ld+json, */*;q=0.1"}, "application/ld+json"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := ask(t, holder(), http.MethodGet, target+tt.query, tt.headers...)
			if w.Code != http.StatusOK || w.Header().Get("Content-Type") != tt.is {
				t.Fatalf("%d %v", w.Code, w.Header())
			}
			if !strings.Contains(strings.Join(w.Header().Values("Link"), ","), "json-ld#context") {
				t.Errorf("no context: %v", w.Header())
			}
			var anchors []string
			for _, entry := range linkset(t, w) {
				anchors = append(anchors, entry["anchor"].(string))
				checkEntry(t, entry)
			}
			if want := []string{base + target, base + "/01/" + gtin + "/10/A%2F1", base + "/01/" + gtin}; !slices.Equal(anchors, want) {
				t.Errorf("anchors %v, want %v", anchors, want)
			}
		})
	}
}

// checkEntry holds one level against what the standard says of every link.
func checkEntry(t *testing.T, entry map[string]any) {
	t.Helper()
	for kind, list := range entry {
		if kind == "anchor" || kind == "itemDescription" {
			continue
		}
		if !strings.HasPrefix(kind, "https://gs1.org/voc/") {
			t.Errorf("type %s", kind)
		}
		for _, link := range list.([]any) {
			if l := link.(map[string]any); l["href"] == nil || l["title"] == nil {
				t.Errorf("%s without target or title: %v", kind, l)
			}
		}
	}
	if list, ok := entry["https://gs1.org/voc/defaultLink"].([]any); ok && (len(list) != 1 || len(list[0].(map[string]any)) != 2) {
		t.Errorf("default links: %v", list)
	}
}

func TestOptionsAndDescription(t *testing.T) {
	w := ask(t, holder(), http.MethodOptions, "/01/"+gtin)
	if w.Code != http.StatusNoContent || w.Header().Get("Allow") != "GET, HEAD, OPTIONS" || w.Header().Get("Access-Control-Allow-Methods") == "" {
		t.Errorf("OPTIONS: %d %v", w.Code, w.Header())
	}
	var d struct {
		ResolverRoot         string
		SupportedPrimaryKeys []string
	}
	w = ask(t, holder(), http.MethodGet, "/.well-known/gs1resolver")
	if err := json.Unmarshal(w.Body.Bytes(), &d); err != nil || d.ResolverRoot != base || !slices.Equal(d.SupportedPrimaryKeys, []string{"01"}) {
		t.Errorf("description: %v, %s", err, w.Body)
	}
}

func TestCheck(t *testing.T) {
	good := resolver.Link{Type: "pip", Href: "https://shop.example/x", Title: "茶", Language: "zh-CN", Media: "text/html", Context: "b2b"}
	if err := good.Check(); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		field string
		edit  func(*resolver.Link)
	}{
		"unknown type":         {"type", func(l *resolver.Link) { l.Type = "shop" }},
		"default of a lot":     {"type", func(l *resolver.Link) { *l = resolver.Link{Type: "defaultLink", Lot: "A"} }},
		"default with media":   {"type", func(l *resolver.Link) { l.Type = "defaultLink" }},
		"multi of a lot":       {"type", func(l *resolver.Link) { l.Type, l.Lot = "defaultLinkMulti", "A" }},
		"multi with nothing":   {"type", func(l *resolver.Link) { *l = resolver.Link{Type: "defaultLinkMulti"} }},
		"http":                 {"href", func(l *resolver.Link) { l.Href = "http://shop.example/" }},
		"script":               {"href", func(l *resolver.Link) { l.Href = "javascript:alert(1)" }},
		"Chinese in the path":  {"href", func(l *resolver.Link) { l.Href = "https://shop.example/茶" }},
		"Chinese in the host":  {"href", func(l *resolver.Link) { l.Href = "https://茶.example/" }},
		"space in the address": {"href", func(l *resolver.Link) { l.Href = "https://shop.example/a b" }},
		"user in the address":  {"href", func(l *resolver.Link) { l.Href = "https://a@shop.example/" }},
		"two lines of title":   {"title", func(l *resolver.Link) { l.Title = "a\nb" }},
		"no title":             {"title", func(l *resolver.Link) { l.Title = "" }},
		"language in words":    {"language", func(l *resolver.Link) { l.Language = "chinese!" }},
		"media without a kind": {"media", func(l *resolver.Link) { l.Media = "html" }},
		"context with spaces":  {"context", func(l *resolver.Link) { l.Context = "a b" }},
	} {
		l := good
		tt.edit(&l)
		if bad, ok := errors.AsType[*resolver.FieldError](l.Check()); !ok || bad.Field != tt.field {
			t.Errorf("%s: %v, want %s", name, l.Check(), tt.field)
		}
	}
}

// Whatever is asked, the answer is one of those that the standard knows, and an
// address that is sent to is one of ours or the holder's.
func FuzzResolve(f *testing.F) {
	f.Add("/01/"+gtin+"/10/A%2F1/21/7", "linkType=gs1:pip", "text/html;q=0.5", "zh, en;q=0")
	f.Add("/01/"+gtin+"/", "17=270630&linkType=all", "*/*", "*")
	f.Add("/01/..", "0", "I", "B")
	texts, err := i18n.Load()
	if err != nil {
		f.Fatal(err)
	}
	h := resolver.New(resolver.Options{Registry: holder(), PublicURL: base, Catalog: texts, Logger: slog.New(slog.DiscardHandler)})
	f.Fuzz(func(t *testing.T, path, query, accept, language string) {
		r := httptest.NewRequest(http.MethodGet, base+"/01/", nil)
		r.URL.Path, r.URL.RawQuery = path, query
		if !strings.HasPrefix(path, "/01/") {
			return
		}
		r.Header.Set("Accept", accept)
		r.Header.Set("Accept-Language", language)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		switch w.Code {
		case 200, 300, 301, 400, 404, 503:
		case 307:
			if to := w.Header().Get("Location"); strings.HasPrefix(to, base) || strings.HasPrefix(to, "https://shop.example/") {
				return
			}
			if to := w.Header().Get("Location"); strings.HasPrefix(to, "/") && !strings.HasPrefix(to, "//") && !strings.HasPrefix(to, `/\`) {
				return // the path was cleaned
			}
			t.Errorf("sent to %q", w.Header().Get("Location"))
		default:
			t.Errorf("%d", w.Code)
		}
	})
}

// Whoever manages links chooses a type by its name, on a page that offers each.
func TestTypesAreOffered(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "dashboards", "web", "manage", "links.ts"))
	if err != nil {
		t.Fatal(err)
	}
	texts, err := i18n.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range resolver.Types() {
		if n := strings.Count(string(page), "'"+name+"',"); n != 1 && !strings.HasPrefix(name, "defaultLink") {
			t.Errorf("links.ts offers %s %d times", name, n)
		}
		key := "manage.link_type." + strings.ToLower(regexp.MustCompile("[A-Z]").ReplaceAllString(name, "_$0"))
		for _, lang := range texts.Languages() {
			if !slices.Contains(texts.Keys(lang), key) {
				t.Errorf("%s.json lacks %s", lang, key)
			}
		}
	}
}
