package api

import (
	"bytes"
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"tianhai/api/auth"
	"tianhai/farm"
	"tianhai/trace"
	"tianhai/trace/cert"
	"tianhai/trace/gate"
	"tianhai/trace/label"
	"tianhai/trace/label/press"
)

// A Certifier issues and voids certificates; *trace.Certifier does.
type Certifier interface {
	Dossier(ctx context.Context, batch string) (cert.Dossier, error)
	// Draft returns what Issue would issue, and what keeps it from doing so.
	Draft(ctx context.Context, b trace.Batch, in trace.Issue) (cert.Certificate, []gate.Refusal, error)
	Issue(ctx context.Context, b trace.Batch, in trace.Issue) (cert.Certificate, error)
	VoidCertificate(ctx context.Context, batch, id, reason string) error
}

func certificateKey(v cert.Issued) string { return timeKey(v.Issued, v.ID) }

func (s *server) listBatchCertificates() listing[cert.Issued] {
	return listing[cert.Issued]{
		name: "certificates", key: certificateKey,
		read: func(c *gin.Context, _ page) ([]cert.Issued, error) {
			b, err := s.farmBatch(c, auth.Read)
			if err != nil {
				return nil, err
			}
			d, err := s.Certifier.Dossier(c.Request.Context(), b.ID)
			return d.Certificates, err
		},
	}
}

// farmBatch is sampledBatch for what is no laboratory's matter.
func (s *server) farmBatch(c *gin.Context, a auth.Action) (trace.Batch, error) {
	if who(c).Role == auth.Laboratory {
		return trace.Batch{}, farm.ErrNotFound
	}
	return s.sampledBatch(c, a)
}

// listCertificates shows those of everything that the caller may read, newest first.
func (s *server) listCertificates() listing[cert.Issued] {
	return listing[cert.Issued]{
		name: "certificates", key: certificateKey, falling: true, pages: true,
		read: func(c *gin.Context, p page) ([]cert.Issued, error) {
			in, ok := scopeOf(who(c))
			if !ok {
				return nil, nil
			}
			return s.Statements.FindCertificates(c.Request.Context(), StatementQuery{Scope: in, After: timePlace(p.after), Limit: p.limit})
		},
	}
}

// listDue shows a farm what it split, mixed or bought of what had a certificate, and
// has not certified anew.
func (s *server) listDue() listing[trace.Batch] {
	return listing[trace.Batch]{
		name: "batches", falling: true, pages: true, key: func(b trace.Batch) string { return timeKey(b.Opened, b.ID) },
		read: func(c *gin.Context, p page) ([]trace.Batch, error) {
			me := who(c)
			if me.Tenant == "" || !auth.Can(me, auth.Write, auth.Object{Tenant: me.Tenant}) {
				return nil, nil
			}
			return s.Statements.CertificatesDue(c.Request.Context(), StatementQuery{Scope: Scope{Tenant: me.Tenant}, After: timePlace(p.after), Limit: p.limit})
		},
	}
}

// issueRequest is the body.
type issueRequest struct {
	ID        string       `json:"id"`
	Style     cert.Style   `json:"style"`
	Basis     []cert.Basis `json:"basis"`
	Collected []string     `json:"collected"`
}

func (in issueRequest) issue() trace.Issue {
	return trace.Issue{ID: in.ID, Style: in.Style, Basis: in.Basis, Collected: in.Collected}
}

// previewView is what would be issued.
type previewView struct {
	Certificate cert.Certificate `json:"certificate"`
	Refusals    []refusal        `json:"refusals"`
}

// previewCertificate shows what would be issued, and every reason why it may not be.
func (s *server) previewCertificate(c *gin.Context) error {
	b, err := s.farmBatch(c, auth.Administer)
	if err != nil {
		return err
	}
	var in issueRequest
	if err := body(c, &in); err != nil {
		return err
	}
	out, refusals, err := s.Certifier.Draft(c.Request.Context(), b, in.issue())
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, previewView{out, s.told(c, refusals)})
	return nil
}

// told gives refusals their words.
func (s *server) told(c *gin.Context, refusals []gate.Refusal) []refusal {
	lang := s.lang(c)
	said := []refusal{}
	for _, r := range refusals {
		said = append(said, refusal{r, s.Catalog.T(lang, "problem.gate_"+string(r.Gate), refusalWords(r, lang)...)})
	}
	return said
}

// issueCertificate issues a batch's certificate in the name of its farm, so a manager
// or somebody who may do everything does it.
func (s *server) issueCertificate(c *gin.Context) error {
	b, err := s.farmBatch(c, auth.Administer)
	if err != nil {
		return err
	}
	var in issueRequest
	if err := body(c, &in); err != nil {
		return err
	}
	out, err := s.Certifier.Issue(c.Request.Context(), b, in.issue())
	if err != nil {
		return err
	}
	c.JSON(http.StatusCreated, out)
	return nil
}

// certificate returns the certificate of the path.
func (s *server) certificate(c *gin.Context, a auth.Action) (trace.Batch, cert.Issued, error) {
	if who(c).Role == auth.Laboratory {
		return trace.Batch{}, cert.Issued{}, farm.ErrNotFound
	}
	b, err := s.statementBatch(c, a)
	if err != nil {
		return trace.Batch{}, cert.Issued{}, err
	}
	d, err := s.Certifier.Dossier(c.Request.Context(), b.ID)
	if err != nil {
		return trace.Batch{}, cert.Issued{}, err
	}
	i := slices.IndexFunc(d.Certificates, func(i cert.Issued) bool { return i.ID == c.Param("id") })
	if i < 0 {
		return trace.Batch{}, cert.Issued{}, farm.ErrNotFound
	}
	return b, d.Certificates[i], nil
}

