package consumer_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"tianhai/farm"
	"tianhai/trace"
	"tianhai/trace/chain"
	"tianhai/trace/recall"
)

const recallID = "01JD8Z0000000000000000000X"

// step makes the record of a step of a recall.
func step(t *testing.T, st recall.Step) trace.Record {
	t.Helper()
	st.Version, st.Recall, st.Number = 1, recallID, "450702-2026-007"
	body, err := json.Marshal(st)
	if err != nil {
		t.Fatal(err)
	}
	return trace.Record{ID: "r-" + string(st.Kind), Tenant: "maowei", Kind: recall.RecordKind, Subject: recallID, Body: body, Salt: bytes.Repeat([]byte{1}, 16), At: st.At, Index: -1}
}

func openStep() recall.Step {
	return recall.Step{
		ID: recallID, N: 1, Kind: recall.StepOpen, At: noon.Add(time.Hour), By: recall.ByBureau,
		Opening: &recall.Opening{
			Reason: farm.Text{Zh: "检出<毒素>", En: "Toxin found"}, Hazard: farm.Text{Zh: "可致头晕"}, Advice: farm.Text{Zh: "请退回购买处", En: "Return it"}, Contact: "0777-2820000",
		},
		Holdings: []recall.Holding{{Batch: "b", Holder: "secret-shop", Made: chain.Amount{N: 2, Unit: "kg"}, Held: chain.Amount{N: 1, Unit: "kg"}}},
	}
}

// What is recalled is red before anything else, in the request after the recall, and
// is stored nowhere in between; what ended is still told.
func TestRecalledPage(t *testing.T) {
	s := newShop(t, "/assets/verify-1.js")
	rec := s.seal(t, record(t, oysters(newCode(t))))
	before := s.get(t, "/t/"+rec.Code)
	saysNot(t, before.Body.String(), "召回")

	opened := step(t, openStep())
	s.taken = [][]trace.Record{{opened}}
	w := s.get(t, "/t/"+rec.Code, "If-None-Match", before.Header().Get("ETag"))
	if w.Code != http.StatusOK || w.Header().Get("Cache-Control") != "no-store" {
		t.Fatalf("status %d, cached as %q", w.Code, w.Header().Get("Cache-Control"))
	}
	sound(t, w)
	page := w.Body.String()
	says(t, page, "召回：请勿食用或销售", "请退回购买处", "检出&lt;毒素&gt;", "可致头晕", "450702-2026-007", "tel:0777-2820000", "召回记录正在存证", "钦州大蚝", "verdict sealed recalled")
	saysNot(t, page, "secret-shop")
	if strings.Index(page, "请勿食用") > strings.Index(page, "封存后未被改动") {
		t.Error("the recall stands behind the verdict")
	}
	says(t, s.get(t, "/t/"+rec.Code+"?lang=en").Body.String(), "RECALLED: do not eat", "Return it", "Toxin found")

	machine := s.get(t, "/t/"+rec.Code, "Accept", "application/json")
	var told struct {
		Recalls []struct{ Status, Number, Contact string }
		Code    string
	}
	if err := json.Unmarshal(machine.Body.Bytes(), &told); err != nil || len(told.Recalls) != 1 || told.Recalls[0].Status != "recalled" || told.Code != rec.Code {
		t.Errorf("machines read %+v, %v", told, err)
	}
	saysNot(t, machine.Body.String(), "secret-shop")
	if machine.Header().Get("Recall-Status") != "recalled" || machine.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("headers %v", machine.Header())
	}

	// Sealed, and then closed.
	index, err := s.log.Append(t.Context(), opened.Leaf())
	if err != nil {
		t.Fatal(err)
	}
	if opened.Receipt, err = s.log.Receipt(t.Context(), index); err != nil {
		t.Fatal(err)
	}
	s.taken = [][]trace.Record{{opened}}
	says(t, s.get(t, "/t/"+rec.Code).Body.String(), "召回记录已存证")
	forged := opened
	forged.Body = bytes.Replace(forged.Body, []byte("请退回购买处"), []byte("可以放心食用"), 1)
	s.taken = [][]trace.Record{{forged}}
	says(t, s.get(t, "/t/"+rec.Code).Body.String(), "请勿食用或销售", "召回记录正在存证") // it is red, and not said to be proven

	s.taken = [][]trace.Record{{opened, step(t, recall.Step{ID: "01JD8Z0000000000000000000Y", N: 2, Kind: recall.StepClose, At: noon.Add(48 * time.Hour)})}}
	over := s.get(t, "/t/"+rec.Code)
	sound(t, over)
	says(t, over.Body.String(), "曾被召回", "2026\u2060-\u206011\u2060-\u206022 12:00", "450702-2026-007")
	saysNot(t, over.Body.String(), "请勿食用或销售", "verdict sealed recalled")
}

// Whatever else is wrong, a recall is told; and where it cannot be asked for, nothing
// is shown that would look as if there were none.
func TestRecallOfABrokenRecord(t *testing.T) {
	s := newShop(t, "")
	rec := s.seal(t, record(t, oysters(newCode(t))))
	rec.Body = bytes.Replace(rec.Body, []byte("1250.5"), []byte("1250.6"), 1)
	s.put(rec)
	s.taken = [][]trace.Record{{step(t, openStep())}}
	w := s.get(t, "/t/"+rec.Code)
	sound(t, w)
	says(t, w.Body.String(), "召回：请勿食用或销售", "记录与封存凭证不符")
	saysNot(t, w.Body.String(), "钦州大蚝")
	machine := s.get(t, "/t/"+rec.Code, "Accept", "application/json")
	says(t, machine.Body.String(), `"status":"recalled"`)
	saysNot(t, machine.Body.String(), "1250.6")

	s.deaf = errors.New("database is locked")
	if w := s.get(t, "/t/"+rec.Code); w.Code != http.StatusServiceUnavailable {
		t.Errorf("recalls cannot be asked for: %d", w.Code)
	}
	s.deaf, s.taken = nil, [][]trace.Record{{{Body: []byte("{")}}}
	if w := s.get(t, "/t/"+rec.Code); w.Code != http.StatusServiceUnavailable {
		t.Errorf("a recall cannot be read: %d", w.Code)
	}
}

// The page says first what matters first (and the language last), and every card of
// facts says whose word they are.
func TestOrder(t *testing.T) {
	s := newShop(t, "/assets/verify.js")
	rec := s.seal(t, record(t, oysters(newCode(t))))
	s.say(t, trace.CertificateRecord, "c1", certificate(rec.Code))
	s.say(t, trace.ReportRecord, "p1", labReport())
	s.taken = [][]trace.Record{{step(t, openStep())}}
	_, page, _ := strings.Cut(s.get(t, "/t/"+rec.Code+"?c=forged").Body.String(), "</style>")
	at := 0
	for _, next := range []string{
		`class="recall"`, `class="alarm"`, `class="verdict`, "<h1", `id="product"`, `id="certificate"`, `id="tests"`, `id="operations"`,
		`id="sensors"`, `id="proof"`, `id="producer"`, `id="complain"`, `class="tongues"`,
	} {
		i := strings.Index(page[at:], next)
		if i < 0 {
			t.Fatalf("%s is missing or too early", next)
		}
		at += i
	}
	for _, card := range strings.Split(page, `<section class="card`)[1:] {
		if !strings.Contains(card, `<span class="tag `) {
			t.Errorf("a card does not say whose word it is: %.80s", card)
		}
	}
}
