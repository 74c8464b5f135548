package main_test

import (
	"encoding/binary"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tianhai/ingest/decode"
)

var mutatedFrames = flag.Int("mutated", 50_000, "how many frames TestMutatedFrames sends; make soak sends a million")

// seeds are sound payloads of each format, of temperature and ph at a time.
var seeds = map[string]func(at time.Time) []byte{
	"json": func(at time.Time) []byte {
		return fmt.Appendf(nil, `[{"ts":%d,"temperature":21.5,"ph":8.1},{"ts":%d,"temperature":null}]`, at.UnixMilli(), at.UnixMilli()-1)
	},
	"senml+json": func(at time.Time) []byte {
		return fmt.Appendf(nil, `[{"bn":"urn:dev:mac:0024befffe804ff1:","bt":%d.%03d,"n":"temperature","u":"Cel","v":21.5},{"n":"ph","v":8.1}]`, at.Unix(), at.UnixMilli()%1000)
	},
	"senml+cbor": func(at time.Time) []byte {
		b := []byte("\x81\xA3\x00\x6Btemperature\x02\xFB") // [{0: "temperature", 2: 21.5, 6: …}]
		b = binary.BigEndian.AppendUint64(b, math.Float64bits(21.5))
		return binary.BigEndian.AppendUint64(append(b, 6, 0xFB), math.Float64bits(float64(at.UnixMilli())/1000))
	},
	"influx": func(at time.Time) []byte {
		return fmt.Appendf(nil, "pond,id=7 temperature=21.5,ph=8.1,note=\"ok, \\\"calm\\\"\" %d\n", at.UnixNano())
	},
	"chirpstack": func(at time.Time) []byte {
		return fmt.Appendf(nil, `{"time":"%s","deviceInfo":{"devEui":"0101010101010101"},"fPort":2,"data":"Aa4C","object":{"temperature":21.5,"ph":8.1},"rxInfo":[{"rssi":-112,"snr":3.2}]}`, at.Format(time.RFC3339Nano))
	},
	"ttn": func(at time.Time) []byte {
		return fmt.Appendf(nil, `{"end_device_ids":{"device_id":"a"},"received_at":"%[1]s","uplink_message":{"f_port":2,"decoded_payload":{"temperature":21.5,"ph":8.1},"received_at":"%[1]s"}}`, at.Format(time.RFC3339Nano))
	},
}

// mutate damages a payload in one way or another; one in ten it leaves alone.
func mutate(rnd *rand.Rand, b, other []byte) []byte {
	random := func(n int) []byte {
		r := make([]byte, n)
		for i := range r {
			r[i] = byte(rnd.Uint32())
		}
		return r
	}
	at := rnd.IntN(len(b))
	end := at + rnd.IntN(len(b)-at)
	switch rnd.IntN(10) {
	case 0:
		return b
	case 1, 2, 3:
		for range 1 + rnd.IntN(4) {
			b[rnd.IntN(len(b))] ^= 1 << rnd.IntN(8)
		}
		return b
	case 4:
		return b[:at]
	case 5:
		return append(b[:at:at], other[rnd.IntN(len(other)):]...)
	case 6:
		return slices.Insert(b, at, random(1+rnd.IntN(8))...)
	case 7:
		return slices.Delete(b, at, end)
	case 8:
		return slices.Insert(b, at, b[at:end]...)
	default:
		return random(rnd.IntN(200))
	}
}

// A mutant is a device that sends damaged payloads of one format.
type mutant struct {
	device, format, secret string
	sent                   map[string]int // how often, by payload
	from                   time.Time
}

// send publishes frames in batches and returns when all are acknowledged.
func (m *mutant) send(addr string, seed uint64, frames int) error {
	c, err := dialRaw(addr, m.device, m.secret)
	if err != nil {
		return err
	}
	defer c.conn.Close()
	rnd := rand.New(rand.NewPCG(seed, 0))
	formats := slices.Sorted(func(yield func(string) bool) {
		for f := range seeds {
			if !yield(f) {
				return
			}
		}
	})
	const batch = 100
	for n := 0; n < frames; {
		var burst []byte
		some := min(batch, frames-n)
		for i := range some {
			at := m.from.Add(time.Duration(n+i) * 2 * time.Millisecond)
			p := mutate(rnd, seeds[m.format](at), seeds[formats[rnd.IntN(len(formats))]](at))
			m.sent[string(p)]++
			burst = append(burst, publishPacket("th/"+m.device+"/up", uint16(i+1), p)...)
		}
		if err := c.conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
			return err
		}
		if _, err := c.conn.Write(burst); err != nil {
			return err
		}
		for range some {
			if _, err := c.readAck(); err != nil {
				return fmt.Errorf("of %d frames: %w", n, err)
			}
		}
		n += some
	}
	return nil
}

