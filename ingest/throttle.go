package ingest

import (
	"net/netip"
	"sync"
	"time"
)

// Wrong secrets that are heard before somebody has to wait, and how fast that is
// forgiven. A device's secret has 160 bits: this spares the records database and
// the log, and needs to stop nobody sooner.
const (
	wrongPerDevice  = 10
	wrongPerAddress = 100
	forgiveDevice   = 30 * time.Second // one wrong secret
	forgiveAddress  = time.Second
	maxSuspects     = 1 << 14 // devices, and as many addresses, that are remembered
	tellEvery       = time.Minute
)

// A throttle counts wrong secrets by device and by address, in bounded memory.
//
// Who guesses from one address shuts out neither the device, which has another
// address without a stain, nor, from the address of a proxy on this machine,
// everybody else: a loopback address alone is no reason to refuse.
type throttle struct {
	perDevice int
	now       func() time.Time

	mu        sync.Mutex // guards what follows
	devices   map[string]*suspect
	addresses map[netip.Addr]*suspect
}

// A suspect has a debt of wrong secrets, that time pays off.
type suspect struct {
	debt   int
	at     time.Time // up to when it is paid off
	told   time.Time // when the log was last told
	hushed int       // wrong secrets that it was not told of
}

func newThrottle(perDevice int) *throttle {
	if perDevice == 0 {
		perDevice = wrongPerDevice
	}
	return &throttle{perDevice: perDevice, now: time.Now, devices: map[string]*suspect{}, addresses: map[netip.Addr]*suspect{}}
}

// pay forgives what is old.
func (s *suspect) pay(now time.Time, each time.Duration) int {
	if s == nil {
		return 0
	}
	if n := int(now.Sub(s.at) / each); n > 0 {
		s.debt = max(0, s.debt-n)
		s.at = s.at.Add(time.Duration(n) * each)
	}
	return s.debt
}

// admits reports whether a secret from an address for a device is to be heard.
func (t *throttle) admits(device, remote string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	now, addr := t.now(), address(remote)
	debt := t.addresses[addr].pay(now, forgiveAddress)
	if debt >= wrongPerAddress && !addr.IsLoopback() {
		return false
	}
	return debt == 0 || t.devices[device].pay(now, forgiveDevice) < t.perDevice
}

// wrong notes a wrong secret. It reports whether the log is to be told, and of
// how many that it was not told before.
func (t *throttle) wrong(device, remote string) (tell bool, hushed int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	owe(t.addresses, address(remote), now, forgiveAddress, 2*wrongPerAddress)
	s := owe(t.devices, device, now, forgiveDevice, 2*t.perDevice)
	if now.Sub(s.told) < tellEvery {
		s.hushed++
		return false, 0
	}
	hushed, s.hushed, s.told = s.hushed, 0, now
	return true, hushed
}

// owe adds to a debt, which ends at most, and forgets somebody where there are
// too many.
func owe[K comparable](m map[K]*suspect, key K, now time.Time, each time.Duration, most int) *suspect {
	s := m[key]
	if s == nil {
		if len(m) >= maxSuspects {
			forget(m, now, each)
		}
		s = &suspect{at: now}
		m[key] = s
	}
	if s.pay(now, each) == 0 {
		s.at = now
	}
	s.debt = min(s.debt+1, most)
	return s
}

// forget removes, of some in no order, those that owe nothing, and one at least.
func forget[K comparable](m map[K]*suspect, now time.Time, each time.Duration) {
	looked, gone := 0, 0
	for key, s := range m {
		if looked++; looked > 64 {
			break
		}
		if s.pay(now, each) == 0 {
			delete(m, key)
			gone++
		}
	}
	for key := range m {
		if gone > 0 {
			return
		}
		delete(m, key)
		gone++
	}
}

// address returns who is there: of IPv6 the network of 64 bits, which is one
// customer's.
func address(remote string) netip.Addr {
	ap, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Addr{}
	}
	a := ap.Addr().Unmap().WithZone("")
	if a.Is6() && !a.IsLoopback() {
		p, _ := a.Prefix(64) // 64 fits
		return p.Addr()
	}
	return a
}
