package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/uptrace/bun"

	"tianhai/farm"
	"tianhai/trace/epcis"
	"tianhai/trace/epcis/standing"
)

type epcisQueryRow struct {
	bun.BaseModel `bun:"table:epcis_queries,alias:eq"`

	Tenant     string
	Name       string
	Definition string
	Account    string
	Created    instant
}

func (r epcisQueryRow) query() standing.Query {
	return standing.Query{Tenant: r.Tenant, Name: r.Name, Definition: json.RawMessage(r.Definition), Account: r.Account, Created: r.Created.Time}
}

type epcisSubscriptionRow struct {
	bun.BaseModel `bun:"table:epcis_subscriptions,alias:es"`

	ID            string
	Tenant        string
	Query         string
	Account       string
	Created       instant
	Stream        bool
	Schedule      string
	ReportIfEmpty bool
	Initial       instant
	Dest          string
	Token         string
	Seq           int64
	Next          instant
	Attempts      int
	Reason        string
	Program       string `bun:",nullzero"`
	Format        string
}

func (r epcisSubscriptionRow) subscription() (standing.Subscription, error) {
	s := standing.Subscription{
		ID: r.ID, Tenant: r.Tenant, Query: r.Query, Account: r.Account, Program: r.Program, Created: r.Created.Time, Format: epcis.Format(r.Format),
		Controls: standing.Controls{Stream: r.Stream, ReportIfEmpty: r.ReportIfEmpty, InitialRecordTime: r.Initial.Time},
		Dest:     r.Dest, Token: r.Token, Seq: r.Seq, Next: r.Next.Time, Attempts: r.Attempts, Reason: r.Reason,
	}
	return s, json.Unmarshal([]byte(r.Schedule), &s.Schedule)
}

func subscriptionsOf(rows []epcisSubscriptionRow) ([]standing.Subscription, error) {
	all := make([]standing.Subscription, len(rows))
	for i, r := range rows {
		var err error
		if all[i], err = r.subscription(); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// AddNamedQuery adds a query; farm.ErrConflict where the tenant has one of its name,
// standing.ErrFull.
func (s *Store) AddNamedQuery(ctx context.Context, q standing.Query) error {
	return fail("add query", s.inTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		n, err := tx.NewSelect().Model((*epcisQueryRow)(nil)).Where("eq.tenant = ?", q.Tenant).Count(ctx)
		if err != nil {
			return err
		}
		if n >= standing.MaxQueries {
			return standing.ErrFull
		}
		row := epcisQueryRow{Tenant: q.Tenant, Name: q.Name, Definition: string(q.Definition), Account: q.Account, Created: instant{q.Created}}
		_, err = tx.NewInsert().Model(&row).Exec(ctx)
		return err
	}))
}

// NamedQuery returns a query of a tenant; farm.ErrNotFound.
func (s *Store) NamedQuery(ctx context.Context, tenant, name string) (standing.Query, error) {
	var row epcisQueryRow
	err := s.read.NewSelect().Model(&row).Where("eq.tenant = ? AND eq.name = ?", tenant, name).Scan(ctx)
	return row.query(), fail("read query", err)
}

// NamedQueries returns a tenant's queries whose names are behind one, by name.
func (s *Store) NamedQueries(ctx context.Context, tenant, after string, limit int) ([]standing.Query, error) {
	var rows []epcisQueryRow
	err := s.read.NewSelect().Model(&rows).Where("eq.tenant = ? AND eq.name > ?", tenant, after).OrderExpr("eq.name").Limit(int64(limit)).Scan(ctx)
	return each(rows, epcisQueryRow.query), fail("read queries", err)
}

// DeleteNamedQuery deletes a query with its subscriptions; farm.ErrNotFound.
func (s *Store) DeleteNamedQuery(ctx context.Context, tenant, name string) error {
	res, err := s.write.NewDelete().Model((*epcisQueryRow)(nil)).Where("tenant = ? AND name = ?", tenant, name).Exec(ctx)
	return fail("delete query", changed(res, err, farm.ErrNotFound))
}

