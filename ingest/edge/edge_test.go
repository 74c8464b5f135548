package edge_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tianhai/ingest"
	"tianhai/ingest/edge"
)

var noon = time.Date(2026, 8, 1, 4, 0, 0, 0, time.UTC)

// A metric of a message: with a name and a datatype as births have them, or an
// alias alone.
type metric struct {
	name  string
	alias uint64
	value float64
}

// payload makes a message without the product's code.
func payload(seq int, metrics ...metric) []byte {
	field := func(b []byte, n, kind uint64) []byte { return binary.AppendUvarint(b, n<<3|kind) }
	var out []byte
	for _, m := range metrics {
		var x []byte
		if m.name != "" {
			x = append(binary.AppendUvarint(field(x, 1, 2), uint64(len(m.name))), m.name...)
			x = binary.AppendUvarint(field(x, 4, 0), 10) // Double
		}
		x = binary.AppendUvarint(field(x, 2, 0), m.alias)
		x = binary.LittleEndian.AppendUint64(field(x, 13, 1), math.Float64bits(m.value))
		out = append(binary.AppendUvarint(field(out, 2, 2), uint64(len(x))), x...)
	}
	if seq >= 0 {
		out = binary.AppendUvarint(field(out, 3, 0), uint64(seq))
	}
	return out
}

// A bench is a chain at work, and what it told.
type bench struct {
	t     *testing.T
	file  string
	chain *edge.Chain
	seq   uint64
	now   time.Time
	told  []string
}

func newBench(t *testing.T) *bench {
	b := &bench{t: t, file: filepath.Join(t.TempDir(), "edges"), now: noon}
	b.open()
	return b
}

func (b *bench) open() {
	b.t.Helper()
	var err error
	b.chain, err = edge.Open(edge.Options{
		File:     b.file,
		Rebirth:  func(group, node string) { b.told = append(b.told, "rebirth "+group+"/"+node) },
		Presence: func(name string, online bool) { b.told = append(b.told, fmt.Sprint(name, " ", online)) },
		Mended:   func(name string) { b.told = append(b.told, "mended "+name) },
		Now:      func() time.Time { return b.now },
	})
	if err != nil {
		b.t.Fatal(err)
	}
	chain := b.chain
	b.t.Cleanup(func() { chain.Close() })
}

// frame journals a message.
func (b *bench) frame(topic string, payload []byte) ingest.Frame {
	b.t.Helper()
	node, contentType, ok := edge.Locate(topic)
	if !ok {
		b.t.Fatalf("topic %s", topic)
	}
	b.seq++
	b.now = b.now.Add(time.Second)
	return ingest.Frame{Seq: b.seq, Device: node, ContentType: contentType, Received: b.now, Payload: payload}
}

// says returns what a frame says, or why it says nothing.
func (b *bench) says(c ingest.Chain, f ingest.Frame) string {
	b.t.Helper()
	owner, ok := c.Owner(&f)
	if !ok {
		b.t.Fatalf("%+v is no frame of an edge node", f)
	}
	values, err := c.Read(b.t.Context(), &f)
	if err != nil {
		return err.Error()
	}
	text := owner
	for _, v := range values {
		text += fmt.Sprint(" ", v.Channel, "=", v.Number)
	}
	return text
}

func (b *bench) want(f ingest.Frame, want string, told ...string) {
	b.t.Helper()
	b.told = nil
	got := b.says(b.chain, f)
	if want != got && (want == "" || !strings.Contains(got, want)) {
		b.t.Errorf("frame %d: %s, want %s", f.Seq, got, want)
	}
	if !slices.Equal(b.told, told) {
		b.t.Errorf("frame %d: told %q, want %q", f.Seq, b.told, told)
	}
}

const base = "spBv1.0/bay/"

