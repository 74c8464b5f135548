package store_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"tianhai/cmd/internal/store"
	"tianhai/farm"
	"tianhai/trace"
	"tianhai/trace/catalog"
	"tianhai/trace/cert"
	"tianhai/trace/chain"
	"tianhai/trace/gate"
	"tianhai/trace/input"
	"tianhai/trace/photo"
)

// newCertifier works on a database with two farms and one batch of tea with a code.
func newCertifier(t *testing.T, s *store.Store, now *time.Time) (*trace.Certifier, trace.Batch) {
	t.Helper()
	seed(t, s)
	books, err := catalog.Open(t.Context(), s, nil)
	check(t, err)
	service := &trace.Service{Store: s, Journal: s, Chain: s, Catalogs: books, Licences: s, Inputs: s, Bans: input.Banned(), Now: func() time.Time { return *now }}
	return &trace.Certifier{Service: service, Book: s}, closedBatch(t, s, "b1")
}

func closedBatch(t *testing.T, s *store.Store, id string) trace.Batch {
	t.Helper()
	check(t, s.AddBatch(t.Context(), newBatch(id)))
	b, rec := closed(newBatch(id), "CODE-"+id)
	check(t, s.CloseBatch(t.Context(), b, rec))
	return b
}

func newReport(b trace.Batch) cert.Report {
	return cert.Report{
		ID: ulid.Make().String(), Tenant: b.Tenant, Batch: b.ID, Source: cert.Laboratory, By: "lab", Lab: "检测中心", CMA: "230021340123", Number: "W-1", Sample: "S-1",
		Sampled: "2026-05-20", Reported: "2026-05-20", Items: []cert.Item{{Name: "毒死蜱", Result: "<0.01", Unit: "mg/kg", Limit: "0.05", Method: "GB 23200.113-2018"}},
	}
}

func newIssue() trace.Issue {
	return trace.Issue{ID: ulid.Make().String(), Style: cert.Producer, Basis: []cert.Basis{cert.Control}}
}

func testReports(t *testing.T, s *store.Store) {
	ctx := t.Context()
	now := noon.Add(2 * time.Hour)
	c, b := newCertifier(t, s, &now)
	first := newReport(b)
	stored, err := c.AddReport(ctx, first)
	check(t, err)
	if stored.Verdict != cert.Pass || stored.Items[0].Verdict != cert.Pass {
		t.Errorf("judged: %+v", stored)
	}
	now = now.Add(time.Hour)
	equal(t, "the same again", stored)(c.AddReport(ctx, first))
	other := first
	other.Number = "W-2"
	_, err = c.AddReport(ctx, other)
	wantErr(t, "another with its ID", err, farm.ErrConflict)

	for name, spoil := range map[string]func(*cert.Report){
		"a stranger's batch": func(r *cert.Report) { r.Tenant = "oysters" },
		"no batch":           func(r *cert.Report) { r.Batch = "none" },
		"a file of nobody":   func(r *cert.Report) { r.File = &cert.File{Hash: strings.Repeat("0a", 32)} },
	} {
		r := newReport(b)
		spoil(&r)
		_, err := c.AddReport(ctx, r)
		wantErr(t, name, err, farm.ErrNotFound)
	}

	// A correction strikes through; there is one of each, and only of one's own.
	mend := newReport(b)
	mend.Corrects, mend.Items[0].Result = first.ID, "0.09"
	theirs := mend
	theirs.ID, theirs.Source, theirs.By = ulid.Make().String(), cert.Self, ""
	var bad *cert.FieldError
	if _, err := c.AddReport(ctx, theirs); !errors.As(err, &bad) || bad.Field != "corrects" {
		t.Errorf("the farm corrects the laboratory: %v", err)
	}
	_, err = c.AddReport(ctx, mend)
	check(t, err)
	again := newReport(b)
	again.Corrects = first.ID
	_, err = c.AddReport(ctx, again)
	wantErr(t, "a second correction", err, farm.ErrConflict)
	d, err := c.Dossier(ctx, b.ID)
	check(t, err)
	if len(d.Reports) != 2 || d.Reports[0].CorrectedBy != mend.ID || d.Failed() == nil {
		t.Errorf("dossier: %+v", d)
	}
	check(t, c.VoidReport(ctx, b.ID, mend.ID, "样品弄混"))
	wantErr(t, "void again", c.VoidReport(ctx, b.ID, mend.ID, "样品弄混"), farm.ErrConflict)
	wantErr(t, "void of nothing", c.VoidReport(ctx, b.ID, "none", "样品弄混"), farm.ErrNotFound)
	if d, err = c.Dossier(ctx, b.ID); err != nil || d.Failed() != nil || d.Reports[1].Void == nil || d.Reports[1].Void.Reason != "样品弄混" {
		t.Errorf("after the void: %+v, %v", d, err)
	}
	equal(t, "whose", b.ID)(s.StatementBatch(ctx, mend.ID))
	_, err = s.StatementBatch(ctx, "none")
	wantErr(t, "of nothing", err, farm.ErrNotFound)
	for f, want := range map[store.StatementFilter]int{{}: 2, {Tenant: "tea"}: 2, {Region: "450400"}: 2, {Verdict: cert.Fail}: 1, {Tenant: "oysters"}: 0, {Region: "450700"}: 0} {
		found, err := s.Reports(ctx, f)
		check(t, err)
		if len(found) != want {
			t.Errorf("%+v: %d reports, want %d", f, len(found), want)
		}
	}
}

