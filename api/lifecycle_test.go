package api_test

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"testing"
	"time"

	"tianhai/farm"
	"tianhai/ingest/device"
	"tianhai/trace/label"
)

// claimCode is a code whose check character fits.
const claimCode = "0000000000000"

func (w *world) change(what string) error {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return err
	}
	w.wrote++
	w.changes = append(w.changes, what)
	return nil
}

func (w *world) SetState(_ context.Context, o device.Order, to device.State) error {
	if w.retired {
		return fmt.Errorf("set state: %w", farm.ErrConflict)
	}
	return w.change(fmt.Sprintf("%s %s by %s: %s", o.Device, to, o.Account, o.Reason))
}

func (w *world) Rotate(_ context.Context, o device.Order, grace time.Duration) (string, error) {
	return "the-new-secret", w.change(fmt.Sprintf("%s rotated by %s, grace %v: %s", o.Device, o.Account, grace, o.Reason))
}

func (w *world) Revoke(_ context.Context, o device.Order) error {
	return w.change(fmt.Sprintf("%s revoked by %s", o.Device, o.Account))
}

func (w *world) Events(_ context.Context, id string) ([]device.Event, error) {
	defer w.mu.Unlock()
	if id == "pond-y" {
		return nil, w.enter()
	}
	return []device.Event{{Device: "do-1", At: noon, Kind: "suspended", Account: "manager", Reason: "进水"}}, w.enter()
}

func (w *world) Issue(_ context.Context, account string, m device.Model, n int) ([]device.Label, error) {
	return []device.Label{{ID: "pond-x", Model: m.ID, Secret: "s", Code: claimCode}}, w.change(fmt.Sprintf("%d %s by %s", n, m.ID, account))
}

func (w *world) Claim(_ context.Context, c device.Claim, code string) error {
	if code != claimCode {
		return fmt.Errorf("claim: %w", device.ErrClaim)
	}
	return w.change(fmt.Sprintf("%s claimed by %s at %s of %s", c.Device, c.Account, c.Site.ID, c.Site.Tenant))
}

func (w *world) Offer(_ context.Context, id string) (device.Offer, error) {
	if id != "pond-x" {
		return device.Offer{}, farm.ErrNotFound
	}
	defer w.mu.Unlock()
	return device.Offer{Device: id, Model: "pond", Name: cmp.Or(w.models[0].Name, farm.Text{Zh: "塘"}), Left: 7}, w.enter()
}

func (w *world) Reissue(_ context.Context, o device.Order) (string, error) {
	if o.Device != "pond-x" {
		return "", fmt.Errorf("reissue: %w", farm.ErrConflict)
	}
	return "1111111111111", w.change(fmt.Sprintf("%s has another code by %s: %s", o.Device, o.Account, o.Reason))
}

func TestReissue(t *testing.T) {
	w := newWorld()
	base, _ := serve(t, w)
	c := client{t, base, "admin"}
	want(t, "code", `{"claim_code":"1111111111111","device":"pond-x"}`, c.do("POST", "/devices/pond-x/claim-code", `{"reason":"标签丢失"}`).body)
	want(t, "changes", []string{"pond-x has another code by admin: 标签丢失"}, w.changes)
	want(t, "of a device that somebody owns", "conflict", c.do("POST", "/devices/do-1/claim-code", `{}`).problem(t).Code)
	want(t, "endless reason", "reason", c.do("POST", "/devices/pond-x/claim-code", `{"reason":"`+strings.Repeat("x", 501)+`"}`).problem(t).Field)
	want(t, "events of one that nobody owns", 200, c.do("GET", "/devices/pond-x/events", "").status)
	want(t, "events of nothing", 404, c.do("GET", "/devices/pond-y/events", "").status)
	want(t, "to others it is nothing", 404, client{t, base, "manager"}.do("GET", "/devices/pond-x/events", "").status)
}