func mutantFarm(from time.Time, all []*mutant) string {
	var b strings.Builder
	b.WriteString(`
tenants: [{id: reserve, region: "450500", name: {zh: 保护区}}]
sites: [{id: estuary, tenant: reserve, region: "450500", kind: raft, name: {zh: 河口}, town: {zh: 营盘镇}, latitude: 21.45, longitude: 109.45}]
models:
`)
	for format := range seeds {
		fmt.Fprintf(&b, "  - {id: %s, name: {zh: 仪}, format: %s, interval: 1m, channels: [{key: temperature, quantity: water.temperature}, {key: ph, quantity: water.ph}]}\n", modelOf(format), format)
	}
	b.WriteString("devices:\n")
	for _, m := range all {
		fmt.Fprintf(&b, "  - {id: %s, tenant: reserve, model: %s, site: estuary, from: %s, name: {zh: 仪}}\n", m.device, modelOf(m.format), from.Format(time.RFC3339))
	}
	return b.String()
}

func modelOf(format string) string { return strings.ReplaceAll(format, "+", "-") }

// TestMutatedFrames sends frames of every format that are damaged at random. Every
// one is acknowledged, and each is stored or in quarantine; the server survives.
func TestMutatedFrames(t *testing.T) {
	x := &trial{t: t, dir: t.TempDir(), stop: make(chan struct{})}
	installed := time.Now().Add(-48 * time.Hour).Truncate(time.Second)
	var all []*mutant
	for format := range seeds {
		for i := range 2 {
			all = append(all, &mutant{
				device: fmt.Sprintf("mutant-%s-%d", modelOf(format), i), format: format,
				sent: map[string]int{}, from: installed.Add(time.Hour),
			})
		}
	}
	secrets := importFarms(t, x.dir, mutantFarm(installed, all))
	out, err := runTianhai(t, "account", "add", "chief", "--role", "administrator", "--data", x.dir)
	if err != nil {
		t.Fatalf("add an account: %v\n%s", err, out)
	}
	x.start()
	each := *mutatedFrames / len(all)
	var sending sync.WaitGroup
	for i, m := range all {
		m.secret = secrets[m.device]
		sending.Go(func() {
			if err := m.send(x.s.MQTT, uint64(i), each); err != nil {
				t.Errorf("%s: %v", m.device, err)
			}
		})
	}
	sending.Wait()
	acknowledged := each * len(all)
	waitFor(t, "everything in the journal to be stored", 20*time.Minute, func() bool {
		return x.s.metric("tianhai_frames_stored_total")+x.s.metric("tianhai_frames_quarantined_total") >= acknowledged
	})
	x.settled()
	stored, aside := x.s.metric("tianhai_frames_stored_total"), x.s.metric("tianhai_frames_quarantined_total")
	t.Logf("acknowledged %d = stored %d + quarantined %d", acknowledged, stored, aside)
	if got := x.s.metric("tianhai_frames_acknowledged_total"); got != acknowledged || stored+aside != acknowledged {
		t.Errorf("acknowledged %d (the server says %d), stored %d and quarantined %d", acknowledged, got, stored, aside)
	}
	b := newBrowser(t, x.s.HTTP)
	b.login("chief", regexp.MustCompile(`password (\S+)`).FindStringSubmatch(out)[1])
	listed := 0
	for _, m := range all {
		listed += m.check(t, x, b, installed)
	}
	if listed != aside {
		t.Errorf("%d frames are in quarantine, the server counted %d", listed, aside)
	}
	x.bounded()
}

// check holds one device's frames against quarantine and store. It returns how
// many are in quarantine.
func (m *mutant) check(t *testing.T, x *trial, b *browser, installed time.Time) int {
	t.Helper()
	aside := map[string]int{}
	for _, q := range quarantined(b, m.device) {
		aside[string(q.Payload)]++
	}
	url, token := x.influx()
	rows := map[int64]bool{}
	for _, row := range queryInflux(t, url, token, fmt.Sprintf(`SELECT * FROM water WHERE device='%s'`, m.device)) {
		rows[int64(row[0].(float64))] = true
	}
	n := 0
	for payload, times := range aside {
		n += times
		if m.sent[payload] != times {
			t.Errorf("%s: %q is in quarantine %d times and was sent %d times", m.device, payload, times, m.sent[payload])
		}
	}
	decoder, _ := decode.ByFormat(m.format)
	for payload := range m.sent {
		if aside[payload] > 0 {
			continue
		}
		values, err := decoder([]byte(payload), nil)
		if err != nil || len(values) == 0 {
			t.Errorf("%s: %q is not in quarantine, and holds no value: %v", m.device, payload, err)
		}
		for _, v := range values {
			credible := !v.Time.Before(installed) && v.Time.Before(time.Now())
			if credible && !v.Extra && !rows[v.Time.UnixMilli()] {
				t.Errorf("%s: of %q nothing is stored at %v", m.device, payload, v.Time)
			}
		}
	}
	return n
}
