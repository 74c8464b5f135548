package consumer

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"tianhai/farm"
	"tianhai/trace"
	"tianhai/trace/label"
	"tianhai/trace/scan"
	"tianhai/trace/unit"
)

// Units knows the codes of single packets; *unit.Service does, but for Batch. What
// there is not is farm.ErrNotFound.
type Units interface {
	Lookup(ctx context.Context, code string) (unit.Unit, error)
	Activation(ctx context.Context, u unit.Unit, device string) (a unit.Activation, mine bool, err error)
	Reveal(ctx context.Context, r unit.Reveal) (unit.Activation, unit.Outcome, error)
	Prove(ctx context.Context, code string) (unit.Proof, error)
	Batch(ctx context.Context, id string) (trace.Batch, error)
}

const (
	// phoneCookie lets a phone be known again that has activated a packet.
	phoneCookie = "th_phone"
	maxForm     = 4 << 10 // bytes
)

// A packet is what is known of the one whose code was scanned.
type packet struct {
	unit    unit.Unit
	code    string
	stands  *unit.Activation
	outcome unit.Outcome // of what was just typed; "" where nothing was
	mine    bool
	err     error // of what was just typed
	failed  bool  // what became of it cannot be read
}

// shownPacket is a packet in words.
type shownPacket struct {
	base
	Code, Grouped string
	Number        string
	Says          []string
	Class         string // good, bad or ""
	Ask           bool
	Wrong         string // what was typed
}

// scanUnit finds the record behind the code of a single packet. It answers the request
// itself where the packet is of no batch that can be shown.
func (s *server) scanUnit(w http.ResponseWriter, r *http.Request, code string) (trace.Record, *unit.Unit, bool) {
	u, err := s.Units.Lookup(r.Context(), code)
	if errors.Is(err, farm.ErrNotFound) {
		s.saw(r, scan.Subject{Code: code, State: scan.Unknown})
		s.refuse(w, r, code, nil)
		return trace.Record{}, nil, false
	}
	var b trace.Batch
	if err == nil && u.State == unit.Bound {
		b, err = s.Units.Batch(r.Context(), u.Batch)
	}
	var rec trace.Record
	if err == nil && b.Code != "" {
		rec, err = s.Records.RecordByCode(r.Context(), b.Code)
	}
	switch {
	case err != nil:
		s.Logger.ErrorContext(r.Context(), "cannot read what a code stands for", "code", code, "error", err)
		s.unavailable(w, r, code)
		return trace.Record{}, nil, false
	case b.Code == "":
		s.saw(r, scan.Subject{Code: code, State: stateOf(u, b), Unit: true, Tenant: u.Roll.Tenant, Batch: u.Batch})
		s.refuseUnit(w, r, code, u)
		return trace.Record{}, nil, false
	}
	return rec, &u, true
}

// stateOf says what it means that somebody looks at the code of a packet that is of no
// closed batch. Who packs looks at codes too, while they are bound.
func stateOf(u unit.Unit, b trace.Batch) scan.State {
	switch u.State {
	case unit.Voided, unit.Destroyed:
		return scan.Void
	case unit.Issued:
		return scan.Unprinted
	case unit.Bound:
		if b.Harvest.After(time.Now()) {
			return scan.Unharvested
		}
	case unit.Printed:
		return scan.Unbound
	}
	return scan.Good
}

// refuseUnit says what a code is that is on no packet that can be shown.
func (s *server) refuseUnit(w http.ResponseWriter, r *http.Request, code string, u unit.Unit) {
	key, status := "consumer.unit."+string(u.State), http.StatusNotFound
	switch u.State {
	case unit.Printed:
		status = http.StatusOK
	case unit.Bound:
		key, status = "consumer.unit.open", http.StatusOK
	case unit.Voided, unit.Destroyed:
		key, status = "consumer.unit.void", http.StatusGone
	case unit.Issued:
	}
	w.Header().Set("Unit-State", string(u.State))
	if r.PathValue("part") != "" || wantsJSON(r) {
		http.Error(w, "the code stands for no batch: "+string(u.State), max(status, http.StatusNotFound))
		return
	}
	b := s.base(w, r, key+".title")
	s.html(w, r, answer{
		template: "code.html", status: status, cache: "no-store",
		data: codePage{base: b, Heading: b.T(key + ".title"), Says: []string{b.T(key + ".text"), label.Group(code)}},
	})
}

// packet returns what is known of a packet, nil for none.
func (s *server) packet(r *http.Request, u *unit.Unit) *packet {
	if u == nil {
		return nil
	}
	p := &packet{unit: *u, code: r.PathValue("code")}
	if !u.Roll.Covered {
		return p
	}
	token := ""
	if c, err := r.Cookie(phoneCookie); err == nil {
		token = c.Value
	}
	a, mine, err := s.Units.Activation(r.Context(), *u, token)
	switch {
	case err == nil:
		p.stands, p.mine = &a, mine
	case !errors.Is(err, farm.ErrNotFound):
		s.Logger.ErrorContext(r.Context(), "cannot read an activation", "code", p.code, "error", err)
		p.failed = true
	}
	return p
}

