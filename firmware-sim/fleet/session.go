package fleet

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

const (
	window       = 32 // messages in flight per device
	firstBackoff = 100 * time.Millisecond
	lastBackoff  = 30 * time.Second
	dialTimeout  = 10 * time.Second
	writeTimeout = 5 * time.Second
	maxCommand   = 4096 // bytes
)

var (
	errRadio = errors.New("radio lost")
	errLost  = errors.New("connection lost")
	errUnack = errors.New("no acknowledgement in time")
)

// A link is how all devices reach their broker.
type link struct {
	broker *url.URL
	tls    *tls.Config
	ack    time.Duration // after which an unacknowledged message means a dead connection
	grace  time.Duration // to deliver what is left at the end
	log    *slog.Logger
}

// A session keeps one device connected and empties its outbox.
//
// A message leaves the outbox on its PUBACK and on nothing else. paho resends
// only what its own store holds and completes tokens without error on some ways
// of losing a connection, so every connection here is a new client that never
// reconnects: then a token without error is a PUBACK. What was in flight is
// published again on the next connection, in order.
type session struct {
	link
	device Device
	box    *outbox
	radio  func() (lost bool, change time.Duration) // now, and when that changes; 0 is never
	obey   func(payload []byte) (answer []byte)
	online atomic.Bool
}

// run connects and reconnects until ctx ends.
func (s *session) run(ctx context.Context) error {
	backoff := firstBackoff
	for ctx.Err() == nil {
		if lost, change := s.radio(); lost {
			sleep(ctx, change)
			continue
		}
		greeted, err := s.connection(ctx)
		if ctx.Err() != nil {
			break
		}
		if greeted || errors.Is(err, errRadio) {
			backoff = firstBackoff
		}
		level := slog.LevelDebug
		if backoff == firstBackoff {
			level = slog.LevelWarn
		}
		s.log.Log(ctx, level, "device is not connected", "device", s.device.ID, "reason", err)
		sleep(ctx, backoff/2+rand.N(backoff/2))
		backoff = min(2*backoff, lastBackoff)
	}
	return nil
}

// connection is one connection, from CONNECT until it is lost or ctx ends.
// It reports whether the broker took the device.
func (s *session) connection(ctx context.Context) (greeted bool, err error) {
	dial, stop := context.WithCancel(ctx)
	defer stop()
	var conn atomic.Pointer[net.Conn]
	lost := make(chan struct{})
	incoming := make(chan mqtt.Message, window)

	client := mqtt.NewClient(s.options().
		SetCustomOpenConnectionFn(func(*url.URL, mqtt.ClientOptions) (net.Conn, error) {
			c, err := s.dial(dial)
			if err == nil {
				conn.Store(&c)
			}
			return c, err
		}).
		SetConnectionLostHandler(func(mqtt.Client, error) { close(lost) }).
		SetDefaultPublishHandler(func(_ mqtt.Client, m mqtt.Message) {
			select {
			case incoming <- m:
			default: // unacknowledged, so the broker keeps it
			}
		}))
	// To cut is to let the next read fail: paho takes a connection that someone
	// else closed for one that it closed itself, and then never says it is lost.
	cut := func() {
		stop()
		if c := conn.Load(); c != nil {
			_ = (*c).SetDeadline(time.Unix(1, 0))
		}
	}
	connecting := client.Connect()
	select {
	case <-connecting.Done():
	case <-ctx.Done():
		cut()
		<-connecting.Done()
	}
	if err := connecting.Error(); err != nil {
		return false, fmt.Errorf("connect: %w", err)
	}
	defer func() {
		s.online.Store(false)
		cut()
		if client.IsConnected() {
			<-lost
		}
	}()
	if err := s.greet(client, lost); err != nil {
		return false, err
	}
	s.online.Store(true)
	if err := s.serve(ctx, client, incoming, lost); err != nil {
		return true, err
	}
	// A DISCONNECT discards the will, so its words are said here.
	err = s.await(client.Publish(s.topic("status"), 1, true, "offline"), lost)
	client.Disconnect(250)
	return true, err
}

func (s *session) options() *mqtt.ClientOptions {
	user := s.device.User
	if user == "" {
		user = s.device.ID
	}
	return mqtt.NewClientOptions().
		AddBroker(s.broker.String()).
		SetProtocolVersion(4).
		SetClientID(s.device.ID).
		SetUsername(user).
		SetPassword(s.device.Secret).
		SetCleanSession(false).
		SetAutoReconnect(false).
		SetOrderMatters(true).
		SetAutoAckDisabled(true).
		SetConnectTimeout(dialTimeout).
		SetWriteTimeout(writeTimeout).
		SetKeepAlive(30*time.Second).
		SetWill(s.topic("status"), "offline", 1, true)
}

func (s *session) topic(level string) string { return "th/" + s.device.ID + "/" + level }

