package api_test

import (
	"net/http"
	"strings"
	"testing"

	"tianhai/farm"
	"tianhai/i18n"
	"tianhai/trace/gate"
)

// TestGates: beforehand and when it is recorded, the refusal is the same, for
// machines and in words.
func TestGates(t *testing.T) {
	w := newWorld()
	base, _ := serve(t, w)
	c := client{t, base, "farmer"}
	if got := c.do(http.MethodGet, "/sites/raft-1/gates?act=catch", ""); got.status != http.StatusOK || !strings.Contains(got.body, `"allowed":true`) || !strings.Contains(got.body, `"refusals":[]`) {
		t.Fatalf("%d %s", got.status, got.body)
	}
	w.refusals = []gate.Refusal{{Gate: gate.Interval, Name: farm.Text{Zh: "示例药"}, Operation: "op", Date: "2026-06-28", Earliest: "2026-07-05", Limit: 7}}
	const words = "示例药在 2026-06-28 用过，安全间隔期（休药期）未满，最早 2026-07-05 才可以。"
	for name, got := range map[string]answer{
		"beforehand": c.do(http.MethodGet, "/sites/raft-1/gates?act=catch&product=oysters&lang=zh-CN", ""),
		"recording":  c.do(http.MethodPost, "/sites/raft-1/operations?lang=zh-CN", `{"id":"01JZ00000000000000000000P2","kind":"catch","at":"2026-07-01T03:00:00Z"}`),
	} {
		for _, want := range []string{words, `"earliest":"2026-07-05"`, `"date":"2026-06-28"`, `"gate":"interval"`} {
			if !strings.Contains(got.body, want) {
				t.Errorf("%s: %d %s lacks %s", name, got.status, got.body, want)
			}
		}
		if name == "recording" && (got.status != http.StatusConflict || !strings.Contains(got.body, `"code":"gate_interval"`)) {
			t.Errorf("recording: %d %s", got.status, got.body)
		}
	}
	for _, query := range []string{"", "?act=apply", "?act=catch&at=yesterday", "?act=catch&product=A"} {
		if got := c.do(http.MethodGet, "/sites/raft-1/gates"+query, ""); got.status != http.StatusBadRequest {
			t.Errorf("%q: %d %s", query, got.status, got.body)
		}
	}
}

// TestGatesHaveWords: whatever refuses, people are told in both languages.
func TestGatesHaveWords(t *testing.T) {
	words, err := i18n.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range gate.Gates() {
		key := "problem.gate_" + string(g)
		if zh, en := words.T("zh-CN", key), words.T("en", key); zh == key || en == key || zh == en {
			t.Errorf("%s: %q, %q", g, zh, en)
		}
	}
}
