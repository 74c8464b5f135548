package api_test

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"testing"

	"tianhai/api"
	"tianhai/api/auth"
	"tianhai/farm"
	"tianhai/trace"
	"tianhai/trace/cert"
	"tianhai/trace/gate"
	"tianhai/trace/photo"
)

const (
	reportID      = "01JZ00000000000000000000R1"
	certificateID = "01JZ00000000000000000000C1"
	issueBody     = `{"id":"01JZ00000000000000000000C2","style":"producer","basis":["control"]}`
)

// An office is the part of the world that keeps reports and certificates.
type office struct{ *world }

// newDossier has one report of the farm's own and one certificate.
func newDossier() cert.Dossier {
	return cert.NewDossier(
		[]cert.Report{{ID: reportID, Tenant: "oyster", Batch: batchID, Source: cert.Self, Number: "lot-77/1", Sampled: "2026-06-30", Reported: "2026-06-30", Items: []cert.Item{{Name: "铅", Result: "未检出", Limit: "0.5", Verdict: cert.Pass}}, Verdict: cert.Pass, Recorded: noon}},
		[]cert.Certificate{{
			ID: certificateID, Tenant: "oyster", Batch: batchID, Code: "4Q7XH2M9KTB3D", Number: "2026-000007", Style: cert.Producer, Promise: cert.Producer.Promise(), Basis: []cert.Basis{cert.Control},
			Product: farm.Text{Zh: "大蚝", En: "Oysters"}, Quantity: 5, Unit: "kg", Origin: farm.Text{Zh: "广西北海市"}, Promiser: cert.Promiser{Name: farm.Text{Zh: "蚝场"}, Phone: "0779-1"}, Issued: noon,
		}}, nil)
}

func papersOf(t testing.TB) *photo.Shelf {
	return &photo.Shelf{Dir: t.TempDir(), Index: &uploads{}, Documents: true}
}

func (w office) Dossier(_ context.Context, batch string) (cert.Dossier, error) {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil || batch != batchID {
		return cert.Dossier{}, err
	}
	return cert.Dossier{Reports: slices.Clone(w.dossier.Reports), Certificates: slices.Clone(w.dossier.Certificates)}, nil
}

func (w office) AddReport(_ context.Context, r cert.Report) (cert.Report, error) {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return cert.Report{}, err
	}
	r, err := r.Judge(noon)
	if err != nil {
		return cert.Report{}, err
	}
	w.wrote++
	w.dossier.Reports = append(w.dossier.Reports, cert.Tested{Report: r})
	return r, nil
}

func (w office) VoidReport(_ context.Context, _, _, reason string) error {
	return w.void(reason)
}

func (w office) VoidCertificate(_ context.Context, _, _, reason string) error {
	return w.void(reason)
}

func (w office) void(reason string) error {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return err
	}
	if err := cert.CheckReason(reason); err != nil {
		return err
	}
	w.wrote++
	return nil
}

func (w office) Draft(_ context.Context, b trace.Batch, in trace.Issue) (cert.Certificate, []gate.Refusal, error) {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return cert.Certificate{}, nil, err
	}
	out := cert.Certificate{ID: in.ID, Tenant: b.Tenant, Batch: b.ID, Style: in.Style, Basis: in.Basis, Collected: in.Collected, Promise: in.Style.Promise()}
	if err := out.Check(); err != nil {
		return cert.Certificate{}, nil, err
	}
	return out, w.refusals, nil
}

func (w office) Issue(_ context.Context, b trace.Batch, in trace.Issue) (cert.Certificate, error) {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return cert.Certificate{}, err
	}
	if len(w.refusals) > 0 {
		return cert.Certificate{}, &gate.Refused{Refusals: w.refusals}
	}
	d := cert.Dossier{Reports: w.dossier.Reports}
	if err := d.Failed(); err != nil {
		return cert.Certificate{}, err
	}
	w.wrote++
	return cert.Certificate{ID: in.ID, Tenant: b.Tenant, Batch: b.ID, Number: "2026-000008", Style: in.Style, Basis: in.Basis}, nil
}

func (w office) AddSample(_ context.Context, s cert.Sample) error {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return err
	}
	w.wrote++
	w.samples = append(w.samples, s)
	return nil
}

func (w office) Samples(_ context.Context, q api.SampleQuery) ([]cert.Sample, error) {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(w.samples), func(s cert.Sample) bool {
		return q.Laboratory != "" && s.Laboratory != q.Laboratory || q.Batch != "" && s.Batch != q.Batch || q.Number != "" && s.Number != q.Number ||
			!behind(q.After, s.Asked, s.ID)
	}), nil
}

func (w office) Laboratories(context.Context) ([]farm.Tenant, error) {
	defer w.mu.Unlock()
	return []farm.Tenant{{ID: "lab", Name: farm.Text{Zh: "检测中心"}, Phone: "0771-1"}}, w.enter()
}

