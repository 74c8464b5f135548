package mapping

import (
	"bytes"
	"context"
	"errors"
	"time"

	"tianhai/ingest"
	"tianhai/ingest/decode"
	"tianhai/ingest/device"
)

// A Trial is a mapping that is tried before it is saved.
type Trial struct {
	Doc      string
	Sample   []byte        // a payload
	Model    *device.Model // whose channels the readings are of; nil: only what the mapping says
	Received time.Time
}

// An Outcome is what would come of the sample.
type Outcome struct {
	Readings []Reading `json:"readings"`
	Fault    *Fault    `json:"fault,omitempty"` // there are no readings then
}

// A Reading is one value of the sample.
type Reading struct {
	Channel string    `json:"channel"`
	Time    time.Time `json:"time"`
	// ServerTime reports that Time is when the payload came, because it has none
	// or one that is not believed.
	ServerTime bool     `json:"server_time,omitempty"`
	Number     *float64 `json:"number,omitempty"` // as mapped, in NumberUnit; none: missing
	NumberUnit string   `json:"number_unit,omitempty"`
	Missing    bool     `json:"missing,omitempty"`
	// What would be stored: Value of Quantity in Unit. Without a model, or where
	// there is a problem, these are empty.
	Quantity string   `json:"quantity,omitempty"`
	Value    *float64 `json:"value,omitempty"`
	Unit     string   `json:"unit,omitempty"`
	Problem  string   `json:"problem,omitempty"` // why it would go to quarantine
}

// A Fault says where the mapping or the sample cannot be read.
type Fault struct {
	In      string `json:"in"`             // "doc" or "sample"
	Line    int    `json:"line,omitempty"` // from 1
	Column  int    `json:"column,omitempty"`
	Byte    *int   `json:"byte,omitempty"`   // from 0
	Key     string `json:"key,omitempty"`    // of the mapping
	Member  string `json:"member,omitempty"` // of the sample
	Message string `json:"message"`
}

// Try reads the sample by the mapping, with the same steps as a device's frame
// takes, and stores nothing.
func Try(ctx context.Context, t Trial) Outcome {
	m, err := decode.ParseMapping([]byte(t.Doc))
	if err != nil {
		return Outcome{Readings: []Reading{}, Fault: faultOf(err, nil)}
	}
	values, err := m.Decode(t.Sample)
	if err != nil {
		return Outcome{Readings: []Reading{}, Fault: faultOf(err, t.Sample)}
	}
	out := Outcome{Readings: make([]Reading, 0, len(values))}
	seen := map[moment]bool{}
	for _, v := range values {
		r := t.reading(ctx, v)
		if at := (moment{r.Quantity, r.Time}); r.Quantity != "" && seen[at] {
			r.Problem, r.Quantity, r.Value, r.Unit = "a second value for "+r.Quantity+" at the same time", "", nil, ""
		} else {
			seen[at] = true
		}
		out.Readings = append(out.Readings, r)
	}
	return out
}

// A moment of a quantity has one value.
type moment struct {
	quantity string
	at       time.Time
}

// reading passes one value through the interpreter alone.
func (t *Trial) reading(ctx context.Context, v ingest.Value) Reading {
	r := Reading{Channel: v.Channel, Missing: v.Missing, NumberUnit: v.Unit, Time: v.Time}
	if !v.Missing {
		r.Number = &v.Number
	}
	if r.Time.IsZero() {
		r.Time, r.ServerTime = t.Received.UTC().Truncate(time.Millisecond), true
	}
	if t.Model == nil {
		return r
	}
	profile := t.Model.Profile()
	profile.Installations = []ingest.Installation{{From: time.Unix(0, 0)}}
	in := ingest.Interpreter{
		Profiles: tried{profile},
		Decode: func(string) (decode.Decoder, bool) {
			return func([]byte, []ingest.Value) ([]ingest.Value, error) { return []ingest.Value{v}, nil }, true
		},
		Quality: unjudged{},
	}
	obs, err := in.Interpret(ctx, ingest.Frame{Device: "trial", Received: t.Received})
	if err != nil {
		r.Problem = err.Error()
	}
	for _, o := range obs {
		r.Time, r.ServerTime = o.Time, o.ServerTime
		for _, stored := range o.Readings {
			r.Quantity, r.Unit = stored.Quantity.ID, stored.Quantity.Unit
			if !v.Missing {
				r.Value = &stored.Value
			}
		}
	}
	return r
}

// tried is the profile of a device that there is not.
type tried struct{ profile *ingest.Profile }

func (p tried) Profile(context.Context, string) (*ingest.Profile, error) { return p.profile, nil }

// unjudged flags nothing: what is tried has no history.
type unjudged struct{}

func (unjudged) Flag(ingest.Sample) ingest.Flag { return ingest.NotEvaluated }

func faultOf(err error, sample []byte) *Fault {
	if at := (*decode.MappingError)(nil); errors.As(err, &at) {
		return &Fault{In: "doc", Line: at.Line, Key: at.Key, Message: at.Err.Error()}
	}
	if at := (*ingest.DecodeError)(nil); errors.As(err, &at) {
		f := &Fault{In: "sample", Member: at.Member, Message: at.Err.Error()}
		if at.Offset >= 0 && at.Offset <= len(sample) {
			before := sample[:at.Offset]
			f.Byte = &at.Offset
			f.Line = 1 + bytes.Count(before, []byte("\n"))
			f.Column = 1 + len([]rune(string(before[1+bytes.LastIndexByte(before, '\n'):])))
		}
		return f
	}
	return &Fault{In: "doc", Message: err.Error()}
}
