package device_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"tianhai/farm"
	"tianhai/ingest/device"
)

// shelf is what the records database is to the issuer: one list of devices.
type shelf map[string]device.Issued

func (s shelf) Offer(context.Context, string) (device.Offer, error) { return device.Offer{}, nil }

func (s shelf) Issue(_ context.Context, devices []device.Issued) error {
	for _, d := range devices {
		s[d.ID] = d
	}
	return nil
}

func (s shelf) Claim(_ context.Context, c device.Claim) error {
	if d, ok := s[c.Device]; !ok || string(d.ClaimHash) != string(c.ClaimHash) || !c.At.Equal(noon) {
		return fmt.Errorf("claim: %w", device.ErrClaim)
	}
	return nil
}

func (s shelf) SetClaim(_ context.Context, e device.Event, hash []byte) error {
	d, ok := s[e.Device]
	if !ok {
		return farm.ErrNotFound
	}
	if e.Kind != device.Reissued || e.Account != "admin" || e.Reason != "lost" || !e.At.Equal(noon) {
		return fmt.Errorf("event %+v", e)
	}
	d.ClaimHash = hash
	s[e.Device] = d
	return nil
}

// Another code makes the one before no good.
func TestReissue(t *testing.T) {
	s, n := shelf{}, 0
	is := device.Issuer{Store: s, Now: func() time.Time { return noon }, NewCode: func() (string, error) { n++; return fmt.Sprint("code", n), nil }}
	labels, err := is.Issue(t.Context(), "admin", newModel(), 1)
	if err != nil {
		t.Fatal(err)
	}
	id := labels[0].ID
	code, err := is.Reissue(t.Context(), device.Order{Device: id, Account: "admin", Reason: "lost"})
	if err != nil || code == labels[0].Code {
		t.Fatalf("code %q, %v", code, err)
	}
	if err := is.Claim(t.Context(), device.Claim{Device: id}, labels[0].Code); !errors.Is(err, device.ErrClaim) {
		t.Errorf("the code before: %v, want ErrClaim", err)
	}
	if err := is.Claim(t.Context(), device.Claim{Device: id}, code); err != nil {
		t.Errorf("the new code: %v", err)
	}
	if _, err := is.Reissue(t.Context(), device.Order{Device: "nobody"}); !errors.Is(err, farm.ErrNotFound) {
		t.Errorf("unknown device: %v", err)
	}
}

func TestIssue(t *testing.T) {
	s, n := shelf{}, 0
	is := device.Issuer{Store: s, Now: func() time.Time { return noon }, NewCode: func() (string, error) {
		n++
		return fmt.Sprint("code", n%2), nil
	}}
	m := newModel()
	m.ID = strings.Repeat("m", farm.MaxIDLength)
	labels, err := is.Issue(t.Context(), "admin", m, 4)
	if err != nil || len(s) != 4 {
		t.Fatalf("%d issued, %v", len(s), err)
	}
	hashes := map[string]bool{}
	for _, l := range labels {
		d := s[l.ID]
		hashes[string(d.ClaimHash)] = true
		if farm.CheckID(l.ID) != nil || len(l.Secret) != 32 || d.Account != "admin" || d.Model != m.ID || d.Name != m.Name {
			t.Errorf("label %+v, device %+v", l, d)
		}
		if strings.Contains(string(d.ClaimHash), l.Code) || strings.Contains(string(d.SecretHash), l.Secret) {
			t.Error("kept in the clear")
		}
		if err := is.Claim(t.Context(), device.Claim{Device: l.ID}, l.Code); err != nil {
			t.Errorf("the printed code: %v", err)
		}
		if err := is.Claim(t.Context(), device.Claim{Device: l.ID}, "other"); !errors.Is(err, device.ErrClaim) {
			t.Errorf("another code: %v, want ErrClaim", err)
		}
	}
	if len(hashes) != 4 {
		t.Error("equal codes have equal hashes")
	}
	for _, n := range []int{0, -1, device.MaxIssue + 1} {
		if _, err := is.Issue(t.Context(), "admin", m, n); err == nil {
			t.Errorf("issued %d", n)
		}
	}
	is.NewCode = func() (string, error) { return "", errDown }
	if _, err := is.Issue(t.Context(), "admin", m, 1); !errors.Is(err, errDown) {
		t.Errorf("error %v", err)
	}
}