func (w office) StatementBatch(_ context.Context, id string) (string, error) {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return "", err
	}
	known := slices.ContainsFunc(w.dossier.Reports, func(t cert.Tested) bool { return t.ID == id })
	if !known && id != certificateID {
		return "", farm.ErrNotFound
	}
	return batchID, nil
}

func (w office) FindReports(_ context.Context, q api.StatementQuery) ([]cert.Tested, error) {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil || !w.within(q.Scope, "oyster", "450512") {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(w.dossier.Reports), func(t cert.Tested) bool { return !behind(q.After, t.Recorded, t.ID) }), nil
}

func (w office) FindCertificates(_ context.Context, q api.StatementQuery) ([]cert.Issued, error) {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil || !w.within(q.Scope, "oyster", "450512") {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(w.dossier.Certificates), func(i cert.Issued) bool { return !behind(q.After, i.Issued, i.ID) }), nil
}

func (w office) CertificatesDue(_ context.Context, q api.StatementQuery) ([]trace.Batch, error) {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil || q.Tenant != "oyster" {
		return nil, err
	}
	return []trace.Batch{w.batches[batchID]}, nil
}

// A laboratory reports on what it was sent, under its own name, and on nothing else.
func TestLaboratoryReports(t *testing.T) {
	w := newWorld()
	base, _ := serve(t, w)
	manager, lab := client{t, base, "manager"}, client{t, base, "laboratory"}
	reports := "/batches/" + batchID + "/reports"
	send := func(c client, id, sample string) answer {
		return c.do("POST", reports, `{"id":"`+id+`","laboratory":"别的机构","cma":"230021340123","number":"W-1","sample":"`+sample+`","sampled":"2026-06-30","reported":"2026-07-01",
			"items":[{"name":"铅","result":"0.1","unit":"mg/kg","limit":"0.5"}]}`)
	}
	if a := send(lab, "01JZ00000000000000000000R3", "S-9"); a.status != 404 {
		t.Fatalf("before it is asked: %d %s", a.status, a.body)
	}
	if a := manager.do("POST", "/batches/"+batchID+"/samples", `{"id":"01JZ00000000000000000000S1","laboratory":"oyster","number":"S-9"}`); a.status != 400 || !strings.Contains(a.body, `"field":"laboratory"`) {
		t.Errorf("whoever is no laboratory: %d %s", a.status, a.body)
	}
	if a := manager.do("POST", "/batches/"+batchID+"/samples", `{"id":"01JZ00000000000000000000S1","laboratory":"lab","number":"S-9"}`); a.status != 201 {
		t.Fatalf("asked: %d %s", a.status, a.body)
	}
	if a := lab.do("GET", "/samples?number=S-9", ""); a.status != 200 || !strings.Contains(a.body, batchID) || !strings.Contains(a.body, "lot-77") {
		t.Errorf("what it was sent: %s", a.body)
	}
	want(t, "another number", `{"samples":[]}`, lab.do("GET", "/samples?number=S-8", "").body)
	if a := send(lab, "01JZ00000000000000000000R3", "S-8"); a.status != 400 || !strings.Contains(a.body, `"field":"sample"`) {
		t.Errorf("a sample that it was not sent: %d %s", a.status, a.body)
	}
	a := send(lab, "01JZ00000000000000000000R3", "S-9")
	if a.status != 201 || !strings.Contains(a.body, `"source":"laboratory","by":"lab","laboratory":"检测中心"`) || strings.Contains(a.body, "别的机构") {
		t.Fatalf("its report: %d %s", a.status, a.body)
	}
	// It reads its own and not the farm's, nor certificates, nor the farm.
	if a := lab.do("GET", reports, ""); a.status != 200 || strings.Contains(a.body, reportID) || !strings.Contains(a.body, "01JZ00000000000000000000R3") {
		t.Errorf("reports that it reads: %s", a.body)
	}
	for _, path := range []string{"/reports/" + reportID, "/batches/" + batchID + "/certificates", "/certificates/" + certificateID, "/sites/raft-1"} {
		if a := lab.do("GET", path, ""); a.status != 404 {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	// A farm does not strike out what a laboratory found; the laboratory may.
	voidPath := "/reports/01JZ00000000000000000000R3/void"
	if a := manager.do("POST", voidPath, `{"reason":"不好看"}`); a.status != 403 {
		t.Errorf("voided by the farm: %d", a.status)
	}
	if a := lab.do("POST", "/reports/"+reportID+"/void", `{"reason":"x"}`); a.status != 404 {
		t.Errorf("voided by a stranger: %d", a.status)
	}
	if a := lab.do("POST", voidPath, `{"reason":""}`); a.status != 400 || !strings.Contains(a.body, `"field":"reason"`) {
		t.Errorf("without a reason: %d %s", a.status, a.body)
	}
	if a := lab.do("POST", voidPath, `{"reason":"样品弄混"}`); a.status != 204 {
		t.Errorf("voided: %d %s", a.status, a.body)
	}
	if auth.Can(accounts["laboratory"], auth.Read, auth.Object{Tenant: "oyster"}) {
		t.Error("a laboratory reads the farm")
	}
}

func TestReportFile(t *testing.T) {
	w := newWorld()
	base, _ := serve(t, w)
	c := client{t, base, "manager"}
	files := "/batches/" + batchID + "/report-files"
	const pdf = "%PDF-1.4\nreport\n%%EOF\n"
	if a := c.do("POST", files, "%PDF-1.4\nhalf of", "Content-Type", "application/pdf"); a.status != 400 || !strings.Contains(a.body, `"code":"no_document"`) {
		t.Errorf("half a file: %d %s", a.status, a.body)
	}
	var kept struct{ Hash string }
	c.do("POST", files, pdf, "Content-Type", "application/pdf").decode(t, &kept)
	report := func(id, file string) answer {
		return c.do("POST", "/batches/"+batchID+"/reports", `{"id":"`+id+`","number":"W","sampled":"2026-06-30","reported":"2026-06-30","items":[{"name":"铅","result":"未检出"}],"file":"`+file+`"}`)
	}
	if a := report("01JZ00000000000000000000R4", noPhoto); a.status != 400 || !strings.Contains(a.body, `"field":"file"`) {
		t.Errorf("a file of nobody: %d %s", a.status, a.body)
	}
	if a := report("01JZ00000000000000000000R4", kept.Hash); a.status != 201 || !strings.Contains(a.body, `"type":"application/pdf","size":22`) {
		t.Fatalf("report: %d %s", a.status, a.body)
	}
	a := c.do("GET", "/reports/01JZ00000000000000000000R4/file", "")
	if a.status != 200 || a.body+"\n" != pdf || !strings.HasPrefix(a.header.Get("Content-Disposition"), "attachment") || a.header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("file: %d %v %q", a.status, a.header, a.body)
	}
}

func TestCertificateProblems(t *testing.T) {
	w := newWorld()
	base, _ := serve(t, w)
	c := client{t, base, "manager"}
	path := "/batches/" + batchID + "/certificates"
	w.refusals = []gate.Refusal{{Gate: gate.Interval, Product: "p", Name: farm.Text{Zh: "吡虫啉", En: "imidacloprid"}, Date: "2026-06-28", Earliest: "2026-07-12"}}
	if a := c.do("POST", path, issueBody); a.status != 409 || !strings.Contains(a.body, `"code":"gate_interval"`) || !strings.Contains(a.body, "2026-07-12") {
		t.Errorf("inside an interval: %d %s", a.status, a.body)
	}
	if a := c.do("POST", path+"/preview", issueBody); a.status != 200 || !strings.Contains(a.body, "2026-07-12") || !strings.Contains(a.body, cert.Producer.Promise()) {
		t.Errorf("preview: %d %s", a.status, a.body)
	}
	w.refusals = nil
	if a := c.do("POST", path+"/preview", `{"style":"producer","basis":["hope"]}`); a.status != 400 || !strings.Contains(a.body, `"field":"basis[0]"`) {
		t.Errorf("a basis that is none: %d %s", a.status, a.body)
	}
	w.dossier.Reports[0].Verdict = cert.Fail
	if a := c.do("POST", path, issueBody); a.status != 409 || !strings.Contains(a.body, `"code":"test_failed"`) || !strings.Contains(a.body, "lot-77/1") {
		t.Errorf("after a failed test: %d %s", a.status, a.body)
	}
	if a := c.do("GET", "/reports?verdict=bad", ""); a.status != 400 {
		t.Errorf("a verdict that is none: %d", a.status)
	}
}

func TestPrintCertificate(t *testing.T) {
	w := newWorld()
	base, _ := serve(t, w)
	c := client{t, base, "farmer"}
	path := "/certificates/" + certificateID + "/print"
	a := c.do("GET", path+"?paper=a4&copies=9", "", "Accept-Language", "en")
	if a.status != 200 || strings.Count(a.body, "<article") != 9 || !strings.Contains(a.header.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Fatalf("%d %v", a.status, a.header)
	}
	words := regexp.MustCompile(`<[^>]*>`).ReplaceAllString(a.body, "") // lines are joined
	for _, said := range []string{"承诺达标合格证", "2026-000007", "大蚝", "5 千克", "广西北海市", "蚝场", "0779-1", "2026-07-01", cert.Producer.Promise(), "□质量安全控制符合要求√□", "Oysters"} {
		if !strings.Contains(words, said) {
			t.Errorf("the page does not say %s", said)
		}
	}
	if a := c.do("GET", path, "", "Accept-Language", "zh-CN"); strings.Contains(a.body, "Oysters") {
		t.Error("a gloss where none is needed")
	}
	for _, query := range []string{"?paper=a3", "?copies=0", "?copies=401"} {
		if a := c.do("GET", path+query, ""); a.status != 400 {
			t.Errorf("%s: %d", query, a.status)
		}
	}
	w.dossier.Certificates[0].Void = &cert.Void{Voids: certificateID}
	if a := c.do("GET", path, ""); a.status != 409 {
		t.Errorf("a void one is printed: %d", a.status)
	}
}
