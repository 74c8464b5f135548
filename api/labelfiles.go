package api

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"tianhai/api/auth"
	"tianhai/farm"
	"tianhai/trace"
	"tianhai/trace/label"
	"tianhai/trace/label/press"
)

// The routes that may answer with a long file.
const (
	batchLabelsPath      = "/batches/:id/labels"
	deviceLabelsPath     = "/devices/labels"
	certificatePrintPath = "/certificates/:id/print"
	rollLabelsPath       = "/rolls/:id/labels"
	rollCodesPath        = "/rolls/:id/codes"
)

// labelTimeout is how long a file of labels may take: a million of them, on a slow
// line.
const labelTimeout = 2 * time.Hour

// stocksView is the answer.
type stocksView struct {
	Stocks  []label.Stock  `json:"stocks"`
	Formats []press.Format `json:"formats"`
}

// listStocks tells what labels can be printed on. It is the same for everybody.
func (s *server) listStocks(c *gin.Context) error {
	c.JSON(http.StatusOK, stocksView{label.Stocks(), press.Formats()})
	return nil
}

// asksPrint adds the parameters of labels as a file.
func (r route) asksPrint() route {
	return r.also("application/pdf", "application/zpl", "image/svg+xml", "image/png", "application/zip").
		asks("format", "pdf, zpl, svg, png or zip").asks("stock", "by its name, or as columns=4,rows=10,width=48.5,height=25.4 with gap, row-gap, left and top, or roll,width=60,height=40").
		asks("skip", "labels of the first sheet that are used").asks("copies", "of each label").asks("dpi", "of zpl and png: 203, 300 or 600").asks("picture", "in a zip: svg or png").asks("lang", "of the words")
}

// printJob reads how labels are to be printed, on a stock of otherwise's name
// where the parameters do not say.
func (s *server) printJob(c *gin.Context, otherwise string) (press.Format, press.Job, error) {
	job := press.Job{Picture: press.Format(c.Query("picture"))}
	format := press.Format(c.DefaultQuery("format", string(press.PDF)))
	var err error
	if job.Stock, err = label.ParseStock(c.DefaultQuery("stock", otherwise)); err != nil {
		return format, job, err
	}
	if raw := c.Query("skip"); raw != "" {
		if job.Skip, err = strconv.Atoi(raw); err != nil {
			return format, job, &invalidError{"skip", "is not a whole number"}
		}
	}
	if job.Copies, err = queryInt(c, "copies", 1, press.MaxLabels); err != nil {
		return format, job, err
	}
	job.DPI, err = queryInt(c, "dpi", 0, 600)
	lang := s.lang(c)
	job.Readme, job.Title = s.Labels.Readme(), s.Catalog.T(lang, "label.title")
	return format, job, err
}

// Readme is for the print shop, which may not read the language of who asked.
func (l Labels) Readme() string {
	return l.Catalog.T("zh-CN", "label.readme") + "\r\n\r\n" + l.Catalog.T("en", "label.readme") + "\r\n"
}

// sendLabels answers with a file of labels. What is wrong with the first of them
// is said before anything is sent; a file that breaks off has no end.
func (s *server) sendLabels(c *gin.Context, name string, format press.Format, job press.Job) error {
	w := &fileWriter{c: c, media: format.MediaType(), name: name + "." + string(format)}
	w.inline = format == press.PNG || format == press.SVG
	err := s.Press.Write(c.Request.Context(), w, format, job)
	if err != nil && w.begun {
		s.fail(c, err) // for the log
		return broken(err)
	}
	return err
}

// A fileWriter sends its headers with the first bytes.
type fileWriter struct {
	c           *gin.Context
	media, name string
	inline      bool // a picture that a page shows
	begun       bool
}

// Write implements io.Writer.
func (w *fileWriter) Write(p []byte) (int, error) {
	if !w.begun {
		w.begun = true
		disposition := "attachment"
		if w.inline {
			disposition = "inline"
		}
		w.c.Header("Content-Type", w.media)
		w.c.Header("Content-Disposition", disposition+`; filename="`+w.name+`"`)
		w.c.Header("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; sandbox")
		w.c.Header("Cache-Control", "no-store")
		w.c.Status(http.StatusOK)
	}
	return w.c.Writer.Write(p)
}

// printBatch answers with labels for the packets of a batch.
func (s *server) printBatch(c *gin.Context) error {
	b, err := s.farmBatch(c, auth.Read)
	if err != nil {
		return err
	}
	if b.Code == "" {
		return farm.ErrConflict // it is open, and has no code yet
	}
	format, job, err := s.printJob(c, "")
	if err != nil {
		return err
	}
	l, err := s.batchLabel(c, b, c.DefaultQuery("scheme", label.OwnScheme))
	if err != nil {
		return err
	}
	job.Count, job.Labels = press.Of(l)
	job.Title += " " + b.Code
	return s.sendLabels(c, "labels-"+b.Code, format, job)
}