func testSamples(t *testing.T, s *store.Store) {
	ctx := t.Context()
	now := noon
	_, b := newCertifier(t, s, &now)
	in := cert.Sample{ID: "s1", Tenant: "tea", Batch: b.ID, Laboratory: "oysters", Number: "S-1", Asked: noon, Account: "wei"}
	check(t, s.AddSample(ctx, in))
	for name, tt := range map[string]struct {
		spoil func(*cert.Sample)
		want  error
	}{
		"the same number":    {func(s *cert.Sample) { s.ID = "s2" }, farm.ErrConflict},
		"the same ID":        {func(s *cert.Sample) { s.Number = "S-2" }, farm.ErrConflict},
		"a stranger's batch": {func(s *cert.Sample) { s.ID, s.Number, s.Tenant = "s2", "S-2", "oysters" }, farm.ErrNotFound},
		"no laboratory":      {func(s *cert.Sample) { s.ID, s.Number, s.Laboratory = "s2", "S-2", "nobody" }, farm.ErrNotFound},
	} {
		other := in
		tt.spoil(&other)
		wantErr(t, name, s.AddSample(ctx, other), tt.want)
	}
	equal(t, "of the laboratory", []cert.Sample{in})(s.Samples(ctx, store.SampleFilter{Laboratory: "oysters"}))
	equal(t, "of the batch", []cert.Sample{in})(s.Samples(ctx, store.SampleFilter{Laboratory: "oysters", Batch: b.ID}))
	equal(t, "of another", []cert.Sample{})(s.Samples(ctx, store.SampleFilter{Laboratory: "tea"}))
}

func testReportFiles(t *testing.T, s *store.Store) {
	ctx := t.Context()
	now := noon.Add(2 * time.Hour)
	c, b := newCertifier(t, s, &now)
	files := s.ReportFiles()
	kept, lost := strings.Repeat("0a", 32), strings.Repeat("0b", 32)
	for _, hash := range []string{kept, lost} {
		check(t, files.AddPhoto(ctx, photo.Upload{Hash: hash, Tenant: "tea", Site: "garden-1", Account: "lab", Size: 9}))
	}
	if n, bytes, err := files.PhotoUse(ctx, "tea"); err != nil || n != 2 || bytes != 18 {
		t.Errorf("%d files of %d bytes, %v", n, bytes, err)
	}
	r := newReport(b)
	r.File = &cert.File{Hash: kept, Type: photo.PDF, Size: 9}
	_, err := c.AddReport(ctx, r)
	check(t, err)
	check(t, files.DropPhotos(ctx, noon.Add(time.Hour)))
	equal(t, "a file that a report names", []photo.Upload{{Hash: kept, Tenant: "tea", Site: "garden-1", Account: "lab", Size: 9, Uploaded: noon}})(files.PhotoUploads(ctx, kept))
	equal(t, "one that none names", []photo.Upload{})(files.PhotoUploads(ctx, lost))
	if err := s.Exec(ctx, "DELETE FROM report_files"); err == nil {
		t.Error("the database deleted the file of a report")
	}
}

