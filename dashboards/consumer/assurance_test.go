package consumer_test

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"tianhai/farm"
	"tianhai/trace"
	"tianhai/trace/cert"
)

const reportHash = "0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a"

// say seals a statement about a batch's tests or certificates.
func (s *shop) say(t testing.TB, kind, subject string, body any, personal ...trace.Personal) int {
	t.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	salt := make([]byte, 16)
	if _, err := rand.Read(salt); err != nil {
		t.Fatal(err)
	}
	r := trace.Record{ID: "r-" + subject, Tenant: "maowei", Kind: kind, Subject: subject, Body: raw, Salt: salt, At: noon, Personal: personal}
	if r.Index, err = s.log.Append(t.Context(), r.Leaf()); err != nil {
		t.Fatal(err)
	}
	if r.Receipt, err = s.log.Receipt(t.Context(), r.Index); err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.said = append(s.said, r)
	return len(s.said) - 1
}

func certificate(code string) cert.Certificate {
	return cert.Certificate{
		Version: 1, ID: "c1", Tenant: "maowei", Batch: "01JD8Z0000000000000000000B", Code: code, Number: "2026-000007", Style: cert.Producer, Promise: cert.Producer.Promise(), Basis: []cert.Basis{cert.Control, cert.Commissioned},
		Product: farm.Text{Zh: "钦州大蚝", En: "Qinzhou oysters"}, Quantity: 1250.5, Unit: "kg", Origin: farm.Text{Zh: "广西钦州市尖山街道", En: "Jianshan, Qinzhou, Guangxi"},
		Promiser: cert.Promiser{Name: farm.Text{Zh: "茅尾海蚝业专业合作社"}, Phone: "0777-2820000"}, Issued: noon,
	}
}

func labReport() cert.Report {
	return cert.Report{
		Version: 1, ID: "p1", Tenant: "maowei", Batch: "01JD8Z0000000000000000000B", Source: cert.Laboratory, By: "lab", Lab: "钦州市农产品检测中心", CMA: "230021340123", Number: "W2026-0417", Sampled: "2026-11-18", Reported: "2026-11-20", Standard: "GB 2762-2022",
		Items: []cert.Item{
			{Name: "镉", Result: "0.3", Unit: "mg/kg", Limit: "≤2.0", Method: "GB 5009.15", Verdict: cert.Pass},
			{Name: "<诺氟沙星>", Result: "未检出", Unit: "μg/kg", Limit: "不得检出", Verdict: cert.Pass},
		},
		Verdict: cert.Pass, File: &cert.File{Hash: reportHash, Type: "application/pdf", Size: 9}, Recorded: noon,
	}
}

func TestCertificateAndTests(t *testing.T) {
	s := newShop(t, "")
	rec := s.seal(t, record(t, oysters(newCode(t))))
	before := s.get(t, "/t/"+rec.Code).Body.String()
	saysNot(t, before, `id="certificate"`, `id="tests"`, "伪造")

	s.say(t, trace.CertificateRecord, "c1", certificate(rec.Code))
	s.say(t, trace.ReportRecord, "p1", labReport())
	zh := s.get(t, "/t/"+rec.Code+"?c=2026-000007")
	sound(t, zh)
	page := zh.Body.String()
	says(t, page, "承诺达标合格证", "2026-000007", cert.Producer.Promise(), "质量安全控制符合要求", "委托检测合格", "广西钦州市尖山街道", "第三方核验", "钦州市农产品检测中心", "230021340123",
		"W2026-0417", `data-statement="p1"`, `data-sealed="items.0.result">0.3</span> <span data-sealed="items.0.unit">mg/kg<`, `data-sealed="items.0.limit">≤2.0<`, "✔ 合格", "GB 2762-2022", "&lt;诺氟沙星&gt;", "不得检出", reportHash, "/t/"+rec.Code+"/report/"+reportHash)
	saysNot(t, page, "<诺氟沙星>", "已作废", "伪造", "不得检出 μg", "role=\"alert\"")
	en := s.get(t, "/t/"+rec.Code+"?lang=en")
	sound(t, en)
	says(t, en.Body.String(), "No banned pesticides", "Verified by a third party", "Jianshan, Qinzhou, Guangxi", "✔ passed")

	// A label with a number that was never issued.
	says(t, s.get(t, "/t/"+rec.Code+"?c=2026-000099").Body.String(), "伪造", "2026-000099")

	// The file of a report in force, and no other file.
	if w := s.get(t, "/t/"+rec.Code+"/report/"+reportHash); w.Code != http.StatusOK || !strings.HasPrefix(w.Header().Get("Content-Disposition"), "attachment") || w.Header().Get("Content-Type") != "application/pdf" {
		t.Errorf("file: %d %v", w.Code, w.Header())
	}
	if w := s.get(t, "/t/"+rec.Code+"/report/"+strings.Repeat("0b", 32)); w.Code != http.StatusNotFound {
		t.Errorf("a file that no report names: %d", w.Code)
	}

	// Everybody can check what is shown.
	var all struct {
		Statements []struct {
			Record  json.RawMessage
			Receipt string
		}
	}
	if err := json.Unmarshal(s.get(t, "/t/"+rec.Code+"/statements").Body.Bytes(), &all); err != nil || len(all.Statements) != 2 {
		t.Fatalf("statements: %v, %+v", err, all)
	}
	for _, st := range all.Statements {
		if got, err := trace.ParseOpening(st.Record); err != nil || got.Subject == "" || st.Receipt == "" {
			t.Errorf("a statement: %v", err)
		}
	}
}

