// Package mqtt takes what devices send from an MQTT broker outside, such as
// Mosquitto, EMQX or VerneMQ, and passes commands to it.
//
// Acknowledged means kept, from the broker's hands on: a message is acknowledged
// to the broker only after the Intake has accepted it, in the order of receipt
// [MQTT-4.6.0-2], and the broker keeps the session while this process is away.
// What the broker has not been acknowledged it sends again, so that repeats
// occur. How safe a message is before, in the broker, is the broker's matter:
// Mosquitto, for one, needs persistence with autosave_on_changes, and
// max_queued_messages 0.
//
// The device is the one that the topic names. It is the broker's access list
// that vouches for it: each device must be allowed to publish to
// th/{device}/up, th/{device}/status and th/{device}/ack of its own only, and
// this session must be the only one besides that may read them. For Options.Topics
// of another form it is whoever publishes there, such as a network server.
package mqtt

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"tianhai/ingest"
)

const (
	keepAlive      = 30 * time.Second
	connectTimeout = 10 * time.Second
	sendTimeout    = 10 * time.Second
	quiesce        = 250 // ms for paho to say goodbye

	minPause = 500 * time.Millisecond
	maxPause = 30 * time.Second
)

// Options say which broker to use, and how.
type Options struct {
	// URL is tcp://host:port or, with TLS, ssl://host:port.
	URL                string
	Username, Password string
	TLS                *tls.Config // for ssl; nil means the system's roots

	// ClientID names the session that the broker keeps; empty means "tianhai".
	// Every process needs one of its own.
	ClientID string
	// Group shares the messages among all sessions with the same group, where
	// the broker is seen to support $share; empty takes all of them.
	Group string
	// Topics is what to subscribe to; none means Native.
	Topics []Topic
	// Host is the name by which edge nodes know this process as their Sparkplug
	// host application; empty for none.
	Host string

	Intake *ingest.Intake
	Logger *slog.Logger // nil discards
}

// A Session is one client's standing with a broker. It lives in Run.
type Session struct {
	opt    Options
	url    *url.URL
	mu     sync.Mutex // guards what follows
	client *link      // nil while there is no connection
	shared bool       // whether the broker shares, as far as is known
}

// A link is one connection of the session.
type link struct {
	paho.Client
	done <-chan struct{} // closed when the connection has ended
}

// New prepares a session without connecting.
func New(opt Options) (*Session, error) {
	if opt.Intake == nil {
		return nil, errors.New("new MQTT session: no intake")
	}
	u, err := url.Parse(opt.URL)
	if err != nil {
		return nil, errors.New("new MQTT session: malformed URL") // err quotes it, with the password
	}
	if _, known := schemes[u.Scheme]; !known || u.Host == "" {
		return nil, fmt.Errorf("new MQTT session: URL %s is not tcp:// or ssl:// with a host", u.Redacted())
	}
	if opt.ClientID == "" {
		opt.ClientID = "tianhai"
	}
	if len(opt.Topics) == 0 {
		opt.Topics = Native()
	}
	if opt.Logger == nil {
		opt.Logger = slog.New(slog.DiscardHandler)
	}
	return &Session{opt: opt, url: u}, nil
}