// reveal takes a covered code and shows the page with what came of it. That is not
// told by the address, so that no address can claim it.
func (s *server) reveal(w http.ResponseWriter, r *http.Request) {
	if err := http.NewCrossOriginProtection().Check(r); err != nil {
		http.Error(w, "sent by another site", http.StatusForbidden)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		http.Error(w, "this is no form", http.StatusBadRequest)
		return
	}
	rec, u, ok := s.scan(w, r)
	if !ok {
		return
	}
	if u == nil {
		http.Redirect(w, r, "/t/"+rec.Code, http.StatusSeeOther)
		return
	}
	token := s.phone(w, r)
	a, outcome, err := s.Units.Reveal(r.Context(), unit.Reveal{Code: r.PathValue("code"), Cover: r.PostForm.Get("cover"), Device: token, Source: s.Doors.Visitor(r).Address})
	p := s.packet(r, u)
	p.err = err
	if err == nil {
		p.stands, p.outcome = &a, outcome
	}
	var typed *label.CodeError
	var locked *unit.LockedError
	if err != nil && !errors.As(err, &typed) && !errors.As(err, &locked) && !errors.Is(err, unit.ErrCover) && !errors.Is(err, unit.ErrUncovered) {
		s.Logger.ErrorContext(r.Context(), "cannot activate a packet", "code", p.code, "error", err)
		s.unavailable(w, r, p.code)
		return
	}
	if a, ok := s.lay(w, r, rec, p); ok {
		s.document(w, r, a)
	}
}

// revealed leads from where a covered code was sent to, which links of that page lead
// back to, to the page.
func (s *server) revealed(w http.ResponseWriter, r *http.Request) {
	target := url.URL{Path: "/t/" + r.PathValue("code"), RawQuery: r.URL.RawQuery}
	http.Redirect(w, r, target.String(), http.StatusSeeOther)
}

// phone returns by what this phone is known again, and gives it that.
func (s *server) phone(w http.ResponseWriter, r *http.Request) string {
	if c, err := r.Cookie(phoneCookie); err == nil && len(c.Value) == base64.RawURLEncoding.EncodedLen(16) {
		return c.Value
	}
	var raw [16]byte
	_, _ = rand.Read(raw[:]) // never fails
	c := &http.Cookie{
		Name: phoneCookie, Value: base64.RawURLEncoding.EncodeToString(raw[:]), Path: "/t/", MaxAge: int(unit.SamePhone.Seconds()),
		HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: strings.HasPrefix(s.PublicURL, "https://"),
	}
	http.SetCookie(w, c)
	return c.Value
}

// say puts a packet into words; nil for none.
func (p *packet) say(b base) *shownPacket {
	if p == nil {
		return nil
	}
	out := &shownPacket{base: b, Code: p.code, Grouped: label.Group(p.code), Number: strconv.Itoa(p.unit.Number)}
	if !p.unit.Roll.Covered {
		return out
	}
	out.Ask = p.stands == nil
	if p.err != nil {
		out.wrong(p.err)
	}
	switch {
	case p.failed:
		out.Ask, out.Says = false, append(out.Says, b.T("consumer.unavailable.text", "code", out.Grouped))
	case p.stands != nil:
		out.activated(*p.stands, p.outcome, p.mine)
	}
	return out
}

// wrong says what is wrong with what was typed.
func (p *shownPacket) wrong(err error) {
	p.Class = "bad"
	if typed := (*label.CodeError)(nil); errors.As(err, &typed) {
		p.Wrong = p.T("consumer.unit.mistyped")
	} else if locked := (*unit.LockedError)(nil); errors.As(err, &locked) {
		p.Wrong, p.Ask = p.T("consumer.unit.locked", "time", at(locked.Until).Text), false
	} else {
		p.Wrong = p.T("consumer.unit.wrong")
	}
}

// activated says what is known of the first activation, to who has just typed the
// covered code and to everybody else.
func (p *shownPacket) activated(a unit.Activation, outcome unit.Outcome, mine bool) {
	when := at(a.At).Text
	if a.Town != "" {
		when += " · " + a.Town
	}
	switch {
	case outcome == unit.First:
		p.Class, p.Says = "good", append(p.Says, p.T("consumer.unit.first", "time", when))
	case outcome == unit.Same || outcome == "" && mine:
		p.Class, p.Says = "good", append(p.Says, p.T("consumer.unit.same", "time", when))
	default:
		p.Class, p.Says = "bad", append(p.Says, p.T("consumer.unit.already", "time", when))
	}
	if a.Again > 0 {
		p.Says = append(p.Says, p.T("consumer.unit.again", "n", strconv.Itoa(a.Again)))
	}
}

// proof answers what shows that the code of a packet is one of its roll.
func (s *server) proof(w http.ResponseWriter, r *http.Request) {
	code, err := label.ParseCode(r.PathValue("code"))
	if err != nil || s.Units == nil {
		http.NotFound(w, r)
		return
	}
	proof, err := s.Units.Prove(r.Context(), code)
	if errors.Is(err, farm.ErrNotFound) {
		http.NotFound(w, r)
		return
	}
	var body []byte
	if err == nil {
		body, err = json.Marshal(proof)
	}
	if err != nil {
		s.Logger.ErrorContext(r.Context(), "cannot prove a code", "code", code, "error", err)
		http.Error(w, "cannot be made", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Access-Control-Allow-Origin", "*")
	s.write(w, r, answer{status: http.StatusOK, cache: "no-cache", contentType: "application/json; charset=utf-8", body: body, download: code + "-proof.json"})
}
