package trace_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tianhai/farm"
	"tianhai/trace"
)

// household makes the world's tenant a natural person.
func household(m *memory) {
	m.tenant.Kind, m.tenant.CreditCode = farm.Household, ""
	m.tenant.Name = farm.Text{Zh: "韦大山", En: "Wei Dashan"}
}

func closedRecord(t *testing.T, m *memory) trace.Record {
	t.Helper()
	s := newService(m, &evidence{})
	b, err := s.CloseBatch(t.Context(), openBatch(t, s).ID)
	if err != nil {
		t.Fatal(err)
	}
	rec, err := m.RecordByCode(t.Context(), b.Code)
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

// What is sealed of a natural person holds none of its data, and with the texts
// beside it says what it would have said.
func TestPersonalDataAreNotSealed(t *testing.T) {
	m := newMemory()
	household(m)
	rec := closedRecord(t, m)
	for _, text := range []string{"韦大山", "Wei Dashan", "0777-12345", "一号蚝排"} {
		if bytes.Contains(rec.Body, []byte(text)) {
			t.Errorf("%s is sealed: %s", text, rec.Body)
		}
	}
	public, err := trace.ParsePublicRecord(rec.Body)
	if err != nil {
		t.Fatal(err)
	}
	if public.Version != 2 || !public.Erased("producer.name.zh") || !public.Erased("producer.phone") || !public.Erased("origin.site.zh") || public.Erased("origin.site.en") || public.Erased("lot") {
		t.Errorf("withheld: %+v", public.Personal)
	}
	whole := public
	if err := whole.Disclose(rec.Personal); err != nil {
		t.Fatal(err)
	}
	if whole.Producer.Name != m.tenant.Name || whole.Producer.Phone != "0777-12345" || whole.Origin.Site.Zh != "一号蚝排" || whole.Erased("producer.name.zh") {
		t.Errorf("disclosed: %+v %+v", whole.Producer, whole.Origin)
	}
	raw, err := rec.Opening()
	if err != nil {
		t.Fatal(err)
	}
	back, err := trace.ParseOpening(raw)
	if err != nil || !bytes.Equal(back.Leaf(), rec.Leaf()) || len(back.Personal) != len(rec.Personal) {
		t.Errorf("opened again: %+v, %v", back.Personal, err)
	}
	rec.Personal = nil
	if raw, err = rec.Opening(); err != nil || bytes.Contains(raw, []byte("韦大山")) || !bytes.Contains(raw, []byte(`{"v":1,`)) {
		t.Errorf("erased, it says %s, %v", raw, err)
	}
	if back, err = trace.ParseOpening(raw); err != nil || !bytes.Equal(back.Leaf(), rec.Leaf()) {
		t.Errorf("erased, it proves nothing: %v", err)
	}
}

func TestDiscloseRefuses(t *testing.T) {
	m := newMemory()
	household(m)
	rec := closedRecord(t, m)
	for name, spoil := range map[string]func(*trace.Personal){
		"another text":   func(p *trace.Personal) { p.Text = "韦大海" },
		"another salt":   func(p *trace.Personal) { p.Salt = make([]byte, 16) },
		"another path":   func(p *trace.Personal) { p.Path = "producer.name.en" },
		"no such path":   func(p *trace.Personal) { p.Path = "lot" },
		"an open field":  func(p *trace.Personal) { p.Path = "origin.town.zh" },
		"moved boundary": func(p *trace.Personal) { p.Salt, p.Text = p.Salt[:15], string(p.Salt[15:])+p.Text },
	} {
		public, err := trace.ParsePublicRecord(rec.Body)
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(rec.Personal, func(p trace.Personal) bool { return p.Path == "producer.name.zh" })
		p := rec.Personal[i]
		spoil(&p)
		if err := public.Disclose([]trace.Personal{p}); err == nil {
			t.Errorf("%s is shown", name)
		}
	}
}

// The name of an enterprise is no personal data.
func TestEnterprisesAreSealedOpenly(t *testing.T) {
	m := newMemory()
	rec := closedRecord(t, m)
	if len(rec.Personal) > 0 || !bytes.Contains(rec.Body, []byte("茅尾海蚝业")) || !bytes.Contains(rec.Body, []byte(`{"v":1,`)) {
		t.Errorf("sealed: %s, %v", rec.Body, rec.Personal)
	}
	s := newService(m, &evidence{})
	var fe *trace.FieldError
	if _, err := s.ErasePersonal(t.Context(), nil, "maowei", "root"); !errors.As(err, &fe) {
		t.Errorf("an enterprise is erased: %v", err)
	}
}

// An operation seals commitments to names, and says what it said once they are put
// back; the same one sent again is the same, whether or not the name was erased.
func TestNamesInOperationsAreNotSealed(t *testing.T) {
	m := newMemory()
	s := gated(m)
	op := told(s.Catalogs.Current(), "sell", noon.Add(-time.Hour))
	for i := range op.Items {
		if op.Items[i].Key == "buyer" {
			op.Items[i].Value = "覃小妹"
		}
	}
	stored := add(t, s, op)
	if !slices.EqualFunc(stored.Items, op.Items, func(a, b trace.Item) bool { return a == b }) {
		t.Errorf("the answer says %+v", stored.Items)
	}
	rec, kept := m.records[0], m.ops[0]
	if bytes.Contains(rec.Body, []byte("覃小妹")) || !bytes.Contains(rec.Body, []byte(`"commitment":"`)) {
		t.Errorf("sealed: %s", rec.Body)
	}
	if len(rec.Personal) != 1 || !kept.Withheld() || strings.Contains(fmt.Sprint(kept.Items), "覃小妹") {
		t.Errorf("beside it %+v, kept %+v", rec.Personal, kept.Items)
	}
	whole := kept
	if err := whole.Disclose(rec.Personal); err != nil || !strings.Contains(fmt.Sprint(whole.Items), "覃小妹") {
		t.Errorf("disclosed %+v, %v", whole.Items, err)
	}
	for name, spoil := range map[string]func(*trace.Personal){
		"another name": func(p *trace.Personal) { p.Text = "覃大妹" },
		"another salt": func(p *trace.Personal) { p.Salt = make([]byte, 16) },
		"another item": func(p *trace.Personal) { p.Path = "items[9].value" },
	} {
		p, astray := rec.Personal[0], kept
		spoil(&p)
		if err := astray.Disclose([]trace.Personal{p}); err == nil {
			t.Errorf("%s is shown", name)
		}
	}
	if !op.Same(kept) || !op.Same(whole) || !whole.Same(kept) {
		t.Error("the same operation is another")
	}
	other := op
	other.Items = slices.Clone(op.Items)
	for i := range other.Items {
		if other.Items[i].Key == "buyer" {
			other.Items[i].Value = "别人"
		}
	}
	if other.Same(whole) {
		t.Error("another buyer is the same")
	}
	forged := told(s.Catalogs.Current(), "sell", noon)
	forged.Items[0].Commitment = "00"
	var fe *trace.FieldError
	if _, _, err := s.AddOperation(t.Context(), forged); !errors.As(err, &fe) || fe.Field != "items[0].commitment" {
		t.Errorf("a commitment by the client: %v", err)
	}
}
