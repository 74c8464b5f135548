package device

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"tianhai/farm"
	"tianhai/ingest"
)

// Limits of what the registry remembers and takes.
const (
	// DefaultMaxAge is how long a change that another process made to the
	// records stays unseen.
	DefaultMaxAge = 2 * time.Minute
	// UnknownAge is the same for a device that was not there.
	UnknownAge = 5 * time.Second
	// DefaultMaxDevices is how many profiles are remembered, about 1 KiB each.
	DefaultMaxDevices = 1 << 16
	// MaxResultError is how much of a device's explanation is kept, in bytes.
	MaxResultError = 300
)

const secretBytes = 20

// A Watcher is told when a device comes or goes. It must bear to be told again,
// and must not block.
type Watcher interface {
	PresenceChanged(device string, at ingest.Place, online bool, since time.Time)
}

// RegistryOptions say what a Registry works with.
type RegistryOptions struct {
	Directory  Directory
	Aliases    Aliases          // nil: devices have no other names
	Presence   Watcher          // nil: nobody
	MaxAge     time.Duration    // 0: DefaultMaxAge
	MaxDevices int              // 0: DefaultMaxDevices
	Now        func() time.Time // nil: time.Now
	Logger     *slog.Logger     // nil: slog.DiscardHandler
}

// A Registry answers, for every frame, whose it is and what it means. It keeps
// what it has read from the directory for a while, and whoever changes a device
// or a model in this process tells it with Forget or ForgetAll. It may be used
// concurrently.
type Registry struct {
	opt RegistryOptions

	mu       sync.RWMutex
	profiles map[string]cached
	models   map[string]profileModel
	modelsAt time.Time // when models were read; zero: not yet
	changes  uint64    // counts Forget, so that what was read before one is not kept after it
}

// cached is what is known of a device. Exactly one of profile and err is set.
type cached struct {
	profile *ingest.Profile
	err     error
	until   time.Time
}

// profileModel is what the profiles of a model have in common. They share it.
type profileModel struct {
	format   string
	interval time.Duration
	channels map[string]ingest.Channel
}

// NewRegistry returns a registry that remembers nothing yet.
func NewRegistry(opt RegistryOptions) *Registry {
	if opt.MaxAge <= 0 {
		opt.MaxAge = DefaultMaxAge
	}
	if opt.MaxDevices <= 0 {
		opt.MaxDevices = DefaultMaxDevices
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Logger == nil {
		opt.Logger = slog.New(slog.DiscardHandler)
	}
	return &Registry{opt: opt, profiles: map[string]cached{}}
}

// NewSecret returns a device's new secret, 160 random bits in 32 letters and
// digits, and the hash of it that is kept.
func NewSecret() (secret string, hash []byte) {
	raw := make([]byte, secretBytes)
	rand.Read(raw) //nolint:errcheck // it never fails
	secret = strings.ToLower(base32.StdEncoding.EncodeToString(raw))
	sum := sha256.Sum256([]byte(secret))
	return secret, sum[:]
}

// Authenticate reports whether secret is the secret of device, or the one before
// within its grace, and the device may connect. It answers false for an unknown device, after the same work, and also while the directory does
// not answer. A device that was given another secret is known by that at once.
func (r *Registry) Authenticate(ctx context.Context, device string, secret []byte) bool {
	var known Device
	if farm.CheckID(device) == nil {
		var err error
		if known, err = r.opt.Directory.Device(ctx, device); err != nil && !errors.Is(err, farm.ErrNotFound) {
			r.opt.Logger.WarnContext(ctx, "device refused: the records do not answer", "device", device, "error", err)
			return false
		}
	}
	sum := sha256.Sum256(secret)
	right := subtle.ConstantTimeCompare(sum[:], known.SecretHash)
	if r.opt.Now().Before(known.OldUntil) {
		right |= subtle.ConstantTimeCompare(sum[:], known.OldHash)
	}
	return right == 1 && known.State.Connects()
}

// AuthenticateCert reports whether a device may come in by a certificate that was
// issued at a time: not where its certificates were revoked since.
func (r *Registry) AuthenticateCert(ctx context.Context, device string, issued time.Time) bool {
	if farm.CheckID(device) != nil {
		return false
	}
	known, err := r.opt.Directory.Device(ctx, device)
	if err != nil && !errors.Is(err, farm.ErrNotFound) {
		r.opt.Logger.WarnContext(ctx, "device refused: the records do not answer", "device", device, "error", err)
	}
	return err == nil && known.State.Connects() && issued.After(known.CertsAfter)
}

// Profile returns what must be known of a device to read its frames. It is
// shared: do not change it. The error wraps ingest.ErrUnknownDevice where nobody
// registered the device; any other error is the directory's, and says nothing
// about the device. While the profile is remembered this allocates nothing.
func (r *Registry) Profile(ctx context.Context, device string) (*ingest.Profile, error) {
	now := r.opt.Now()
	r.mu.RLock()
	c, ok := r.profiles[device]
	changes := r.changes
	r.mu.RUnlock()
	if ok && now.Before(c.until) {
		return c.profile, c.err
	}
	profile, err := r.load(ctx, device, now)
	c = cached{profile, err, now.Add(r.opt.MaxAge)}
	if errors.Is(err, ingest.ErrUnknownDevice) {
		c.until = now.Add(min(UnknownAge, r.opt.MaxAge))
	} else if err != nil {
		return nil, fmt.Errorf("read profile of %s: %w", device, err)
	}
	r.keep(device, c, changes)
	return c.profile, c.err
}

// keep remembers c, unless something was forgotten since changes.
func (r *Registry) keep(device string, c cached, changes uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.changes != changes {
		return
	}
	if _, known := r.profiles[device]; !known && len(r.profiles) >= r.opt.MaxDevices {
		for first := range r.profiles { // in no order: somebody has to go
			delete(r.profiles, first)
			break
		}
	}
	r.profiles[strings.Clone(device)] = c
}

func (r *Registry) load(ctx context.Context, device string, now time.Time) (*ingest.Profile, error) {
	d, err := r.find(ctx, device)
	if errors.Is(err, farm.ErrNotFound) {
		return nil, fmt.Errorf("%w: %s", ingest.ErrUnknownDevice, device)
	} else if err != nil {
		return nil, err
	}
	model, ok, err := r.model(ctx, d.Model, now)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, fmt.Errorf("%w: %s is of the unknown model %s", ingest.ErrUnknownDevice, device, d.Model)
	}
	installations, err := r.opt.Directory.Installations(ctx, d.ID)
	if err != nil {
		return nil, err
	}
	calibrations, err := r.opt.Directory.Calibrations(ctx, d.ID)
	if err != nil {
		return nil, err
	}
	var barred time.Time
	if !d.State.Connects() {
		barred = d.StateAt
	}
	return &ingest.Profile{
		Device: d.ID, Format: model.format, Interval: model.interval,
		Channels: calibrated(model.channels, calibrations), Installations: installations, Barred: barred,
	}, nil
}

