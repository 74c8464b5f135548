package api

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/oklog/ulid/v2"

	"tianhai/api/auth"
	"tianhai/farm"
	"tianhai/trace"
	"tianhai/trace/cert"
	"tianhai/trace/photo"
)

const reportFilesPath = "/batches/:id/report-files"

// Reports records what laboratories found; *trace.Certifier does.
type Reports interface {
	Dossier(ctx context.Context, batch string) (cert.Dossier, error)
	AddReport(ctx context.Context, r cert.Report) (cert.Report, error)
	VoidReport(ctx context.Context, batch, id, reason string) error
}

// ReportFiles keeps PDF files and pictures by their hash; a *photo.Shelf does.
type ReportFiles interface {
	Put(ctx context.Context, raw []byte, u photo.Upload) (hash string, err error)
	Get(hash string) (raw []byte, mediaType string, err error)
	// Uploads returns who uploaded a file; farm.ErrNotFound for one that is unknown.
	Uploads(ctx context.Context, hash string) ([]photo.Upload, error)
}

// A StatementQuery asks for reports or certificates, newest first.
type StatementQuery struct {
	Scope
	Verdict cert.Verdict // of reports; empty: any
	After   Place
	Limit   int
}

// Statements finds reports and certificates.
type Statements interface {
	// StatementBatch returns the batch that a report or certificate is about;
	// farm.ErrNotFound.
	StatementBatch(ctx context.Context, id string) (string, error)
	FindReports(ctx context.Context, q StatementQuery) ([]cert.Tested, error)
	FindCertificates(ctx context.Context, q StatementQuery) ([]cert.Issued, error)
	// CertificatesDue returns the batches of the scope's tenant that may be certified
	// anew, those opened last first.
	CertificatesDue(ctx context.Context, q StatementQuery) ([]trace.Batch, error)
}

// A SampleQuery asks for samples, newest first; what is empty does not narrow it.
type SampleQuery struct {
	Laboratory string // tenant
	Batch      string
	Number     string
	After      Place
	Limit      int // 0: as many as a page has
}

// Samples knows which laboratory was asked to test what.
type Samples interface {
	AddSample(ctx context.Context, s cert.Sample) error
	Samples(ctx context.Context, q SampleQuery) ([]cert.Sample, error)
	// Laboratories returns the tenants that somebody here tests for.
	Laboratories(ctx context.Context) ([]farm.Tenant, error)
}

// sampledBatch returns the batch of the path if the caller may do a to what is said of its
// tests and certificates. A laboratory may read and report where it was asked to.
func (s *server) sampledBatch(c *gin.Context, a auth.Action) (trace.Batch, error) {
	if _, err := ulid.ParseStrict(c.Param("id")); err != nil {
		return trace.Batch{}, farm.ErrNotFound
	}
	return s.allowedBatch(c, c.Param("id"), a)
}

func (s *server) allowedBatch(c *gin.Context, id string, a auth.Action) (trace.Batch, error) {
	ctx, p := c.Request.Context(), who(c)
	b, err := s.Records.Batch(ctx, id)
	if err != nil {
		return trace.Batch{}, err
	}
	o, err := s.batchObject(ctx, b)
	if err != nil {
		return trace.Batch{}, err
	}
	if p.Role == auth.Laboratory {
		asked, err := s.Samples.Samples(ctx, SampleQuery{Laboratory: p.Tenant, Batch: b.ID})
		if err != nil {
			return trace.Batch{}, err
		}
		if len(asked) > 0 {
			o.Laboratory = p.Tenant
		}
	}
	return b, allow(p, a, o)
}

// statementBatch returns the batch that the report or certificate of the path is
// about if the caller may do a to it.
func (s *server) statementBatch(c *gin.Context, a auth.Action) (trace.Batch, error) {
	if _, err := ulid.ParseStrict(c.Param("id")); err != nil {
		return trace.Batch{}, farm.ErrNotFound
	}
	id, err := s.Statements.StatementBatch(c.Request.Context(), c.Param("id"))
	if err != nil {
		return trace.Batch{}, err
	}
	return s.allowedBatch(c, id, a)
}

