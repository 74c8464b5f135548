package consumer_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"tianhai/farm"
	"tianhai/trace"
	"tianhai/trace/label"
	"tianhai/trace/unit"
)

// A bought packet, and what came of showing its covered code.
type bought struct {
	code   string
	unit   unit.Unit
	batch  trace.Batch
	stands *unit.Activation
	answer unit.Outcome
	err    error
	shown  []unit.Reveal
}

// units knows one packet.
type units struct{ *shelf }

func (u units) Lookup(_ context.Context, code string) (unit.Unit, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.err != nil {
		return unit.Unit{}, u.err
	}
	if u.bought == nil || u.bought.code != code {
		return unit.Unit{}, farm.ErrNotFound
	}
	return u.bought.unit, nil
}

func (u units) Activation(_ context.Context, _ unit.Unit, device string) (unit.Activation, bool, error) {
	if u.bought.stands == nil {
		return unit.Activation{}, false, farm.ErrNotFound
	}
	return *u.bought.stands, u.bought.stands.Device == device, nil
}

func (u units) Reveal(_ context.Context, r unit.Reveal) (unit.Activation, unit.Outcome, error) {
	u.bought.shown = append(u.bought.shown, r)
	if u.bought.err != nil {
		return unit.Activation{}, "", u.bought.err
	}
	a := unit.Activation{At: noon, Device: r.Device}
	if u.bought.stands == nil {
		u.bought.stands = &a
	}
	return *u.bought.stands, u.bought.answer, nil
}

func (u units) Prove(_ context.Context, code string) (unit.Proof, error) {
	if _, err := u.Lookup(context.Background(), code); err != nil {
		return unit.Proof{}, err
	}
	return unit.Proof{Version: 1, Code: code, Number: 7}, nil
}

func (u units) Batch(context.Context, string) (trace.Batch, error) { return u.bought.batch, nil }

// sold seals a batch and has a packet of it bought.
func (s *shop) sold(t *testing.T) (batch, packet string) {
	t.Helper()
	batch, packet = newCode(t), newCode(t)
	s.seal(t, record(t, oysters(batch)))
	s.bought = &bought{code: packet, batch: trace.Batch{ID: "b", Code: batch}, answer: unit.First}
	s.bought.unit = unit.Unit{Roll: unit.Roll{ID: "r", Codes: 100, Covered: true}, Number: 7, State: unit.Bound, Batch: "b"}
	return batch, packet
}

// show sends a covered code.
func (s *shop) show(t *testing.T, packet, cover string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/t/"+packet+"/activate?lang=en", strings.NewReader(url.Values{"cover": {cover}}.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	return w
}

