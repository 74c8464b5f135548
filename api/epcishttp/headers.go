package epcishttp

import (
	"cmp"
	"encoding/json"
	"mime"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"tianhai/trace/epcis"
)

// The versions that are spoken, and no others.
const version = "2.0"

// versions says what is spoken.
func versions(h http.Header) {
	for _, name := range []string{"GS1-EPCIS-Version", "GS1-EPCIS-Min", "GS1-EPCIS-Max", "GS1-CBV-Version", "GS1-CBV-Min", "GS1-CBV-Max"} {
		h.Set(name, version)
	}
	h.Set("GS1-EPC-Format", string(epcis.AsCaptured))
	h.Set("GS1-CBV-XML-Format", "No_Preference")
}

// asks is what the headers of a request ask for, section 12.3.
type asks struct {
	media   string       // of the answer
	names   epcis.Names  // prefixes, of GS1-Extensions
	format  epcis.Format // of EPCs, whatever they were
	proceed bool
}

var (
	versionForm = regexp.MustCompile(`^[0-9]+(\.[0-9]+)*$`)
	cbvFormats  = []string{"", "No_Preference", "Always_Web_URI", "Always_URN", "Never_Translates"}
)

// epcFormats are the values of GS1-EPC-Format, with nothing said first.
func epcFormats() []string {
	words := []string{""}
	for _, f := range epcis.Formats() {
		words = append(words, string(f))
	}
	return words
}

func readHeaders(h http.Header) (asks, error) {
	a := asks{names: epcis.NamesOf()}
	for _, what := range []string{"EPCIS", "CBV"} {
		if err := checkVersions(h, "GS1-"+what+"-"); err != nil {
			return a, err
		}
	}
	for name, words := range map[string][]string{
		"GS1-EPC-Format": epcFormats(), "GS1-CBV-XML-Format": cbvFormats, "GS1-Capture-Error-Behaviour": {"", "rollback", "proceed"},
	} {
		if !slices.Contains(words, h.Get(name)) {
			return a, refuse("Validation", "%s: %.80q is none of %s", name, h.Get(name), strings.Join(words[1:], ", "))
		}
	}
	a.format = cmp.Or(epcis.Format(h.Get("GS1-EPC-Format")), epcis.DigitalLinks)
	a.proceed = h.Get("GS1-Capture-Error-Behaviour") == "proceed"
	if err := a.extensions(h.Values("GS1-Extensions")); err != nil {
		return a, err
	}
	var ok bool
	if a.media, ok = accepted(strings.Join(h.Values("Accept"), ",")); !ok {
		return a, refuse("NotAcceptable", "Accept: want application/json or application/ld+json")
	}
	return a, nil
}

// checkVersions refuses who speaks no version that is spoken here. 2.0.1 is 2.0.
func checkVersions(h http.Header, prefix string) error {
	for _, name := range []string{"Version", "Min", "Max"} {
		v := h.Get(prefix + name)
		if v == "" {
			continue
		}
		if !versionForm.MatchString(v) {
			return refuse("Validation", "%s%s: %.80q is not a version, such as 2.0", prefix, name, v)
		}
		c := compareVersions(v)
		if name == "Version" && c != 0 || name == "Min" && c > 0 || name == "Max" && c < 0 {
			return refuse("NotAcceptable", "%s%s: %s is asked for; %s is spoken", prefix, name, v, version)
		}
	}
	return nil
}

// compareVersions compares with 2.0 by the first two numbers.
func compareVersions(v string) int {
	parts := append(strings.Split(v, "."), "0")
	n := [2]int{}
	for i := range n {
		n[i], _ = strconv.Atoi(parts[i]) // too large a number is not 2 either
	}
	return slices.Compare(n[:], []int{2, 0})
}

// extensions reads prefix=uri,… or the same as a JSON object.
func (a *asks) extensions(values []string) error {
	for _, value := range values {
		pairs := map[string]string{}
		if strings.HasPrefix(strings.TrimSpace(value), "{") {
			if err := json.Unmarshal([]byte(value), &pairs); err != nil {
				return refuse("Validation", "GS1-Extensions: is no JSON object of prefixes")
			}
		} else {
			for pair := range strings.SplitSeq(value, ",") {
				prefix, uri, _ := strings.Cut(strings.TrimSpace(pair), "=")
				pairs[prefix] = strings.Trim(uri, `"`)
			}
		}
		for prefix, uri := range pairs {
			if prefix == "" || !epcis.URI(uri) {
				return refuse("Validation", "GS1-Extensions: want prefix=URI, such as ex=https://ns.example.com/")
			}
			a.names[prefix] = uri
		}
	}
	return nil
}

// accepted returns the media type to answer with; false where none is accepted.
func accepted(accept string) (string, bool) {
	if strings.TrimSpace(accept) == "" {
		return "application/json", true
	}
	best, of := 0.0, ""
	for entry := range strings.SplitSeq(accept, ",") {
		t, params, err := mime.ParseMediaType(entry)
		if err != nil {
			continue
		}
		q := 1.0
		if v, has := params["q"]; has {
			if q, err = strconv.ParseFloat(v, 64); err != nil {
				continue
			}
		}
		media := map[string]string{
			"*/*": "application/json", "application/*": "application/json", "application/json": "application/json", "application/ld+json": "application/ld+json",
		}[t]
		if media != "" && q > best {
			best, of = q, media
		}
	}
	return of, of != ""
}

// isJSON refuses a body that is said to be something else.
func isJSON(h http.Header) error {
	t, params, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil || t != "application/json" && t != "application/ld+json" {
		return refuse("UnsupportedMediaType", "Content-Type: %.80q; want application/json or application/ld+json", h.Get("Content-Type"))
	}
	if c := strings.ToLower(params["charset"]); c != "" && c != "utf-8" {
		return refuse("UnsupportedMediaType", "Content-Type: JSON is UTF-8, not %.40q", c)
	}
	return nil
}
