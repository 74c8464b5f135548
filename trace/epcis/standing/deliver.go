package standing

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"tianhai/farm"
	"tianhai/trace/epcis"
	"tianhai/trace/epcis/query"
	"tianhai/trace/epcis/repository"
)

const (
	poll         = time.Second // schedules have seconds
	firstPause   = 5 * time.Second
	longestPause = 5 * time.Minute
	postTimeout  = 10 * time.Second
	answerLimit  = 64 << 10
	atOnce       = 16  // subscribers that are told at the same time
	dueLimit     = 200 // subscriptions of a round
	// MaxEvents is how many a subscriber is told of in one document.
	MaxEvents = 100
	// documents that one subscriber is sent before others have their turn
	documents   = 20
	reasonLimit = 300 // bytes
)

// Run tells subscribers until ctx is done, then returns nil. One that is slow keeps
// nobody waiting but itself.
func (s *Service) Run(ctx context.Context) error {
	tick := time.NewTicker(poll)
	defer tick.Stop()
	turns := &errgroup.Group{}
	turns.SetLimit(atOnce)
	for {
		if err := s.round(ctx, turns); err != nil && ctx.Err() == nil {
			s.cfg.Logger.WarnContext(ctx, "EPCIS subscribers wait for the database", "error", err)
		}
		select {
		case <-ctx.Done():
			return turns.Wait()
		case <-s.wake:
		case <-tick.C:
		}
	}
}

// round gives every subscription that is due its turn, as far as there is room.
func (s *Service) round(ctx context.Context, turns *errgroup.Group) error {
	last, err := s.cfg.Events.LastEvent(ctx)
	if err != nil {
		return err
	}
	due, err := s.cfg.Store.DueSubscriptions(ctx, s.cfg.Now(), last, dueLimit)
	if err != nil {
		return err
	}
	for _, sub := range due {
		if !s.take(sub.ID) {
			continue
		}
		began := turns.TryGo(func() error {
			defer s.give(sub.ID)
			// What was deleted meanwhile has no turn.
			if err := s.turn(ctx, sub, last); err != nil && !errors.Is(err, farm.ErrNotFound) && ctx.Err() == nil {
				s.cfg.Logger.WarnContext(ctx, "EPCIS subscriber waits", "subscription", sub.ID, "error", err)
			}
			return nil
		})
		if !began {
			s.give(sub.ID)
			return nil // the next round comes within a second
		}
	}
	return nil
}

func (s *Service) take(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy[id] {
		return false
	}
	s.busy[id] = true
	return true
}

func (s *Service) give(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.busy, id)
}

// turn tells a subscriber of events up to last, and writes down how far it came.
func (s *Service) turn(ctx context.Context, sub Subscription, last int64) error {
	more, err := s.tell(ctx, &sub, last)
	if errors.Is(err, errEnded) {
		return s.cfg.Store.DeleteSubscription(ctx, sub.Tenant, sub.Query, sub.ID)
	}
	now := s.cfg.Now().UTC()
	if failed, ok := errors.AsType[*postError](err); ok {
		sub.Attempts++
		reason := failed.Error()
		sub.Reason = strings.ToValidUTF8(reason[:min(len(reason), reasonLimit)], "") // PostgreSQL refuses half a character
		sub.Next = now.Add(pause(sub.Attempts))
		return s.cfg.Store.SetSubscription(ctx, sub)
	}
	if err != nil {
		return err
	}
	sub.Attempts, sub.Reason = 0, ""
	switch {
	case more, sub.Stream:
		sub.Next = now
	default:
		sub.Next = sub.Schedule.Next(now)
	}
	return s.cfg.Store.SetSubscription(ctx, sub)
}

// pause doubles, shortened at random by up to half.
func pause(attempts int) time.Duration {
	p := firstPause << min(attempts-1, 10)
	p = min(p, longestPause)
	return p - rand.N(p/2)
}