// Run connects, and connects again with growing, random pauses of up to half a
// minute whenever the connection ends, until ctx is done; it then returns nil.
// Run may be called once at a time.
func (s *Session) Run(ctx context.Context) error {
	pause := minPause
	for ctx.Err() == nil {
		began := time.Now()
		err := s.connection(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if time.Since(began) > maxPause {
			pause = minPause
		}
		s.opt.Logger.WarnContext(ctx, "MQTT broker lost, connecting again", "broker", s.url.Host, "error", err)
		timer := time.NewTimer(pause/2 + rand.N(pause/2))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
		pause = min(2*pause, maxPause)
	}
	return nil
}

// connection lives from CONNECT until the connection ends or ctx is done. paho's
// own reconnection is not used: an acknowledgement that belongs to an earlier
// connection would be dropped there, and its store repeats what the broker
// repeats anyway.
func (s *Session) connection(ctx context.Context) error {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	shared, err := s.share(ctx)
	if err != nil {
		return err
	}
	host := newHostState(s.opt.Host)
	r := newReceiver(&s.opt)
	var opened atomic.Pointer[bufferedConn]
	client := paho.NewClient(host.will(s.settings(ctx, r)).
		SetConnectionLostHandler(func(_ paho.Client, err error) { end(err) }).
		SetCustomOpenConnectionFn(func(u *url.URL, _ paho.ClientOptions) (net.Conn, error) {
			c, err := dial(ctx, u, s.opt.TLS, end)
			if err != nil {
				return nil, err
			}
			c.divert(ctx, r)
			opened.Store(c)
			return c, nil
		}))
	var working sync.WaitGroup
	working.Go(func() { r.run(ctx) })
	defer working.Wait()
	defer client.Disconnect(quiesce)
	defer end(nil) // first: nothing that waits may hold up paho

	if err := await(ctx, client.Connect()); err != nil {
		if c := opened.Load(); c != nil {
			_ = c.Close() // or paho waits for a silent broker
		}
		return fmt.Errorf("connect: %w", err)
	}
	if err := s.subscribe(ctx, client, shared); err != nil {
		return fmt.Errorf("subscribe: %w", err)
	}
	if err := host.online(ctx, client); err != nil {
		return fmt.Errorf("announce host: %w", err)
	}
	defer host.offline(client)
	s.setLink(&link{client, ctx.Done()})
	defer s.setLink(nil)
	s.opt.Logger.InfoContext(ctx, "MQTT broker connected", "broker", s.url.Host)
	<-ctx.Done()
	return context.Cause(ctx)
}

func (s *Session) settings(ctx context.Context, r *receiver) *paho.ClientOptions {
	o := paho.NewClientOptions().
		SetClientID(s.opt.ClientID).
		SetUsername(s.opt.Username).SetPassword(s.opt.Password).
		SetProtocolVersion(4).
		SetCleanSession(false).
		SetAutoReconnect(false).SetConnectRetry(false).
		SetKeepAlive(keepAlive).SetPingTimeout(connectTimeout).
		SetConnectTimeout(connectTimeout).
		SetOrderMatters(true).SetAutoAckDisabled(true).
		SetStore(noStore{}).
		// Before CONNECT, because what the broker kept comes right after CONNACK.
		SetDefaultPublishHandler(func(_ paho.Client, m paho.Message) { r.receivePaho(ctx, m) })
	o.Servers = []*url.URL{s.url}
	return o
}

// subscribe fails where the broker does not grant QoS 1 on everything. What an
// earlier connection subscribed to in the other way, shared or not, is given up:
// the broker keeps it with the session and would send everything twice.
func (s *Session) subscribe(ctx context.Context, client paho.Client, shared bool) error {
	filters := make(map[string]byte, len(s.opt.Topics))
	var others []string
	for _, t := range s.opt.Topics {
		if s.opt.Group == "" {
			filters[t.Filter] = 1
			continue
		}
		mine, other := "$share/"+s.opt.Group+"/"+t.Filter, t.Filter
		if !shared || t.Alone {
			mine, other = other, mine
		}
		filters[mine], others = 1, append(others, other)
	}
	tok := client.SubscribeMultiple(filters, nil)
	if err := await(ctx, tok); err != nil {
		return err
	}
	for filter, granted := range tok.(*paho.SubscribeToken).Result() {
		if granted != 1 {
			return fmt.Errorf("%s: the broker answers %#x", filter, granted)
		}
	}
	if len(others) == 0 {
		return nil
	}
	return await(ctx, client.Unsubscribe(others...))
}

// await waits for a token, which paho leaves open when the connection ends.
func await(ctx context.Context, tok paho.Token) error {
	timer := time.NewTimer(sendTimeout)
	defer timer.Stop()
	select {
	case <-tok.Done():
		return tok.Error()
	case <-timer.C:
		return errors.New("no answer")
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (s *Session) setLink(l *link) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.client = l
}

func (s *Session) link() *link {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.client
}

// Connected reports whether the session is connected and subscribed.
func (s *Session) Connected() bool { return s.link() != nil }

// Send publishes a command at QoS 1. It returns nil once the broker has
// acknowledged it: whether the device is there, or has a session that the broker
// keeps the command for, is not known. Its error wraps ingest.ErrBusy when the
// broker is out of reach or does not answer within ten seconds.
func (s *Session) Send(ctx context.Context, cmd ingest.Command) error {
	payload, err := json.Marshal(cmd)
	if err != nil {
		return fmt.Errorf("send command: %w", err)
	}
	if !cmd.Expires.IsZero() && time.Now().After(cmd.Expires) {
		return fmt.Errorf("send command: expired %s", cmd.Expires.Format(time.RFC3339))
	}
	if err := s.Publish(ctx, ingest.Topic(cmd.Device, ingest.TopicDown), payload); err != nil {
		return fmt.Errorf("send command: %w", err)
	}
	return nil
}

// Publish publishes a message at QoS 1, not retained. It answers as Send does.
func (s *Session) Publish(ctx context.Context, topic string, payload []byte) error {
	l := s.link()
	if l == nil {
		return fmt.Errorf("no connection: %w", ingest.ErrBusy)
	}
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	tok := l.Publish(topic, 1, false, payload)
	var err error
	select {
	case <-l.done:
		return fmt.Errorf("connection lost: %w", ingest.ErrBusy)
	case <-tok.Done():
		err = tok.Error()
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ingest.ErrBusy, err)
	}
	return nil
}