// seesReport reports whether somebody who may read the batch's statements may read
// this report: a laboratory reads its own.
func seesReport(p auth.Principal, t cert.Tested) bool {
	return p.Role != auth.Laboratory || p.Tenant != "" && t.By == p.Tenant
}

func reportKey(t cert.Tested) string { return timeKey(t.Recorded, t.ID) }

func (s *server) listBatchReports() listing[cert.Tested] {
	return listing[cert.Tested]{
		name: "reports", key: reportKey,
		read: func(c *gin.Context, _ page) ([]cert.Tested, error) {
			b, err := s.sampledBatch(c, auth.Read)
			if err != nil {
				return nil, err
			}
			d, err := s.Reports.Dossier(c.Request.Context(), b.ID)
			return d.Reports, err
		},
		sees: func(c *gin.Context, t *cert.Tested) (bool, error) { return seesReport(who(c), *t), nil },
	}
}

// listReports shows those of everything that the caller may read, newest first; the
// parameter verdict asks for those that passed or failed.
func (s *server) listReports() listing[cert.Tested] {
	return listing[cert.Tested]{
		name: "reports", key: reportKey, falling: true, pages: true,
		read: func(c *gin.Context, p page) ([]cert.Tested, error) {
			verdict := cert.Verdict(c.Query("verdict"))
			if verdict != "" && verdict != cert.Pass && verdict != cert.Fail {
				return nil, &invalidError{"verdict", "is neither pass nor fail"}
			}
			in, ok := scopeOf(who(c))
			if !ok {
				return nil, nil
			}
			return s.Statements.FindReports(c.Request.Context(), StatementQuery{Scope: in, Verdict: verdict, After: timePlace(p.after), Limit: p.limit})
		},
	}
}

// report returns the report of the path.
func (s *server) report(c *gin.Context, a auth.Action) (trace.Batch, cert.Tested, error) {
	b, err := s.statementBatch(c, a)
	if err != nil {
		return trace.Batch{}, cert.Tested{}, err
	}
	d, err := s.Reports.Dossier(c.Request.Context(), b.ID)
	if err != nil {
		return trace.Batch{}, cert.Tested{}, err
	}
	i := slices.IndexFunc(d.Reports, func(t cert.Tested) bool { return t.ID == c.Param("id") })
	if i < 0 || !seesReport(who(c), d.Reports[i]) {
		return trace.Batch{}, cert.Tested{}, farm.ErrNotFound
	}
	return b, d.Reports[i], nil
}

func (s *server) getReport(c *gin.Context) error {
	_, r, err := s.report(c, auth.Read)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, r)
	return nil
}

// addReportRequest is the body.
type addReportRequest struct {
	ID         string       `json:"id"`
	Laboratory string       `json:"laboratory"` // a farm's word; a laboratory has its own name
	CMA        string       `json:"cma"`
	Number     string       `json:"number"`
	Sample     string       `json:"sample"`
	Sampled    string       `json:"sampled"`
	Reported   string       `json:"reported"`
	Standard   string       `json:"standard"`
	Items      []cert.Item  `json:"items"`
	Verdict    cert.Verdict `json:"verdict"`
	File       string       `json:"file"` // hash of an uploaded one
	Corrects   string       `json:"corrects"`
}

// addReport takes a laboratory's report of a batch that it was asked to test, or what
// a manager says of one's own.
func (s *server) addReport(c *gin.Context) error {
	a := auth.Administer
	if who(c).Role == auth.Laboratory {
		a = auth.Report
	}
	b, err := s.sampledBatch(c, a)
	if err != nil {
		return err
	}
	var in addReportRequest
	if err := body(c, &in); err != nil {
		return err
	}
	r := cert.Report{
		ID: in.ID, Tenant: b.Tenant, Batch: b.ID, Source: cert.Self, Lab: in.Laboratory, CMA: in.CMA, Number: in.Number, Sample: in.Sample,
		Sampled: in.Sampled, Reported: in.Reported, Standard: in.Standard, Items: in.Items, Verdict: in.Verdict, Corrects: in.Corrects,
	}
	if a == auth.Report {
		if err := s.asLaboratory(c, &r); err != nil {
			return err
		}
	}
	if in.File != "" {
		if r.File, err = s.reportFile(c.Request.Context(), b.Tenant, in.File); err != nil {
			return err
		}
	}
	stored, err := s.Reports.AddReport(c.Request.Context(), r)
	if err != nil {
		return err
	}
	c.JSON(http.StatusCreated, stored)
	return nil
}

