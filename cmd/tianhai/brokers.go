package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tianhai/ingest"
	"tianhai/ingest/broker"
	"tianhai/ingest/device"
	"tianhai/ingest/edge"
	"tianhai/ingest/mapping"
	"tianhai/ingest/mqtt"
)

// A post is where devices are heard and told: the embedded broker, or a session
// with one outside.
type post struct {
	name    string
	edges   bool           // whether edge nodes are listened to
	broker  *broker.Broker // one of these two
	session *mqtt.Session
}

// Send passes a command.
func (p *post) Send(ctx context.Context, c ingest.Command) error {
	if p.session != nil {
		return p.session.Send(ctx, c)
	}
	return p.broker.Send(ctx, c)
}

// posts know at which of them a device was heard last.
type posts struct {
	all   []*post
	heard sync.Map // device → *post
	count atomic.Int64
}

// note remembers where a device is, unless there are too many.
func (p *posts) note(device string, at *post) {
	before, known := p.heard.Load(device)
	switch {
	case known && before == at:
	case known:
		p.heard.Store(device, at)
	case p.count.Load() < maxHeard:
		if _, raced := p.heard.Swap(strings.Clone(device), at); !raced {
			p.count.Add(1)
		}
	}
}

// maxHeard bounds what posts remember.
const maxHeard = device.DefaultMaxDevices

// at returns where a device was heard last.
func (p *posts) at(device string) (*post, bool) {
	at, known := p.heard.Load(device)
	if !known {
		return nil, false
	}
	return at.(*post), true
}

// Send passes a command to the broker that its device was last heard on. One that
// was not heard since the start is told through all of them.
func (p *posts) Send(ctx context.Context, c ingest.Command) error {
	if at, known := p.at(c.Device); known {
		return at.Send(ctx, c)
	}
	var failed []error
	for _, at := range p.all {
		if err := at.Send(ctx, c); err != nil {
			failed = append(failed, err)
		}
	}
	if len(failed) == len(p.all) {
		return errors.Join(failed...)
	}
	return nil
}

// Publish passes a message to the broker that an edge node was last heard on, or to
// all that nodes are listened to on.
func (p *posts) Publish(ctx context.Context, node, topic string, payload []byte) error {
	if at, known := p.at(node); known && at.session != nil {
		return at.session.Publish(ctx, topic, payload)
	}
	err := errors.New("no broker")
	for _, at := range p.all {
		if at.edges {
			err = at.session.Publish(ctx, topic, payload)
		}
	}
	return err
}

// heardAt notes who is heard at a post.
type heardAt struct {
	ingest.Journal
	ingest.Presence
	posts *posts
	post  *post
}

// Append notes whose frames were kept.
func (h heardAt) Append(ctx context.Context, frames ...ingest.Frame) error {
	if err := h.Journal.Append(ctx, frames...); err != nil {
		return err
	}
	for i := range frames {
		if i == 0 || frames[i].Device != frames[i-1].Device {
			h.posts.note(frames[i].Device, h.post)
		}
	}
	return nil
}

// SetOnline notes who came.
func (h heardAt) SetOnline(ctx context.Context, device string, online bool, at time.Time) error {
	if online {
		h.posts.note(device, h.post)
	}
	return h.Presence.SetOnline(ctx, device, online, at)
}

// openBrokers is the last, because from then on devices come in.
func (s *server) openBrokers(ctx context.Context) error {
	s.sources = ingest.NewIntakeMetrics(s.metrics)
	s.intake = &ingest.Intake{Journal: s.journal, Presence: s.silence, Commands: answers{s.registry, s.queue}, Metrics: s.sources.Source("http")}
	for i, c := range s.cfg.outside() {
		if err := s.openSession(&c); err != nil {
			if c.Name == "mqtt" {
				return fmt.Errorf("mqtt.%w", err)
			}
			return fmt.Errorf("brokers[%d].%w", i-(len(s.cfg.outside())-len(s.cfg.Brokers)), err)
		}
	}
	s.metrics.MustRegister(sessionMetrics{s.posts, prometheus.NewDesc("tianhai_broker_connected", "Whether the session with a broker outside stands.", []string{"broker"}, nil)})
	if s.cfg.MQTT.URL != "" {
		return nil
	}
	return s.openBroker(ctx)
}

