package api_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"tianhai/api"
	"tianhai/farm"
	"tianhai/trace"
	"tianhai/trace/gate"
)

const overrideID = "01JZ00000000000000000000V1"

func anOverride() trace.Override {
	return trace.Override{
		ID: overrideID, Tenant: "oyster", Site: "raft-1", Acts: []gate.ActKind{gate.Catch}, Reason: "急售", Account: "manager", Asked: noon,
		Refusals: []gate.Refusal{{Gate: gate.Interval, Operation: opID, Product: "drug-1", Date: "2026-06-28", Earliest: "2026-07-05"}},
	}
}

func (w *world) Override(_ context.Context, id string) (trace.Override, error) {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return trace.Override{}, err
	}
	if id != overrideID {
		return trace.Override{}, farm.ErrNotFound
	}
	return anOverride(), nil
}

func (w *world) ListOverrides(_ context.Context, q api.OverrideQuery) ([]trace.Override, error) {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return nil, err
	}
	o := anOverride()
	if !w.within(q.Scope, o.Tenant, "450512") {
		return nil, nil
	}
	return []trace.Override{o}, nil
}

func (w *world) AskOverride(_ context.Context, o trace.Override) (trace.Override, error) {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return trace.Override{}, err
	}
	w.wrote++
	return o, nil
}

func (w *world) DecideOverride(_ context.Context, _ string, d trace.Decision) (trace.Override, error) {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return trace.Override{}, err
	}
	w.wrote++
	w.decided = d
	o := anOverride()
	o.Decision = &d
	return o, nil
}

func (w *world) ListLateUses(_ context.Context, q api.OverrideQuery) ([]trace.FoundLate, error) {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return nil, err
	}
	if !w.within(q.Scope, "oyster", "450512") {
		return nil, nil
	}
	return []trace.FoundLate{{LateUse: trace.LateUse{Operation: opID, Batch: batchID, Tenant: "oyster", Site: "raft-1", Found: noon}, Lot: "lot-77"}}, nil
}

// TestDecision: the office that decided is the officer's, whatever a client says, and
// nobody's name goes out.
func TestDecision(t *testing.T) {
	w := newWorld()
	base, _ := serve(t, w)
	c := client{t, base, "bureau"}
	path := "/overrides/" + overrideID + "/decision"
	for body, field := range map[string]string{
		`{"reason":"x"}`: "granted",
		`{"granted":true,"reason":"x","region":"450000"}`:    "region",
		`{"granted":true,"reason":"x","account":"someone"}`:  "account",
		`{"granted":true,"reason":"x","until":"in a month"}`: "",
	} {
		if got := c.do(http.MethodPost, path, body); got.status != http.StatusBadRequest || !strings.Contains(got.body, field) {
			t.Errorf("%s: %d %s", body, got.status, got.body)
		}
	}
	got := c.do(http.MethodPost, path, `{"granted":true,"reason":" 台风前抢收 ","until":"2026-07-09T00:00:00Z"}`)
	if got.status != http.StatusOK || strings.Contains(got.body, `"bureau"`) {
		t.Errorf("%d %s", got.status, got.body)
	}
	want := trace.Decision{Granted: true, Reason: "台风前抢收", Region: "450500", Account: "bureau", Until: time.Date(2026, 7, 9, 0, 0, 0, 0, time.UTC)}
	if w.decided != want {
		t.Errorf("decided %+v, want %+v", w.decided, want)
	}
}
