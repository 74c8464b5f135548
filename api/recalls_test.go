package api_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"tianhai/farm"
	"tianhai/trace"
	"tianhai/trace/chain"
	"tianhai/trace/recall"
)

const (
	recallID   = "01JZ00000000000000000000R1"
	recallBody = `{"id":"01JZ00000000000000000000R2","start":{"kind":"batch","id":"` + batchID + `"},"reason":{"zh":"超标"},"hazard":{"zh":"不适"},"advice":{"zh":"勿食"},"contact":"12316"}`
	teaBatch   = "01JZ00000000000000000000T1"
)

// recalls is one recall of the oyster farm's batch, of which the tea farm has a part.
type recalls struct{ *world }

func recallStep(kg func(int64) chain.Amount) recall.Step {
	return recall.Step{
		Version: 1, ID: recallID, Recall: recallID, Number: "450512-2026-001", N: 1, Kind: recall.StepOpen, At: noon, By: recall.ByBureau, Tenant: "oyster", Region: "450512",
		Opening: &recall.Opening{
			Start: recall.Start{Kind: recall.FromBatch, ID: batchID}, Reason: farm.Text{Zh: "超标"}, Hazard: farm.Text{Zh: "不适"}, Advice: farm.Text{Zh: "勿食"}, Contact: "12316",
		},
		Causes: []recall.Cause{{Kind: recall.OnBatch, Subject: batchID, Reason: recall.ByStart}},
		Holdings: []recall.Holding{
			{Batch: batchID, Holder: "oyster", Product: "oysters", Lot: "lot-77", Made: kg(5), Held: kg(3), Why: []recall.Why{{Reason: recall.ByStart, Of: batchID}}},
		},
	}
}

func (r recalls) file() (recall.File, error) {
	kg := func(n int64) chain.Amount { return chain.Amount{N: n * 1e6, Unit: "kg"} }
	st := recallStep(kg)
	if r.shared {
		st.Holdings = append(st.Holdings, recall.Holding{Batch: teaBatch, Holder: "tea", Product: "oysters", Lot: "=cmd()", Made: kg(2), Held: kg(2)})
	}
	folded, err := recall.Fold([]recall.Step{st})
	return recall.File{
		Recall: folded, Log: []recall.Entry{{Step: st, Account: "bureau", Record: trace.Record{Index: -1}}},
		Notices: []recall.Notice{{Recall: recallID, Step: recallID, Holder: "oyster", Channel: "holder", Due: noon, Reason: recall.NoAddress}},
	}, err
}

func (r recalls) Preview(context.Context, recall.Actor, recall.Start) (recall.Plan, []recall.Holding, error) {
	defer r.mu.Unlock()
	if err := r.enter(); err != nil {
		return recall.Plan{}, nil, err
	}
	f, err := r.file()
	var all []recall.Holding
	for _, h := range f.Holdings {
		all = append(all, h.Holding)
	}
	return recall.Plan{Tenant: "oyster", Region: "450512", Causes: f.Causes, Members: []recall.Member{{}}}, all, err
}

func (r recalls) Get(_ context.Context, id string) (recall.File, error) {
	defer r.mu.Unlock()
	if err := r.enter(); err != nil {
		return recall.File{}, err
	}
	if id != recallID && id != "01JZ00000000000000000000R2" {
		return recall.File{}, farm.ErrNotFound
	}
	return r.file()
}

func (r recalls) List(_ context.Context, f recall.Filter) ([]recall.Recall, error) {
	defer r.mu.Unlock()
	if err := r.enter(); err != nil {
		return nil, err
	}
	file, err := r.file()
	held := r.leaky || f.Holder == "" || f.Holder == "oyster" || r.shared && f.Holder == "tea"
	if !held || !r.leaky && f.Region != "" && !farm.RegionContains(f.Region, file.Region) {
		return nil, err
	}
	return []recall.Recall{file.Recall}, err
}