// asLaboratory makes a report the laboratory's own: its name is the one it is known
// by, and the sample one that it was sent of this batch.
func (s *server) asLaboratory(c *gin.Context, r *cert.Report) error {
	ctx, p := c.Request.Context(), who(c)
	lab, err := s.Operators.Tenant(ctx, p.Tenant)
	if err != nil {
		return err
	}
	asked, err := s.Samples.Samples(ctx, SampleQuery{Laboratory: p.Tenant, Batch: r.Batch, Number: r.Sample})
	if err != nil {
		return err
	}
	if r.Sample == "" || len(asked) == 0 {
		return &invalidError{"sample", "is no number of a sample of this batch that you were sent"}
	}
	r.Source, r.By, r.Lab = cert.Laboratory, lab.ID, lab.Name.Zh
	return nil
}

// reportFile returns what is known of a file that was uploaded for a tenant.
func (s *server) reportFile(ctx context.Context, tenant, hash string) (*cert.File, error) {
	none := &invalidError{"file", "is no file that was uploaded for this farm; upload it first"}
	uploads, err := s.ReportFiles.Uploads(ctx, hash)
	if errors.Is(err, farm.ErrNotFound) {
		return nil, none
	}
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(uploads, func(u photo.Upload) bool { return u.Tenant == tenant }) {
		return nil, none
	}
	raw, media, err := s.ReportFiles.Get(hash)
	if err != nil {
		return nil, err
	}
	return &cert.File{Hash: hash, Type: media, Size: len(raw)}, nil
}

// fileView names a file that is kept.
type fileView struct {
	Hash string `json:"hash"` // SHA-256, hexadecimal
	Size int    `json:"size"` // bytes
}

// addReportFile keeps the PDF or picture of a report of a batch.
func (s *server) addReportFile(c *gin.Context) error {
	a := auth.Administer
	if who(c).Role == auth.Laboratory {
		a = auth.Report
	}
	b, err := s.sampledBatch(c, a)
	if err != nil {
		return err
	}
	raw, err := io.ReadAll(c.Request.Body)
	if err != nil {
		return bodyError(err)
	}
	hash, err := s.ReportFiles.Put(c.Request.Context(), raw, photo.Upload{Tenant: b.Tenant, Site: b.Site, Account: who(c).Login})
	if err != nil {
		return err
	}
	c.JSON(http.StatusCreated, fileView{hash, len(raw)})
	return nil
}

// getReportFile hands out the report as it came. It is saved, not shown: a PDF may
// hold a program.
func (s *server) getReportFile(c *gin.Context) error {
	_, r, err := s.report(c, auth.Read)
	if err != nil {
		return err
	}
	if r.File == nil {
		return farm.ErrNotFound
	}
	raw, media, err := s.ReportFiles.Get(r.File.Hash)
	if err != nil {
		return err
	}
	h := c.Writer.Header()
	h.Set("Content-Disposition", `attachment; filename="`+r.ID+fileEnding(media)+`"`)
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	c.Data(http.StatusOK, media, raw)
	return nil
}

func fileEnding(media string) string {
	switch media {
	case photo.PDF:
		return ".pdf"
	case "image/png":
		return ".png"
	case "image/webp":
		return ".webp"
	}
	return ".jpg"
}

// voidRequest is the body.
type voidRequest struct {
	Reason string `json:"reason"`
}

// voidReport takes back a report: its own, for a laboratory; what the farm said, for
// a manager.
func (s *server) voidReport(c *gin.Context) error {
	a := auth.Administer
	if who(c).Role == auth.Laboratory {
		a = auth.Report
	}
	b, r, err := s.report(c, a)
	if err != nil {
		return err
	}
	if r.Source == cert.Laboratory && a == auth.Administer && who(c).Role != auth.Administrator {
		return errForbidden // a farm does not strike out what a laboratory found
	}
	var in voidRequest
	if err := body(c, &in); err != nil {
		return err
	}
	if err := s.Reports.VoidReport(c.Request.Context(), b.ID, r.ID, in.Reason); err != nil {
		return err
	}
	c.Status(http.StatusNoContent)
	return nil
}