func testCertificates(t *testing.T, s *store.Store) {
	ctx := t.Context()
	now := time.Date(2026, 12, 31, 15, 59, 0, 0, time.UTC) // a minute to midnight
	c, b := newCertifier(t, s, &now)
	in := newIssue()
	first, err := c.Issue(ctx, b, in)
	check(t, err)
	if first.Number != "2026-000001" || first.Promise != cert.Producer.Promise() || first.Promiser.Name.Zh != tea.Name.Zh || first.Origin.Zh != "广西梧州市" || first.Quantity != 12.5 || first.Code != b.Code {
		t.Errorf("issued: %+v", first)
	}
	now = now.Add(2 * time.Minute)
	again, err := c.Issue(ctx, b, in)
	check(t, err)
	if again.Number != first.Number || !again.Issued.Equal(first.Issued) {
		t.Errorf("the same again: %+v", again)
	}
	changed := in
	changed.Style, changed.Collected = cert.Buyer, []string{"x"}
	_, err = c.Issue(ctx, b, changed)
	wantErr(t, "another with its ID", err, farm.ErrConflict)
	_, err = c.Issue(ctx, b, newIssue())
	wantErr(t, "while one is in force", err, farm.ErrConflict)
	open := newBatch("open")
	check(t, s.AddBatch(ctx, open))
	_, err = c.Issue(ctx, open, newIssue())
	wantErr(t, "without a code", err, farm.ErrConflict)

	check(t, c.VoidCertificate(ctx, b.ID, first.ID, "重量写错"))
	wantErr(t, "void again", c.VoidCertificate(ctx, b.ID, first.ID, "重量写错"), farm.ErrConflict)
	second, err := c.Issue(ctx, b, newIssue())
	check(t, err)
	if second.Number != "2027-000001" {
		t.Errorf("in the new year: %s", second.Number)
	}
	// A recall takes all; the same again finds none.
	other := closedBatch(t, s, "b2")
	third, err := c.Issue(ctx, other, newIssue())
	check(t, err)
	if third.Number != "2027-000002" {
		t.Errorf("no gap: %s", third.Number)
	}
	equal(t, "recalled", 2)(c.VoidCertificates(ctx, []string{b.ID, other.ID, "unknown"}, "召回 R-1"))
	equal(t, "and again", 0)(c.VoidCertificates(ctx, []string{b.ID, other.ID}, "召回 R-1"))
	d, err := c.Dossier(ctx, b.ID)
	check(t, err)
	if d.InForce() != nil || d.Certificates[0].Void.Cause != cert.ByIssuer || d.Certificates[1].Void.Cause != cert.ByRecall {
		t.Errorf("dossier: %+v", d)
	}
	for what, want := range map[store.StatementFilter]int{{}: 3, {Tenant: "tea"}: 3, {Tenant: "oysters"}: 0, {Region: "450406"}: 3, {Region: "450700"}: 0, {Limit: 1}: 1, {After: store.Place{At: first.Issued.Add(time.Second)}}: 1} {
		found, err := s.Certificates(ctx, what)
		check(t, err)
		if len(found) != want {
			t.Errorf("%+v: %d certificates, want %d", what, len(found), want)
		}
		for _, i := range found {
			if i.Void == nil {
				t.Errorf("%+v: certificate %s is in force", what, i.Number)
			}
		}
	}

	// The name of a person can be erased; the certificate stays provable.
	fourth, err := c.Issue(ctx, closedBatch(t, s, "b3"), newIssue())
	check(t, err)
	records, err := s.RecordsOf(ctx, fourth.ID)
	check(t, err)
	if strings.Contains(string(records[0].Body), tea.Name.Zh) {
		t.Errorf("the sealed bytes name a natural person: %s", records[0].Body)
	}
	_, err = c.Service.ErasePersonal(ctx, s, "tea", "administrator")
	check(t, err)
	if d, err = c.Dossier(ctx, "b3"); err != nil || d.Certificates[0].Promiser.Name.Zh != "" || d.Certificates[0].Personal["promiser.name.zh"] == "" {
		t.Errorf("erased: %+v, %v", d, err)
	}
	for _, query := range []string{
		"DELETE FROM certificates", "UPDATE certificates SET n = 9", "DELETE FROM voids", "UPDATE voids SET at = 0", "UPDATE certificate_numbers SET last = 1",
		"DELETE FROM certificate_numbers", "DELETE FROM records WHERE kind = 'certificate'",
	} {
		if err := s.Exec(ctx, query); err == nil {
			t.Errorf("the database did %s", query)
		}
	}
}

