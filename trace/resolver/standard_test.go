package resolver_test

import (
	"encoding/json"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"tianhai/trace/label"
	"tianhai/trace/resolver"
)

// shop is a holder with a default of its own, of which one is in English.
func shop() held {
	h := holder()
	h.links = append(h.links,
		resolver.Link{GTIN: gtin, Type: "defaultLink", Href: "https://shop.example/", Title: "shop"},
		resolver.Link{GTIN: gtin, Type: "defaultLinkMulti", Href: "https://shop.example/home", Title: "home", Language: "en"},
		resolver.Link{GTIN: gtin, Type: "defaultLinkMulti", Href: "https://shop.example/zh", Title: "家", Language: "zh-CN"},
		resolver.Link{GTIN: gtin, Type: "instructions", Href: "https://shop.example/fil", Title: "Gabay", Language: "fil"},
		resolver.Link{GTIN: gtin, Type: "instructions", Href: "https://shop.example/hans", Title: "用法", Language: "zh-Hans-CN"},
	)
	return h
}

// The statements of the GS1-Conformant Resolver standard 1.0, each with what shows it;
// the parts of a row are in TestRedirects, TestRefusals and TestLinkset too.
func TestStandard(t *testing.T) {
	const whole, trace, company = "/01/" + gtin, base + "/t/" + code, "https://shop.example/"
	lot, err := label.MakeLink(base, []label.Element{{AI: "01", Value: gtin}, {AI: "10", Value: "A/1"}, {AI: "17", Value: "270630"}})
	if err != nil {
		t.Fatal(err)
	}
	short := strings.TrimPrefix(lot.Compressed(), base)
	for name, tt := range map[string]struct {
		method, target string
		headers        []string
		status         int
		header, has    string // a header, and what is in it; "-" for none such
	}{
		"GET":                                  {"GET", whole, nil, 307, "Location", company},
		"HEAD":                                 {"HEAD", whole, nil, 307, "Location", company},
		"OPTIONS":                              {"OPTIONS", whole, nil, 204, "Allow", "GET, HEAD, OPTIONS"},
		"methods are declared on every answer": {"HEAD", whole, nil, 307, "Access-Control-Allow-Methods", "GET, HEAD, OPTIONS"},
		"CORS when redirecting":                {"GET", whole, []string{"Origin", "https://a.example"}, 307, "Access-Control-Allow-Origin", "*"},
		"CORS of errors":                       {"GET", whole + "/foo", nil, 400, "Access-Control-Allow-Origin", "*"},
		"CORS of the description":              {"GET", "/.well-known/gs1resolver", nil, 200, "Access-Control-Allow-Origin", "*"},
		"qualifiers: variant":                  {"GET", whole + "/22/V/10/A%2F1", nil, 307, "Location", trace},
		"qualifiers: lot and serial number":    {"GET", whole + "/10/A%2F1/21/9", nil, 307, "Location", trace},
		"qualifiers: third party's":            {"GET", whole + "/235/X", nil, 307, "Location", company},
		"invalid is 400: something behind the link":  {"GET", whole + "/foo", nil, 400, "Content-Type", "application/problem+json"},
		"invalid is 400: behind a lot":               {"GET", whole + "/10/A%2F1/foo", nil, 400, "Content-Type", "application/problem+json"},
		"invalid is 400: check digit":                {"HEAD", "/01/09506000134353", nil, 400, "Content-Type", "application/problem+json"},
		"invalid is 400: linkset of no link":         {"GET", whole + "/foo?linkType=linkset", nil, 400, "Content-Type", "application/problem+json"},
		"decompresses":                               {"GET", short, nil, 307, "Location", trace},
		"compressed is not redirected to the plain":  {"GET", short, nil, 307, "Location", "/t/"},
		"the plain link is owl:sameAs":               {"GET", short, nil, 307, "Link", "<" + lot.String() + `>; rel="owl:sameAs"`},
		"also where the key is in the open":          {"GET", whole + "/EEKh", nil, 307, "Link", "<" + base + whole + `/10/A1>; rel="owl:sameAs"`},
		"also in the linkset":                        {"GET", short + "?linkType=linkset", nil, 200, "Link", `rel="owl:sameAs"`},
		"nothing is the same as a plain link":        {"GET", whole + "/10/A%2F1", nil, 307, "Link", "-sameAs"},
		"linkset by linkType":                        {"GET", whole + "?linkType=linkset", []string{"Accept", "text/html"}, 200, "Content-Type", "application/linkset+json"},
		"linkset by the older name":                  {"GET", whole + "?linkType=all", nil, 200, "Content-Type", "application/linkset+json"},
		"linkset by Accept":                          {"HEAD", whole + "?linkType=all", []string{"Accept", "application/linkset+json", "Accept-Language", ""}, 200, "Content-Type", "application/linkset+json"},
		"linkset names its JSON-LD context":          {"GET", whole + "?linkType=linkset", nil, 200, "Link", `; rel="http://www.w3.org/ns/json-ld#context"; type="application/ld+json"`},
		"linkset is not redirected":                  {"GET", whole + "?linkType=linkset", nil, 200, "Location", "-"},
		"Link to the linkset when redirecting":       {"GET", whole + "/10/A%2F1", nil, 307, "Link", "<" + base + whole + `/10/A%2F1?linkType=linkset>; rel="linkset"`},
		"Link has no other links":                    {"GET", whole, nil, 307, "Link", `-rel="gs1:`},
		"to the default":                             {"GET", whole, []string{"Accept", "*/*"}, 307, "Location", company},
		"to a better match than the default":         {"GET", whole, []string{"Accept-Language", "en-GB,en;q=0.9"}, 307, "Location", company + "home"},
		"a default higher up":                        {"GET", whole + "/10/none", nil, 307, "Location", company},
		"a requested type":                           {"GET", whole + "?linkType=gs1:certificationInfo", nil, 307, "Location", company + "all.pdf?linkType="},
		"a requested type without prefix":            {"GET", whole + "?linkType=certificationInfo", nil, 307, "Location", company + "all.pdf?linkType="},
		"a requested type as older URI":              {"GET", whole + "?linkType=https://www.gs1.org/voc/certificationInfo", nil, 307, "Location", company + "all.pdf?linkType="},
		"a requested type as URI of the reference":   {"GET", whole + "?linkType=https://ref.gs1.org/voc/certificationInfo", nil, 307, "Location", company + "all.pdf?linkType="},
		"the default, asked for by name":             {"GET", whole + "?linkType=gs1:defaultLink", nil, 307, "Location", company + "?linkType="},
		"a type that is not there":                   {"GET", whole + "?linkType=gs1:nosuchlt", nil, 404, "Location", "-"},
		"query passed on":                            {"GET", whole + "?foo=bar&17=270630", nil, 307, "Location", company + "?foo=bar&17=270630"},
		"Accept-Language tells alike links apart":    {"GET", whole + "?linkType=gs1:pip", []string{"Accept-Language", "zh-CN", "Accept", "text/html"}, 307, "Location", company + "zh?"},
		"Accept tells alike links apart":             {"GET", whole + "?linkType=gs1:pip", []string{"Accept-Language", "en", "Accept", "application/json"}, 307, "Location", company + "en.json?"},
		"context tells alike links apart":            {"GET", whole + "?linkType=gs1:pip&context=b2b", []string{"Accept-Language", "en", "Accept", "text/html"}, 307, "Location", company + "trade?"},
		"several that do equally well":               {"HEAD", whole + "?linkType=gs1:recipeInfo", nil, 300, "Location", "-"},
		"answers depend on what is accepted":         {"GET", whole, nil, 307, "Vary", "Accept-Language"},
		"description":                                {"HEAD", "/.well-known/gs1resolver", nil, 200, "Content-Type", "application/json"},
		"slash at the end of a link":                 {"GET", whole + "/10/A%2F1/", nil, 307, "Location", trace},
		"slash at the end, linkset":                  {"GET", whole + "/?linkType=linkset", nil, 200, "Content-Type", "application/linkset+json"},
		"recalls are seen before a holder's default": {"GET", whole + "/10/A%2F1", []string{"Accept-Language", "en"}, 307, "Location", trace},
	} {
		t.Run(name, func(t *testing.T) {
			w := ask(t, shop(), tt.method, tt.target, tt.headers...)
			got := strings.Join(w.Header().Values(tt.header), ", ")
			missing, none := strings.CutPrefix(tt.has, "-")
			fits := strings.Contains(got, tt.has)
			if none {
				fits = missing == "" && got == "" || missing != "" && !strings.Contains(got, missing)
			}
			if w.Code != tt.status || !fits {
				t.Errorf("%d, %s: %s; want %d and %s; %s", w.Code, tt.header, got, tt.status, tt.has, w.Body)
			}
		})
	}
}

