// Package broker is the embedded MQTT broker (3.1, 3.1.1 and 5) that devices
// connect to when no other broker is configured.
//
// Acknowledged means kept: PUBACK and PUBREC go out only after the Intake has
// accepted the message. Where it cannot for longer than Options.Patience, the
// connection is closed without an acknowledgement, and the device sends again
// when it is back [MQTT-4.4.0-1].
//
// The default answer is no. A device connects with its own name as user name and
// client id, and its secret as password; or over TLS with a certificate that names
// it, which stands in for user name and secret. It publishes to its own up, status and
// ack topics, subscribes to its own down topic, names its own status topic in
// its last will, and nothing else. Who sends wrong secrets is soon refused unheard, and
// nobody fills the log with refusals. What devices send is routed to no MQTT
// client.
//
// Commands wait for a device that is away, for as long as its session lasts,
// seven days at most, and not over a restart of the process: whoever sends them
// is told by Listens when to send them again.
//
// The protocol is mochi-mqtt's, which is hidden here. Nothing that a stranger
// sends can end the process: the first packet is measured before the library
// sees it, and a panic of the library while it reads costs that connection only.
package broker

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"tianhai/ingest"
)

// ErrNoSession reports a command for a device that neither is connected nor
// left a session behind that listens for commands.
var ErrNoSession = errors.New("device has no session that listens for commands")

// The broker's limits.
const (
	maxQueued       = 128                       // commands waiting for one device
	maxWrites       = 64                        // packets waiting for one connection to take them
	maxPacket       = ingest.MaxPayload + 8<<10 // bytes
	maxConnect      = 8 << 10                   // bytes of a CONNECT packet
	connectTimeout  = 10 * time.Second          // from connection to CONNECT
	maxKeepalive    = 12 * 60 * 60              // seconds; longer or no keep-alive is cut to this
	sessionLifetime = 7 * 24 * 60 * 60          // seconds
	closeTimeout    = 3 * time.Second
)

// A CertAuthenticator says whether a device may come in by a certificate.
type CertAuthenticator interface {
	// AuthenticateCert reports whether a certificate that names device, issued at a
	// time by an authority that TLS trusts, is good. It answers false for an unknown
	// device.
	AuthenticateCert(ctx context.Context, device string, issued time.Time) bool
}

// Options say where and for whom the broker works.
type Options struct {
	Addr    string      // host:port of plain MQTT; empty for none
	TLSAddr string      // host:port of MQTT over TLS; empty for none
	TLS     *tls.Config // needed with TLSAddr

	Door   *ingest.Door
	Certs  CertAuthenticator // needed where TLS asks clients for certificates
	Intake *ingest.Intake

	// Listens is called, unless nil, when a device has begun to listen for
	// commands. It must not block.
	Listens func(device string)

	MaxConnections int           // 0 means 20,000; more are closed at once
	Patience       time.Duration // how long a message waits for a busy journal; 0 means 5 s
	Logger         *slog.Logger  // nil discards
}

// A Broker is open between Open and Close.
type Broker struct {
	opt     Options
	log     *slog.Logger
	mochi   *mqtt.Server
	inside  *mqtt.Client // sends the commands
	gate    *gate
	plain   net.Listener
	secure  net.Listener
	stop    context.CancelFunc // ends whatever waits for the Intake
	working sync.WaitGroup     // accept loops and connections

	mu     sync.Mutex            // guards conns and closed
	conns  map[net.Conn]struct{} // all, from accept on
	closed bool
}

// Open listens and returns. Both addresses may have port 0.
func Open(ctx context.Context, opt Options) (*Broker, error) {
	b, err := prepare(ctx, opt)
	if err != nil {
		return nil, fmt.Errorf("open broker: %w", err)
	}
	if err := b.listen(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open broker: %w", err), b.Close())
	}
	return b, nil
}

func prepare(ctx context.Context, opt Options) (*Broker, error) {
	switch {
	case opt.Door == nil || opt.Intake == nil:
		return nil, errors.New("door and intake are needed")
	case opt.TLSAddr != "" && opt.TLS == nil:
		return nil, errors.New("TLS address without TLS configuration")
	case opt.TLS != nil && opt.TLS.ClientAuth != tls.NoClientCert && opt.Certs == nil:
		return nil, errors.New("TLS asks for certificates, and nobody judges them")
	case opt.MaxConnections < 0 || opt.Patience < 0:
		return nil, errors.New("negative limit")
	}
	if opt.MaxConnections == 0 {
		opt.MaxConnections = 20_000
	}
	if opt.Patience == 0 {
		opt.Patience = 5 * time.Second
	}
	if opt.Logger == nil {
		opt.Logger = slog.New(slog.DiscardHandler)
	}
	opt.Logger = slog.New(ingest.Calm(opt.Logger.Handler()))
	// Connections outlive the context of Open.
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	b := &Broker{
		opt:   opt,
		log:   opt.Logger,
		stop:  stop,
		conns: make(map[net.Conn]struct{}),
		mochi: mqtt.New(&mqtt.Options{
			Capabilities:            capabilities(opt.MaxConnections),
			SysTopicResendInterval:  24 * 60 * 60, // nobody may read them
			ClientNetReadBufferSize: readBuffer,
			Logger:                  slog.New(sparse{opt.Logger.Handler()}),
		}),
	}
	b.gate = newGate(ctx, &b.opt)
	if err := b.mochi.AddHook(b.gate, nil); err != nil {
		stop()
		return nil, err
	}
	b.inside = b.mochi.NewClient(nil, mqtt.LocalListener, mqtt.InlineClientId, true)
	b.inside.Properties.ProtocolVersion = 5 // so that expiry counts in the queue
	if err := b.mochi.Serve(); err != nil {
		stop()
		return nil, err
	}
	b.gate.presence.start()
	return b, nil
}