// Only what holds and passed lets a certificate rest on it, and what failed bars it.
func testCertificateNeedsTests(t *testing.T, s *store.Store) {
	ctx := t.Context()
	now := noon.Add(2 * time.Hour)
	c, b := newCertifier(t, s, &now)
	in := newIssue()
	in.Basis = []cert.Basis{cert.Commissioned}
	var bad *cert.FieldError
	if _, err := c.Issue(ctx, b, in); !errors.As(err, &bad) || bad.Field != "basis[0]" {
		t.Errorf("without a report: %v", err)
	}
	passed, err := c.AddReport(ctx, newReport(b))
	check(t, err)
	worse := newReport(b)
	worse.Items = []cert.Item{{Name: "镉", Result: "0.3", Limit: "0.05"}}
	failed, err := c.AddReport(ctx, worse)
	check(t, err)
	var why *cert.FailedError
	if _, err := c.Issue(ctx, b, in); !errors.As(err, &why) || why.Report != failed.ID || why.Item != "镉" {
		t.Errorf("after a failed test: %v", err)
	}
	check(t, c.VoidReport(ctx, b.ID, failed.ID, "样品弄混"))
	got, err := c.Issue(ctx, b, in)
	check(t, err)
	if !slices.Equal(got.Reports, []string{passed.ID}) {
		t.Errorf("it rests on %v", got.Reports)
	}
	for _, query := range []string{"DELETE FROM reports", "UPDATE reports SET verdict = 'pass'", "DELETE FROM voids", "UPDATE voids SET at = 0"} {
		if err := s.Exec(ctx, query); err == nil {
			t.Errorf("the database did %s", query)
		}
	}
}

