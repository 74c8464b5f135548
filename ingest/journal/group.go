package journal

import (
	"context"
	"strconv"
	"sync"

	"github.com/nats-io/nats.go"

	"tianhai/ingest"
)

// A record, which is one message of the stream, holds as many frames as these
// bounds allow, but always one.
const (
	maxGroup      = 512
	maxGroupBytes = 256 << 10

	// groupToken stands in the subject where version 1 had the device. No
	// device's token is like it.
	groupToken = "="
)

// A lane puts the frames of one partition together. While one record is on its
// way to the server, those who append meanwhile fill the next: the busier the
// journal, the larger its records, and nobody waits for a clock.
type lane struct {
	subject string
	turn    chan struct{} // holds a token while a record is on its way

	mu   sync.Mutex // guards open
	open *group     // takes frames; nil when there is none
}

// A group becomes a record.
type group struct {
	data   []byte
	frames int
	done   chan struct{} // closed when err is final
	err    error
}

func newLanes(n int) []*lane {
	lanes := make([]*lane, n)
	for p := range lanes {
		lanes[p] = &lane{subject: frameSubject + strconv.Itoa(p) + "." + groupToken, turn: make(chan struct{}, 1)}
	}
	return lanes
}

// join puts frames into a group, all into the same. Whoever begins a group must
// send it.
func (l *lane) join(frames []ingest.Frame, size int) (g *group, first bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	g = l.open
	if g == nil || g.frames+len(frames) > maxGroup || len(g.data)+size > maxGroupBytes {
		g, first = &group{data: append(make([]byte, 0, 1+size), envelopeV2), done: make(chan struct{})}, true
		l.open = g
	}
	for i := range frames {
		g.data = appendGrouped(g.data, &frames[i])
	}
	g.frames += len(frames)
	return g, first
}

// send waits for the lane's turn, and lets others join until then. It gives up
// its turn to nobody: those who joined depend on it.
func (j *Journal) send(l *lane, g *group) {
	l.turn <- struct{}{}
	l.mu.Lock()
	if l.open == g {
		l.open = nil
	}
	l.mu.Unlock()
	g.err = j.publish(l.subject, g.data)
	<-l.turn
	close(g.done)
}

func (j *Journal) publish(subject string, data []byte) error {
	if err := j.takes(uint64(len(data)), j.opt.reserve); err != nil {
		return err
	}
	future, err := j.js.PublishMsgAsync(&nats.Msg{Subject: subject, Data: data})
	if err != nil {
		return err
	}
	select {
	case <-future.Ok():
		return nil
	case err := <-future.Err():
		return err
	}
}

// appendGroup keeps frames of one partition that fit into one record.
func (j *Journal) appendGroup(ctx context.Context, l *lane, frames []ingest.Frame, size int) error {
	g, first := l.join(frames, size)
	if first {
		j.send(l, g)
		return g.err
	}
	select {
	case <-g.done:
		return g.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// split returns frames by partition, those of each in the order given.
func split(frames []ingest.Frame, partitions int) [][]ingest.Frame {
	sorted := make([][]ingest.Frame, partitions)
	of := make([]int, len(frames))
	sizes := make([]int, partitions)
	for i := range frames {
		if i > 0 && frames[i].Device == frames[i-1].Device {
			of[i] = of[i-1]
		} else {
			of[i] = partition(frames[i].Device, partitions)
		}
		sizes[of[i]]++
	}
	if len(frames) > 0 && sizes[of[0]] == len(frames) {
		sorted[of[0]] = frames
		return sorted
	}
	room := make([]ingest.Frame, len(frames))
	for p, n := range sizes {
		sorted[p], room = room[:0:n], room[n:]
	}
	for i, p := range of {
		sorted[p] = append(sorted[p], frames[i])
	}
	return sorted
}

// appendAll keeps frames of one partition, in order.
func (j *Journal) appendAll(ctx context.Context, p int, frames []ingest.Frame) error {
	for len(frames) > 0 {
		n, size := 0, 0
		for n < len(frames) && n < maxGroup {
			more := groupedSize(&frames[n])
			if n > 0 && size+more > maxGroupBytes {
				break
			}
			n, size = n+1, size+more
		}
		if err := j.appendGroup(ctx, j.lanes[p], frames[:n], size); err != nil {
			return err
		}
		frames = frames[n:]
	}
	return nil
}
