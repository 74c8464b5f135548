package broker

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"tianhai/ingest"
)

// A gate is the hook through which mochi asks for leave.
type gate struct {
	mqtt.HookBase
	ctx      context.Context // ends with the broker; mochi passes none
	opt      *Options
	log      *slog.Logger
	presence *presence
	sessions turns

	mu      sync.Mutex              // guards what follows, and the order of presence.set
	current map[string]*mqtt.Client // the one connection that speaks for a device
}

func newGate(ctx context.Context, opt *Options) *gate {
	return &gate{
		ctx:      ctx,
		opt:      opt,
		log:      opt.Logger,
		presence: newPresence(opt.Intake, opt.Logger),
		current:  make(map[string]*mqtt.Client),
	}
}

// ID names the hook to mochi.
func (g *gate) ID() string { return "tianhai" }

// Provides lists the questions that the gate answers.
func (g *gate) Provides(b byte) bool {
	return bytes.IndexByte([]byte{
		mqtt.OnConnect, mqtt.OnConnectAuthenticate, mqtt.OnACLCheck,
		mqtt.OnSessionEstablish, mqtt.OnSessionEstablished,
		mqtt.OnDisconnect, mqtt.OnPacketRead, mqtt.OnPublish, mqtt.OnPublishDropped, mqtt.OnWill, mqtt.OnSubscribed,
	}, b) >= 0
}

// OnConnect bounds the keep-alive, so that a dead connection ends some day. The
// bound also keeps mochi's half as much again within 16 bits.
func (g *gate) OnConnect(cl *mqtt.Client, _ packets.Packet) error {
	if k := cl.State.Keepalive; k == 0 || k > maxKeepalive {
		cl.State.Keepalive = maxKeepalive
		cl.State.ServerKeepalive = true // tells an MQTT 5 client [MQTT-3.1.2-21]
	}
	return nil
}

// OnConnectAuthenticate lets a device in under its own name only.
func (g *gate) OnConnectAuthenticate(cl *mqtt.Client, pk packets.Packet) bool {
	device := string(pk.Connect.Username)
	cert := certificate(cl.Net.Conn)
	if cert != nil && device == "" {
		device = certDevice(cert)
	}
	reason := ""
	switch {
	case device == "" || cl.ID != device:
		reason = "client id is not the user name"
	case !nameable(device):
		reason = "name cannot stand in a topic"
	case pk.Connect.WillFlag && pk.Connect.WillTopic != ingest.Topic(device, ingest.TopicStatus):
		reason = "last will is not for the device's own status"
	case cert != nil && certDevice(cert) != device:
		reason = "certificate is another device's"
	case cert != nil:
		if g.opt.Certs.AuthenticateCert(g.ctx, device, cert.NotBefore) {
			return true
		}
		reason = "certificate was revoked, or the device is unknown or may not connect"
	default:
		return g.opt.Door.Admit(g.ctx, device, cl.Net.Remote, pk.Connect.Password) == nil
	}
	g.log.WarnContext(g.ctx, "device refused", "device", cut(device), "remote", cl.Net.Remote, "reason", reason)
	return false
}

func (g *gate) connected(device string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.current[device] != nil
}

// end cuts a device off.
func (g *gate) end(device string) {
	g.mu.Lock()
	cl := g.current[device]
	g.mu.Unlock()
	if cl != nil {
		cl.Stop(packets.ErrNotAuthorized)
	}
}

// nameable reports whether topics with this name in them are the device's alone.
func nameable(device string) bool {
	owner, _, ok := ingest.ParseTopic(ingest.Topic(device, ingest.TopicUp))
	return ok && owner == device && len(device) <= ingest.MaxDevice && !bytes.ContainsAny([]byte(device), "+#\x00")
}

