package consumer

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"tianhai/farm"
	"tianhai/i18n"
	"tianhai/trace"
	"tianhai/trace/cert"
)

// assurance is what the sealed records say of a batch's tests and certificates.
type assurance struct {
	cert.Dossier
	pending map[string]bool // IDs of what waits for its receipt
	broken  int             // records that do not match their receipts; they are not shown
}

// assurance reads the records of a batch's tests and certificates, each against its
// receipt. One that does not match says nothing, and is counted.
func (s *server) assurance(ctx context.Context, batch string) (assurance, error) {
	a := assurance{pending: map[string]bool{}}
	if s.Statements == nil {
		return a, nil
	}
	records, err := s.Statements.Statements(ctx, batch)
	if err != nil {
		return a, err
	}
	var good []trace.Record
	for _, rec := range records {
		_, err := trace.ReadStatement(rec)
		if err == nil && rec.Receipt != "" {
			_, _, err = s.check(rec)
		}
		if err != nil {
			a.broken++
			s.Logger.ErrorContext(ctx, "a sealed record does not match its receipt", "batch", batch, "record", rec.ID, "error", err)
			continue
		}
		good = append(good, rec)
		a.pending[rec.Subject] = a.pending[rec.Subject] || rec.Receipt == ""
	}
	a.Dossier, err = trace.ReadDossier(good)
	return a, err
}

// statements are the records themselves, for whoever checks them: what each is
// recomputed from, and its receipt.
func (s *server) statements(ctx context.Context, batch string) ([]byte, error) {
	type statement struct {
		Record  json.RawMessage `json:"record"`
		Receipt string          `json:"receipt"` // empty until it is sealed
	}
	all := []statement{}
	var records []trace.Record
	var err error
	if s.Statements != nil {
		if records, err = s.Statements.Statements(ctx, batch); err != nil {
			return nil, err
		}
	}
	if s.Shipments != nil {
		ways, err := s.Shipments.Carriages(ctx, batch)
		if err != nil {
			return nil, err
		}
		for _, way := range ways {
			records = append(records, way.Record)
		}
	}
	for _, rec := range records {
		opening, err := rec.Opening()
		if err != nil {
			return nil, err
		}
		all = append(all, statement{opening, rec.Receipt})
	}
	return json.Marshal(map[string]any{"statements": all})
}

// reportFile answers the file of a report that a sealed record names, and no other. It
// is saved and not shown: a PDF may hold a program.
func (s *server) reportFile(w http.ResponseWriter, r *http.Request) {
	rec, ok := s.find(w, r)
	if !ok {
		return
	}
	hash := r.PathValue("hash")
	said, err := s.assurance(r.Context(), rec.Subject)
	if err != nil {
		s.Logger.ErrorContext(r.Context(), "cannot read the reports of a batch", "code", rec.Code, "error", err)
		s.unavailable(w, r, rec.Code)
		return
	}
	named := slices.ContainsFunc(said.Reports, func(t cert.Tested) bool { return t.InForce() && t.File != nil && t.File.Hash == hash })
	if !named || s.ReportFile == nil {
		http.NotFound(w, r)
		return
	}
	raw, media, err := s.ReportFile(hash)
	if errors.Is(err, farm.ErrNotFound) {
		http.NotFound(w, r)
		return
	}
	if err != nil {
		s.Logger.ErrorContext(r.Context(), "cannot hand out a report", "code", rec.Code, "hash", hash, "error", err)
		http.Error(w, "cannot be shown", http.StatusInternalServerError)
		return
	}
	ending := map[string]string{"application/pdf": ".pdf", "image/png": ".png", "image/webp": ".webp"}[media]
	s.write(w, r, answer{status: http.StatusOK, cache: "public, max-age=86400", contentType: media, download: rec.Code + "-" + hash[:8] + cmp.Or(ending, ".jpg"), body: raw})
}