func (r recalls) wrote(id string) (recall.Recall, error) {
	defer r.mu.Unlock()
	if err := r.enter(); err != nil {
		return recall.Recall{}, err
	}
	if r.mute != nil {
		return recall.Recall{}, r.mute
	}
	r.world.wrote++
	f, err := r.file()
	f.ID = id
	return f.Recall, err
}

func (r recalls) Open(_ context.Context, _ recall.Actor, id string, _ recall.Opening) (recall.Recall, error) {
	return r.wrote(id)
}

func (r recalls) RetryRecall(_ context.Context, id string) error {
	_, err := r.wrote(id)
	return err
}

func (r recalls) Widen(_ context.Context, _ recall.Actor, id, _ string, _ recall.Widening, _ string) (recall.Recall, error) {
	return r.wrote(id)
}

func (r recalls) Narrow(_ context.Context, _ recall.Actor, id, _ string, _ []string, _ string) (recall.Recall, error) {
	return r.wrote(id)
}

func (r recalls) Report(_ context.Context, by recall.Actor, id, _ string, p recall.Progress) (recall.Recall, error) {
	r.mu.Lock()
	r.spoke = by
	r.mu.Unlock()
	return r.wrote(id)
}

func (r recalls) Close(_ context.Context, _ recall.Actor, id, _, _ string) (recall.Recall, error) {
	return r.wrote(id)
}

func (r recalls) Hook(context.Context, string) (recall.Hook, error) {
	return recall.Hook{URL: "https://shop.example.cn/hook?key=s3cr3t", Key: "whsec_s3cr3t", Set: noon}, nil
}

func (r recalls) PutHook(context.Context, recall.Hook) error { return r.change("hook") }

func (r recalls) DeleteHook(context.Context, string) error { return r.change("no hook") }

// A holder sees its own part, and reports on that alone.
func TestRecallOfAHolder(t *testing.T) {
	w := newWorld()
	w.shared = true
	base, _ := serve(t, w)
	manager := client{t, base, "manager-tea"}
	got := manager.do("GET", "/recalls/"+recallID, "")
	if got.status != http.StatusOK || !strings.Contains(got.body, teaBatch) || !strings.Contains(got.body, `"whole":false`) {
		t.Fatalf("the holder sees %d: %s", got.status, got.body)
	}
	for _, theirs := range []string{"lot-77", `"holder":"oyster"`, `"causes":[{`, "no_address", `"account"`} {
		if strings.Contains(got.body, theirs) {
			t.Errorf("the holder is told of %s: %s", theirs, got.body)
		}
	}
	const captured = "/recalls/" + recallID + "/captured"
	if got := manager.do("GET", captured, ""); got.status != http.StatusOK || strings.Contains(got.body, "urn:uuid") {
		t.Errorf("the holder is told what partners captured: %d %s", got.status, got.body)
	}
	for _, login := range []string{"bureau", "manager"} {
		if got := (client{t, base, login}).do("GET", captured, ""); !strings.Contains(got.body, `"event":"urn:uuid:of-`+batchID+`"`) || !strings.Contains(got.body, `"lots":["lot-77"]`) {
			t.Errorf("%s is told: %d %s", login, got.status, got.body)
		}
	}
	if got := manager.do("GET", "/recalls", ""); !strings.Contains(got.body, recallID) {
		t.Errorf("the holder's list is %s", got.body)
	}
	progress := func(batch string) int {
		return manager.do("POST", "/recalls/"+recallID+"/progress", `{"id":"01JZ00000000000000000000W1","batch":"`+batch+`","to":"located","amount":{"quantity":1,"unit":"kg"}}`).status
	}
	if s := progress(teaBatch); s != http.StatusOK || w.spoke.Office != recall.ByOperator || w.spoke.Account != "manager-tea" {
		t.Errorf("the holder's report: %d by %+v", s, w.spoke)
	}
	if s := progress(batchID); s != http.StatusForbidden {
		t.Errorf("a report on another's holding: %d", s)
	}
	if s := (client{t, base, "stranger"}).do("POST", "/recalls/"+recallID+"/progress", `{"id":"01JZ00000000000000000000W1","batch":"`+teaBatch+`"}`).status; s != http.StatusForbidden {
		t.Errorf("a farmer's report: %d", s)
	}
	// The bureau of the recall sees everything, and who it is.
	whole := client{t, base, "bureau"}.do("GET", "/recalls/"+recallID, "")
	for _, all := range []string{"lot-77", teaBatch, `"whole":true`, `"may_close":true`, "no_address"} {
		if !strings.Contains(whole.body, all) {
			t.Errorf("the bureau is not told of %s: %s", all, whole.body)
		}
	}
	// Who only asks what a recall would be is not told who has what of it.
	preview := client{t, base, "manager"}.do("POST", "/recalls/preview", `{"start":{"kind":"batch","id":"`+batchID+`"}}`)
	if preview.status != http.StatusOK || strings.Contains(preview.body, `"tea"`) || !strings.Contains(preview.body, teaBatch) {
		t.Errorf("preview: %d %s", preview.status, preview.body)
	}
}

