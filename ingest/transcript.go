package ingest

// maxRoom bounds what a transcript keeps for use again, in readings: about 3 MiB.
const maxRoom = 1 << 15

// maxValues bounds what it keeps for the values of one frame.
const maxValues = 1 << 10

// A transcript is what frames say, one after the other, in memory that is used
// again: under load, making room for readings costs more than reading them. The
// zero transcript is ready.
type transcript struct {
	observations []Observation
	room         []Reading // the readings of the last observations, and room for more
	readings     int       // since reset
	values       []Value   // room for those of the next frame
}

// begin adds an observation without readings, at most n of which will follow.
func (t *transcript) begin(o Observation, n int) *Observation {
	if have := len(t.room); cap(t.room)-have < n {
		t.room = make([]Reading, 0, max(n, min(2*have, maxRoom)))
	}
	have := len(t.room)
	o.Readings = t.room[have:have:min(have+n, cap(t.room))]
	t.observations = append(t.observations, o)
	return &t.observations[len(t.observations)-1]
}

// put adds a reading to the observation that was begun last.
func (t *transcript) put(o *Observation, r Reading) {
	o.Readings = append(o.Readings, r)
	if have := len(t.room); have < cap(t.room) {
		t.room = t.room[:have+1]
	}
	t.readings++
}

// lend has the next frame's values put where these are, which few frames have
// more of.
func (t *transcript) lend(values []Value) {
	if cap(values) <= maxValues {
		t.values = values
	}
}

// reset forgets everything: nobody may hold on to what was in t.
func (t *transcript) reset() {
	if t.readings > cap(t.room) && t.readings <= maxRoom {
		t.room = make([]Reading, 0, t.readings)
	}
	if len(t.observations) > maxRoom {
		t.observations = nil
	}
	clear(t.observations)
	t.observations, t.room, t.readings = t.observations[:0], t.room[:0], 0
}
