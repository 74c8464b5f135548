package mqtt

import (
	"context"
	"fmt"

	"tianhai/ingest"
)

// A Topic is a subscription to the readings of devices that do not publish to
// th/{device}/up, such as those behind a network server.
type Topic struct {
	Filter string // subscribed at QoS 1
	// Locate returns whose readings a message on a topic holds, and their content
	// type; false if the topic is not of this subscription.
	Locate func(topic string) (device, contentType string, ok bool)
	// Alone keeps the subscription out of Options.Group: messages that refer to
	// each other must all come here.
	Alone bool
}

// Native returns the subscriptions to what Tianhai's own devices say: readings,
// status and answers.
func Native() []Topic {
	var topics []Topic
	for _, level := range []string{ingest.TopicUp, ingest.TopicStatus, ingest.TopicAck} {
		topics = append(topics, Topic{Filter: ingest.Topic("+", level)})
	}
	return topics
}

// locate asks the subscriptions whose a message is. Native ones know no answer.
func (o *Options) locate(topic string) (device, contentType string, ok bool) {
	for i := range o.Topics {
		if locate := o.Topics[i].Locate; locate != nil {
			if device, contentType, ok = locate(topic); ok {
				return device, contentType, true
			}
		}
	}
	return "", "", false
}

// reading returns the frame that a message is, false where accept must take it.
func (o *Options) reading(topic string, payload []byte) (ingest.Frame, bool) {
	if device, _, ok := ingest.ParseTopic(topic); ok {
		if f, ok := o.Intake.Reading(device, topic, "", payload); ok {
			return f, true
		}
	}
	device, contentType, ok := o.locate(topic)
	if !ok {
		return ingest.Frame{}, false
	}
	f, err := o.Intake.Foreign(device, contentType, payload)
	return f, err == nil
}

// accept takes what is no reading, or refuses it.
func (o *Options) accept(ctx context.Context, topic string, payload []byte) error {
	if device, contentType, ok := o.locate(topic); ok {
		f, err := o.Intake.Foreign(device, contentType, payload)
		if err != nil {
			return err
		}
		return o.Intake.Keep(ctx, f)
	}
	device, _, ok := ingest.ParseTopic(topic)
	if !ok {
		return fmt.Errorf("topic that nothing was subscribed for: %w", ingest.ErrRefused)
	}
	return o.Intake.Accept(ctx, device, topic, "", payload)
}
