package epcishttp

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/websocket"

	"tianhai/trace/epcis/query"
	"tianhai/trace/epcis/repository"
	"tianhai/trace/epcis/standing"
)

// Limits of WebSockets.
const (
	MaxSockets   = 200
	socketPing   = 20 * time.Second
	socketWait   = 10 * time.Second // for a write, and for a pong behind its ping
	socketPoll   = 2 * time.Second  // for what another process captured, and for a query's end
	socketListen = 4 << 10          // bytes of a message of the client, who has nothing to say
)

// upgrades reports whether a request asks for a WebSocket.
func upgrades(h http.Header) bool {
	return headerHas(h, "Connection", "upgrade") && headerHas(h, "Upgrade", "websocket")
}

func headerHas(h http.Header, name, word string) bool {
	return slices.ContainsFunc(strings.Split(h.Get(name), ","), func(s string) bool { return strings.EqualFold(strings.TrimSpace(s), word) })
}

// A listener is somebody who is told through a WebSocket.
type listener struct {
	s        *server
	r        *request
	named    standing.Query
	q        query.Query
	controls standing.Controls
	conn     *websocket.Conn
	seq      int64 // of events up to it, the client was told
}

// socket tells a client of events until either goes away, the query is deleted, or the
// session ends. It tells of each event once; who comes back asks for what was missed
// with initialRecordTime.
func (s *server) socket(w http.ResponseWriter, r *request, named standing.Query, q query.Query, c standing.Controls) error {
	select {
	case s.sockets <- struct{}{}:
		defer func() { <-s.sockets }()
	default:
		e := exceptions()["Implementation"]
		e.status, e.title, e.detail = http.StatusServiceUnavailable, "Too many are listening", "try again later, or subscribe with a webhook"
		return &e
	}
	l := &listener{s: s, r: r, named: named, q: q, controls: c}
	if c.InitialRecordTime.IsZero() {
		var err error
		if l.seq, err = s.Events.LastEvent(r.ctx()); err != nil {
			return err
		}
	}
	bell, stop := s.Bell.Listen() // before the handshake: who is let in misses nothing
	defer stop()
	up := websocket.Upgrader{HandshakeTimeout: socketWait, CheckOrigin: s.ownPage}
	conn, err := up.Upgrade(w, r.Request, http.Header{"GS1-Query-Min-Record-Time": {stamp(c.InitialRecordTime, s.Now())}})
	if err != nil {
		return nil //nolint:nilerr // the upgrader has answered
	}
	l.conn = conn
	defer func() { _ = conn.Close() }() // of a client that is gone
	// The request's time is over soon; the server's stop still ends the socket.
	ctx, cancel := context.WithCancel(r.base)
	defer cancel()
	l.hear(cancel)
	code, reason := l.run(ctx, bell)
	_ = conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, reason), time.Now().Add(socketWait))
	return nil
}

// ownPage refuses the pages of other sites, whose browser would show our cookie for
// them. Programs send no Origin.
func (s *server) ownPage(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	u, err := url.Parse(origin)
	return origin == "" || err == nil && (u.Host == r.Host || origin == s.PublicURL)
}

// hear reads what the client sends, which is pongs and its farewell.
func (l *listener) hear(gone context.CancelFunc) {
	l.conn.SetReadLimit(socketListen)
	alive := func(string) error { return l.conn.SetReadDeadline(time.Now().Add(socketPing + socketWait)) }
	_ = alive("")
	l.conn.SetPongHandler(alive)
	go func() {
		defer gone()
		for {
			if _, _, err := l.conn.NextReader(); err != nil {
				return
			}
		}
	}()
}

// run tells until something ends, and returns why.
func (l *listener) run(ctx context.Context, bell <-chan struct{}) (code int, reason string) {
	ping, poll := time.NewTicker(socketPing), time.NewTicker(socketPoll)
	defer ping.Stop()
	defer poll.Stop()
	next := l.s.Now()
	if !l.controls.Stream {
		next = l.controls.Schedule.Next(next)
	}
	due := time.NewTimer(time.Until(next))
	defer due.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return websocket.CloseGoingAway, "the server stops, or you went away"
		case <-ping.C:
			err = l.conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(socketWait))
		case <-due.C:
			err = l.turn(ctx, true)
			if !l.controls.Stream {
				due.Reset(time.Until(l.controls.Schedule.Next(l.s.Now())))
			}
		case <-bell:
			err = l.turn(ctx, l.controls.Stream)
		case <-poll.C:
			err = l.turn(ctx, l.controls.Stream)
		}
		var e *exception
		switch {
		case errors.As(err, &e):
			return websocket.ClosePolicyViolation, e.detail
		case errors.Is(err, errUnauthenticated):
			return websocket.ClosePolicyViolation, "the session has ended"
		case err != nil && ctx.Err() == nil:
			l.s.Logger.WarnContext(ctx, "EPCIS listener is left", "error", err)
			return websocket.CloseInternalServerErr, "the server failed; come back with initialRecordTime"
		}
	}
}

// turn looks whether the client may still be told, and tells where it is time.
func (l *listener) turn(ctx context.Context, tell bool) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	request := *l.r
	request.Request = l.r.WithContext(ctx)
	who, err := l.s.principal(request.Request)
	if err != nil {
		return err
	}
	if scope, ok := scopeOf(who); !ok || scope != l.r.scope {
		return errUnauthenticated
	}
	named, err := l.s.named(&request)
	if err != nil {
		return err
	}
	if !named.Created.Equal(l.named.Created) {
		return refuse("NoSuchName", "the query was deleted")
	}
	if !tell {
		return nil
	}
	return l.tell(ctx)
}

func (l *listener) tell(ctx context.Context) error {
	last, err := l.s.Events.LastEvent(ctx)
	if err != nil || last == l.seq && (l.controls.Stream || !l.controls.ReportIfEmpty) {
		return err
	}
	companies, err := l.s.companies(ctx, l.r)
	if err != nil {
		return err
	}
	sent := 0
	a := standing.Ask(l.q, l.controls, "", l.seq, last)
	a.Scope = l.r.scope
	for {
		events, err := l.s.Events.FindEvents(ctx, a)
		if err != nil {
			return err
		}
		if len(events) > 0 || sent == 0 && l.controls.ReportIfEmpty {
			head := repository.Head{Query: l.named.Name, Created: l.s.Now()}
			if err := l.conn.SetWriteDeadline(time.Now().Add(socketWait)); err != nil {
				return err
			}
			doc, _ := l.r.format.Write(repository.AppendDocument(nil, head, events), companies) // a key that cannot be written so stays
			if err := l.conn.WriteMessage(websocket.TextMessage, doc); err != nil {
				return err
			}
		}
		sent += len(events)
		if len(events) < a.Limit {
			l.seq = last
			return nil
		}
		a.Since = events[len(events)-1].Seq
		l.seq = a.Since
	}
}
