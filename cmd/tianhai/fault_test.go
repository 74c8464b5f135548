package main_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// The fault tests, in the files fault_*_test.go, break something under load and
// all end with the same sum: every frame that was acknowledged is stored or in
// quarantine, each with its own number, and nothing is there that nobody sent.
// What was sent and not acknowledged may be there or not.

// A sender is a device that publishes numbered frames at QoS 1 as fast as they
// are acknowledged, across as many connections as it takes, each frame once.
type sender struct {
	device, secret string
	base           int64 // device time of frame 0 in Unix ms; that of frame n is n later
	// frame is the payload of frame n, and whether it belongs in quarantine.
	frame func(s *sender, n int) (payload []byte, aside bool)

	mu    sync.Mutex // guards what follows
	acked []bool     // by number, of all that were sent
	gone  int        // frames before this one may have been deleted by somebody
	// Frames from the first of these on to the second may be lost, because the file
	// that held them was torn.
	torn [2]int
}

// Of every so many frames one cannot be read.
const oddEvery = 50

// numbered is a frame whose value is its number.
func numbered(s *sender, n int) (payload []byte, aside bool) {
	if n%oddEvery == oddEvery-1 {
		return fmt.Appendf(nil, `{"ts":%d,"turbidity":"number %d"}`, s.base+int64(n), n), true
	}
	return fmt.Appendf(nil, `{"ts":%d,"turbidity":%d}`, s.base+int64(n), n), false
}

const (
	window = 20                   // unacknowledged frames of one sender
	pace   = 5 * time.Millisecond // for as many; a load that leaves the machine something for what is tested
)

// run publishes until stop is closed. addr is asked before every connection,
// because a restarted server has another port.
func (s *sender) run(stop <-chan struct{}, addr func() string) {
	for again := time.NewTicker(20 * time.Millisecond); ; {
		select {
		case <-stop:
			again.Stop()
			return
		case <-again.C:
		}
		if c, err := dialRaw(addr(), s.device, s.secret); err == nil {
			s.session(c, stop)
			_ = c.conn.Close() // it may be dead, which is the point
		}
	}
}

func (s *sender) session(c *rawClient, stop <-chan struct{}) {
	sent := map[uint16]int{}
	settle := func(most int) bool {
		for len(sent) > most {
			id, err := c.readAck()
			if err != nil {
				return false
			}
			s.acknowledge(sent[id])
			delete(sent, id)
		}
		return true
	}
	beat := time.NewTicker(pace)
	defer beat.Stop()
	for id := uint16(1); ; id = id%60000 + 1 {
		// Longer than the server's patience, so that it is the server who gives up.
		if err := c.conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
			return
		}
		select {
		case <-stop:
			settle(0)
			return
		default:
		}
		if id%window == 0 {
			<-beat.C
		}
		n, payload := s.next()
		if _, err := c.conn.Write(publishPacket("th/"+s.device+"/up", id, payload)); err != nil {
			return
		}
		sent[id] = n
		if !settle(window - 1) {
			return
		}
	}
}

func (s *sender) next() (n int, payload []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n = len(s.acked)
	s.acked = append(s.acked, false)
	payload, _ = s.frame(s, n)
	return n, payload
}

func (s *sender) acknowledge(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.acked[n] = true
}

func (s *sender) acknowledged() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, ok := range s.acked {
		if ok {
			n++
		}
	}
	return n
}

// A trial is a server that is to be broken, with senders that load it.
type trial struct {
	t       testing.TB
	dir     string
	secrets map[string]string
	chief   string         // the administrator's password
	db      *outsideInflux // nil: the embedded one
	s       *server        // the newest
	where   atomic.Pointer[string]

	senders []*sender
	stop    chan struct{}
	running sync.WaitGroup
}

// newTrial prepares a data directory with devices; their names begin with name.
func newTrial(t testing.TB, name string, devices int) *trial {
	t.Helper()
	x := &trial{t: t, dir: t.TempDir(), stop: make(chan struct{})}
	var names []string
	for i := range devices {
		names = append(names, fmt.Sprintf("%s-%02d", name, i))
	}
	x.secrets = importFarms(t, x.dir, sondeFarm(time.Now().Add(-2*time.Hour), names...))
	out, err := runTianhai(t, "account", "add", "chief", "--role", "administrator", "--data", x.dir)
	if err != nil {
		t.Fatalf("add an account: %v\n%s", err, out)
	}
	x.chief = regexp.MustCompile(`password (\S+)`).FindStringSubmatch(out)[1]
	for _, device := range names {
		x.senders = append(x.senders, &sender{device: device, secret: x.secrets[device], base: time.Now().Add(-time.Hour).UnixMilli(), frame: numbered})
	}
	t.Cleanup(x.rest)
	return x
}

