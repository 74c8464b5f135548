package mqtt

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"sync/atomic"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
)

// probeWait is how long a message to oneself may take.
const probeWait = 5 * time.Second

// share reports whether to subscribe as part of the group. MQTT 3.1.1 cannot say
// whether a broker shares subscriptions: one that does not may grant them and
// send nothing for ever, refuse them, or end the connection. So a second, short
// connection subscribes to a topic of its own by $share, and sees whether a
// message to it comes. What has once been seen is not asked again.
//
// Where it does not come, everything is taken by every session: that stores
// nothing wrong, while a subscription that brings nothing would lose it all.
func (s *Session) share(ctx context.Context) (bool, error) {
	s.mu.Lock()
	shared := s.shared
	s.mu.Unlock()
	if s.opt.Group == "" || shared {
		return shared, nil
	}
	var opened atomic.Pointer[bufferedConn]
	client := paho.NewClient(s.probeSettings(ctx, &opened))
	defer client.Disconnect(0)
	if err := await(ctx, client.Connect()); err != nil {
		if c := opened.Load(); c != nil {
			_ = c.Close() // or paho waits for a silent broker
		}
		return false, fmt.Errorf("connect: %w", err)
	}
	topic := "tianhai/" + s.opt.ClientID + "/probe"
	if !echoes(ctx, client, "$share/"+s.opt.Group+"-probe/"+topic, topic) {
		s.opt.Logger.WarnContext(ctx, "the broker does not share subscriptions, or does not let the probe's topic be used: every session takes everything",
			"broker", s.url.Host, "group", s.opt.Group, "probe", topic)
		return false, ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shared = true
	return true, nil
}

// echoes reports whether what is published to topic comes back by filter.
func echoes(ctx context.Context, client paho.Client, filter, topic string) bool {
	ctx, cancel := context.WithTimeout(ctx, probeWait)
	defer cancel()
	came := make(chan struct{}, 1)
	tok := client.Subscribe(filter, 1, func(paho.Client, paho.Message) {
		select {
		case came <- struct{}{}:
		default:
		}
	})
	if await(ctx, tok) != nil || await(ctx, client.Publish(topic, 1, false, "shared?")) != nil {
		return false
	}
	select {
	case <-came:
		return true
	case <-ctx.Done():
		return false
	}
}

func (s *Session) probeSettings(ctx context.Context, opened *atomic.Pointer[bufferedConn]) *paho.ClientOptions {
	o := paho.NewClientOptions().
		SetClientID(s.opt.ClientID + "-probe").
		SetUsername(s.opt.Username).SetPassword(s.opt.Password).
		SetProtocolVersion(4).
		SetAutoReconnect(false).SetConnectRetry(false).
		SetConnectTimeout(connectTimeout).
		SetCustomOpenConnectionFn(func(u *url.URL, _ paho.ClientOptions) (net.Conn, error) {
			c, err := dial(ctx, u, s.opt.TLS, func(error) {})
			if err != nil {
				return nil, err
			}
			opened.Store(c)
			return c, nil
		})
	o.Servers = []*url.URL{s.url}
	return o
}