// OnACLCheck answers no to everything but a device's own topics. MQTT 3 cannot
// be told, so its connection is closed [MQTT-3.3.5-2].
func (g *gate) OnACLCheck(cl *mqtt.Client, topic string, write bool) bool {
	device, level, ok := ingest.ParseTopic(topic)
	if ok && device == cl.ID {
		switch level {
		case ingest.TopicUp, ingest.TopicStatus, ingest.TopicAck:
			if write {
				return true
			}
		case ingest.TopicDown:
			if !write {
				return true
			}
		}
	}
	g.log.WarnContext(g.ctx, "topic refused", "device", cl.ID, "topic", cut(topic), "publish", write)
	if write && cl.Properties.ProtocolVersion < 5 {
		cl.Stop(packets.ErrNotAuthorized)
	}
	return false
}

// OnSessionEstablish makes cl the connection that speaks for its device. From
// here to OnSessionEstablished mochi hands the session over, and from
// OnDisconnect to the end of serve it clears up; it does not expect both at once,
// so they take turns, device by device.
func (g *gate) OnSessionEstablish(cl *mqtt.Client, _ packets.Packet) {
	l := cl.Net.Conn.(*line)
	g.sessions.lock(cl.ID)
	l.holding = true
	l.client = cl
	l.settle = func() error { return g.settle(cl, l) }
	l.linger = func(ahead time.Duration) { g.linger(cl, l, ahead) }
	g.mu.Lock()
	l.before, g.current[cl.ID] = g.current[cl.ID], cl
	g.mu.Unlock()
	// Neither one may hold up the other by taking nothing.
	_ = l.SetWriteDeadline(time.Now().Add(connectTimeout))
	if l.before != nil {
		_ = l.before.Net.Conn.SetWriteDeadline(time.Now().Add(500 * time.Millisecond))
	}
}

// OnSessionEstablished ends the connection before [MQTT-3.1.4-2], which mochi
// leaves open.
func (g *gate) OnSessionEstablished(cl *mqtt.Client, _ packets.Packet) {
	l := cl.Net.Conn.(*line)
	if l.before != nil {
		l.before.Stop(packets.ErrSessionTakenOver)
		l.before = nil
	}
	g.mu.Lock()
	g.presence.set(cl.ID, true)
	g.mu.Unlock()
	g.release(l)
}

// OnDisconnect waits for the device's turn, see OnSessionEstablish.
func (g *gate) OnDisconnect(cl *mqtt.Client, _ error, _ bool) {
	g.sessions.lock(cl.ID)
	cl.Net.Conn.(*line).holding = true
}

// left says that a device is offline, unless another connection has taken over.
func (g *gate) left(l *line) {
	cl := l.client
	if cl == nil {
		return
	}
	g.mu.Lock()
	if g.current[cl.ID] == cl {
		delete(g.current, cl.ID)
		g.presence.set(cl.ID, false)
	}
	g.mu.Unlock()
	g.release(l)
}

func (g *gate) release(l *line) {
	if l.holding {
		l.holding = false
		g.sessions.unlock(l.client.ID)
	}
}

// OnSubscribed tells that a device listens for commands.
func (g *gate) OnSubscribed(cl *mqtt.Client, _ packets.Packet, _ []byte) {
	if _, ok := cl.State.Subscriptions.Get(ingest.Topic(cl.ID, ingest.TopicDown)); ok && g.opt.Listens != nil {
		g.opt.Listens(cl.ID)
	}
}

// OnWill keeps mochi from retaining last wills: OnDisconnect says the same.
func (g *gate) OnWill(_ *mqtt.Client, will mqtt.Will) (mqtt.Will, error) {
	will.Retain = false
	return will, nil
}

// OnPublishDropped tells of a command that a device was too slow to take.
func (g *gate) OnPublishDropped(cl *mqtt.Client, pk packets.Packet) {
	g.log.WarnContext(g.ctx, "command dropped, connection takes no more", "device", cl.ID, "topic", pk.TopicName)
}

// OnPacketRead settles readings before anything that may follow from them, such
// as the end of the connection.
func (g *gate) OnPacketRead(cl *mqtt.Client, pk packets.Packet) (packets.Packet, error) {
	if pk.FixedHeader.Type == packets.Publish && pk.FixedHeader.Qos == 1 {
		return pk, nil
	}
	return pk, g.settled(cl)
}