// shownAssurance is an assurance as the page shows it.
type shownAssurance struct {
	base
	Code         string
	Alarm        string // before everything else
	Certificates []shownCertificate
	Reports      []shownReport
}

// Any reports whether there is anything to show.
func (a shownAssurance) Any() bool { return len(a.Certificates)+len(a.Reports) > 0 }

type shownCertificate struct {
	ID      string
	Void    string
	Facts   []fact
	Pending bool
}

type shownReport struct {
	ID             string
	Verdict, Class string
	Said           cert.Verdict // as it was sealed
	Third          bool         // the laboratory itself said so
	Gone           string       // corrected or void
	Facts          []fact
	Items          []shownItem
	Count          string
	Open           bool
	File, Hash     string
	Pending        bool
}

// A shownItem is one line of a report; Path is where it stands in the sealed body.
type shownItem struct {
	Path, Name, Method string
	Result, Limit      measured
	Verdict, Class     string
	Said               cert.Verdict
}

// measured is a result or a limit, of which the Text is sealed by itself.
type measured struct{ Path, Text, UnitPath, Unit string }

// show puts what was said on the page. asked is the number on the label that was
// scanned; empty where the code was another.
func (p *page) show(a assurance, asked string) {
	out := shownAssurance{base: p.base, Code: p.Code}
	found := false
	for _, c := range slices.Backward(a.Certificates) {
		shown := p.certificate(c, a)
		if c.Number != asked {
			out.Certificates = append(out.Certificates, shown)
			continue
		}
		found = true
		if c.Void != nil {
			out.Alarm = p.T("consumer.certificate.scanned_void", "number", c.Number)
		}
		out.Certificates = slices.Insert(out.Certificates, 0, shown)
	}
	if asked != "" && !found {
		out.Alarm = p.T("consumer.certificate.unknown", "number", asked)
	}
	if a.broken > 0 {
		out.Alarm = p.T("consumer.statement.broken", "n", strconv.Itoa(a.broken))
	}
	for _, t := range slices.Backward(a.Reports) {
		out.Reports = append(out.Reports, p.report(t, a))
	}
	if failed := a.Failed(); failed != nil && out.Alarm == "" {
		out.Alarm = p.T("consumer.tests.failed")
	}
	p.Assurance = out
}

func (p *page) certificate(c cert.Issued, a assurance) shownCertificate {
	plain := func(key, text string) fact { return fact{Name: p.T(key), Parts: []sealedText{{Text: text}}} }
	quantity := strconv.FormatFloat(c.Quantity, 'f', -1, 64)
	promiser := p.text("promiser.name", c.Promiser.Name)
	if promiser.Text == "" && c.Personal["promiser.name.zh"] != "" {
		promiser = sealedText{Text: p.T("consumer.erased")}
	}
	var basis []string
	for _, b := range c.Basis {
		basis = append(basis, p.T("certificate.basis."+string(b)))
	}
	facts := []fact{
		{Name: p.T("certificate.number"), Parts: []sealedText{{Text: c.Number, Path: "number"}}, Code: true},
		{Name: p.T("certificate.product"), Parts: []sealedText{p.text("product", c.Product)}},
		{Name: p.T("certificate.quantity"), Parts: []sealedText{{Text: p.local(quantity), Path: "quantity"}}, Value: quantity, Unit: p.unit(c.Unit)},
		{Name: p.T("certificate.origin"), Parts: []sealedText{p.text("origin", c.Origin)}},
		{Name: p.T("certificate.promiser"), Parts: []sealedText{promiser}},
		{Name: p.T("certificate.contact"), Parts: []sealedText{{Text: c.Promiser.Phone, Path: "promiser.phone"}}, Tel: c.Promiser.Phone},
		plain("certificate.issued", day(c.Issued)),
		plain("certificate.promise", p.T("certificate.promise."+string(c.Style))),
		plain("certificate.basis", strings.Join(basis, p.T("consumer.stop"))),
		plain("consumer.certificate.collected", strings.Join(c.Collected, p.T("consumer.stop"))),
		plain("certificate.parents", strings.Join(c.Parents, p.T("consumer.stop"))),
	}
	if p.Lang == i18n.Default {
		facts[7].Parts[0] = sealedText{Text: c.Promise, Path: "promise"}
	}
	facts = slices.DeleteFunc(facts, func(f fact) bool { return f.Parts[0].Text == "" })
	out := shownCertificate{ID: c.ID, Facts: facts, Pending: a.pending[c.ID]}
	if v := c.Void; v != nil {
		reason := v.Reason
		if v.Cause == cert.ByRecall {
			reason = unbroken(strings.TrimPrefix(reason, "召回 ")) // its number
		}
		out.Void = p.T("consumer.certificate.void."+string(v.Cause), "time", at(v.At).Unbroken(), "reason", reason)
	}
	return out
}