// What GS1's JSON schemas for link sets (draft 7) and for the description ask, written
// out here: see decision 0080.
func TestSchemas(t *testing.T) {
	const target = "/01/" + gtin + "/10/A%2F1/21/7?linkType=linkset"
	w := ask(t, shop(), http.MethodGet, target)
	var body map[string]json.RawMessage
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || len(body) != 1 || body["linkset"] == nil {
		t.Fatalf("a link set has linkset and nothing else: %v, %s", err, w.Body)
	}
	for _, entry := range linkset(t, w) {
		checkAnchor(t, entry)
		for kind, list := range entry {
			if kind != "anchor" && kind != "itemDescription" {
				checkLinks(t, kind, list.([]any))
			}
		}
		checkDefaults(t, entry)
	}

	var description map[string]any
	w = ask(t, shop(), http.MethodGet, "/.well-known/gs1resolver")
	if err := json.Unmarshal(w.Body.Bytes(), &description); err != nil {
		t.Fatal(err)
	}
	if root, err := url.Parse(description["resolverRoot"].(string)); err != nil || root.Host == "" {
		t.Errorf("root: %v", err)
	}
	keys := strings.Fields("all 01 8006 8013 8010 410 411 412 413 414 415 416 417 8017 8018 255 00 253 401 402 8003 8004")
	for _, key := range description["supportedPrimaryKeys"].([]any) {
		if !slices.Contains(keys, key.(string)) {
			t.Errorf("key %s", key)
		}
	}
	for _, kind := range description["supportedLinkType"].([]any) {
		k := kind.(map[string]any)
		if u, err := url.Parse(k["namespace"].(string)); err != nil || u.Host == "" || !regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*:$`).MatchString(k["prefix"].(string)) {
			t.Errorf("link types %v", k)
		}
	}
	for name, want := range map[string]bool{"supportsLanguageVariants": true, "validatesAIcombinations": true, "supportsSemanticInterpretation": false, "linkTypeDefaultCanBeLinkset": false} {
		if description[name] != want {
			t.Errorf("%s is %v", name, description[name])
		}
	}
}

func checkAnchor(t *testing.T, entry map[string]any) {
	t.Helper()
	anchor, _ := entry["anchor"].(string)
	if l, err := label.ParseLink(anchor, label.LinkOptions{}); err != nil || l.String() != anchor {
		t.Errorf("anchor %q: %v", anchor, err)
	}
	if name, _ := entry["itemDescription"].(string); name == "" {
		t.Errorf("%s: no description", anchor)
	}
}

func checkLinks(t *testing.T, kind string, links []any) {
	t.Helper()
	name, ok := strings.CutPrefix(kind, "https://gs1.org/voc/")
	if !ok || !slices.Contains(resolver.Types(), name) || len(links) == 0 {
		t.Errorf("%s: %d links", kind, len(links))
	}
	for _, link := range links {
		l := link.(map[string]any)
		for member, value := range l {
			fits := false
			switch member {
			case "href":
				u, err := url.Parse(value.(string))
				fits = err == nil && u.Scheme == "https" && u.Host != ""
			case "title":
				fits = value.(string) != ""
			case "type":
				_, params, err := mime.ParseMediaType(value.(string))
				fits = err == nil && len(params) == 0
			case "hreflang":
				fits = !slices.ContainsFunc(value.([]any), func(v any) bool { return !regexp.MustCompile(`^\w{2}(-\w{2})?$`).MatchString(v.(string)) })
			case "context":
				fits = len(value.([]any)) > 0
			}
			if !fits {
				t.Errorf("%s: %s is %v", kind, member, value)
			}
		}
		if l["href"] == nil || l["title"] == nil {
			t.Errorf("%s: no href or no title: %v", kind, l)
		}
	}
}

// checkDefaults: one default at most, with target and title alone; and every default
// under a type that tells what it is.
func checkDefaults(t *testing.T, entry map[string]any) {
	t.Helper()
	only, _ := entry["https://gs1.org/voc/defaultLink"].([]any)
	if len(only) > 1 || len(only) == 1 && len(only[0].(map[string]any)) != 2 {
		t.Errorf("%s: default links %v", entry["anchor"], only)
	}
	several, _ := entry["https://gs1.org/voc/defaultLinkMulti"].([]any)
	for _, link := range slices.Concat(only, several) {
		href := link.(map[string]any)["href"]
		told := false
		for kind, list := range entry {
			if l, ok := list.([]any); ok && !strings.Contains(kind, "defaultLink") {
				told = told || slices.ContainsFunc(l, func(o any) bool { return o.(map[string]any)["href"] == href })
			}
		}
		if !told {
			t.Errorf("%s: %s is a default and nothing else", entry["anchor"], href)
		}
	}
}
