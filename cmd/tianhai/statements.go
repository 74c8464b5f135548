package main

import (
	"context"

	"tianhai/api"
	"tianhai/cmd/internal/store"
	"tianhai/trace"
	"tianhai/trace/cert"
)

// Samples returns the samples of a laboratory or of a batch.
func (r records) Samples(ctx context.Context, q api.SampleQuery) ([]cert.Sample, error) {
	return r.Store.Samples(ctx, store.SampleFilter{Laboratory: q.Laboratory, Batch: q.Batch, Number: q.Number, After: store.Place(q.After), Limit: q.Limit})
}

// FindReports returns reports, newest first.
func (r records) FindReports(ctx context.Context, q api.StatementQuery) ([]cert.Tested, error) {
	return r.Reports(ctx, statementFilter(q))
}

// FindCertificates returns certificates, newest first.
func (r records) FindCertificates(ctx context.Context, q api.StatementQuery) ([]cert.Issued, error) {
	return r.Certificates(ctx, statementFilter(q))
}

// CertificatesDue returns batches that may be certified anew, newest first.
func (r records) CertificatesDue(ctx context.Context, q api.StatementQuery) ([]trace.Batch, error) {
	return r.Store.CertificatesDue(ctx, statementFilter(q))
}

func statementFilter(q api.StatementQuery) store.StatementFilter {
	return store.StatementFilter{Tenant: q.Tenant, Region: q.Region, Verdict: q.Verdict, After: store.Place(q.After), Limit: q.Limit}
}
