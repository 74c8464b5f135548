package mqtt

import (
	"context"
	"encoding/json"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
)

// hostState tells edge nodes whether their host application is there: they may
// keep what they measure while it is not. Both messages of a connection have the
// same time, so that a late last will is known for what it is.
//
// Source: Eclipse Sparkplug 3.0 §5.13, §6.4.24.
type hostState struct {
	topic string // empty: nobody is told
	at    int64  // Unix milliseconds
}

func newHostState(host string) hostState {
	if host == "" {
		return hostState{}
	}
	return hostState{topic: "spBv1.0/STATE/" + host, at: time.Now().UnixMilli()}
}

func (h hostState) payload(online bool) []byte {
	b, err := json.Marshal(struct {
		Online    bool  `json:"online"`
		Timestamp int64 `json:"timestamp"`
	}{online, h.at})
	if err != nil {
		panic(err) // a bool and a number
	}
	return b
}

// will has the broker say offline where this process cannot.
func (h hostState) will(o *paho.ClientOptions) *paho.ClientOptions {
	if h.topic == "" {
		return o
	}
	return o.SetBinaryWill(h.topic, h.payload(false), 1, true)
}

// online is said once everything is subscribed to.
func (h hostState) online(ctx context.Context, client paho.Client) error {
	if h.topic == "" {
		return nil
	}
	return await(ctx, client.Publish(h.topic, 1, true, h.payload(true)))
}

// offline is said before a DISCONNECT, which revokes the will.
func (h hostState) offline(client paho.Client) {
	if h.topic != "" && client.IsConnected() {
		client.Publish(h.topic, 1, true, h.payload(false)).WaitTimeout(quiesce * time.Millisecond)
	}
}