// tell sends what there is, some events at a time; more reports whether there is more.
func (s *Service) tell(ctx context.Context, sub *Subscription, last int64) (more bool, err error) {
	named, err := s.cfg.Store.NamedQuery(ctx, sub.Tenant, sub.Query)
	if err != nil {
		return false, err
	}
	q, err := query.ParseJSON(named.Definition)
	if err != nil {
		return false, fmt.Errorf("query %s of %s: %w", sub.Query, sub.Tenant, err)
	}
	a := Ask(q, sub.Controls, sub.Tenant, sub.Seq, last)
	if q.Max > 0 && !sub.Stream {
		n, err := s.cfg.Events.CountEvents(ctx, a, q.Max+1)
		if err != nil {
			return false, err
		}
		if n > q.Max { // the standard has the error told in place of the events
			sub.Seq = last
			return false, s.post(ctx, *sub, http.Header{"Content-Type": {"application/problem+json"}}, tooLarge(q.Max))
		}
	}
	most, sent := MaxEvents, 0
	for range documents {
		a.Limit = most
		events, err := s.cfg.Events.FindEvents(ctx, a)
		if err != nil {
			return false, err
		}
		if len(events) == 0 {
			break
		}
		err = s.send(ctx, *sub, events)
		if failed, ok := errors.AsType[*postError](err); ok && failed.status == http.StatusRequestEntityTooLarge && len(events) > 1 {
			most = len(events) / 2 // the receiver asks for less at once
			continue
		}
		if err != nil {
			return false, err
		}
		sent += len(events)
		sub.Seq = events[len(events)-1].Seq
		a.Since = sub.Seq
		if len(events) == a.Limit {
			more = true
			continue
		}
		more = false
		break
	}
	if more {
		return true, nil
	}
	if sent == 0 && sub.ReportIfEmpty {
		if err := s.send(ctx, *sub, nil); err != nil {
			return false, err
		}
	}
	sub.Seq = last
	return false, nil
}

// Ask returns the question of a standing query: what it asks, in the order of recording,
// of events behind one and up to another.
func Ask(q query.Query, c Controls, tenant string, since, last int64) repository.Ask {
	q.Order = query.Order{By: query.ByRecordTime, Ascending: true}
	if c.InitialRecordTime.After(q.RecordTime.From) {
		q.RecordTime.From = c.InitialRecordTime
	}
	return repository.Ask{Scope: repository.Scope{Tenant: tenant}, Query: q, Since: since, UpTo: last, Limit: MaxEvents}
}

// send hands over events, with keys in the format that the subscriber chose. A key that
// cannot be written so comes as it was captured: an event is never withheld for it, and
// the header does not promise the format then.
func (s *Service) send(ctx context.Context, sub Subscription, events []repository.Stored) error {
	var companies []string
	if sub.Format == epcis.EPCURNs {
		var err error
		if companies, err = s.cfg.Events.CompanyPrefixes(ctx, repository.Scope{Tenant: sub.Tenant}); err != nil {
			return err
		}
	}
	head := repository.Head{Query: sub.Query, Subscription: sub.ID, Created: s.cfg.Now()}
	doc, left := sub.Format.Write(repository.AppendDocument(nil, head, events), companies)
	format := sub.Format
	if left != "" {
		format = epcis.NoPreference
	}
	return s.post(ctx, sub, http.Header{"Content-Type": {"application/json"}, "Gs1-Epc-Format": {string(format)}}, doc)
}

func tooLarge(most int) []byte {
	return fmt.Appendf(nil, `{"type":"epcisException:QueryTooLargeException","title":"The query finds more events than it allows","status":413,"detail":"maxEventCount: the query finds more than %d events"}`, most)
}

// A postError is that the receiver did not take what it was sent. It holds no secret.
type postError struct {
	status int // 0 where there was no answer
	reason string
}

func (e *postError) Error() string { return e.reason }

// errEnded is that the program that subscribed is let in no more.
var errEnded = errors.New("the program that subscribed is let in no more")

// post hands over one document, as long as who subscribed is let in.
func (s *Service) post(ctx context.Context, sub Subscription, header http.Header, body []byte) error {
	if sub.Program != "" && s.cfg.Admits != nil {
		switch ok, err := s.cfg.Admits(ctx, sub.Program); {
		case err != nil:
			return err
		case !ok:
			return errEnded
		}
	}
	ctx, cancel := context.WithTimeout(ctx, postTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, sub.Dest, bytes.NewReader(body))
	if err != nil {
		return &postError{0, "the address is none"}
	}
	req.Header = header
	req.Header.Set("User-Agent", "Tianhai")
	req.Header.Set("GS1-EPCIS-Version", "2.0")
	req.Header.Set("GS1-CBV-Version", "2.0")
	if sub.Token != "" {
		req.Header.Set("GS1-Signature", Sign(sub.Token, body))
	}
	resp, err := s.cfg.Client.Do(req)
	if err != nil {
		return &postError{0, reasonOf(ctx, err)}
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, answerLimit) // so that the connection can be used again
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return &postError{resp.StatusCode, fmt.Sprintf("the receiver answered %d", resp.StatusCode)}
	}
	return nil
}

// Sign returns the signature of a body.
func Sign(token string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(token))
	mac.Write(body)
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// reasonOf takes the URL out of a client's error.
func reasonOf(ctx context.Context, err error) string {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Sprintf("no answer within %v", postTimeout)
	}
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	return err.Error()
}
