package main

import (
	"context"
	"slices"

	"tianhai/api"
	"tianhai/cmd/internal/store"
	"tianhai/trace"
	"tianhai/trace/cert"
)

// Samples returns the samples of a laboratory or of a batch.
func (r records) Samples(ctx context.Context, laboratory, batch string) ([]cert.Sample, error) {
	return r.Store.Samples(ctx, store.SampleFilter{Laboratory: laboratory, Batch: batch})
}

// FindReports returns reports, newest first.
func (r records) FindReports(ctx context.Context, q api.StatementQuery) ([]cert.Tested, error) {
	d, err := dossierOf(r.Reports(ctx, statementFilter(q)))
	return newestFirst(d.Reports), err
}

// FindCertificates returns certificates, newest first.
func (r records) FindCertificates(ctx context.Context, q api.StatementQuery) ([]cert.Issued, error) {
	d, err := dossierOf(r.Certificates(ctx, statementFilter(q)))
	return newestFirst(d.Certificates), err
}

func statementFilter(q api.StatementQuery) store.StatementFilter {
	return store.StatementFilter{Tenant: q.Tenant, Region: q.Region, Verdict: q.Verdict, Limit: q.Limit}
}

func dossierOf(all []trace.Record, err error) (cert.Dossier, error) {
	if err != nil {
		return cert.Dossier{}, err
	}
	return trace.ReadDossier(all)
}

func newestFirst[T any](all []T) []T {
	out := slices.Clone(all)
	slices.Reverse(out)
	return out
}