// The code of a packet shows its batch, and the packet; nobody keeps that page.
func TestPacket(t *testing.T) {
	s := newShop(t, "")
	batch, packet := s.sold(t)
	w := s.get(t, "/t/"+packet+"?lang=en")
	sound(t, w)
	says(t, w.Body.String(), "Qinzhou oysters", "This packet", label.Group(packet), "No. 7", "/t/"+packet+"/activate", `href="/t/`+packet+`/proof"`)
	if got := w.Header().Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control %q", got)
	}
	saysNot(t, s.get(t, "/t/"+batch+"?lang=en").Body.String(), "This packet")
	if w := s.get(t, "/t/"+packet+"/proof"); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"number":7`) {
		t.Errorf("proof: %d %s", w.Code, w.Body)
	}
	if w := s.get(t, "/t/"+batch+"/proof"); w.Code != http.StatusNotFound {
		t.Errorf("proof of a batch's code: %d", w.Code)
	}
	s.bought.unit.Roll.Covered = false
	saysNot(t, s.get(t, "/t/"+packet+"?lang=en").Body.String(), "/activate", "Bought it")
	if w := s.get(t, "/t/"+packet+"/receipt"); w.Code != http.StatusOK {
		t.Errorf("receipt of the packet's batch: %d", w.Code)
	}
}

// A code that is on no packet says so, each state in its own words.
func TestPacketOfNoBatch(t *testing.T) {
	s := newShop(t, "")
	_, packet := s.sold(t)
	for state, want := range map[unit.State]struct {
		status int
		says   string
	}{
		unit.Issued:    {http.StatusNotFound, "never printed"},
		unit.Printed:   {http.StatusOK, "on no product yet"},
		unit.Voided:    {http.StatusGone, "This code is void"},
		unit.Destroyed: {http.StatusGone, "This code is void"},
	} {
		s.bought.unit.State = state
		w := s.get(t, "/t/"+packet+"?lang=en")
		sound(t, w)
		says(t, w.Body.String(), want.says, label.Group(packet))
		saysNot(t, w.Body.String(), "Qinzhou oysters")
		if w.Code != want.status || w.Header().Get("Unit-State") != string(state) {
			t.Errorf("%s: %d, %v", state, w.Code, w.Header())
		}
		if w := s.get(t, "/t/"+packet+"/record"); w.Code < http.StatusNotFound {
			t.Errorf("record of a code that is %s: %d", state, w.Code)
		}
	}
	s.bought.unit.State, s.bought.batch.Code = unit.Bound, ""
	says(t, s.get(t, "/t/"+packet+"?lang=en").Body.String(), "not finished yet")
}

// What comes of a covered code is said once to who typed it, and stays to be seen.
func TestCoveredCode(t *testing.T) {
	s := newShop(t, "")
	_, packet := s.sold(t)
	for name, tt := range map[string]struct {
		err  error
		want string
	}{
		"wrong":    {unit.ErrCover, "not the code of this packet"},
		"mistyped": {&label.CodeError{Mistyped: true}, "Mistyped"},
		"locked":   {&unit.LockedError{Until: noon.Add(time.Hour)}, "Try again after 2026-11-20 13:00"},
	} {
		s.bought.err = tt.err
		w := s.show(t, packet, "ABCD-EFGH")
		sound(t, w)
		if !strings.Contains(w.Body.String(), tt.want) || strings.Contains(w.Body.String(), "You are the first") {
			t.Errorf("%s: %s is not said", name, tt.want)
		}
	}
	s.bought.err = nil
	w := s.show(t, packet, "abcd efgh")
	sound(t, w)
	says(t, w.Body.String(), "You are the first: activated at 2026-11-20 12:00")
	cookie := w.Header().Get("Set-Cookie")
	for _, part := range []string{"th_phone=", "HttpOnly", "Secure", "SameSite=Lax", "Path=/t/"} {
		if !strings.Contains(cookie, part) {
			t.Errorf("the cookie %q lacks %s", cookie, part)
		}
	}
	if last := s.bought.shown[len(s.bought.shown)-1]; last.Code != packet || last.Cover != "abcd efgh" || last.Source != "192.0.2.1" || len(last.Device) < 20 {
		t.Errorf("shown %+v", last)
	}
	own, _, _ := strings.Cut(cookie, ";")
	says(t, s.get(t, "/t/"+packet+"?lang=en", "Cookie", own).Body.String(), "You activated it with this phone")
	s.bought.stands.Again = 2
	says(t, s.get(t, "/t/"+packet+"?lang=en").Body.String(), "It was activated at 2026-11-20 12:00", "Other phones entered the code 2 times")

	// Links of that page lead back to the packet.
	if w := s.get(t, "/t/"+packet+"/activate?lang=vi"); w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/t/"+packet+"?lang=vi" {
		t.Errorf("from there: %d %s", w.Code, w.Header().Get("Location"))
	}
	for origin, want := range map[string]int{"http://example.com": http.StatusOK, "https://evil.example": http.StatusForbidden} {
		if w := s.show(t, packet, "ABCDEFGH", "Origin", origin); w.Code != want {
			t.Errorf("an older browser sends it from %s: %d, want %d", origin, w.Code, want)
		}
	}
	if w := s.show(t, packet, "ABCDEFGH", "Sec-Fetch-Site", "cross-site"); w.Code != http.StatusForbidden {
		t.Errorf("from another site: %d", w.Code)
	}
	s.bought.err = errors.New("disk")
	if w := s.show(t, packet, "ABCDEFGH"); w.Code != http.StatusServiceUnavailable {
		t.Errorf("while it cannot be stored: %d", w.Code)
	}
}

// A proxy on this machine says for whom it speaks; anybody else may say what he likes.
func TestSourceOfGuesses(t *testing.T) {
	s := newShop(t, "")
	_, packet := s.sold(t)
	for remote, want := range map[string]string{
		"127.0.0.1:9":              "198.51.100.7",
		"[::1]:9":                  "198.51.100.7",
		"203.0.113.5:9":            "203.0.113.5",
		"[2001:db8:1:2:3:4:5:6]:9": "2001:db8:1:2::/64",
		"[::ffff:203.0.113.5]:9":   "203.0.113.5",
		"[fe80::1%eth0]:9":         "fe80::/64",
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/t/"+packet+"/activate", strings.NewReader("cover=ABCDEFGH"))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("X-Forwarded-For", "10.9.9.9, 198.51.100.7")
		r.RemoteAddr = remote
		s.handler.ServeHTTP(httptest.NewRecorder(), r)
		if got := s.bought.shown[len(s.bought.shown)-1].Source; got != want {
			t.Errorf("%s is counted as %s, want %s", remote, got, want)
		}
	}
}
