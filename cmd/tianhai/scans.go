package main

import (
	"context"
	"crypto/rand"
	"time"

	"tianhai/api"
	"tianhai/cmd/internal/store"
	"tianhai/i18n"
	"tianhai/trace/complaint"
	"tianhai/trace/label"
	"tianhai/trace/photo"
	"tianhai/trace/scan"
)

// copies shows alarms about codes, as the API asks for them.
type copies struct{ store *store.Store }

// ListScanAlarms returns those that are asked for.
func (c copies) ListScanAlarms(ctx context.Context, q api.NoticeQuery) ([]scan.Alarm, error) {
	return c.store.ScanAlarms(ctx, store.ScanFilter{
		Tenant: q.Tenant, Region: q.Region, Batch: q.Batch, Open: q.State == "open", Acknowledged: q.State == "acknowledged",
		From: q.From, To: q.To, After: store.Place(q.After), Limit: q.Limit,
	})
}

// ScanAlarm returns one.
func (c copies) ScanAlarm(ctx context.Context, id string) (scan.Alarm, error) {
	return c.store.ScanAlarm(ctx, id)
}

// AcknowledgeScanAlarm stores what was found.
func (c copies) AcknowledgeScanAlarm(ctx context.Context, id, account, finding string) (scan.Alarm, error) {
	if err := c.store.AcknowledgeScanAlarm(ctx, id, account, finding, time.Now()); err != nil {
		return scan.Alarm{}, err
	}
	return c.store.ScanAlarm(ctx, id)
}

// Markets returns where a tenant's products are sold.
func (c copies) Markets(ctx context.Context, tenant string) ([]string, error) {
	all, err := c.store.Markets(ctx)
	return all[tenant], err
}

// SetMarkets stores where a tenant's products are sold.
func (c copies) SetMarkets(ctx context.Context, tenant string, regions []string, account string) error {
	return c.store.SetMarkets(ctx, tenant, regions, account, time.Now())
}

// complaints shows what consumers complain of, as the API asks for it.
type complaints struct {
	*complaint.Service
	store *store.Store
	album *photo.Album
}

// ListComplaints returns those that are asked for.
func (c complaints) ListComplaints(ctx context.Context, q api.NoticeQuery) ([]complaint.Complaint, error) {
	f := store.ComplaintFilter{
		Tenant: q.Tenant, Region: q.Region, Batch: q.Batch, From: q.From, To: q.To, After: store.Place(q.After), Limit: q.Limit,
	}
	if f.Open = q.State == "open"; !f.Open {
		f.State = complaint.State(q.State)
	}
	return c.store.Complaints(ctx, f)
}

// Complaint returns one with its answers.
func (c complaints) Complaint(ctx context.Context, id string) (complaint.Complaint, error) {
	return c.store.Complaint(ctx, id)
}

// ErasePhone erases a telephone number.
func (c complaints) ErasePhone(ctx context.Context, id string) error {
	return c.store.ErasePhone(ctx, id)
}

// ComplaintPhoto returns the picture of a complaint.
func (c complaints) ComplaintPhoto(hash string) ([]byte, error) { return c.album.Get(hash) }

// copyMessage is the body of a webhook.
type copyMessage struct {
	ID    string            `json:"id"`
	Type  string            `json:"type"` // "scan_alarm.raised"
	Alarm scan.Alarm        `json:"scan_alarm"`
	Title map[string]string `json:"title"` // by language
}

func untoldCopies(s *store.Store, texts *i18n.Catalog) func(context.Context) ([]news, error) {
	return func(ctx context.Context) ([]news, error) {
		alarms, err := s.ScanAlarms(ctx, store.ScanFilter{Untold: true})
		var all []news
		for _, a := range alarms {
			m := copyMessage{ID: a.ID, Type: "scan_alarm.raised", Alarm: a, Title: map[string]string{}}
			for _, lang := range texts.Languages() {
				m.Title[lang] = texts.T(lang, "scan_alarm.title", "code", a.Code, "reason", texts.T(lang, "scan_reason."+string(a.Reason)))
			}
			all = append(all, news{a.ID, m, func(ctx context.Context) error { return s.ToldScanAlarm(ctx, a.ID, time.Now()) }})
		}
		return all, err
	}
}

// complaintMessage is the body of a webhook. A telephone number is for who answers, on
// the screen, and travels no further.
type complaintMessage struct {
	ID        string              `json:"id"`
	Type      string              `json:"type"` // "complaint.received"
	Complaint complaint.Complaint `json:"complaint"`
	Title     map[string]string   `json:"title"` // by language
}

func untoldComplaints(s *store.Store, texts *i18n.Catalog) func(context.Context) ([]news, error) {
	return func(ctx context.Context) ([]news, error) {
		found, err := s.Complaints(ctx, store.ComplaintFilter{Untold: true})
		var all []news
		for _, c := range found {
			id := c.ID
			c.Phone, c.Reference = "", ""
			m := complaintMessage{ID: id, Type: "complaint.received", Complaint: c, Title: map[string]string{}}
			for _, lang := range texts.Languages() {
				m.Title[lang] = texts.T(lang, "complaint.title", "code", c.Code, "kind", texts.T(lang, "consumer.complaint.kind."+string(c.Kind)))
			}
			all = append(all, news{id, m, func(ctx context.Context) error { return s.ToldComplaint(ctx, id, time.Now()) }})
		}
		return all, err
	}
}

// erasePhones erases the telephone numbers of complaints in time.
func (s *server) erasePhones(ctx context.Context) error {
	for {
		if err := s.store.ErasePhones(ctx, time.Now().Add(-complaint.KeepPhone)); err != nil && ctx.Err() == nil {
			s.log.WarnContext(ctx, "telephone numbers that are due cannot be erased; again in an hour", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Hour):
		}
	}
}

// openScans makes what looks at codes and complaints need.
func (s *server) openScans() {
	s.album = &photo.Album{Dir: s.cfg.path("complaints")}
	s.copies = newTeller(s.send, s.log, untoldCopies(s.store, s.texts))
	s.heard = newTeller(s.send, s.log, untoldComplaints(s.store, s.texts))
	watch := &scan.Watch{Files: s.store, Log: s.log, Raised: s.copies.Wake}
	s.looks = scan.NewRecorder(s.store, s.log, watch.Look)
	s.complaints = &complaint.Service{Store: s.store, Pictures: s.album, NewReference: func() (string, error) { return label.NewCode(rand.Reader) }, Came: s.heard.Wake}
}