// outside puts an InfluxDB of its own process behind the server.
func (x *trial) outside() {
	x.t.Helper()
	x.db = &outsideInflux{t: x.t, dir: x.t.TempDir()}
	x.db.start()
	x.t.Cleanup(func() { x.db.kill() })
	x.t.(*testing.T).Setenv("TIANHAI_INFLUX_URL", x.db.URL)
	x.t.(*testing.T).Setenv("TIANHAI_INFLUX_TOKEN", x.db.Token)
}

// start starts the server, or the next one on the same directory.
func (x *trial) start() {
	x.t.Helper()
	x.s = startServer(x.t, "serve", x.dir)
	if x.s.MQTT != "" {
		x.where.Store(&x.s.MQTT)
	}
}

// load has senders publish, all when none is given.
func (x *trial) load(some ...*sender) {
	if len(some) == 0 {
		some = x.senders
	}
	for _, s := range some {
		x.running.Go(func() { s.run(x.stop, func() string { return *x.where.Load() }) })
	}
}

// mark notes what every sender has sent so far.
func (x *trial) mark(note func(s *sender, sent int)) {
	for _, s := range x.senders {
		s.mu.Lock()
		note(s, len(s.acked))
		s.mu.Unlock()
	}
}

// again lets the load begin anew after rest.
func (x *trial) again() {
	x.stop = make(chan struct{})
	x.load()
}

// rest ends the load.
func (x *trial) rest() {
	select {
	case <-x.stop:
	default:
		close(x.stop)
	}
	x.running.Wait()
}

// more waits until so many more frames are acknowledged.
func (x *trial) more(frames int) {
	x.t.Helper()
	count := func() (n int) {
		for _, s := range x.senders {
			n += s.acknowledged()
		}
		return n
	}
	before := count()
	waitFor(x.t, fmt.Sprintf("%d more frames acknowledged", frames), time.Minute, func() bool { return count() >= before+frames })
}

// influx returns where InfluxDB is and what opens it.
func (x *trial) influx() (url, token string) {
	if x.db != nil {
		return x.db.URL, x.db.Token
	}
	return x.s.Influx, embeddedToken(x.t, x.dir)
}

// A found is what became of one sender's frames.
type found struct {
	stored map[int64]float64 // value by time
	aside  map[string]string // reason by payload
}

func (x *trial) find(b *browser, s *sender) found {
	x.t.Helper()
	url, token := x.influx()
	f := found{map[int64]float64{}, map[string]string{}}
	for _, row := range queryInflux(x.t, url, token, fmt.Sprintf(`SELECT turbidity FROM water WHERE device='%s'`, s.device)) {
		if v, ok := row[1].(float64); ok {
			f.stored[int64(row[0].(float64))] = v
		}
	}
	for _, q := range quarantined(b, s.device) {
		f.aside[string(q.Payload)] = q.Reason
	}
	return f
}

// A setAside is a frame in quarantine.
type setAside struct {
	Seq     uint64
	Device  string
	Reason  string
	Payload []byte `json:"payload_base64"`
}

// quarantined lists what is in quarantine of one device.
func quarantined(b *browser, device string) (all []setAside) {
	b.t.Helper()
	for next, more := "", true; more; more = next != "" {
		var page struct {
			Frames []setAside
			Next   string
		}
		b.getJSON(fmt.Sprintf("/api/v1/quarantine?limit=1000&device=%s&after=%s", device, next), &page)
		all, next = append(all, page.Frames...), page.Next
	}
	return all
}

// An account is a sum over all senders.
type account struct {
	sent, acked, stored, aside, extra int
	lost                              []loss
	wrong                             []string
}

// A loss is an acknowledged frame that is nowhere.
type loss struct {
	s *sender
	n int
}

func (l loss) String() string {
	return fmt.Sprintf("%s: frame %d of %d", l.s.device, l.n, len(l.s.acked))
}

