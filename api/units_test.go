package api_test

import (
	"context"
	"iter"
	"net/http"
	"strings"
	"testing"

	"tianhai/farm"
	"tianhai/trace/unit"
)

const (
	rollID   = "01JZ0000000000000000000RZ1"
	unitCode = "4Q7XH2M9KTB33"
)

// roller has one roll of the oyster farm's, of which three codes are printed.
type roller struct{ *world }

func oysterRoll() unit.Roll {
	return unit.Roll{ID: rollID, Tenant: "oyster", Product: "oysters", Codes: 3, Covered: true, Root: "00", Account: "manager", Issued: noon}
}

func (p roller) Issue(_ context.Context, r unit.Roll) (unit.Roll, error) {
	defer p.mu.Unlock()
	if err := p.enter(); err != nil {
		return unit.Roll{}, err
	}
	p.wrote++
	r.Root, r.Issued = "00", noon
	return r, nil
}

func (p roller) Step(_ context.Context, st unit.Step) (unit.Step, error) {
	defer p.mu.Unlock()
	if err := p.enter(); err != nil {
		return unit.Step{}, err
	}
	if st.First > 3 {
		return unit.Step{}, &unit.StateError{Kind: st.Kind, Span: unit.Span{First: 4, Last: 5, State: unit.Issued}}
	}
	p.wrote++
	st.At = noon
	return st, nil
}

func (p roller) Tally(context.Context, string) (unit.Tally, error) {
	defer p.mu.Unlock()
	return unit.Tally{Roll: oysterRoll(), Spans: []unit.Span{{First: 1, Last: 2, State: unit.Printed, Printed: true}, {First: 3, Last: 3, State: p.third}}, Steps: []unit.Step{}}, p.enter()
}

func (p roller) Between(_ context.Context, tenant, first, last string) (unit.Roll, int, int, error) {
	defer p.mu.Unlock()
	if err := p.enter(); err != nil {
		return unit.Roll{}, 0, 0, err
	}
	if first != unitCode || last != unitCode || tenant != "oyster" {
		return unit.Roll{}, 0, 0, &unit.FieldError{Field: "first", Reason: "is no unit code of this operator"}
	}
	return oysterRoll(), 1, 1, nil
}

func (p roller) Lookup(_ context.Context, code string) (unit.Unit, error) {
	defer p.mu.Unlock()
	if err := p.enter(); err != nil || code != unitCode {
		return unit.Unit{}, farm.ErrNotFound
	}
	return unit.Unit{Roll: oysterRoll(), Number: 1, State: unit.Bound, Batch: batchID}, nil
}

func (p roller) Roll(_ context.Context, id string) (unit.Roll, error) {
	defer p.mu.Unlock()
	if err := p.enter(); err != nil {
		return unit.Roll{}, err
	}
	if id != rollID {
		return unit.Roll{}, farm.ErrNotFound
	}
	return oysterRoll(), nil
}

func (p roller) Rolls(context.Context, string) ([]unit.Roll, error) {
	defer p.mu.Unlock()
	return []unit.Roll{oysterRoll()}, p.enter()
}

func (p roller) RollStepsOf(context.Context, string) ([]unit.Step, error) {
	defer p.mu.Unlock()
	return []unit.Step{{ID: "01JZ00000000000000000000T1", Roll: rollID, Tenant: "oyster", Kind: unit.Bind, First: 1, Last: 2, Batch: batchID, Account: "farmer", At: noon}}, p.enter()
}

func (roller) Labels(_ unit.Roll, first, last int) iter.Seq[unit.Label] {
	return func(yield func(unit.Label) bool) {
		for n := first; n <= last; n++ {
			if !yield(unit.Label{Number: n, Code: unitCode, Text: "4Q7X-H2M9-KTB33", URL: "https://x.cn/t/" + unitCode, Cover: "ABCD-EFGH"}) {
				return
			}
		}
	}
}