// batchLabel says on a packet what the batch's public page says first.
func (s *server) batchLabel(c *gin.Context, b trace.Batch, scheme string) (press.Label, error) {
	ctx, lang := c.Request.Context(), s.lang(c)
	products, err := s.Records.Products(ctx)
	if err != nil {
		return press.Label{}, err
	}
	tenant, err := s.Operators.Tenant(ctx, b.Tenant)
	if err != nil {
		return press.Label{}, err
	}
	site, err := s.Farms.Site(ctx, b.Site)
	if err != nil {
		return press.Label{}, err
	}
	name := farm.Text{Zh: b.Product}
	for _, p := range products {
		if p.ID == b.Product {
			name = p.Name
		}
	}
	gtin, err := s.gtinOf(ctx, b)
	if err != nil {
		return press.Label{}, err
	}
	l, err := s.Labels.Batch(lang, scheme, PacketFacts{b, name, tenant, site, gtin})
	if bad, ok := errors.AsType[*SchemeError](err); ok {
		err = &invalidError{"scheme", bad.Reason}
	}
	return l, err
}

// PacketFacts are what a packet's label is made of.
type PacketFacts struct {
	Batch    trace.Batch
	Product  farm.Text
	Producer farm.Tenant
	Site     farm.Site
	GTIN     string // "" where the producer holds none for the product
}

// item is what the codes on the packets of a batch are built of.
func item(b trace.Batch, gtin string, producer farm.Tenant) label.Item {
	return label.Item{Code: b.Code, Lot: b.Lot, GTIN: gtin, CreditCode: producer.CreditCode}
}

// A SchemeError says why labels have no code of a scheme.
type SchemeError struct{ Reason string }

// Error tells it in English, for command lines.
func (e *SchemeError) Error() string { return "scheme " + e.Reason }

// Batch returns the label of a batch's packets, whose code is of a scheme; a
// *SchemeError where it has none.
func (l Labels) Batch(lang, scheme string, f PacketFacts) (press.Label, error) {
	by, ok := l.Schemes[scheme]
	if !ok {
		return press.Label{}, &SchemeError{"is none of " + strings.Join(slices.Sorted(maps.Keys(l.Schemes)), ", ")}
	}
	address, ok := by.Address(item(f.Batch, f.GTIN, f.Producer))
	if !ok {
		reason := scheme + " has no code for this batch"
		if scheme == label.GTINScheme {
			reason += "; a GTIN must be entered for the operator's product first"
		}
		return press.Label{}, &SchemeError{reason}
	}
	t := func(key string, args ...string) string { return l.Catalog.T(lang, key, args...) }
	origin := f.Site.Town.In(lang)
	if p, ok := farm.Prefecture(f.Site.Region); ok {
		between := ""
		if lang != "zh-CN" {
			between = " "
		}
		origin = strings.TrimSpace(p.Name.In(lang) + between + origin)
	}
	return press.Label{
		URL:   address,
		Title: f.Product.In(lang),
		Lines: []string{
			f.Producer.Name.In(lang),
			t("label.origin", "place", origin),
			t("label.lot", "lot", f.Batch.Lot),
			t("label.harvest", "date", f.Batch.Harvest.In(beijing()).Format(time.DateOnly)),
		},
		Code: label.Group(f.Batch.Code),
	}, nil
}

// Device returns a device's label as a design of any file.
func (l Labels) Device(lang string, t label.Tag) press.Label {
	out := press.Label{URL: t.URL, Title: t.Name, Lines: []string{t.Place, t.ID}}
	if t.Name == "" {
		out.Title, out.Lines = t.ID, []string{t.Place}
	}
	if t.Code != "" {
		out.Note, out.Code = l.Catalog.T(lang, "device_label.claim"), label.Group(t.Code)
	}
	return out
}

// printDevices answers with a file of labels of devices.
func (s *server) printDevices(c *gin.Context, lang string, tags []label.Tag) error {
	format, job, err := s.printJob(c, "")
	if err != nil {
		return err
	}
	designs := make([]press.Design, len(tags))
	for i, t := range tags {
		designs[i] = s.Labels.Device(lang, t)
	}
	job.Count, job.Labels = press.Of(designs...)
	return s.sendLabels(c, "device-labels", format, job)
}

// labelProblem says what keeps labels from being printed.
func labelProblem(err error) (problem, bool) {
	if bad, ok := errors.AsType[*label.StockError](err); ok {
		return problem{Status: http.StatusBadRequest, Code: "invalid", Field: "stock", Detail: bad.Field + ": " + bad.Reason}, true
	}
	if bad, ok := errors.AsType[*press.JobError](err); ok {
		return problem{Status: http.StatusBadRequest, Code: "invalid", Field: bad.Field, Detail: bad.Reason}, true
	}
	fit, ok := errors.AsType[*press.FitError](err)
	if !ok {
		return problem{}, false
	}
	p := problem{Status: http.StatusBadRequest, Code: "label_long", Text: fit.Text}
	switch {
	case fit.Missing != 0:
		p.Code, p.Character = "label_character", string(fit.Missing)
	case fit.Text == "":
		p.Code = "label_small"
	}
	return p, true
}
