package device

import (
	"errors"
	"fmt"
)

// A Fault says what is wrong with one field of something that was handed in.
type Fault struct {
	Line   int    `json:"line,omitempty"` // of a file; the first is 1
	Field  string `json:"field"`          // such as "channels[2].key", or a column of a file
	Reason string `json:"reason"`         // English, for whoever wrote it
}

func (f Fault) Error() string {
	if f.Line > 0 {
		return fmt.Sprintf("line %d: %s: %s", f.Line, f.Field, f.Reason)
	}
	return f.Field + ": " + f.Reason
}

// join makes one error of faults; nil of none.
func join(faults []Fault) error {
	errs := make([]error, len(faults))
	for i, f := range faults {
		errs[i] = f
	}
	return errors.Join(errs...)
}
