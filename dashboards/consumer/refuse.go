package consumer

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"tianhai/trace/label"
)

// codePage is shown where there is no batch to show.
type codePage struct {
	base
	Heading string
	Says    []string
	Guesses []codeGuess
	Typed   string
	Ask     bool // show the form
}

// codeGuess is a code that was perhaps meant.
type codeGuess struct{ Says, Code, Grouped string }

// form is the page for typing a code in by hand.
func (s *server) form(w http.ResponseWriter, r *http.Request) {
	if typed := strings.TrimSpace(r.URL.Query().Get("code")); typed != "" && !strings.Contains(typed, "/") {
		target := url.URL{Path: "/t/" + typed}
		if lang := r.URL.Query().Get("lang"); lang != "" {
			target.RawQuery = url.Values{"lang": {lang}}.Encode()
		}
		http.Redirect(w, r, target.String(), http.StatusSeeOther)
		return
	}
	b := s.base(w, r, "consumer.form.title")
	s.html(w, r, answer{
		template: "code.html", status: http.StatusOK, cache: "no-cache",
		data: codePage{base: b, Heading: b.T("consumer.form.title"), Says: []string{b.T("consumer.form.text")}, Ask: true},
	})
}

// refuse says what is wrong with a code, err being label's, or that no batch has
// it, err being nil.
func (s *server) refuse(w http.ResponseWriter, r *http.Request, typed string, err error) {
	if r.PathValue("part") != "" || wantsJSON(r) {
		http.Error(w, "no such code", http.StatusNotFound)
		return
	}
	b := s.base(w, r, "consumer.unknown.title")
	p := codePage{base: b, Heading: b.T("consumer.unknown.title"), Typed: cut(typed, 40), Ask: true}
	var fault *label.CodeError
	switch {
	case !errors.As(err, &fault):
		p.Says = []string{b.T("consumer.unknown.text", "code", label.Group(typed)), b.T("consumer.unknown.fake")}
	case fault.Position > 0:
		p.Heading = b.T("consumer.mistyped.title")
		p.Says = []string{b.T("consumer.mistyped.char", "position", strconv.Itoa(fault.Position), "char", string(fault.Char)), b.T("consumer.mistyped.alphabet")}
	case fault.Mistyped:
		p.Heading = b.T("consumer.mistyped.title")
		p.Says = []string{b.T("consumer.mistyped.check")}
		for _, g := range fault.Guesses {
			says := b.T("consumer.mistyped.guess", "position", strconv.Itoa(g.Position), "read", string(g.Read), "meant", string(g.Meant))
			p.Guesses = append(p.Guesses, codeGuess{says, g.Code, label.Group(g.Code)})
		}
	default:
		p.Heading = b.T("consumer.mistyped.title")
		p.Says = []string{b.T("consumer.mistyped.length", "length", strconv.Itoa(label.CodeLength), "found", strconv.Itoa(fault.Length))}
	}
	s.html(w, r, answer{template: "code.html", status: http.StatusNotFound, cache: "no-store", data: p})
}

// unavailable says that the trouble is ours.
func (s *server) unavailable(w http.ResponseWriter, r *http.Request, code string) {
	w.Header().Set("Retry-After", "10")
	if r.PathValue("part") != "" || wantsJSON(r) {
		http.Error(w, "out of order, try again", http.StatusServiceUnavailable)
		return
	}
	b := s.base(w, r, "consumer.unavailable.title")
	s.html(w, r, answer{
		template: "code.html", status: http.StatusServiceUnavailable, cache: "no-store",
		data: codePage{base: b, Heading: b.T("consumer.unavailable.title"), Says: []string{b.T("consumer.unavailable.text", "code", label.Group(code))}},
	})
}

// cut shortens what a stranger typed.
func cut(s string, runes int) string {
	r := []rune(strings.ToValidUTF8(s, "\uFFFD"))
	if len(r) > runes {
		return string(r[:runes]) + "…"
	}
	return string(r)
}
