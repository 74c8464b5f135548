package evidence

import (
	"errors"
	"io"

	"tianhai/farm"
)

// A Difference is a row that was sealed and is not stored any more, or the other way
// round. A row that changed is both.
type Difference struct {
	farm.Sample
	Added bool // stored, and not in what was sealed
}

// Compare passes what is different between a sealed series, whose rows next gives
// until io.EOF, and the stored rows, which it takes one by one, in order; the last
// call is to End.
type Compare struct {
	next func() (farm.Sample, error)
	pass func(Difference) error
	head *farm.Sample
	done bool
}

// NewCompare holds what is stored against what sealed says.
func NewCompare(sealed *Reader, pass func(Difference) error) *Compare {
	return &Compare{next: sealed.Next, pass: pass}
}

func (c *Compare) peek() (*farm.Sample, error) {
	if c.head != nil || c.done {
		return c.head, nil
	}
	s, err := c.next()
	if errors.Is(err, io.EOF) {
		c.done = true
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	c.head = &s
	return c.head, nil
}

// Add takes the next stored row.
func (c *Compare) Add(stored farm.Sample) error {
	for {
		sealed, err := c.peek()
		if err != nil {
			return err
		}
		if sealed == nil || compare(*sealed, stored) > 0 {
			return c.pass(Difference{stored, true})
		}
		c.head = nil
		if compare(*sealed, stored) == 0 {
			return nil
		}
		if err := c.pass(Difference{*sealed, false}); err != nil {
			return err
		}
	}
}

// End says that nothing else is stored.
func (c *Compare) End() error {
	for {
		sealed, err := c.peek()
		if sealed == nil || err != nil {
			return err
		}
		c.head = nil
		if err := c.pass(Difference{*sealed, false}); err != nil {
			return err
		}
	}
}