func TestRolls(t *testing.T) {
	w := newWorld()
	base, _ := serve(t, w)
	manager, farmer := client{t, base, "manager"}, client{t, base, "farmer"}
	ask := func(c client, method, path, body string, status int, says string) {
		t.Helper()
		if got := c.do(method, path, body); got.status != status || !strings.Contains(got.body, says) {
			t.Errorf("%s %s %s: %d %s, want %d and %s", method, path, body, got.status, got.body, status, says)
		}
	}
	const rolls, steps, units = "/tenants/oyster/rolls", "/rolls/" + rollID + "/steps", "/batches/" + batchID + "/units"
	ask(manager, http.MethodPost, rolls, `{"id":"01JZ00000000000000000000R9","codes":10,"product":"oysters","gtin":"`+oysterGTIN+`","covered":true}`, 201, oysterGTIN)
	ask(manager, http.MethodPost, rolls, `{"id":"01JZ00000000000000000000R9","codes":10,"product":"tea","gtin":"`+oysterGTIN+`"}`, 400, `"field":"gtin"`)
	ask(client{t, base, "manager-tea"}, http.MethodPost, "/tenants/tea/rolls", `{"id":"01JZ00000000000000000000R9","codes":10,"product":"oysters","gtin":"`+oysterGTIN+`"}`, 400, `"field":"gtin"`)

	// Whoever packs binds and throws away; the rest is the manager's.
	ask(farmer, http.MethodPost, steps, `{"id":"01JZ00000000000000000000T9","kind":"destroy","first":1,"last":1,"reason":"x"}`, 201, `"destroy"`)
	for _, kind := range []string{"print", "reprint", "void", "withdraw", ""} {
		ask(farmer, http.MethodPost, steps, `{"id":"01JZ00000000000000000000T9","kind":"`+kind+`","first":1,"last":1}`, 403, "forbidden")
	}
	ask(manager, http.MethodPost, steps, `{"id":"01JZ00000000000000000000T9","kind":"bind","first":4,"last":5,"batch":"x"}`, 409, `"span":{"first":4,"last":5,"state":"issued"`)
	for name, text := range map[string]string{
		"a code":       unitCode,
		"an address":   "https://trace.example.cn/t/" + unitCode + "?lang=en",
		"a GTIN's":     "https://trace.example.cn/01/" + oysterGTIN + "/21/" + unitCode,
		"with its lot": "https://trace.example.cn/01/" + oysterGTIN + "/10/A/21/" + unitCode,
	} {
		t.Log(name)
		ask(farmer, http.MethodPost, units, `{"id":"01JZ00000000000000000000T9","first":"`+text+`","last":"`+unitCode+`"}`, 201, `"first":1`)
	}
	ask(farmer, http.MethodPost, units, `{"id":"01JZ00000000000000000000T9","first":"x","last":"`+unitCode+`"}`, 400, `"field":"first"`)
	ask(farmer, http.MethodGet, "/units/4q7x-h2m9-ktb33", "", 200, `"batch":"`+batchID+`"`)

	// A code that nobody has said to be printed does not leave the server.
	w.third = unit.Printed
	ask(manager, http.MethodGet, "/rolls/"+rollID+"/codes", "", 200, "number,code,url,covered_code\n1,4Q7X-H2M9-KTB33,https://x.cn/t/"+unitCode+",ABCD-EFGH\n2,")
	for _, state := range []unit.State{unit.Issued, unit.Voided, unit.Destroyed} {
		w.third = state
		ask(manager, http.MethodGet, "/rolls/"+rollID+"/codes", "", 409, "unit_state")
		ask(manager, http.MethodGet, "/rolls/"+rollID+"/codes?first=1&last=2", "", 200, "\n2,")
	}
	ask(manager, http.MethodGet, "/rolls/"+rollID+"/labels?format=zip&stock=70x37", "", 409, "unit_state")
	ask(manager, http.MethodGet, "/rolls/"+rollID+"/labels?format=zip&stock=70x37&last=2", "", 200, "PK")
	ask(manager, http.MethodGet, "/rolls/"+rollID+"/labels?format=svg&stock=70x37&specimen=true", "", 200, "<svg")
	ask(manager, http.MethodGet, "/rolls/"+rollID+"/codes?first=2&last=1", "", 400, `"field":"last"`)
	ask(manager, http.MethodGet, "/rolls/"+rollID+"/codes?last=4", "", 400, `"field":"last"`)
}