func TestLifeCycle(t *testing.T) {
	w := newWorld()
	base, _ := serve(t, w)
	c := client{t, base, "manager"}
	want(t, "suspended", 204, c.do("POST", "/devices/do-1/state", `{"state":"suspended","reason":"进水"}`).status)
	want(t, "rotated", `{"device":"do-1","secret":"the-new-secret"}`, c.do("POST", "/devices/do-1/secret", `{"grace":3600,"reason":"丢失"}`).body)
	want(t, "revoked", 204, c.do("DELETE", "/devices/do-1/secret", "").status)
	want(t, "changes", []string{
		"do-1 suspended by manager: 进水", "do-1 rotated by manager, grace 1h0m0s: 丢失", "do-1 revoked by manager",
	}, w.changes)
	want(t, "events", `{"events":[{"device":"do-1","at":"2026-07-01T04:00:00Z","kind":"suspended","account":"manager","reason":"进水"}]}`, c.do("GET", "/devices/do-1/events", "").body)

	for body, field := range map[string]string{`{"state":"claimed"}`: "state", `{}`: "state", `{"state":"active","reason":"` + strings.Repeat("x", 501) + `"}`: "reason"} {
		want(t, body, field, c.do("POST", "/devices/do-1/state", body).problem(t).Field)
	}
	for _, grace := range []string{"-1", "2592001", "9223372036854775807"} {
		want(t, grace, "grace", c.do("POST", "/devices/do-1/secret", `{"grace":`+grace+`}`).problem(t).Field)
	}
	w.retired = true
	want(t, "back from retirement", "conflict", c.do("POST", "/devices/do-1/state", `{"state":"active"}`).problem(t).Code)
}

func TestClaim(t *testing.T) {
	w := newWorld()
	base, _ := serve(t, w)
	c := client{t, base, "farmer"}
	claim := func(code, site string) answer {
		return c.do("POST", "/devices/pond-x/claim", fmt.Sprintf(`{"code":%q,"site":%q}`, code, site))
	}
	want(t, "claimed", `{"device":"pond-x","site":"raft-1"}`, claim("oooo-0000 00000", "raft-1").body)
	want(t, "mistyped", "code", claim("0000000000001", "raft-1").problem(t).Field)
	want(t, "short", "code", claim("0000", "raft-1").problem(t).Field)
	want(t, "another's site", 404, claim(claimCode, "garden-1").status)
	want(t, "no site", "site", claim(claimCode, "").problem(t).Field)
	want(t, "changes", []string{"pond-x claimed by farmer at raft-1 of oyster"}, w.changes)
	// A code of another device, which fits in itself.
	other, err := label.NewCode(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	want(t, "wrong", "claim_refused", claim(other, "raft-1").problem(t).Code)

	admin := client{t, base, "admin"}
	want(t, "issued", `{"devices":[{"id":"pond-x","model":"pond","secret":"s","claim_code":"0000000000000"}]}`, admin.do("POST", "/devices", `{"model":"pond","count":3}`).body)
	want(t, "unknown model", 404, admin.do("POST", "/devices", `{"model":"x","count":3}`).status)
	for _, n := range []string{"0", "-1", "1001"} {
		want(t, n, "count", admin.do("POST", "/devices", `{"model":"pond","count":`+n+`}`).problem(t).Field)
	}
}

// Who holds a new device sees what it is and how many guesses are left.
func TestOffer(t *testing.T) {
	base, _ := serve(t, newWorld())
	c := client{t, base, "farmer"}
	want(t, "a new one", `{"device":"pond-x","left":7,"model":{"id":"pond","name":{"zh":""}}}`, c.do("GET", "/devices/pond-x/claim", "").body)
	want(t, "one with an owner", "not_found", c.do("GET", "/devices/do-1/claim", "").problem(t).Code)
}

func TestCancelCommand(t *testing.T) {
	w := newWorld()
	base, _ := serve(t, w)
	c := client{t, base, "farmer"}
	want(t, "queued", 204, c.do("DELETE", "/devices/do-1/commands/c1", "").status)
	want(t, "changes", []string{"c1 of do-1 cancelled by farmer"}, w.changes)
	w.mu.Lock()
	off := w.devices["shelf"]
	off.State = device.Suspended
	w.devices["shelf"] = off
	w.mu.Unlock()
	want(t, "to one that may not connect", "conflict", c.do("POST", "/devices/shelf/commands", `{"name":"aerator","value":"on"}`).problem(t).Code)
	want(t, "sent already", "conflict", c.do("DELETE", "/devices/do-1/commands/c2", "").problem(t).Code)
}