// What is split or mixed is offered for a certificate of its own, which names those
// that it was made of; a test that failed goes down with the goods.
func testReissue(t *testing.T, s *store.Store) {
	ctx := t.Context()
	now := noon.Add(2 * time.Hour)
	c, parent := newCertifier(t, s, &now)
	issued, err := c.Issue(ctx, parent, newIssue())
	check(t, err)
	equal(t, "nothing is due", []trace.Batch{})(s.CertificatesDue(ctx, store.StatementFilter{Tenant: "tea"}))
	amount := func(kg string) chain.Amount {
		a, err := chain.Measure(kg, "kg")
		check(t, err)
		return a
	}
	split := chain.Movement{ID: ulid.Make().String(), Tenant: "tea", Kind: chain.Split, At: now, Person: "wei", Inputs: []chain.Input{{Batch: parent.ID, Amount: amount("10")}}}
	for i, kg := range []string{"4", "6"} {
		split.Outputs = append(split.Outputs, chain.Output{Batch: ulid.Make().String(), Product: "liubao", Lot: fmt.Sprint("2026-17-", i), Amount: amount(kg)})
	}
	_, _, err = c.Service.Move(ctx, split)
	check(t, err)
	due, err := s.CertificatesDue(ctx, store.StatementFilter{Tenant: "tea"})
	check(t, err)
	if len(due) != 2 {
		t.Fatalf("due: %+v", due)
	}
	child := due[0]
	_, err = c.Issue(ctx, child, newIssue())
	wantErr(t, "without a code", err, farm.ErrConflict)
	child, rec := closed(child, "CHILD")
	rec.At = now
	check(t, s.CloseBatch(ctx, child, rec))

	// The parent's test fails after it was split.
	worse := newReport(parent)
	worse.Items = []cert.Item{{Name: "镉", Result: "0.3", Limit: "0.05"}}
	_, err = c.AddReport(ctx, worse)
	check(t, err)
	var why *cert.FailedError
	if _, err := c.Issue(ctx, child, newIssue()); !errors.As(err, &why) {
		t.Errorf("a child of what failed: %v", err)
	}
	_, err = c.AddReport(ctx, newReport(child)) // cleansed, and tested again
	check(t, err)
	in := newIssue()
	in.Style = cert.Buyer
	got, err := c.Issue(ctx, child, in)
	check(t, err)
	if want := []string{issued.Code + "/" + issued.Number}; !slices.Equal(got.Parents, want) || got.Origin != issued.Origin {
		t.Errorf("made of %v in %v, want %v in %v", got.Parents, got.Origin, want, issued.Origin)
	}
	if due, err = s.CertificatesDue(ctx, store.StatementFilter{Tenant: "tea"}); err != nil || len(due) != 1 || due[0].ID == child.ID {
		t.Errorf("still due: %+v, %v", due, err)
	}
	equal(t, "of strangers", []trace.Batch{})(s.CertificatesDue(ctx, store.StatementFilter{Tenant: "oysters"}))
	check(t, c.VoidCertificate(ctx, parent.ID, issued.ID, "不合格"))
	equal(t, "of a void certificate nothing is due", []trace.Batch{})(s.CertificatesDue(ctx, store.StatementFilter{Tenant: "tea"}))
}

// Whoever issues at the same time gets numbers of his own, without a gap, and one
// batch gets one certificate.
func testCertificateRace(t *testing.T, s *store.Store) {
	ctx := t.Context()
	now := noon.Add(2 * time.Hour)
	c, first := newCertifier(t, s, &now)
	batches := []trace.Batch{first}
	for i := range 7 {
		batches = append(batches, closedBatch(t, s, fmt.Sprint("r", i)))
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	var numbers []string
	for _, b := range batches {
		for range 2 {
			wg.Go(func() {
				got, err := c.Issue(ctx, b, newIssue())
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil:
					numbers = append(numbers, got.Number)
				case !errors.Is(err, farm.ErrConflict):
					t.Error(err)
				}
			})
		}
	}
	wg.Wait()
	slices.Sort(numbers)
	var want []string
	for i := range batches {
		want = append(want, cert.NumberOf(2026, i+1))
	}
	if !slices.Equal(numbers, want) {
		t.Errorf("numbers %v, want %v", numbers, want)
	}
}

// A spray that is recorded while a certificate is held against the history is seen,
// or comes after it: the certificate that was not held against it is not written.
func testCertificateMoved(t *testing.T, s *store.Store) {
	ctx := t.Context()
	now := noon.Add(2 * time.Hour)
	c, b := newCertifier(t, s, &now)
	seen, err := s.Version(ctx, "garden-1")
	check(t, err)
	op, rec := newOperation("late", now)
	check(t, s.AddOperation(ctx, op, rec))
	issue := func(int) (trace.Record, error) { t.Error("issued"); return trace.Record{}, nil }
	out := cert.Certificate{ID: ulid.Make().String(), Tenant: "tea", Batch: b.ID, Issued: now}
	wantErr(t, "an old version", s.AddCertificate(ctx, out, []trace.Seen{{Site: "garden-1", Tenant: "tea", Version: seen}}, issue), trace.ErrMoved)
	got, err := c.Issue(ctx, b, newIssue())
	check(t, err)
	if got.Number != "2026-000001" {
		t.Errorf("a number was lost: %s", got.Number)
	}
}