// addSampleRequest is the body.
type addSampleRequest struct {
	ID         string `json:"id"`
	Laboratory string `json:"laboratory"` // its tenant
	Number     string `json:"number"`
}

// addSample asks a laboratory to test a batch, which lets it read and report on this
// one.
func (s *server) addSample(c *gin.Context) error {
	b, err := s.sampledBatch(c, auth.Administer)
	if err != nil {
		return err
	}
	var in addSampleRequest
	if err := body(c, &in); err != nil {
		return err
	}
	if _, err := ulid.ParseStrict(in.ID); err != nil {
		return &invalidError{"id", "is not a ULID"}
	}
	ctx := c.Request.Context()
	labs, err := s.Samples.Laboratories(ctx)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(labs, func(l farm.Tenant) bool { return l.ID == in.Laboratory }) {
		return &invalidError{"laboratory", "is none that is known here"}
	}
	sample := cert.Sample{ID: in.ID, Tenant: b.Tenant, Batch: b.ID, Laboratory: in.Laboratory, Number: in.Number, Asked: s.Now().UTC().Truncate(time.Millisecond), Account: who(c).Login}
	if err := sample.Check(); err != nil {
		return err
	}
	if err := s.Samples.AddSample(ctx, sample); err != nil {
		return err
	}
	c.JSON(http.StatusCreated, sample)
	return nil
}

func (s *server) listBatchSamples() listing[cert.Sample] {
	return listing[cert.Sample]{
		name: "samples", falling: true, pages: true, key: func(v cert.Sample) string { return timeKey(v.Asked, v.ID) },
		read: func(c *gin.Context, p page) ([]cert.Sample, error) {
			b, err := s.sampledBatch(c, auth.Read)
			if err != nil {
				return nil, err
			}
			lab := ""
			if me := who(c); me.Role == auth.Laboratory {
				lab = me.Tenant
			}
			return s.Samples.Samples(c.Request.Context(), SampleQuery{Laboratory: lab, Batch: b.ID, After: timePlace(p.after), Limit: p.limit})
		},
	}
}

// A sentSample is a sample with what a laboratory is told of the batch.
type sentSample struct {
	cert.Sample
	Product  string    `json:"product"`
	Lot      string    `json:"lot"`
	Quantity float64   `json:"quantity"`
	Unit     string    `json:"unit"`
	Harvest  time.Time `json:"harvest"`
}

// listSamples shows a laboratory what it was sent, newest first; the parameter number
// asks for those with one number.
func (s *server) listSamples() listing[sentSample] {
	return listing[sentSample]{
		name: "samples", falling: true, pages: true, key: func(v sentSample) string { return timeKey(v.Asked, v.ID) },
		read: func(c *gin.Context, p page) ([]sentSample, error) {
			ctx, me := c.Request.Context(), who(c)
			if me.Role != auth.Laboratory || me.Tenant == "" {
				return nil, nil
			}
			samples, err := s.Samples.Samples(ctx, SampleQuery{Laboratory: me.Tenant, Number: c.Query("number"), After: timePlace(p.after), Limit: p.limit})
			if err != nil {
				return nil, err
			}
			sent := []sentSample{}
			for _, sample := range samples {
				b, err := s.Records.Batch(ctx, sample.Batch)
				if err != nil {
					return nil, err
				}
				sent = append(sent, sentSample{sample, b.Product, b.Lot, b.Quantity, b.Unit, b.Harvest})
			}
			return sent, nil
		},
	}
}

// laboratoryView is a laboratory as everybody may see it.
type laboratoryView struct {
	ID   string    `json:"id"`
	Name farm.Text `json:"name"`
}

// listLaboratories shows whom one can ask.
func (s *server) listLaboratories() listing[laboratoryView] {
	return listing[laboratoryView]{
		name: "laboratories", key: func(l laboratoryView) string { return l.ID },
		read: func(c *gin.Context, _ page) ([]laboratoryView, error) {
			labs, err := s.Samples.Laboratories(c.Request.Context())
			views := make([]laboratoryView, len(labs))
			for i, l := range labs {
				views[i] = laboratoryView{l.ID, l.Name}
			}
			return views, err
		},
	}
}
