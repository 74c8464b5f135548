package ingest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"tianhai/farm"
)

// ErrRefused reports a message that no later attempt would make acceptable: a
// foreign or unknown topic, a payload over MaxPayload, an answer that does not
// parse. Sending it again is of no use.
var ErrRefused = errors.New("refused")

// Limits of what a message may carry beside its payload, in bytes.
const (
	MaxDevice      = 128 // a device's name
	MaxContentType = 255
)

// A Journal keeps frames between "received" and "stored".
type Journal interface {
	// Append returns nil once the frames are all kept, those of one device in
	// the order given. Its error wraps ErrBusy when they were not all taken, or
	// not known to be. It does not hold on to the payloads.
	Append(ctx context.Context, frames ...Frame) error
}

// Presence is told which devices are there. An unknown device is
// farm.ErrNotFound.
type Presence interface {
	SetOnline(ctx context.Context, device string, online bool, at time.Time) error
}

// Commands is told what became of a command. A command that the device was
// never sent is farm.ErrNotFound.
type Commands interface {
	SettleCommand(ctx context.Context, device string, res CommandResult, at time.Time) error
}

// An Intake routes what a device sends, from whichever broker it comes, by its
// topic: readings to the journal, status to Presence, answers to Commands. It is
// the one place that decides whether a message may be acknowledged.
type Intake struct {
	Journal  Journal
	Presence Presence
	Commands Commands
	Metrics  *SourceMetrics   // nil counts nothing
	Now      func() time.Time // nil means time.Now
}

// Accept takes one message that device, as authenticated, published to topic.
//
// It returns nil once the message is kept or acted on: only then may the sender
// be acknowledged. An error that wraps ErrRefused means that the message is of
// no use and never will be; any other error wraps ErrBusy, and the sender must
// be left to try again. Repeats are harmless. The payload may be reused after
// Accept has returned.
func (in *Intake) Accept(ctx context.Context, device, topic, contentType string, payload []byte) error {
	owner, level, ok := ParseTopic(topic)
	if !ok || owner != device {
		return fmt.Errorf("topic of %q: %w", device, ErrRefused)
	}
	if err := checkSize(device, contentType, payload); err != nil {
		return err
	}
	at := in.now()
	switch level {
	case TopicUp:
		return in.Keep(ctx, Frame{Device: device, ContentType: contentType, Received: at, Payload: payload})
	case TopicStatus:
		return in.status(ctx, device, payload, at)
	case TopicAck:
		return in.settle(ctx, device, payload, at)
	default:
		return fmt.Errorf("topic level %q: %w", level, ErrRefused)
	}
}

// Reading returns the frame that Accept would keep. It reports false where Accept
// would do something else.
func (in *Intake) Reading(device, topic, contentType string, payload []byte) (Frame, bool) {
	owner, level, ok := ParseTopic(topic)
	if !ok || owner != device || level != TopicUp || checkSize(device, contentType, payload) != nil {
		return Frame{}, false
	}
	return Frame{Device: device, ContentType: contentType, Received: in.now(), Payload: payload}, true
}

// Foreign returns the frame of readings that came on a topic of another form than
// th/{device}/up, for Keep. Its error wraps ErrRefused.
func (in *Intake) Foreign(device, contentType string, payload []byte) (Frame, error) {
	if device == "" {
		return Frame{}, fmt.Errorf("no device: %w", ErrRefused)
	}
	if err := checkSize(device, contentType, payload); err != nil {
		return Frame{}, err
	}
	return Frame{Device: device, ContentType: contentType, Received: in.now(), Payload: payload}, nil
}

func checkSize(device, contentType string, payload []byte) error {
	switch {
	case len(device) > MaxDevice:
		return fmt.Errorf("device name of %d bytes: %w", len(device), ErrRefused)
	case len(contentType) > MaxContentType:
		return fmt.Errorf("content type of %d bytes: %w", len(contentType), ErrRefused)
	case len(payload) > MaxPayload:
		return fmt.Errorf("payload of %d bytes: %w", len(payload), ErrRefused)
	}
	return nil
}

// Keep takes readings of which Reading or Foreign made frames, all of them or, as far as the
// senders are concerned, none. It answers as Accept does.
func (in *Intake) Keep(ctx context.Context, frames ...Frame) error {
	err := in.Journal.Append(ctx, frames...)
	in.Metrics.appended(len(frames), err)
	return err
}

func (in *Intake) status(ctx context.Context, device string, payload []byte, at time.Time) error {
	switch string(payload) {
	case "online":
		return outcome("set online", in.Presence.SetOnline(ctx, device, true, at))
	case "offline":
		return outcome("set offline", in.Presence.SetOnline(ctx, device, false, at))
	default:
		return fmt.Errorf("status that is neither online nor offline: %w", ErrRefused)
	}
}

func (in *Intake) settle(ctx context.Context, device string, payload []byte, at time.Time) error {
	var res CommandResult
	if err := json.Unmarshal(payload, &res); err != nil {
		return fmt.Errorf("parse command result: %w: %w", ErrRefused, err)
	}
	if res.ID == "" {
		return fmt.Errorf("command result without id: %w", ErrRefused)
	}
	return outcome("settle command", in.Commands.SettleCommand(ctx, device, res, at))
}

// outcome sorts a record keeper's error: what is not there now will not be
// there for the same message later; anything else may pass.
func outcome(doing string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, farm.ErrNotFound):
		return fmt.Errorf("%s: %w: %w", doing, ErrRefused, err)
	default:
		return fmt.Errorf("%s: %w: %w", doing, ErrBusy, err)
	}
}

func (in *Intake) now() time.Time {
	if in.Now != nil {
		return in.Now().UTC()
	}
	return time.Now().UTC()
}