func (s *session) dial(ctx context.Context) (net.Conn, error) {
	ctx, stop := context.WithTimeout(ctx, dialTimeout)
	defer stop()
	switch s.broker.Scheme {
	case "tcp", "mqtt":
		return new(net.Dialer).DialContext(ctx, "tcp", s.broker.Host)
	case "ssl", "tls", "mqtts":
		return (&tls.Dialer{Config: s.tls}).DialContext(ctx, "tcp", s.broker.Host)
	case "ws", "wss":
		return mqtt.NewWebsocket(s.broker.String(), s.tls, dialTimeout, http.Header{}, nil)
	}
	return nil, fmt.Errorf("broker scheme %q is none of tcp, ssl, ws, wss", s.broker.Scheme)
}

// greet subscribes to the device's commands and says that it is online.
func (s *session) greet(client mqtt.Client, lost <-chan struct{}) error {
	// A nil handler leaves the topic to the default one, which was there before
	// the broker could send what it had queued.
	sub := client.Subscribe(s.topic("down"), 1, nil)
	if err := s.await(sub, lost); err != nil {
		return fmt.Errorf("subscribe: %w", err)
	}
	if granted, ok := sub.(*mqtt.SubscribeToken); ok && granted.Result()[s.topic("down")] == 0x80 {
		s.log.Warn("broker refuses commands to device", "device", s.device.ID)
	}
	if err := s.await(client.Publish(s.topic("status"), 1, true, "online"), lost); err != nil {
		return fmt.Errorf("publish status: %w", err)
	}
	return nil
}

func (s *session) await(t mqtt.Token, lost <-chan struct{}) error {
	timeout := time.NewTimer(s.ack)
	defer timeout.Stop()
	select {
	case <-t.Done():
		return t.Error()
	case <-lost:
		return errLost
	case <-timeout.C:
		return errUnack
	}
}

// A flight is a message on its way.
type flight struct {
	*message
	token mqtt.Token
	since time.Time
}

// serve sends what the outbox holds and obeys commands until the connection is
// lost, or ctx has ended and either nothing or no time is left.
func (s *session) serve(ctx context.Context, client mqtt.Client, incoming <-chan mqtt.Message, lost <-chan struct{}) error {
	var flights []flight
	defer func() {
		for _, f := range flights {
			s.landed(f)
		}
	}()
	stale := time.NewTicker(max(s.ack/4, time.Millisecond))
	defer stale.Stop()
	radioLost, change := s.radio()
	radio := newTimer(change)
	defer radio.Stop()
	grace := newTimer(0)
	defer grace.Stop()
	ending := ctx.Done()

	for {
		if radioLost {
			return errRadio
		}
		flights = s.send(client, flights)
		var first <-chan struct{}
		if len(flights) > 0 {
			first = flights[0].token.Done()
		} else if ending == nil && s.box.empty() {
			return nil
		}
		select {
		case <-first:
			if !s.landed(flights[0]) {
				return fmt.Errorf("publish: %w", flights[0].token.Error())
			}
			flights = flights[1:]
		case <-s.box.wake:
		case m := <-incoming:
			s.command(m)
		case <-lost:
			return errLost
		case <-stale.C:
			if len(flights) > 0 && time.Since(flights[0].since) > s.ack {
				return errUnack
			}
		case <-radio.C:
			radioLost, change = s.radio()
			if change > 0 {
				radio.Reset(change)
			}
		case <-ending:
			ending, incoming = nil, nil
			grace.Reset(s.grace)
		case <-grace.C:
			return nil
		}
	}
}

// send fills the window.
func (s *session) send(client mqtt.Client, flights []flight) []flight {
	if len(flights) >= window {
		return flights
	}
	flying := make(map[*message]bool, len(flights))
	for _, f := range flights {
		flying[f.message] = true
	}
	for _, m := range s.box.next(window, func(m *message) bool { return flying[m] }) {
		s.box.publishing(m)
		flights = append(flights, flight{m, client.Publish(m.topic, 1, false, m.payload), time.Now()})
	}
	return flights
}

// landed reports whether the broker has the message, and then lets go of it.
func (s *session) landed(f flight) bool {
	select {
	case <-f.token.Done():
	default:
		return false
	}
	if f.token.Error() != nil {
		return false
	}
	s.box.acknowledged(f.message)
	return true
}

// command obeys, keeps the answer for sending, and only then acknowledges.
func (s *session) command(m mqtt.Message) {
	if m.Topic() == s.topic("down") && !m.Retained() && len(m.Payload()) <= maxCommand {
		if answer := s.obey(m.Payload()); answer != nil {
			s.box.put(&message{topic: s.topic("ack"), payload: answer})
		}
	}
	m.Ack()
}

// newTimer returns a timer that fires after d, or never where d is 0.
func newTimer(d time.Duration) *time.Timer {
	if d > 0 {
		return time.NewTimer(d)
	}
	t := time.NewTimer(time.Hour)
	t.Stop()
	return t
}

// sleep waits for d, or for ctx where that ends earlier or d is 0.
func sleep(ctx context.Context, d time.Duration) {
	t := newTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
