package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"tianhai/cmd/internal/store"
	"tianhai/farm"
	"tianhai/i18n"
	"tianhai/monitor/alert/notify"
	"tianhai/trace"
	"tianhai/trace/cert"
	"tianhai/trace/recall"
)

// openRecalls joins recalls with what they look back at and how they are told.
func (s *server) openRecalls() {
	sender := &recallSender{send: s.send, texts: s.texts, client: hookClient(s.cfg.Recalls.PrivateHooks)}
	s.recallPost = recall.NewPost(recall.PostConfig{Book: s.store, Tray: s.store, Sender: sender, Words: s.recallWords, Logger: s.log})
	s.recalls = &recall.Service{
		Book: s.store, Past: s.store.Past(), Farms: s.store, Reports: failedReports{s.store}, NewRecord: s.tracer.NewRecord,
		Added: s.sealer.Wake, Notify: s.recallPost.Wake,
	}
	if s.send != nil {
		s.recalls.Channels = []string{"webhook"}
	}
}

// failedReports knows which laboratory reports found something.
type failedReports struct{ *store.Store }

// Failed returns the batch that a failed report in force is of.
func (f failedReports) Failed(ctx context.Context, report string) (string, error) {
	records, err := f.RecordsOf(ctx, report)
	if err != nil {
		return "", err
	}
	for _, rec := range records {
		if rec.Kind != trace.ReportRecord {
			continue
		}
		said, err := trace.ReadStatement(rec)
		if err != nil {
			return "", err
		}
		return said.Report.Batch, f.check(ctx, *said.Report)
	}
	return "", farm.ErrNotFound
}

// check refuses a report that found nothing, or that was corrected or taken back.
func (f failedReports) check(ctx context.Context, r cert.Report) error {
	all, err := f.Statements(ctx, r.Batch)
	if err != nil {
		return err
	}
	d, err := trace.ReadDossier(all)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(d.Reports, func(t cert.Tested) bool { return t.ID == r.ID })
	switch {
	case i < 0 || !d.Reports[i].InForce():
		return &recall.FieldError{Field: "start.id", Reason: "is a report that was corrected or taken back"}
	case r.Verdict != cert.Fail:
		return &recall.FieldError{Field: "start.id", Reason: "is a report in which nothing failed"}
	}
	return nil
}

// hooks keeps where tenants are told, and tells what waited for that.
type hooks struct {
	*store.Store
	wake func()
}

// PutHook stores an address, and sends there what could not be sent.
func (h hooks) PutHook(ctx context.Context, hook recall.Hook) error {
	err := h.Store.PutHook(ctx, hook)
	if err == nil {
		h.wake()
	}
	return err
}

// recallWords puts a notice into words.
func (s *server) recallWords(m recall.Message) (title, text map[string]string) {
	title, text = map[string]string{}, map[string]string{}
	for _, lang := range s.texts.Languages() {
		title[lang] = s.texts.T(lang, "notice.recall."+strings.TrimPrefix(m.Type, "recall."), "number", m.Number)
		text[lang] = s.texts.T(lang, "notice.recall.text", "reason", m.Reason.In(lang), "advice", m.Advice.In(lang), "contact", m.Contact, "n", strconv.Itoa(len(m.Holdings)))
	}
	return title, text
}

// recallSender posts notices of recalls as signed webhooks.
type recallSender struct {
	send   func(ctx context.Context, id string, message any) (retry bool, err error) // through the server's own webhook; nil where there is none
	texts  *i18n.Catalog
	client *http.Client
}

// SendToHolder posts to where a tenant wants to be told.
func (r *recallSender) SendToHolder(ctx context.Context, h recall.Hook, id string, message any) (retry bool, err error) {
	hook, err := notify.NewWebhook(notify.WebhookConfig{URL: notify.Secret(h.URL), Key: notify.Secret(h.Key), Catalog: r.texts, Client: r.client})
	if err != nil {
		return false, err
	}
	return hook.Send(ctx, id, message)
}

// SendToChannel posts to the server's own webhook.
func (r *recallSender) SendToChannel(ctx context.Context, channel, id string, message any) (retry bool, err error) {
	if r.send == nil {
		return false, fmt.Errorf("no channel %s is configured", channel)
	}
	return r.send(ctx, id, message)
}

var errPrivateHook = errors.New("the address is of a private network, which recalls.private_hooks would allow")

// hookClient dials for addresses that tenants have given. Unless it is allowed, it
// reaches nothing of this machine or its network: whoever runs a farm must not make
// the server ask its neighbours.
func hookClient(private bool) *http.Client {
	dialer := &net.Dialer{Timeout: 5 * time.Second}
	if !private {
		dialer.Control = func(_, address string, _ syscall.RawConn) error {
			at, err := netip.ParseAddrPort(address)
			if err != nil || !public(at.Addr().Unmap()) {
				return errPrivateHook
			}
			return nil
		}
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DialContext, transport.Proxy = dialer.DialContext, nil
	return &http.Client{Transport: transport}
}

// public reports whether an address is one of the open internet.
func public(a netip.Addr) bool {
	shared := netip.MustParsePrefix("100.64.0.0/10") // RFC 6598
	return a.IsGlobalUnicast() && !a.IsPrivate() && !shared.Contains(a)
}