// settled settles what a client's line holds.
func (g *gate) settled(cl *mqtt.Client) error {
	if l, ok := cl.Net.Conn.(*line); ok && len(l.held) > 0 {
		return l.settle()
	}
	return nil
}

// OnPublish runs before mochi sends PUBACK or PUBREC, and decides whether it
// does. What devices send goes to the Intake and to no subscriber.
func (g *gate) OnPublish(cl *mqtt.Client, pk packets.Packet) (packets.Packet, error) {
	if cl.Net.Inline {
		return pk, nil
	}
	if l, ok := cl.Net.Conn.(*line); ok {
		l.pace.heard(len(pk.Payload))
	}
	if g.hold(cl, pk) {
		return pk, packets.ErrRejectPacket // acknowledged by settle
	}
	if err := g.settled(cl); err != nil { // acknowledgements keep their order
		return pk, packets.ErrRejectPacket
	}
	up := pk.TopicName == ingest.Topic(cl.ID, ingest.TopicUp)
	counts := g.opt.Intake.Metrics
	if up {
		counts.Received(1)
	}
	err := g.take(cl, pk)
	switch {
	case err == nil:
		if up && pk.FixedHeader.Qos > 0 {
			counts.Acknowledged(1)
		}
		return pk, packets.CodeSuccessIgnore
	case errors.Is(err, ingest.ErrRefused):
		g.log.WarnContext(g.ctx, "message refused", "device", cl.ID, "topic", cut(pk.TopicName), "error", err)
		if up {
			counts.Rejected(1)
		}
		return pk, g.refuse(cl, pk, up, err)
	case pk.FixedHeader.Qos == 0:
		return pk, packets.ErrRejectPacket
	}
	// ErrRejectPacket alone would leave the connection open.
	_ = g.giveUp(cl, err)
	return pk, packets.ErrRejectPacket
}

// refuse answers what no later attempt would make acceptable. Sent again it would
// be refused again, and block what comes after it, so that it is acknowledged;
// but a reading is not, because acknowledged means kept: MQTT 5 has a word for
// it, MQTT 3 only the end of the connection.
func (g *gate) refuse(cl *mqtt.Client, pk packets.Packet, reading bool, err error) error {
	switch {
	case pk.FixedHeader.Qos == 1 && cl.Properties.ProtocolVersion == 5:
		return packets.ErrPayloadFormatInvalid
	case reading && pk.FixedHeader.Qos > 0:
		_ = g.giveUp(cl, err)
		return packets.ErrRejectPacket
	}
	return packets.CodeSuccessIgnore
}

// hold takes a reading at QoS 1 that the line is to settle. It reports false for
// anything else.
func (g *gate) hold(cl *mqtt.Client, pk packets.Packet) bool {
	if pk.FixedHeader.Qos != 1 {
		return false
	}
	f, ok := g.opt.Intake.Reading(cl.ID, pk.TopicName, pk.Properties.ContentType, pk.Payload)
	l, isLine := cl.Net.Conn.(*line)
	if !ok || !isLine {
		return false
	}
	l.hold(f, pk.PacketID)
	return true
}

// take offers a message to the Intake. Messages at QoS 0 are offered once.
func (g *gate) take(cl *mqtt.Client, pk packets.Packet) error {
	if done := g.status(cl, pk); done {
		return nil
	}
	offer := func() error {
		return g.opt.Intake.Accept(g.ctx, cl.ID, pk.TopicName, pk.Properties.ContentType, pk.Payload)
	}
	if pk.FixedHeader.Qos == 0 {
		return offer()
	}
	return g.patiently(offer)
}

// status takes a device's word about itself in the order of all else that is
// known of its presence. It reports false for anything else.
func (g *gate) status(cl *mqtt.Client, pk packets.Packet) bool {
	payload := string(pk.Payload)
	if pk.TopicName != ingest.Topic(cl.ID, ingest.TopicStatus) || payload != "online" && payload != "offline" {
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.current[cl.ID] == cl {
		g.presence.set(cl.ID, payload == "online")
	}
	return true
}

// cut bounds what a stranger can write into the log.
func cut(s string) string {
	const most = 200
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}
