package consumer_test

import (
	"strings"
	"testing"
	"time"

	"tianhai/farm"
	"tianhai/trace"
	"tianhai/trace/chain"
)

// blended is a record of tea from two towns, one of which bears a code.
func blended(code, other string) trace.PublicRecord {
	r := oysters(code)
	place := func(zh, town string) *trace.KinPlace {
		return &trace.KinPlace{Prefecture: farm.Text{Zh: zh, En: "Wuzhou"}, Town: farm.Text{Zh: town, En: "Liubao <town>"}, Harvest: noon.AddDate(0, 0, -9)}
	}
	kg := func(n int64) chain.Amount { return chain.Amount{N: n * 1e6, Unit: "kg"} }
	tea, leaf := farm.Text{Zh: "六堡茶", En: "Liubao tea"}, farm.Text{Zh: "茶青", En: "Fresh leaf"}
	r.Blend, r.Operations = true, nil
	r.Evidence = trace.PublicEvidence{Version: trace.EvidenceVersion, From: noon.AddDate(0, -1, 0), To: noon}
	r.Kin = &trace.Kin{
		Batches: []trace.KinBatch{
			{Product: tea, Amount: kg(30)},
			{Product: tea, Code: other, Amount: kg(20)},
			{Product: leaf, Place: place("梧州市", "六堡镇"), Amount: kg(80)},
			{Product: leaf, Place: place("梧州市", "<狮寨镇>"), Amount: kg(40)},
		},
		Steps: []trace.KinStep{
			{Kind: chain.Process, Name: farm.Text{Zh: "杀青", En: "fixing"}, At: noon.Add(-48 * time.Hour), In: []int{2}, Out: []int{1}},
			{Kind: chain.Merge, At: noon.Add(-time.Hour), In: []int{1, 3}, Out: []int{0}},
		},
	}
	return r
}

// A blend shows where all of it grew, no finer than the town, and how it came
// together; a batch in it that bears a code is a link.
func TestBlend(t *testing.T) {
	s := newShop(t, "/verify.js")
	code, other := newCode(t), newCode(t)
	s.seal(t, record(t, blended(code, other)))
	w := s.get(t, "/t/"+code+"?lang=zh-CN")
	sound(t, w)
	page := w.Body.String()
	says(t, page, "由哪些批次制成", "拼配地", "杀青", "拼配合批", `href="/t/`+other+`"`, `data-sealed="kin.batches.3.place.town.zh"`, "&lt;狮寨镇&gt;", "茶青", `role="group"`, "<desc")
	saysNot(t, page, "传感器没有", `href="/t/`+code+`"`, "chain.kind", "chain.says", "consumer.kin")
	if n := strings.Count(page, `rx="8"`); n != 4 {
		t.Errorf("%d boxes, want 4", n)
	}
	w = s.get(t, "/t/"+code+"?lang=en")
	sound(t, w)
	says(t, w.Body.String(), "What it was made of", "fixing", "Fresh leaf", "Liubao &lt;town&gt;", `data-sealed="kin.batches.2.place.town.en"`)
}

// Numbers in a record that name no batch draw nothing and break nothing: what is
// sealed was written by this program, but whoever serves the page may not have.
func TestKinOutOfRange(t *testing.T) {
	s := newShop(t, "")
	code := newCode(t)
	r := blended(code, "")
	r.Kin.Steps = append(r.Kin.Steps, trace.KinStep{Kind: "eat", At: noon, In: []int{-1, 99}, Out: []int{7}})
	s.seal(t, record(t, r))
	if w := s.get(t, "/t/"+code); w.Code != 200 {
		t.Errorf("status %d", w.Code)
	}
	r.Kin = &trace.Kin{}
	r.Code = newCode(t)
	s.seal(t, record(t, r))
	if w := s.get(t, "/t/"+r.Code); w.Code != 200 {
		t.Errorf("without batches: status %d", w.Code)
	}
}