// testCertificateHistories drives the certifier through random sprays, voids and
// harvests, and holds it against a model that counts days by hand: no certificate is
// issued for what was harvested inside an interval, or whose test failed.
func testCertificateHistories(t *testing.T, s *store.Store) {
	ctx := t.Context()
	now := noon
	c, _ := newCertifier(t, s, &now)
	type spray struct {
		id   string
		at   time.Time
		wait int64
	}
	var sprays []spray
	number := func(t time.Time) int64 { return (t.Unix() + 8*3600) / 86400 }
	r := rand.New(rand.NewPCG(4, 2026))
	issued, refused := 0, 0
	for i := range 200 {
		now = now.Add(time.Duration(1+r.IntN(60)) * time.Hour)
		switch r.IntN(4) {
		case 0: // recorded late, as happens
			sp := spray{ulid.Make().String(), now.Add(-time.Duration(r.IntN(100)) * time.Hour), int64(r.IntN(9))}
			_, _, err := c.Service.AddOperation(ctx, trace.Operation{ID: sp.id, Tenant: "tea", Site: "garden-1", Kind: "spray", At: sp.at, Person: "wei", Items: []trace.Item{
				{Key: "product", Value: "示例"},
				{Key: "maker", Value: "示例厂"},
				{Key: "target", Value: "茶尺蠖"},
				{Key: "registration", Value: "—"},
				{Key: "dose", Value: "60", Unit: "mL/[mu_chn]"},
				{Key: "interval", Value: strconv.FormatInt(sp.wait, 10), Unit: "d"},
				{Key: "lot", Value: "—"},
			}})
			check(t, err)
			sprays = append(sprays, sp)
		case 1:
			if len(sprays) == 0 {
				continue
			}
			n := r.IntN(len(sprays))
			_, _, err := c.Service.AddOperation(ctx, trace.Operation{
				ID: ulid.Make().String(), Tenant: "tea", Site: "garden-1", Kind: catalog.Void, At: now, Person: "wei",
				Corrects: sprays[n].id, Items: []trace.Item{{Key: "reason", Value: "记错了"}},
			})
			check(t, err)
			sprays = slices.Delete(sprays, n, n+1)
		default:
			b := newBatch(fmt.Sprint("h", i))
			b.Harvest = now.Add(-time.Duration(r.IntN(120)) * time.Hour)
			b.Began = b.Harvest.AddDate(0, -1, 0)
			check(t, s.AddBatch(ctx, b))
			b, rec := closed(b, fmt.Sprint("H", i))
			check(t, s.CloseBatch(ctx, b, rec))
			legal := true
			for _, sp := range sprays {
				if days := number(b.Harvest) - number(sp.at); days >= 0 && !sp.at.After(b.Harvest) && days < sp.wait {
					legal = false
				}
			}
			failing := r.IntN(5) == 0
			if failing {
				rep := newReport(b)
				rep.Items = []cert.Item{{Name: "镉", Result: "0.3", Limit: "0.05"}}
				_, err := c.AddReport(ctx, rep)
				check(t, err)
			}
			_, err := c.Issue(ctx, b, newIssue())
			var no *gate.Refused
			var bad *cert.FailedError
			switch {
			case err == nil && legal && !failing:
				issued++
			case errors.As(err, &no) && !legal, errors.As(err, &bad) && failing:
				refused++
			default:
				t.Fatalf("step %d, harvest %v: legal %v, failing %v, but %v; sprays %+v", i, b.Harvest, legal, failing, err, sprays)
			}
			d, err := c.Dossier(ctx, b.ID)
			check(t, err)
			if (d.InForce() != nil) != (legal && !failing) {
				t.Fatalf("step %d: the dossier says otherwise: %+v", i, d)
			}
		}
	}
	if issued < 10 || refused < 10 {
		t.Errorf("%d issued and %d refused prove little", issued, refused)
	}
}