func capabilities(connections int) *mqtt.Capabilities {
	c := mqtt.NewDefaultServerCapabilities()
	c.MaximumClients = int64(connections)
	c.MaximumMessageExpiryInterval = sessionLifetime
	c.MaximumSessionExpiryInterval = sessionLifetime
	c.MaximumClientWritesPending = maxWrites
	c.MaximumPacketSize = maxPacket
	c.MaximumInflight = maxQueued
	c.ReceiveMaximum = 256
	c.TopicAliasMaximum = 0 // mochi asks for leave before it looks up the alias
	c.SharedSubAvailable = 0
	c.WildcardSubAvailable = 0
	c.Compatibilities = mqtt.Compatibilities{
		ObscureNotAuthorized:       true,
		PassiveClientDisconnect:    true,
		NoInheritedPropertiesOnAck: true,
	}
	return c
}

func (b *Broker) listen(ctx context.Context) error {
	var lc net.ListenConfig
	if b.opt.Addr != "" {
		ln, err := lc.Listen(ctx, "tcp", b.opt.Addr)
		if err != nil {
			return err
		}
		b.plain = ln
		b.working.Go(func() { b.accept(ln) })
	}
	if b.opt.TLSAddr != "" {
		ln, err := lc.Listen(ctx, "tcp", b.opt.TLSAddr)
		if err != nil {
			return err
		}
		b.secure = tls.NewListener(ln, b.opt.TLS)
		b.working.Go(func() { b.accept(b.secure) })
	}
	return nil
}

// Addr returns the address of plain MQTT, nil where there is none.
func (b *Broker) Addr() net.Addr { return addr(b.plain) }

// TLSAddr returns the address of MQTT over TLS, nil where there is none.
func (b *Broker) TLSAddr() net.Addr { return addr(b.secure) }

func addr(ln net.Listener) net.Addr {
	if ln == nil {
		return nil
	}
	return ln.Addr()
}

// Connections returns how many connections there are.
func (b *Broker) Connections() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.conns)
}

// Full reports whether there are as many connections as there may be.
func (b *Broker) Full() bool { return b.Connections() >= b.opt.MaxConnections }

// Connected reports whether a device has a connection.
func (b *Broker) Connected(device string) bool { return b.gate.connected(device) }

// Disconnect ends a device's connection, where it has one: after it was suspended,
// or its secret replaced. It may come back as far as the Authenticator lets it.
func (b *Broker) Disconnect(device string) { b.gate.end(device) }

// Send publishes a command at QoS 1. It returns nil once the command is on its
// way or waits in the device's session: what became of it, the device tells. It
// returns ErrNoSession where neither is possible, and an error that wraps
// ingest.ErrBusy when 128 commands wait already.
func (b *Broker) Send(_ context.Context, cmd ingest.Command) error {
	payload, err := json.Marshal(cmd)
	if err != nil {
		return fmt.Errorf("send command: %w", err)
	}
	pk := packets.Packet{
		FixedHeader: packets.FixedHeader{Type: packets.Publish, Qos: 1},
		TopicName:   ingest.Topic(cmd.Device, ingest.TopicDown),
		Payload:     payload,
		PacketID:    1, // not sent; mochi asks for one
	}
	if !cmd.Expires.IsZero() {
		left := time.Until(cmd.Expires)
		if left <= 0 {
			return fmt.Errorf("send command: expired %s", cmd.Expires.Format(time.RFC3339))
		}
		pk.Properties.MessageExpiryInterval = uint32(min(left.Seconds()+1, sessionLifetime))
	}
	cl, ok := b.mochi.Clients.Get(cmd.Device)
	if !ok {
		return fmt.Errorf("send command: %w", ErrNoSession)
	}
	if _, ok := cl.State.Subscriptions.Get(pk.TopicName); !ok {
		return fmt.Errorf("send command: %w", ErrNoSession)
	}
	if cl.State.Inflight.Len() >= maxQueued {
		return fmt.Errorf("send command: %w", ingest.ErrBusy)
	}
	if err := b.mochi.InjectPacket(b.inside, pk); err != nil {
		return fmt.Errorf("send command: %w", err)
	}
	return nil
}

// Close stops listening, disconnects everybody, and tells Presence, for three
// seconds at most, that they are offline. Only the first call does anything.
func (b *Broker) Close() error {
	b.mu.Lock()
	again := b.closed
	b.closed = true
	b.mu.Unlock()
	if again {
		return nil
	}
	var errs []error
	for _, ln := range []net.Listener{b.plain, b.secure} {
		if ln != nil {
			errs = append(errs, ln.Close())
		}
	}
	b.stop()
	b.sayGoodbye()
	b.mu.Lock()
	for conn := range b.conns {
		_ = conn.Close()
	}
	b.mu.Unlock()
	b.working.Wait()
	b.gate.presence.stop()
	errs = append(errs, b.mochi.Close())
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close broker: %w", err)
	}
	return nil
}

// sayGoodbye tells the MQTT 5 clients why; MQTT 3 has no words for it.
func (b *Broker) sayGoodbye() {
	soon := time.Now().Add(500 * time.Millisecond)
	for _, cl := range b.mochi.Clients.GetAll() {
		if cl.Properties.ProtocolVersion == 5 && cl.Net.Conn != nil && !cl.Closed() {
			_ = cl.Net.Conn.SetWriteDeadline(soon)
			_ = b.mochi.DisconnectClient(cl, packets.ErrServerShuttingDown)
		}
	}
}