func (p *page) report(t cert.Tested, a assurance) shownReport {
	as := func(key, path, text string) fact {
		return fact{Name: p.T(key), Parts: []sealedText{{Text: text, Path: path}}}
	}
	facts := []fact{
		as("consumer.tests.laboratory", "laboratory", t.Lab),
		{Name: p.T("consumer.tests.cma"), Parts: []sealedText{{Text: t.CMA, Path: "cma"}}, Code: true},
		as("consumer.tests.number", "number", t.Number),
		as("consumer.tests.sampled", "sampled", t.Sampled),
		as("consumer.tests.reported", "reported", t.Reported),
		as("consumer.tests.standard", "standard", t.Standard),
	}
	if t.Lab == "" {
		facts[0] = as("consumer.tests.laboratory", "", p.T("consumer.tests.own"))
	}
	out := shownReport{
		ID: t.ID, Said: t.Verdict, Third: t.Source == cert.Laboratory, Facts: slices.DeleteFunc(facts, func(f fact) bool { return f.Parts[0].Text == "" }),
		Count: p.T("consumer.tests.items", "n", strconv.Itoa(len(t.Items))), Open: len(t.Items) <= 6 || t.Verdict == cert.Fail, Pending: a.pending[t.ID],
	}
	out.Verdict, out.Class = p.verdict(t.Verdict, t.Stated)
	switch {
	case t.Void != nil:
		out.Gone = p.T("consumer.tests.void", "time", at(t.Void.At).Unbroken(), "reason", t.Void.Reason)
	case t.CorrectedBy != "":
		out.Gone = p.T("consumer.tests.corrected")
	case t.File != nil:
		out.File, out.Hash = fmt.Sprintf("/t/%s/report/%s", p.Code, t.File.Hash), t.File.Hash
	}
	for n, i := range t.Items {
		path := "items." + strconv.Itoa(n)
		item := shownItem{
			Path: path, Name: i.Name, Method: i.Method, Said: i.Verdict,
			Result: withUnit(path, "result", i.Result, i.Unit), Limit: withUnit(path, "limit", i.Limit, i.Unit),
		}
		item.Verdict, item.Class = p.verdict(i.Verdict, i.Stated)
		out.Items = append(out.Items, item)
	}
	return out
}

// withUnit is a result or limit with its unit, which words go without.
func withUnit(item, member, text, unit string) measured {
	if !strings.ContainsAny(text, "0123456789") {
		unit = ""
	}
	return measured{item + "." + member, text, item + ".unit", unit}
}

func (p *page) verdict(v cert.Verdict, stated bool) (words, class string) {
	switch {
	case v == cert.Pass && stated:
		return p.T("consumer.tests.pass_stated"), "pass"
	case v == cert.Pass:
		return p.T("consumer.tests.pass"), "pass"
	case v == cert.Fail && stated:
		return p.T("consumer.tests.fail_stated"), "fail"
	case v == cert.Fail:
		return p.T("consumer.tests.fail"), "fail"
	}
	return p.T("consumer.tests.open"), "open"
}