func (a account) String() string {
	return fmt.Sprintf("sent %d, acknowledged %d = stored %d + quarantined %d; besides, %d of %d that were not acknowledged",
		a.sent, a.acked, a.stored, a.aside, a.extra, a.sent-a.acked)
}

// add enters what became of one sender's frames.
func (a *account) add(s *sender, f found) {
	s.mu.Lock()
	defer s.mu.Unlock()
	payloads := map[string]bool{}
	for n, acked := range s.acked {
		payload, belongsAside := s.frame(s, n)
		payloads[string(payload)] = true
		if n < s.gone {
			continue
		}
		value, isStored := f.stored[s.base+int64(n)]
		reason, isAside := f.aside[string(payload)]
		a.sent++
		switch {
		case isStored && value != float64(n):
			a.wrong = append(a.wrong, fmt.Sprintf("%s: frame %d is stored with %g", s.device, n, value))
		case isStored && belongsAside, isAside && !belongsAside:
			a.wrong = append(a.wrong, fmt.Sprintf("%s: frame %d is in the wrong place; quarantined for %q", s.device, n, reason))
		case !isStored && !isAside && acked:
			a.lost = append(a.lost, loss{s, n})
		}
		switch {
		case !acked && (isStored || isAside):
			a.extra++
		case !acked:
		case isStored:
			a.stored++
		case isAside:
			a.aside++
		}
		if acked {
			a.acked++
		}
	}
	for at := range f.stored {
		if n := at - s.base; n < 0 || n >= int64(len(s.acked)) {
			a.wrong = append(a.wrong, fmt.Sprintf("%s: what is stored at %d was never sent", s.device, at))
		}
	}
	for payload := range f.aside {
		if !payloads[payload] {
			a.wrong = append(a.wrong, fmt.Sprintf("%s: quarantined %q was never sent", s.device, payload))
		}
	}
}

// sum ends the load and fails unless what was acknowledged is stored or in
// quarantine. It returns the sum.
func (x *trial) sum() account {
	x.t.Helper()
	a := x.count()
	if len(a.lost) > 0 {
		x.t.Errorf("%d acknowledged frames are lost, the first: %s", len(a.lost), a.lost[0])
	}
	return a
}

// count is sum for who expects a loss.
func (x *trial) count() account {
	x.t.Helper()
	x.rest()
	x.settled()
	b := newBrowser(x.t, x.s.HTTP)
	b.login("chief", x.chief)
	var a account
	for _, s := range x.senders {
		a.add(s, x.find(b, s))
	}
	x.t.Log(a)
	if a.acked == 0 {
		x.t.Fatal("nothing was acknowledged, so nothing was tested")
	}
	if len(a.wrong) > 0 {
		x.t.Errorf("%d frames are not as they were sent, the first: %s", len(a.wrong), a.wrong[0])
	}
	return a
}

// settled waits until everything that the journal holds was stored.
func (x *trial) settled() {
	x.t.Helper()
	waitFor(x.t, "everything in the journal to be stored", 2*time.Minute, func() bool {
		return strings.Contains(x.s.metrics(), "\ntianhai_journal_lag_records{reader=\"store\"} 0\n")
	})
}

// peak returns the most memory that the server has had so far, in bytes.
func (s *server) peak() uint64 {
	s.t.Helper()
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if errors.Is(err, os.ErrNotExist) {
		s.t.Log("memory is not looked at: there is no /proc")
		return 0
	}
	if err != nil {
		s.t.Fatal(err)
	}
	_, rest, _ := bytes.Cut(raw, []byte("VmHWM:"))
	kib, err := strconv.ParseUint(string(bytes.Fields(rest)[0]), 10, 64)
	if err != nil {
		s.t.Fatal(err)
	}
	return kib << 10
}

// memoryLimit is what a server may have had at most at the end of a fault. What
// passes through is bounded by batches and windows, not by how long a fault lasts.
const memoryLimit = 2 << 30

func (x *trial) bounded() {
	x.t.Helper()
	peak := x.s.peak()
	x.t.Logf("memory %d MiB at most", peak>>20)
	if peak > memoryLimit {
		x.t.Errorf("the server took %d MiB, more than %d", peak>>20, memoryLimit>>20)
	}
}