// model returns a model, and reads all of them where it is not known or old.
func (r *Registry) model(ctx context.Context, id string, now time.Time) (profileModel, bool, error) {
	r.mu.RLock()
	m, ok := r.models[id]
	fresh := now.Before(r.modelsAt.Add(r.opt.MaxAge))
	changes := r.changes
	r.mu.RUnlock()
	if ok && fresh {
		return m, true, nil
	}
	all, err := r.opt.Directory.Models(ctx)
	if err != nil {
		return profileModel{}, false, err
	}
	models := make(map[string]profileModel, len(all))
	for _, m := range all {
		models[m.ID] = m.profile()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.changes == changes {
		r.models, r.modelsAt = models, now
	}
	m, ok = models[id]
	return m, ok, nil
}

// Forget makes the next frame of a device look it up anew: after it was
// registered, moved, calibrated or changed.
func (r *Registry) Forget(device string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.changes++
	delete(r.profiles, device)
	for name, c := range r.profiles { // other names of it, and names that were nobody's
		if c.err != nil || c.profile.Device == device {
			delete(r.profiles, name)
		}
	}
}

// ForgetAll does so for every device: after a model or a site was changed.
func (r *Registry) ForgetAll() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.changes++
	clear(r.profiles)
	r.models, r.modelsAt = nil, time.Time{}
}

// SetOnline records whether a device is there, and tells the watcher of one that
// stands somewhere. An unknown device is farm.ErrNotFound.
func (r *Registry) SetOnline(ctx context.Context, device string, online bool, at time.Time) error {
	if err := farm.CheckID(device); err != nil {
		return fmt.Errorf("set presence: %w: %w", farm.ErrNotFound, err)
	}
	if err := r.opt.Directory.SetOnline(ctx, device, online, at); err != nil {
		return fmt.Errorf("set presence of %s: %w", device, err)
	}
	if r.opt.Presence == nil {
		return nil
	}
	profile, err := r.Profile(ctx, device)
	if err != nil {
		r.opt.Logger.WarnContext(ctx, "screens are not told of a device's presence", "device", device, "error", err)
		return nil
	}
	if in, ok := profile.At(at); ok {
		r.opt.Presence.PresenceChanged(device, in.Place, online, at)
	}
	return nil
}

// SettleCommand records a device's answer to a command; farm.ErrNotFound when
// it was never sent this one. The device's explanation is cut to MaxResultError,
// and loses what is no text.
func (r *Registry) SettleCommand(ctx context.Context, device string, res ingest.CommandResult, at time.Time) error {
	if farm.CheckID(device) != nil || farm.CheckID(strings.ToLower(res.ID)) != nil {
		return fmt.Errorf("settle command: %w", farm.ErrNotFound)
	}
	text := strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f {
			return ' '
		}
		return c
	}, res.Error)
	res.Error = strings.ToValidUTF8(text[:min(len(text), MaxResultError)], "")
	if err := r.opt.Directory.SettleCommand(ctx, device, res, at); err != nil {
		return fmt.Errorf("settle command of %s: %w", device, err)
	}
	return nil
}