func (s *server) openBroker(ctx context.Context) (err error) {
	c := s.cfg.MQTT
	here := &post{name: "embedded"}
	opt := broker.Options{Addr: c.Addr, TLSAddr: c.TLSAddr, Door: s.door, Intake: s.intakeAt(here, s.silence), Listens: s.queue.Listens, Logger: s.log}
	if c.TLSAddr != "" {
		cert, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
		if err != nil {
			return fmt.Errorf("mqtt.cert_file: %w", err)
		}
		opt.TLS = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
		if c.ClientCAFile != "" {
			if opt.TLS.ClientCAs, err = certPool(c.ClientCAFile); err != nil {
				return fmt.Errorf("mqtt.client_ca_file: %w", err)
			}
			opt.Certs, opt.TLS.ClientAuth = s.registry, tls.VerifyClientCertIfGiven
			if c.ClientCert == certRequired {
				opt.TLS.ClientAuth = tls.RequireAndVerifyClientCert
			}
		}
	}
	if s.broker, err = broker.Open(ctx, opt); err != nil {
		return fmt.Errorf("mqtt.addr: %w", err)
	}
	here.broker = s.broker
	s.posts.all = append(s.posts.all, here)
	s.onClose("broker", func(context.Context) error { return s.broker.Close() })
	return nil
}

// openSession prepares a session. Its error begins with the key at fault.
func (s *server) openSession(c *brokerConfig) error {
	secure, err := clientTLS(c.CAFile)
	if err != nil {
		return fmt.Errorf("ca_file: %w", err)
	}
	here := &post{name: c.Name, edges: len(c.Sparkplug.Groups) > 0}
	here.session, err = mqtt.New(mqtt.Options{
		URL: c.URL, Username: c.Username, Password: string(c.Password), TLS: secure,
		ClientID: c.ClientID, Group: c.SharedGroup, Topics: c.subscriptions(), Host: c.Sparkplug.HostID,
		Intake: s.intakeAt(here, arrivals{s.silence, s.queue}), Logger: s.log.With("name", c.Name),
	})
	if err != nil {
		return fmt.Errorf("url: %w", err)
	}
	s.posts.all = append(s.posts.all, here)
	return nil
}

func (s *server) intakeAt(here *post, presence ingest.Presence) *ingest.Intake {
	heard := heardAt{s.intake.Journal, presence, s.posts, here}
	return &ingest.Intake{Journal: heard, Presence: heard, Commands: s.intake.Commands, Metrics: s.sources.Source(here.name)}
}

// subscriptions returns what the session subscribes to.
func (b *brokerConfig) subscriptions() []mqtt.Topic {
	var topics []mqtt.Topic
	for _, t := range b.Topics {
		if t.native() {
			topics = append(topics, mqtt.Topic{Filter: strings.Replace(t.Topic, "{device}", "+", 1)})
			continue
		}
		pattern, err := ingest.ParsePattern(t.Topic)
		if err != nil {
			continue // check has refused it
		}
		format := t.Format
		if t.Mapping != "" {
			format = mapping.Format(t.Mapping)
		}
		topics = append(topics, mqtt.Topic{Filter: pattern.Filter(), Locate: func(topic string) (string, string, bool) {
			device, ok := pattern.Device(topic)
			return device, format, ok
		}})
	}
	for _, group := range b.Sparkplug.Groups {
		for _, filter := range edge.Filters(group) {
			topics = append(topics, mqtt.Topic{Filter: filter, Locate: edge.Locate, Alone: true})
		}
	}
	return topics
}

// clientTLS trusts the authorities in the file, or the system's where there is none.
func clientTLS(caFile string) (*tls.Config, error) {
	if caFile == "" {
		return nil, nil //nolint:nilnil // nil is the system's trust
	}
	pool, err := certPool(caFile)
	if err != nil {
		return nil, err
	}
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, nil
}

// sessionMetrics say which sessions stand.
type sessionMetrics struct {
	posts     *posts
	connected *prometheus.Desc
}

// Describe names the metric.
func (m sessionMetrics) Describe(ch chan<- *prometheus.Desc) { ch <- m.connected }

// Collect asks the sessions.
func (m sessionMetrics) Collect(ch chan<- prometheus.Metric) {
	for _, p := range m.posts.all {
		if p.session == nil {
			continue
		}
		connected := 0.0
		if p.session.Connected() {
			connected = 1
		}
		ch <- prometheus.MustNewConstMetric(m.connected, prometheus.GaugeValue, connected, p.name)
	}
}

// certPool reads authorities.
func certPool(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate in PEM form", file)
	}
	return pool, nil
}