func TestRecallExport(t *testing.T) {
	w := newWorld()
	w.shared = true
	base, _ := serve(t, w)
	got := client{t, base, "bureau"}.do("GET", "/recalls/"+recallID+"/holdings?format=csv", "")
	if got.status != http.StatusOK || !strings.Contains(got.body, "lot-77") || !strings.Contains(got.body, teaBatch) || strings.Contains(got.body, ",=cmd()") {
		t.Errorf("CSV: %d %s", got.status, got.body)
	}
	got = client{t, base, "manager-tea"}.do("GET", "/recalls/"+recallID+"/holdings?format=xlsx", "")
	if got.status != http.StatusOK || !strings.HasPrefix(got.body, "PK") {
		t.Errorf("XLSX: %d", got.status)
	}
}

func TestRecallProblems(t *testing.T) {
	kg := chain.Amount{N: 2e6, Unit: "kg"}
	for code, err := range map[string]error{
		"recalled":           &recall.Refused{Batch: batchID, Recall: recallID, Number: "450512-2026-001"},
		"recall_amount":      &recall.AmountError{Batch: batchID, Left: kg},
		"recall_closed":      fmt.Errorf("x: %w", recall.ErrClosed),
		"recall_empty":       recall.ErrEmpty,
		"recall_too_large":   recall.ErrTooLarge,
		"recall_unaccounted": recall.ErrUnaccounted,
		"invalid":            &recall.FieldError{Field: "note", Reason: "is missing"},
	} {
		w := newWorld()
		w.mute = err
		base, _ := serve(t, w)
		got := client{t, base, "bureau"}.do("POST", "/recalls/"+recallID+"/close", `{"id":"01JZ00000000000000000000W1","reason":""}`)
		if !strings.Contains(got.body, `"code":"`+code+`"`) {
			t.Errorf("%v: %d %s, want code %s", err, got.status, got.body, code)
		}
		if code == "recalled" && !strings.Contains(got.body, "450512-2026-001") {
			t.Errorf("the refusal does not name the recall: %s", got.body)
		}
	}
	base, _ := serve(t, newWorld())
	for _, url := range []string{"", "ftp://x/y", "https://", "https://u:p@x/", "https://" + strings.Repeat("x", 2000)} {
		if got := (client{t, base, "manager"}).do("PUT", "/tenants/oyster/recall-hook", `{"url":"`+url+`"}`); got.status != http.StatusBadRequest {
			t.Errorf("%q: %d", url, got.status)
		}
	}
	shown := client{t, base, "manager"}.do("GET", "/tenants/oyster/recall-hook", "")
	if strings.Contains(shown.body, "s3cr3t") || !strings.Contains(shown.body, "shop.example.cn") {
		t.Errorf("the address is shown as %s", shown.body)
	}
	if made := (client{t, base, "manager"}).do("PUT", "/tenants/oyster/recall-hook", `{"url":"https://x.cn/y"}`); !strings.Contains(made.body, "whsec_") {
		t.Errorf("no key was made: %s", made.body)
	}
}
