package cert_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"tianhai/trace/cert"
)

// The words are the order's, letter by letter.
func TestWordings(t *testing.T) {
	for style, want := range map[cert.Style]string{
		cert.Producer: "未使用禁用农药、兽药及其他化合物；使用的常规农药、兽药残留不超标。",
		cert.Buyer:    "已按规定收取并保存该批次农产品承诺达标合格证或者其他质量安全合格证明；未违规使用保鲜剂、防腐剂、添加剂等。",
		"seller":      "",
	} {
		if got := style.Promise(); got != want {
			t.Errorf("%s promises %q, want %q", style, got, want)
		}
	}
	var words []string
	for _, b := range cert.Bases() {
		words = append(words, b.Words())
	}
	if want := []string{"质量安全控制符合要求", "自行检测合格", "委托检测合格"}; !slices.Equal(words, want) {
		t.Errorf("bases %v, want %v", words, want)
	}
}

func TestNumbers(t *testing.T) {
	// New year's morning in Beijing.
	if got := cert.NumberOf(cert.YearOf(time.Date(2026, 12, 31, 16, 0, 0, 0, time.UTC)), 123); got != "2027-000123" {
		t.Errorf("number %s", got)
	}
}

func TestCheck(t *testing.T) {
	good := cert.Certificate{Style: cert.Producer, Basis: []cert.Basis{cert.Control}}
	bought := cert.Certificate{Style: cert.Buyer, Basis: []cert.Basis{cert.Control, cert.OwnTest}, Collected: []string{"茶农 2026-000004"}}
	split := cert.Certificate{Style: cert.Buyer, Basis: []cert.Basis{cert.Control}, Parents: []string{"4Q7XH2M9KTB3D/2026-000004"}}
	for _, c := range []cert.Certificate{good, bought, split} {
		if err := c.Check(); err != nil {
			t.Errorf("%+v: %v", c, err)
		}
	}
	for name, tt := range map[string]struct {
		c     cert.Certificate
		field string
	}{
		"style":              {cert.Certificate{Basis: good.Basis}, "style"},
		"no basis":           {cert.Certificate{Style: cert.Producer}, "basis"},
		"unknown basis":      {cert.Certificate{Style: cert.Producer, Basis: []cert.Basis{"hope"}}, "basis[0]"},
		"twice":              {cert.Certificate{Style: cert.Producer, Basis: []cert.Basis{cert.Control, cert.Control}}, "basis[1]"},
		"nothing collected":  {cert.Certificate{Style: cert.Buyer, Basis: good.Basis}, "collected"},
		"a grower collects":  {cert.Certificate{Style: cert.Producer, Basis: good.Basis, Collected: []string{"x"}}, "collected"},
		"an empty proof":     {cert.Certificate{Style: cert.Buyer, Basis: good.Basis, Collected: []string{"x", ""}}, "collected[1]"},
		"too many collected": {cert.Certificate{Style: cert.Buyer, Basis: good.Basis, Collected: make([]string, 101)}, "collected"},
	} {
		t.Run(name, func(t *testing.T) { wantField(t, tt.c.Check(), tt.field, "") })
	}
	wantField(t, cert.CheckReason(""), "reason", "empty")
	wantField(t, cert.CheckReason(strings.Repeat("x", 501)), "reason", "longer")
}

func TestDossier(t *testing.T) {
	passed := cert.Report{ID: "p", Lab: "lab", Source: cert.Laboratory, Verdict: cert.Pass}
	own := cert.Report{ID: "o", Source: cert.Self, Verdict: cert.Pass}
	failed := cert.Report{ID: "f", Lab: "lab", Number: "W-9", Source: cert.Laboratory, Verdict: cert.Fail, Items: []cert.Item{{Name: "铅", Verdict: cert.Pass}, {Name: "镉", Verdict: cert.Fail}}}
	mended := cert.Report{ID: "m", Lab: "lab", Source: cert.Laboratory, Verdict: cert.Pass, Corrects: "f"}
	first, second := cert.Certificate{ID: "c1", Number: "2026-000001"}, cert.Certificate{ID: "c2", Number: "2026-000002"}

	d := cert.NewDossier([]cert.Report{passed, own, failed}, []cert.Certificate{first}, nil)
	var why *cert.FailedError
	if err := d.Failed(); !errors.As(err, &why) || why.Report != "f" || why.Number != "W-9" || why.Item != "镉" {
		t.Errorf("failed: %v", err)
	}
	if in := d.InForce(); in == nil || in.ID != "c1" {
		t.Errorf("in force: %v", in)
	}
	// A correction, and a void, take the failure away and stay to be seen.
	for name, d := range map[string]cert.Dossier{
		"corrected": cert.NewDossier([]cert.Report{failed, mended}, nil, nil),
		"void":      cert.NewDossier([]cert.Report{failed, passed}, nil, []cert.Void{{Voids: "f"}}),
	} {
		if err := d.Failed(); err != nil || !d.Passed() || len(d.Reports) != 2 || d.Reports[0].InForce() {
			t.Errorf("%s: %v, %+v", name, err, d)
		}
	}
	d = cert.NewDossier([]cert.Report{passed, own}, []cert.Certificate{first, second}, []cert.Void{{Voids: "c1"}, {Voids: "p"}})
	if in := d.InForce(); in == nil || in.ID != "c2" || d.Certificates[0].Void == nil || d.Certificates[1].Void != nil {
		t.Errorf("after a void: %v", in)
	}
	if ids, err := d.Support([]cert.Basis{cert.Control, cert.OwnTest}); err != nil || !slices.Equal(ids, []string{"o"}) {
		t.Errorf("support: %v, %v", ids, err)
	}
	_, err := d.Support([]cert.Basis{cert.OwnTest, cert.Commissioned}) // the commissioned one is void
	wantField(t, err, "basis[1]", "commissioned")
	if none := cert.NewDossier(nil, nil, nil); none.InForce() != nil || none.Failed() != nil || none.Passed() {
		t.Error("nothing says something")
	}
}