func (s *server) getCertificate(c *gin.Context) error {
	_, out, err := s.certificate(c, auth.Read)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, out)
	return nil
}

func (s *server) voidCertificate(c *gin.Context) error {
	b, out, err := s.certificate(c, auth.Administer)
	if err != nil {
		return err
	}
	var in voidRequest
	if err := body(c, &in); err != nil {
		return err
	}
	if err := s.Certifier.VoidCertificate(c.Request.Context(), b.ID, out.ID, in.Reason); err != nil {
		return err
	}
	c.Status(http.StatusNoContent)
	return nil
}

// printCertificate answers with a page to print, or with a file of labels where the
// parameter format asks for one. What is void is not printed.
func (s *server) printCertificate(c *gin.Context) error {
	_, out, err := s.certificate(c, auth.Read)
	if err != nil {
		return err
	}
	if out.Void != nil {
		return farm.ErrConflict
	}
	if c.Query("format") != "" {
		return s.printForm(c, out.Certificate)
	}
	copies, err := queryInt(c, "copies", 1, label.MaxCopies)
	if err != nil {
		return err
	}
	paper := label.Paper(c.DefaultQuery("paper", string(label.Roll)))
	stock, ok := paper.Stock()
	if !ok {
		return &invalidError{"paper", "is neither label nor a4"}
	}
	form, lang := s.form(out.Certificate), s.lang(c)
	drawing, err := s.Press.Inline(stock, press.Certificate(form))
	if err != nil {
		return err
	}
	doc := label.Certificate{
		Title: form.Title, Drawing: drawing, Paper: paper, Copies: copies,
		Lang: lang, How: s.Catalog.T(lang, "certificate.how"), Gloss: s.gloss(out.Certificate, lang),
	}
	var page bytes.Buffer
	if err := doc.Write(&page); err != nil {
		return err
	}
	c.Header("Content-Security-Policy", label.SheetPolicy)
	c.Header("Content-Language", doc.Lang)
	c.Header("Referrer-Policy", "no-referrer")
	c.Data(http.StatusOK, "text/html; charset=utf-8", page.Bytes())
	return nil
}

// printForm answers with a file of labels that are certificates.
func (s *server) printForm(c *gin.Context, in cert.Certificate) error {
	format, job, err := s.printJob(c, "plain-80x60")
	if err != nil {
		return err
	}
	job.Count, job.Labels = press.Of(press.Certificate(s.form(in)))
	job.Title = s.Catalog.T("zh-CN", "certificate.title") + " " + in.Number
	return s.sendLabels(c, "certificate-"+in.Number, format, job)
}

// form fills in the form that the law prescribes, in Chinese.
func (s *server) form(in cert.Certificate) label.Form {
	const law = "zh-CN"
	t := func(key string) string { return s.Catalog.T(law, key) }
	form := label.Form{
		Title: t("certificate.title"), Lines: s.lines(in, law), Sign: t("certificate.sign"), Scan: t("certificate.scan"),
		Promise: label.Line{Name: t("certificate.promise"), Value: in.Promise},
		Basis:   label.Line{Name: t("certificate.basis")},
		URL:     s.PublicURL + "/t/" + in.Code + "?c=" + url.QueryEscape(in.Number),
	}
	for _, b := range cert.Bases() {
		form.Choices = append(form.Choices, label.Choice{Text: b.Words(), Chosen: slices.Contains(in.Basis, b)})
	}
	return form
}

// gloss is the form in the reader's language where that is not the law's.
func (s *server) gloss(in cert.Certificate, lang string) []label.Line {
	if lang == "zh-CN" {
		return nil
	}
	var basis []string
	for _, b := range in.Basis {
		basis = append(basis, s.Catalog.T(lang, "certificate.basis."+string(b)))
	}
	return append(s.lines(in, lang),
		label.Line{Name: s.Catalog.T(lang, "certificate.promise"), Value: s.Catalog.T(lang, "certificate.promise."+string(in.Style))},
		label.Line{Name: s.Catalog.T(lang, "certificate.basis"), Value: strings.Join(basis, "; ")})
}

func (s *server) lines(in cert.Certificate, lang string) []label.Line {
	t := func(key string) string { return s.Catalog.T(lang, key) }
	unit := in.Unit
	if word := t("unit." + in.Unit); word != "unit."+in.Unit {
		unit = word
	}
	lines := []label.Line{
		{Name: t("certificate.number"), Value: in.Number},
		{Name: t("certificate.product"), Value: in.Product.In(lang)},
		{Name: t("certificate.quantity"), Value: strconv.FormatFloat(in.Quantity, 'f', -1, 64) + " " + unit},
		{Name: t("certificate.origin"), Value: in.Origin.In(lang)},
		{Name: t("certificate.promiser"), Value: in.Promiser.Name.In(lang)},
		{Name: t("certificate.contact"), Value: in.Promiser.Phone},
		{Name: t("certificate.issued"), Value: in.Issued.In(time.FixedZone("UTC+8", 8*60*60)).Format(time.DateOnly)},
	}
	if len(in.Parents) > 0 {
		lines = append(lines, label.Line{Name: t("certificate.parents"), Value: strings.Join(in.Parents, "、")})
	}
	return lines
}