func (b *bench) keep() {
	b.t.Helper()
	if err := b.chain.Keep(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
}

// A node's day: births, data, a gap, a rebirth, and who is told.
func TestChain(t *testing.T) {
	b := newBench(t)
	temp, do := metric{"t", 1, 20}, metric{"do", 2, 7}
	b.want(b.frame(base+"NDATA/raft", payload(3, metric{"", 1, 1})), "no birth was seen", "rebirth bay/raft")
	b.want(b.frame(base+"NBIRTH/raft", payload(0, temp)), "bay/raft t=20", "bay/raft true", "mended bay/raft")
	b.want(b.frame(base+"DBIRTH/raft/probe", payload(1, do)), "bay/raft/probe do=7", "bay/raft/probe true", "mended bay/raft/probe")
	b.want(b.frame(base+"DDATA/raft/probe", payload(2, metric{"", 2, 6})), "bay/raft/probe do=6")
	lost := b.frame(base+"DDATA/raft/probe", payload(4, metric{"", 2, 5}))
	b.want(lost, "sequence number 4 after 2", "rebirth bay/raft")
	late := b.frame(base+"NDATA/raft", payload(5, metric{"", 1, 21}))
	b.want(late, "no birth was seen", "rebirth bay/raft")
	if got := b.says(b.chain.Again(), lost); !strings.Contains(got, "no birth is known") {
		t.Errorf("before the rebirth it is read again: %s", got)
	}
	b.want(b.frame(base+"NBIRTH/raft", payload(0, temp)), "bay/raft t=20", "bay/raft true", "mended bay/raft")
	b.want(b.frame(base+"DBIRTH/raft/probe", payload(1, do)), "bay/raft/probe do=7", "bay/raft/probe true", "mended bay/raft/probe")
	for f, want := range map[*ingest.Frame]string{&lost: "bay/raft/probe do=5", &late: "bay/raft t=21"} {
		if got := b.says(b.chain.Again(), *f); got != want {
			t.Errorf("read again: %s, want %s", got, want)
		}
	}
	b.want(b.frame(base+"DDEATH/raft/probe", payload(2)), "bay/raft/probe", "bay/raft/probe false")
	b.want(b.frame(base+"NDEATH/raft", payload(-1)), "bay/raft", "bay/raft false", "bay/raft/probe false")
	b.want(b.frame(base+"NDATA/raft", payload(3, metric{"", 1, 1})), "no birth was seen", "rebirth bay/raft")
	old := b.frame(base+"NDATA/raft", payload(3, metric{"", 1, 1}))
	old.Received = old.Received.Add(-time.Hour)
	b.want(old, "no birth was seen")
}

// What came before a birth is not read by it where the births around disagree, or
// the node died in between.
func TestAgainRefuses(t *testing.T) {
	b := newBench(t)
	b.want(b.frame(base+"NBIRTH/raft", payload(0, metric{"t", 1, 20}, metric{"do", 2, 7})), "bay/raft t=20 do=7", "bay/raft true", "mended bay/raft")
	same := b.frame(base+"NDATA/raft", payload(9, metric{"", 1, 1}))
	other := b.frame(base+"NDATA/raft", payload(10, metric{"", 2, 2}))
	b.want(same, "sequence number 9", "rebirth bay/raft")
	b.want(other, "no birth was seen", "rebirth bay/raft")
	b.want(b.frame(base+"NBIRTH/raft", payload(0, metric{"t", 1, 20}, metric{"ph", 2, 8})), "bay/raft t=20 ph=8", "bay/raft true", "mended bay/raft")
	if got := b.says(b.chain.Again(), same); got != "bay/raft t=1" {
		t.Errorf("what both births call alike: %s", got)
	}
	if got := b.says(b.chain.Again(), other); !strings.Contains(got, `alias 2 is "ph" in one birth and "do" in another`) {
		t.Errorf("what they call otherwise: %s", got)
	}
	last := b.frame(base+"NDATA/raft", payload(9, metric{"", 1, 1}))
	b.want(last, "sequence number 9", "rebirth bay/raft")
	b.want(b.frame(base+"NDEATH/raft", payload(-1)), "bay/raft", "bay/raft false")
	b.want(b.frame(base+"NBIRTH/raft", payload(0, metric{"t", 1, 20})), "bay/raft t=20", "bay/raft true", "mended bay/raft")
	if got := b.says(b.chain.Again(), last); !strings.Contains(got, "no birth is known") {
		t.Errorf("what came before a death: %s", got)
	}
}

// A crash at any point raises no gap, and what comes again says what it said.
func TestCrash(t *testing.T) {
	births := func(b *bench) []ingest.Frame {
		frames := []ingest.Frame{
			b.frame(base+"NBIRTH/raft", payload(0, metric{"t", 1, 20})),
			b.frame(base+"DBIRTH/raft/probe", payload(1, metric{"do", 2, 7})),
			b.frame(base+"DDATA/raft/probe", payload(2, metric{"", 2, 6})),
			b.frame(base+"NBIRTH/raft", payload(0, metric{"do", 1, 7})), // the same aliases, otherwise
			b.frame(base+"NDATA/raft", payload(1, metric{"", 1, 5})),
			b.frame(base+"DBIRTH/raft/probe", payload(2, metric{"t", 2, 21})),
			b.frame(base+"DDATA/raft/probe", payload(3, metric{"", 2, 22})),
		}
		for i := range 300 { // more than a sequence
			frames = append(frames, b.frame(base+"NDATA/raft", payload((4+i)%256, metric{"", 1, float64(i)})))
		}
		return frames
	}
	ref := newBench(t)
	var want []string
	for _, f := range births(ref) {
		want = append(want, ref.says(ref.chain, f))
	}
	for _, kept := range []int{0, 1, 3, 4, 6, 7, 200} {
		for cursor := max(0, kept-5); cursor <= kept; cursor++ {
			b := newBench(t)
			frames := births(b)
			for i, f := range frames {
				if got := b.says(b.chain, f); got != want[i] {
					t.Fatalf("frame %d: %s, want %s", i, got, want[i])
				}
				if i+1 == kept {
					b.keep()
					break
				}
			}
			b.open() // without Close
			b.told = nil
			for i, f := range frames[cursor:] {
				if got := b.says(b.chain, f); got != want[cursor+i] {
					t.Errorf("kept %d, again from %d, frame %d: %s, want %s", kept, cursor, cursor+i, got, want[cursor+i])
				}
			}
			if slices.ContainsFunc(b.told, func(s string) bool { return strings.HasPrefix(s, "rebirth") }) {
				t.Errorf("kept %d, again from %d: told %q", kept, cursor, b.told)
			}
		}
	}
}

// A file that a crash cut in the middle of a line costs that line; one that holds
// something else is refused.
func TestFile(t *testing.T) {
	b := newBench(t)
	b.says(b.chain, b.frame(base+"NBIRTH/raft", payload(0, metric{"t", 1, 20})))
	b.keep()
	whole, err := os.ReadFile(b.file)
	if err != nil {
		t.Fatal(err)
	}
	next := b.frame(base+"NDATA/raft", payload(1, metric{"", 1, 5}))
	for cut := range whole {
		if err := os.WriteFile(b.file, whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		b.open()
		if got := b.says(b.chain, next); !strings.Contains(got, "no birth was seen") {
			t.Fatalf("cut at %d: %s", cut, got)
		}
	}
	if err := os.WriteFile(b.file, append(slices.Clone(whole), "nonsense\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := edge.Open(edge.Options{File: b.file}); err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("a file with nonsense: %v", err)
	}
}

// A journal that begins anew counts anew: nothing is taken for a repeat.
func TestNewJournal(t *testing.T) {
	b := newBench(t)
	b.seq = 5000
	b.want(b.frame(base+"NBIRTH/raft", payload(0, metric{"t", 1, 20})), "bay/raft t=20", "bay/raft true", "mended bay/raft")
	old := b.frame(base+"NDATA/raft", payload(7, metric{"", 1, 1}))
	b.want(old, "sequence number 7", "rebirth bay/raft")
	b.seq = 0
	b.want(b.frame(base+"NDATA/raft", payload(8, metric{"", 1, 1})), "no birth was seen", "rebirth bay/raft")
	b.want(b.frame(base+"NBIRTH/raft", payload(0, metric{"do", 1, 20})), "bay/raft do=20", "bay/raft true", "mended bay/raft")
	if got := b.says(b.chain.Again(), old); !strings.Contains(got, "no birth is known") {
		t.Errorf("a frame of the old journal: %s", got)
	}
}

// A device that claims to be an edge node is not heard as one.
func TestOwner(t *testing.T) {
	b := newBench(t)
	f := b.frame(base+"DDATA/raft/probe", nil)
	for device, want := range map[string]bool{"bay/raft": true, "bay/raft/probe": true, "sonde": false, "bay/other": false} {
		f.Device = device
		if _, ok := b.chain.Owner(&f); ok != want {
			t.Errorf("from %s: %v, want %v", device, ok, want)
		}
	}
	for _, topic := range []string{"spBv1.0/bay/NCMD/raft", "spBv1.0/STATE/host", "th/sonde/up", "spBv1.0/bay/NDATA/raft/probe", "spBv1.0/bay/DDATA/raft"} {
		if _, _, ok := edge.Locate(topic); ok {
			t.Errorf("%s is taken for readings", topic)
		}
	}
}

// A node is asked once and some time later again, and sooner where it could not be.
func TestAsker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var asked []string
		var fail error
		a := &edge.Asker{Publish: func(_ context.Context, node, topic string, payload []byte) error {
			mu.Lock()
			defer mu.Unlock()
			asked = append(asked, node+" "+topic)
			if !strings.Contains(string(payload), "Node Control/Rebirth") {
				t.Errorf("payload % x", payload)
			}
			return fail
		}}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- a.Run(ctx) }()
		want := func(what string, n int) {
			t.Helper()
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			if len(asked) != n {
				t.Errorf("%s: asked %q, want %d", what, asked, n)
			}
		}
		a.Ask("bay", "raft")
		a.Ask("bay", "raft")
		want("twice at once", 1)
		a.Ask("bay", "pond")
		want("another node", 2)
		time.Sleep(edge.AskEvery)
		fail = errors.New("away")
		a.Ask("bay", "raft")
		want("a minute later, in vain", 3)
		fail = nil
		a.Ask("bay", "raft")
		want("at once after that", 4)
		if asked[0] != "bay/raft spBv1.0/bay/NCMD/raft" {
			t.Errorf("asked %s", asked[0])
		}
		stop()
		<-done
	})
}

// FuzzFile opens whatever the file holds, or says that it cannot.
func FuzzFile(f *testing.F) {
	f.Add([]byte(`{"node":"a/b","whole":{"last":1,"seq":0,"bd":0,"since":0,"at":0,"births":{"":[{"place":1,"metrics":{"t":10},"aliases":{"1":"t"}}]}}}` + "\n" + `{"node":"a/b","last":2,"seq":1}` + "\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		name := filepath.Join(t.TempDir(), "edges")
		if err := os.WriteFile(name, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := edge.Open(edge.Options{File: name})
		if err != nil {
			return
		}
		defer c.Close()
		for i, verb := range []string{"NDATA/b", "DBIRTH/b/c", "DDATA/b/c", "NBIRTH/b", "DBIRTH/b/c", "NDEATH/b"} {
			node, contentType, _ := edge.Locate("spBv1.0/a/" + verb)
			fr := ingest.Frame{Seq: uint64(i + 2), Device: node, ContentType: contentType, Received: noon, Payload: payload(i, metric{"t", 1, 1})}
			_, _ = c.Read(t.Context(), &fr)
			_, _ = c.Again().Read(t.Context(), &fr)
		}
		if err := c.Keep(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}
