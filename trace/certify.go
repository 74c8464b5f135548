package trace

import (
	"cmp"
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"tianhai/farm"
	"tianhai/trace/cert"
	"tianhai/trace/chain"
	"tianhai/trace/gate"
)

// A Book keeps what is said of tests and certificates. Each method that adds writes
// everything or nothing; the same again, by ID, is nothing new.
type Book interface {
	// AddReport stores a report and its record. farm.ErrConflict for another one with
	// its ID or a second correction of one; farm.ErrNotFound when the batch is not the
	// tenant's, or its file was not uploaded for it.
	AddReport(ctx context.Context, r cert.Report, rec Record) error
	// AddCertificate stores what issue makes of the year's next number of the tenant.
	// farm.ErrConflict where a certificate of the batch is in force, ErrMoved where the
	// history of a site has grown since it was seen.
	AddCertificate(ctx context.Context, c cert.Certificate, seen []Seen, issue func(n int) (Record, error)) error
	// AddVoids stores what takes reports or certificates back; what is void already is
	// passed over.
	AddVoids(ctx context.Context, voids []cert.Void, records []Record) error
	// Statements returns the records about a batch's tests and certificates, oldest
	// first, with what personal data were not erased.
	Statements(ctx context.Context, batch string) ([]Record, error)
	// Parents returns the IDs of the batches that one was made of directly.
	Parents(ctx context.Context, batch string) ([]string, error)
}

// Seen is how far the history of a site had grown when something was held against it.
type Seen = chain.Seen

// A Certifier records laboratory reports, and issues and voids 承诺达标合格证. It
// checks what is said, not who says it: the caller has done that.
type Certifier struct {
	Service *Service
	Book    Book
}

// An Issue is what a person chooses of a certificate; the rest follows from the batch.
type Issue struct {
	ID        string // ULID, minted by the client
	Style     cert.Style
	Basis     []cert.Basis
	Collected []string // a buyer's
}

// Dossier returns everything that was said of a batch's tests and certificates.
func (c *Certifier) Dossier(ctx context.Context, batch string) (cert.Dossier, error) {
	records, err := c.Book.Statements(ctx, batch)
	if err != nil {
		return cert.Dossier{}, err
	}
	return ReadDossier(records)
}

// AddReport stores a report of a batch, with the verdicts that follow from it. ID,
// Tenant, Batch, Source and what stands in the report are the caller's. Errors:
// *cert.FieldError, farm.ErrNotFound, farm.ErrConflict.
func (c *Certifier) AddReport(ctx context.Context, r cert.Report) (cert.Report, error) {
	r.Version, r.Recorded = 1, c.Service.now()
	if _, err := ulid.ParseStrict(r.ID); err != nil {
		return cert.Report{}, fmt.Errorf("add report: %w", &cert.FieldError{Field: "id", Reason: "is not a ULID"})
	}
	r, err := r.Judge(r.Recorded)
	if err != nil {
		return cert.Report{}, fmt.Errorf("add report: %w", err)
	}
	d, err := c.Dossier(ctx, r.Batch)
	if err != nil {
		return cert.Report{}, fmt.Errorf("add report: %w", err)
	}
	if i := slices.IndexFunc(d.Reports, func(t cert.Tested) bool { return t.ID == r.ID }); i >= 0 {
		r.Recorded = d.Reports[i].Recorded
		if !reflect.DeepEqual(r, d.Reports[i].Report) {
			return cert.Report{}, fmt.Errorf("add report: another one has the ID %s: %w", r.ID, farm.ErrConflict)
		}
		return r, nil
	}
	if err := mayCorrect(d, r); err != nil {
		return cert.Report{}, fmt.Errorf("add report: %w", err)
	}
	body, err := marshal(r)
	if err != nil {
		return cert.Report{}, fmt.Errorf("add report: %w", err)
	}
	rec, err := c.Service.newRecord(Record{Tenant: r.Tenant, Kind: ReportRecord, Subject: r.ID, Body: body, At: r.Recorded})
	if err != nil {
		return cert.Report{}, fmt.Errorf("add report: %w", err)
	}
	if err := c.Book.AddReport(ctx, r, rec); err != nil {
		return cert.Report{}, fmt.Errorf("add report: %w", err)
	}
	c.Service.added()
	return r, nil
}