// What was taken back says so to whoever scans the label that was printed before.
func TestVoidCertificate(t *testing.T) {
	s := newShop(t, "")
	rec := s.seal(t, record(t, oysters(newCode(t))))
	s.say(t, trace.CertificateRecord, "c1", certificate(rec.Code))
	s.say(t, trace.VoidRecord, "c1", cert.Void{Version: 1, ID: "v1", Voids: "c1", Cause: cert.ByRecall, Reason: "召回 R-1", At: noon.Add(time.Hour)})
	second := certificate(rec.Code)
	second.ID, second.Number = "c2", "2026-000008"
	s.say(t, trace.CertificateRecord, "c2", second)
	page := s.get(t, "/t/"+rec.Code+"?c=2026-000007").Body.String()
	says(t, page, "您扫描的合格证（2026-000007）已作废", "因召回已于 2026\u2060-\u206011\u2060-\u206020 13:00 作废：R\u2060-\u20601", `role="alert"`)
	if strings.Index(page, "2026-000008") < strings.Index(page, "作废：R") {
		t.Error("the one that was scanned is not the first")
	}
	saysNot(t, s.get(t, "/t/"+rec.Code+"?c=2026-000008").Body.String(), `role="alert"`)
}

func TestFailedTest(t *testing.T) {
	s := newShop(t, "")
	rec := s.seal(t, record(t, oysters(newCode(t))))
	bad := labReport()
	bad.Items[0].Result, bad.Items[0].Verdict, bad.Verdict = "3.1", cert.Fail, cert.Fail
	s.say(t, trace.ReportRecord, "p1", bad)
	says(t, s.get(t, "/t/"+rec.Code).Body.String(), "检测不合格", "✖ 不合格", `role="alert"`)
	good := labReport()
	good.ID, good.Corrects = "p2", "p1"
	s.say(t, trace.ReportRecord, "p2", good)
	page := s.get(t, "/t/"+rec.Code).Body.String()
	says(t, page, "已被后来的报告更正", "✔ 合格")
	saysNot(t, page, `role="alert"`)
}

// A statement whose bytes are not those that were sealed says nothing.
func TestForgedStatement(t *testing.T) {
	s := newShop(t, "")
	rec := s.seal(t, record(t, oysters(newCode(t))))
	i := s.say(t, trace.CertificateRecord, "c1", certificate(rec.Code))
	s.said[i].Body = []byte(strings.Replace(string(s.said[i].Body), "1250.5", "9999.5", 1))
	page := s.get(t, "/t/"+rec.Code).Body.String()
	says(t, page, "有 1 条检测或合格证记录与封存凭证不符")
	saysNot(t, page, "9999.5", `id="certificate"`)
}

// A person's name that was erased is said to be.
func TestErasedPromiser(t *testing.T) {
	s := newShop(t, "")
	rec := s.seal(t, record(t, oysters(newCode(t))))
	c := certificate(rec.Code)
	name := trace.Personal{Path: "promiser.name.zh", Salt: []byte("0123456789abcdef"), Text: "韦大山"}
	c.Promiser, c.Personal = cert.Promiser{}, map[string]string{name.Path: name.Commitment()}
	i := s.say(t, trace.CertificateRecord, "c1", c, name)
	says(t, s.get(t, "/t/"+rec.Code).Body.String(), "韦大山")
	s.said[i].Personal = nil
	page := s.get(t, "/t/"+rec.Code).Body.String()
	says(t, page, "已按法律删除")
	saysNot(t, page, "韦大山", `role="alert"`)
}
