package fleet

import (
	"encoding/json"
	"slices"
	"time"
)

// Reasons for which a device refuses a command, in the "error" of its answer.
const (
	refusedMalformed = "malformed"       // not the JSON of a command
	refusedExpired   = "expired"         // or without a time at which it does
	refusedUnknown   = "unknown_command" // not one of the kind's
	refusedValue     = "unknown_value"   // neither "on" nor "off"
)

// remembered is how many commands a device knows to have had.
const remembered = 64

type command struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"`
	Value   string    `json:"value"`
	Expires time.Time `json:"expires"`
}

type answer struct {
	ID    string `json:"id"`
	OK    bool   `json:"ok"`
	Error string `json:"error,omitempty"`
}

// Orders are the commands a device has had. A broker may deliver one twice; the
// device does it once and gives the same answer again.
type orders struct {
	kind  Kind
	now   func() time.Time
	do    func(name string, on bool)
	given []answer // latest last
}

// obey carries out a command and returns the answer; nil where there is nobody
// to answer, because the command has no id.
func (o *orders) obey(payload []byte) []byte {
	var c command
	err := json.Unmarshal(payload, &c)
	if c.ID == "" {
		return nil
	}
	i := slices.IndexFunc(o.given, func(a answer) bool { return a.ID == c.ID })
	if i < 0 {
		a := answer{ID: c.ID, Error: o.refuse(c, err)}
		if a.OK = a.Error == ""; a.OK {
			o.do(c.Name, c.Value == "on")
		}
		o.given = append(o.given, a)
		if len(o.given) > remembered {
			o.given = slices.Delete(o.given, 0, 1)
		}
		i = len(o.given) - 1
	}
	b, err := json.Marshal(o.given[i])
	if err != nil {
		return nil
	}
	return b
}

// refuse returns why c is not obeyed; empty when it is. A command without an
// expiry is refused: a broker might hold it for days and then start an aerator.
func (o *orders) refuse(c command, err error) string {
	switch {
	case err != nil:
		return refusedMalformed
	case !slices.Contains(o.kind.Commands, c.Name):
		return refusedUnknown
	case c.Value != "on" && c.Value != "off":
		return refusedValue
	case !o.now().Before(c.Expires):
		return refusedExpired
	}
	return ""
}