// mayCorrect refuses a correction of what is not there, not in force, or another
// one's: a farm does not correct a laboratory.
func mayCorrect(d cert.Dossier, r cert.Report) error {
	if r.Corrects == "" {
		return nil
	}
	i := slices.IndexFunc(d.Reports, func(t cert.Tested) bool { return t.ID == r.Corrects })
	switch {
	case i < 0 || d.Reports[i].Source != r.Source || d.Reports[i].By != r.By:
		return &cert.FieldError{Field: "corrects", Reason: "names no report of this batch that you can correct"}
	case !d.Reports[i].InForce():
		return fmt.Errorf("report %s is corrected or void already: %w", r.Corrects, farm.ErrConflict)
	}
	return nil
}

// Draft returns the certificate that Issue would make of a batch, without its
// number, and every reason why it may not be issued now: what the gates refuse.
// Errors: *cert.FieldError, *cert.FailedError where a test failed, farm.ErrConflict
// for a batch that has no trace code yet.
func (c *Certifier) Draft(ctx context.Context, b Batch, in Issue) (cert.Certificate, []gate.Refusal, error) {
	at := c.Service.now()
	out, err := c.compose(ctx, b, in, at)
	if err != nil {
		return cert.Certificate{}, nil, err
	}
	refusals, err := c.Service.PermitBatch(ctx, b, gate.Certificate, at)
	return out, refusals, err
}

// Issue issues the certificate of a batch, or says why not: the errors of Draft,
// *gate.Refused, ErrNoEvidence, and farm.ErrConflict while another certificate of
// the batch is in force. Nobody's promise is made for him: a person calls this.
func (c *Certifier) Issue(ctx context.Context, b Batch, in Issue) (cert.Certificate, error) {
	if _, err := ulid.ParseStrict(in.ID); err != nil {
		return cert.Certificate{}, fmt.Errorf("issue certificate: %w", &cert.FieldError{Field: "id", Reason: "is not a ULID"})
	}
	if old, err := c.issued(ctx, b.ID, in); old != nil || err != nil {
		return *cmp.Or(old, &cert.Certificate{}), err
	}
	tenant, err := c.Service.Store.Tenant(ctx, b.Tenant)
	if err != nil {
		return cert.Certificate{}, fmt.Errorf("issue certificate: tenant %s: %w", b.Tenant, err)
	}
	var out cert.Certificate
	err = steady(ctx, func() error {
		seen, err := c.Service.seen(ctx, b)
		if err != nil {
			return err
		}
		draft, refusals, err := c.Draft(ctx, b, in)
		if err := refuse(refusals, err); err != nil {
			return err
		}
		return c.Book.AddCertificate(ctx, draft, seen, func(n int) (Record, error) {
			out = draft
			out.Number = cert.NumberOf(cert.YearOf(out.Issued), n)
			return c.certificateRecord(out, NaturalPerson(tenant))
		})
	})
	if err != nil {
		return cert.Certificate{}, fmt.Errorf("issue certificate: %w", err)
	}
	c.Service.added()
	return out, nil
}

// issued returns the certificate that has the ID already; nil where none has.
func (c *Certifier) issued(ctx context.Context, batch string, in Issue) (*cert.Certificate, error) {
	d, err := c.Dossier(ctx, batch)
	if err != nil {
		return nil, fmt.Errorf("issue certificate: %w", err)
	}
	i := slices.IndexFunc(d.Certificates, func(c cert.Issued) bool { return c.ID == in.ID })
	if i < 0 {
		return nil, nil
	}
	old := d.Certificates[i].Certificate
	if old.Style != in.Style || !slices.Equal(old.Basis, in.Basis) || !slices.Equal(old.Collected, in.Collected) {
		return nil, fmt.Errorf("issue certificate: another one has the ID %s: %w", in.ID, farm.ErrConflict)
	}
	return &old, nil
}

func (c *Certifier) certificateRecord(out cert.Certificate, natural bool) (rec Record, err error) {
	var personal []Personal
	if natural {
		if out.Personal, personal, err = withhold(out.PersonalFields(), c.Service.random()); err != nil {
			return Record{}, err
		}
	}
	body, err := marshal(out)
	if err != nil {
		return Record{}, err
	}
	return c.Service.newRecord(Record{Tenant: out.Tenant, Kind: CertificateRecord, Subject: out.ID, Body: body, At: out.Issued, Personal: personal})
}

