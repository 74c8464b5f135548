package device

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"tianhai/farm"
)

// ErrClaim reports that a device cannot be claimed with this code: there is no
// such device, it has an owner, its code is another, or too many were guessed.
// It does not say which.
var ErrClaim = errors.New("claim refused")

// Limits of issuing and claiming.
const (
	MaxIssue   = 1000 // devices at once
	MaxGuesses = 10   // of one device's code; then it is locked
)

// An Issued device exists, and belongs to nobody yet. It cannot connect.
type Issued struct {
	ID         string    `json:"id"`
	Model      string    `json:"model"`
	Name       farm.Text `json:"name"`
	SecretHash []byte    `json:"-"`
	ClaimHash  []byte    `json:"-"`
	Created    time.Time `json:"created"`
	Account    string    `json:"account"` // who issued it
	Locked     bool      `json:"locked"`  // too many codes were guessed; another code mends it
}

// A Label is what is written into a new device and printed on it. Its secret and
// its code are seen this once.
type Label struct {
	ID     string `json:"id"`
	Model  string `json:"model"`
	Secret string `json:"secret"`
	Code   string `json:"claim_code"`
}

// A Claim makes an issued device somebody's, and places it.
type Claim struct {
	Device    string
	ClaimHash []byte
	Site      farm.Site // its tenant becomes the owner
	Name      farm.Text // empty: the model's
	Account   string
	At        time.Time
}

// An Offer is what whoever holds an unclaimed device may know of it.
type Offer struct {
	Device string
	Model  string
	Name   farm.Text
	Left   int // guesses; 0: it is locked
}

// ClaimStore keeps issued devices.
type ClaimStore interface {
	// Offer is farm.ErrNotFound for a device that has an owner, or does not exist.
	Offer(ctx context.Context, id string) (Offer, error)
	// Issue stores all or none, with their events; farm.ErrConflict where an ID is
	// taken.
	Issue(ctx context.Context, devices []Issued) error
	// Claim turns an issued device into a claimed one that stands at the site, once,
	// whoever else tries. It is ErrClaim, and counts as a guess, for any other hash.
	Claim(ctx context.Context, c Claim) error
	// SetClaim gives an issued device another code, forgets the guesses, and
	// appends e; farm.ErrConflict where the device has an owner.
	SetClaim(ctx context.Context, e Event, hash []byte) error
}

// An Issuer makes devices that can be claimed.
type Issuer struct {
	Store   ClaimStore
	NewCode func() (string, error) // 60 random bits at least
	Now     func() time.Time       // nil: time.Now
	Logger  *slog.Logger           // nil: slog.DiscardHandler
}

// Issue makes n devices of a model, at most MaxIssue.
func (is *Issuer) Issue(ctx context.Context, account string, m Model, n int) ([]Label, error) {
	if n < 1 || n > MaxIssue {
		return nil, fmt.Errorf("issue devices: %d is not within 1 and %d", n, MaxIssue)
	}
	labels, devices := make([]Label, n), make([]Issued, n)
	for i := range n {
		code, err := is.NewCode()
		if err != nil {
			return nil, fmt.Errorf("issue devices: %w", err)
		}
		secret, hash := NewSecret()
		id := newID(m.ID)
		labels[i] = Label{ID: id, Model: m.ID, Secret: secret, Code: code}
		devices[i] = Issued{ID: id, Model: m.ID, Name: m.Name, SecretHash: hash, ClaimHash: claimHash(id, code), Created: is.now(), Account: account}
	}
	if err := is.Store.Issue(ctx, devices); err != nil {
		return nil, err
	}
	return labels, nil
}

// Reissue gives a device that nobody owns another claim code: its label is lost,
// or too many codes were guessed. The code before is no good any more. It is
// farm.ErrConflict where somebody owns the device.
func (is *Issuer) Reissue(ctx context.Context, o Order) (code string, err error) {
	if code, err = is.NewCode(); err != nil {
		return "", fmt.Errorf("reissue claim code: %w", err)
	}
	e := Event{Device: o.Device, At: is.now(), Kind: Reissued, Account: o.Account, Reason: o.Reason}
	if err := is.Store.SetClaim(ctx, e, claimHash(o.Device, code)); err != nil {
		return "", err
	}
	return code, nil
}

// Claim makes a device the site's tenant's, and places it there. Code is as
// NewCode made it.
func (is *Issuer) Claim(ctx context.Context, c Claim, code string) error {
	c.ClaimHash, c.At = claimHash(c.Device, code), is.now()
	err := is.Store.Claim(ctx, c)
	if errors.Is(err, ErrClaim) && is.Logger != nil {
		is.Logger.WarnContext(ctx, "claim refused", "device", c.Device, "account", c.Account)
	}
	return err
}

func (is *Issuer) now() time.Time {
	if is.Now != nil {
		return is.Now().UTC()
	}
	return time.Now().UTC()
}

// Offer returns what can be claimed under an ID; farm.ErrNotFound where nothing can.
func (is *Issuer) Offer(ctx context.Context, id string) (Offer, error) {
	return is.Store.Offer(ctx, id)
}

// claimHash holds the device too, so that equal codes are not seen to be equal.
func claimHash(device, code string) []byte {
	sum := sha256.Sum256([]byte("claim " + device + " " + code))
	return sum[:]
}

// newID returns a name with 40 random bits, that tells of which model it is.
func newID(model string) string {
	raw := make([]byte, 5)
	rand.Read(raw) //nolint:errcheck // it never fails
	return nameOf(model, strings.ToLower(base32.StdEncoding.EncodeToString(raw)))
}

// WidestID returns a name such as devices of a model are issued with, of the letters
// that take the most room in print.
func WidestID(model string) string { return nameOf(model, "mmmmmmmm") }

func nameOf(model, random string) string {
	return model[:min(len(model), farm.MaxIDLength-len(random)-1)] + "-" + random
}