// AddSubscription adds a subscription; farm.ErrNotFound for an unknown query or program,
// standing.ErrFull.
func (s *Store) AddSubscription(ctx context.Context, sub standing.Subscription) error {
	schedule, err := json.Marshal(sub.Schedule)
	if err != nil {
		return fail("add subscription", err)
	}
	return fail("add subscription", s.inTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		n, err := tx.NewSelect().Model((*epcisSubscriptionRow)(nil)).Where("es.tenant = ?", sub.Tenant).Count(ctx)
		if err != nil {
			return err
		}
		if n >= standing.MaxSubscriptions {
			return standing.ErrFull
		}
		row := epcisSubscriptionRow{
			ID: sub.ID, Tenant: sub.Tenant, Query: sub.Query, Account: sub.Account, Created: instant{sub.Created}, Stream: sub.Stream,
			Schedule: string(schedule), ReportIfEmpty: sub.ReportIfEmpty, Initial: instant{sub.InitialRecordTime}, Dest: sub.Dest,
			Token: sub.Token, Seq: sub.Seq, Next: instant{sub.Next}, Attempts: sub.Attempts, Reason: sub.Reason,
			Program: sub.Program, Format: string(sub.Format),
		}
		_, err = tx.NewInsert().Model(&row).Exec(ctx)
		return err
	}))
}

// Subscription returns one of a tenant's query; farm.ErrNotFound.
func (s *Store) Subscription(ctx context.Context, tenant, query, id string) (standing.Subscription, error) {
	var row epcisSubscriptionRow
	if err := s.read.NewSelect().Model(&row).Where("es.tenant = ? AND es.query = ? AND es.id = ?", tenant, query, id).Scan(ctx); err != nil {
		return standing.Subscription{}, fail("read subscription", err)
	}
	sub, err := row.subscription()
	return sub, fail("read subscription", err)
}

// Subscriptions returns those of a query whose IDs are behind one, oldest first.
func (s *Store) Subscriptions(ctx context.Context, tenant, query, after string, limit int) ([]standing.Subscription, error) {
	var rows []epcisSubscriptionRow
	q := s.read.NewSelect().Model(&rows).Where("es.tenant = ? AND es.query = ? AND es.id > ?", tenant, query, after)
	if err := q.OrderExpr("es.id").Limit(int64(limit)).Scan(ctx); err != nil {
		return nil, fail("read subscriptions", err)
	}
	all, err := subscriptionsOf(rows)
	return all, fail("read subscriptions", err)
}

// DeleteSubscription deletes one; farm.ErrNotFound.
func (s *Store) DeleteSubscription(ctx context.Context, tenant, query, id string) error {
	res, err := s.write.NewDelete().Model((*epcisSubscriptionRow)(nil)).Where("tenant = ? AND query = ? AND id = ?", tenant, query, id).Exec(ctx)
	return fail("delete subscription", changed(res, err, farm.ErrNotFound))
}

// DueSubscriptions returns those that have something to do, the longest due first.
func (s *Store) DueSubscriptions(ctx context.Context, now time.Time, last int64, limit int) ([]standing.Subscription, error) {
	var rows []epcisSubscriptionRow
	q := s.read.NewSelect().Model(&rows).Where("es.next <= ? AND (es.seq < ? OR NOT es.stream)", instant{now}, last)
	if err := q.OrderExpr("es.next, es.id").Limit(int64(limit)).Scan(ctx); err != nil {
		return nil, fail("read subscriptions", err)
	}
	all, err := subscriptionsOf(rows)
	return all, fail("read subscriptions", err)
}

// SetSubscription writes how far a subscription is; farm.ErrNotFound where it was deleted.
func (s *Store) SetSubscription(ctx context.Context, sub standing.Subscription) error {
	row := epcisSubscriptionRow{Seq: sub.Seq, Next: instant{sub.Next}, Attempts: sub.Attempts, Reason: sub.Reason}
	res, err := s.write.NewUpdate().Model(&row).Column("seq", "next", "attempts", "reason").Where("id = ?", sub.ID).Exec(ctx)
	return fail("write subscription", changed(res, err, farm.ErrNotFound))
}