// compose fills in what follows from the batch.
func (c *Certifier) compose(ctx context.Context, b Batch, in Issue, at time.Time) (cert.Certificate, error) {
	if b.Code == "" {
		return cert.Certificate{}, fmt.Errorf("batch %s has no trace code yet; close it first: %w", b.ID, farm.ErrConflict)
	}
	store := c.Service.Store
	tenant, err := store.Tenant(ctx, b.Tenant)
	if err != nil {
		return cert.Certificate{}, fmt.Errorf("tenant %s: %w", b.Tenant, err)
	}
	origin, err := c.origin(ctx, b)
	if err != nil {
		return cert.Certificate{}, err
	}
	product, err := store.Product(ctx, b.Product)
	if err != nil {
		return cert.Certificate{}, fmt.Errorf("product %s: %w", b.Product, err)
	}
	out := cert.Certificate{
		Version: 1, ID: in.ID, Tenant: b.Tenant, Batch: b.ID, Code: b.Code,
		Style: in.Style, Promise: in.Style.Promise(), Basis: in.Basis, Collected: in.Collected,
		Product: product.Name, Quantity: b.Quantity, Unit: b.Unit, Origin: origin,
		Promiser: cert.Promiser{Name: tenant.Name, CreditCode: tenant.CreditCode, Phone: tenant.Phone}, Issued: at,
	}
	if out.Parents, err = c.parents(ctx, b.ID); err != nil {
		return cert.Certificate{}, err
	}
	if err := out.Check(); err != nil {
		return cert.Certificate{}, err
	}
	if err := c.passed(ctx, b.ID, map[string]bool{}); err != nil {
		return cert.Certificate{}, err
	}
	d, err := c.Dossier(ctx, b.ID)
	if err != nil {
		return cert.Certificate{}, err
	}
	if out.Reports, err = d.Support(in.Basis); err != nil {
		return cert.Certificate{}, err
	}
	return out, nil
}

// origin says where a batch grew, no finer than consumers may see: every place that
// it was mixed from.
func (c *Certifier) origin(ctx context.Context, b Batch) (farm.Text, error) {
	roots, err := c.Service.origins(ctx, b)
	if err != nil {
		return farm.Text{}, err
	}
	var zh, en []string
	for _, root := range roots {
		site, err := c.Service.Store.Site(ctx, root.Site)
		if err != nil {
			return farm.Text{}, fmt.Errorf("site %s: %w", root.Site, err)
		}
		prefecture, _ := farm.Prefecture(site.Region)
		if place := "广西" + prefecture.Name.Zh + site.Town.Zh; !slices.Contains(zh, place) {
			zh, en = append(zh, place), append(en, joinNonEmpty(", ", site.Town.En, prefecture.Name.En, "Guangxi"))
		}
	}
	return farm.Text{Zh: strings.Join(zh, "、"), En: strings.Join(en, "; ")}, nil
}

func joinNonEmpty(sep string, parts ...string) string {
	out := ""
	for _, p := range parts {
		if p != "" && out != "" {
			out += sep
		}
		out += p
	}
	return out
}

// parents names the certificates in force of the batches that one was made of.
func (c *Certifier) parents(ctx context.Context, batch string) ([]string, error) {
	made, err := c.Book.Parents(ctx, batch)
	if err != nil {
		return nil, fmt.Errorf("what batch %s was made of: %w", batch, err)
	}
	var numbers []string
	for _, p := range made {
		d, err := c.Dossier(ctx, p)
		if err != nil {
			return nil, err
		}
		if in := d.InForce(); in != nil {
			numbers = append(numbers, in.Code+"/"+in.Number)
		}
	}
	return numbers, nil
}

// passed refuses a batch whose test failed, or that of a batch it was made of, unless
// a test of its own has passed since: oysters that are cleansed may be sold.
func (c *Certifier) passed(ctx context.Context, batch string, seen map[string]bool) error {
	if seen[batch] {
		return nil
	}
	seen[batch] = true
	d, err := c.Dossier(ctx, batch)
	if err != nil {
		return err
	}
	if err := d.Failed(); err != nil || d.Passed() {
		return err
	}
	parents, err := c.Book.Parents(ctx, batch)
	if err != nil {
		return fmt.Errorf("what batch %s was made of: %w", batch, err)
	}
	for _, p := range parents {
		if err := c.passed(ctx, p, seen); err != nil {
			return err
		}
	}
	return nil
}

