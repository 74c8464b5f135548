package device

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"tianhai/farm"
)

// MaxAlias is how long another name of a device may be, in bytes.
const MaxAlias = 255

// An Alias is a name by which others know a device: the DevEUI of a network
// server, or group/node/device of a Sparkplug edge node, group/node of the node
// itself. A device's own identifier comes first where the two are alike.
type Alias struct {
	Alias   string    `json:"alias"`
	Device  string    `json:"device"`
	Account string    `json:"account"` // who said so
	Created time.Time `json:"created"`
}

// Aliases knows who is meant by a name; farm.ErrNotFound where nobody is.
type Aliases interface {
	DeviceOfAlias(ctx context.Context, alias string) (device string, err error)
}

// FoldAlias returns the form in which a name is kept. An EUI-64 is written in
// several ways, AC-1F-09-FF-FE-00-00-01 on labels; here it is ac1f09fffe000001.
func FoldAlias(s string) string {
	bare := strings.NewReplacer("-", "", ":", "").Replace(s)
	if raw, err := hex.DecodeString(bare); err == nil && len(raw) == 8 {
		return hex.EncodeToString(raw)
	}
	return s
}

// CheckAlias reports what keeps s from being a name that a topic may hold.
func CheckAlias(s string) error {
	switch {
	case s == "" || len(s) > MaxAlias:
		return fmt.Errorf("an alias has 1 to %d bytes", MaxAlias)
	case !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) || strings.ContainsAny(s, "+#"):
		return errors.New("an alias has no +, # or control characters")
	}
	return nil
}

// find returns the device that a frame's sender is.
func (r *Registry) find(ctx context.Context, name string) (Device, error) {
	err := farm.CheckID(name)
	if err == nil {
		var d Device
		if d, err = r.opt.Directory.Device(ctx, name); !errors.Is(err, farm.ErrNotFound) {
			return d, err
		}
	}
	if r.opt.Aliases == nil {
		return Device{}, fmt.Errorf("%w: %w", farm.ErrNotFound, err)
	}
	id, err := r.opt.Aliases.DeviceOfAlias(ctx, FoldAlias(name))
	if err != nil {
		return Device{}, err
	}
	return r.opt.Directory.Device(ctx, id)
}