// VoidReport takes a report back. Errors: *cert.FieldError for the reason,
// farm.ErrNotFound, farm.ErrConflict where it is void or corrected already.
func (c *Certifier) VoidReport(ctx context.Context, batch, id, reason string) error {
	d, err := c.Dossier(ctx, batch)
	if err != nil {
		return fmt.Errorf("void report %s: %w", id, err)
	}
	i := slices.IndexFunc(d.Reports, func(t cert.Tested) bool { return t.ID == id })
	if i < 0 {
		return fmt.Errorf("void report %s: %w", id, farm.ErrNotFound)
	}
	r := d.Reports[i]
	if !r.InForce() {
		return fmt.Errorf("void report %s: it is void or corrected already: %w", id, farm.ErrConflict)
	}
	v := cert.Void{Tenant: r.Tenant, Batch: r.Batch, Voids: r.ID, Number: r.Number, Cause: cert.ByIssuer, Reason: reason}
	if err := c.void(ctx, []cert.Void{v}); err != nil {
		return fmt.Errorf("void report %s: %w", id, err)
	}
	return nil
}

// VoidCertificate takes a certificate back. Errors as of VoidReport.
func (c *Certifier) VoidCertificate(ctx context.Context, batch, id, reason string) error {
	d, err := c.Dossier(ctx, batch)
	if err != nil {
		return fmt.Errorf("void certificate %s: %w", id, err)
	}
	i := slices.IndexFunc(d.Certificates, func(c cert.Issued) bool { return c.ID == id })
	if i < 0 {
		return fmt.Errorf("void certificate %s: %w", id, farm.ErrNotFound)
	}
	if d.Certificates[i].Void != nil {
		return fmt.Errorf("void certificate %s: it is void already: %w", id, farm.ErrConflict)
	}
	if err := c.void(ctx, []cert.Void{voidOf(d.Certificates[i].Certificate, cert.ByIssuer, reason)}); err != nil {
		return fmt.Errorf("void certificate %s: %w", id, err)
	}
	return nil
}

// VoidCertificates takes back, because of a recall, every certificate in force of
// batches, all or none, and returns how many. The same again finds none.
func (c *Certifier) VoidCertificates(ctx context.Context, batches []string, reason string) (int, error) {
	var voids []cert.Void
	for _, b := range batches {
		d, err := c.Dossier(ctx, b)
		if err != nil {
			return 0, fmt.Errorf("void certificates of batch %s: %w", b, err)
		}
		for _, i := range d.Certificates {
			if i.Void == nil {
				voids = append(voids, voidOf(i.Certificate, cert.ByRecall, reason))
			}
		}
	}
	if err := c.void(ctx, voids); err != nil {
		return 0, fmt.Errorf("void certificates: %w", err)
	}
	return len(voids), nil
}

func voidOf(c cert.Certificate, cause cert.Cause, reason string) cert.Void {
	return cert.Void{Tenant: c.Tenant, Batch: c.Batch, Voids: c.ID, Number: c.Number, Cause: cause, Reason: reason}
}

func (c *Certifier) void(ctx context.Context, voids []cert.Void) error {
	if len(voids) == 0 {
		return nil
	}
	records := make([]Record, len(voids))
	for i := range voids {
		v := &voids[i]
		if err := cert.CheckReason(v.Reason); err != nil {
			return err
		}
		v.Version, v.At = 1, c.Service.now()
		var err error
		if v.ID, err = c.Service.newID(v.At); err != nil {
			return err
		}
		body, err := marshal(*v)
		if err != nil {
			return err
		}
		if records[i], err = c.Service.newRecord(Record{Tenant: v.Tenant, Kind: VoidRecord, Subject: v.Voids, Body: body, At: v.At}); err != nil {
			return err
		}
	}
	if err := c.Book.AddVoids(ctx, voids, records); err != nil {
		return err
	}
	c.Service.added()
	return nil
}
