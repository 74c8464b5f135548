package fleet

import "time"

// A clock is virtual time: it runs at speed from start, which was at began in
// real time, and with catchUp never gets ahead of real time.
type clock struct {
	start, began time.Time
	speed        float64
	catchUp      bool
	now          func() time.Time
}

// virtual returns the virtual time.
func (c clock) virtual() time.Time {
	real := c.now()
	v := c.start.Add(time.Duration(float64(real.Sub(c.began)) * c.speed))
	if c.catchUp && v.After(real) {
		return real
	}
	return v
}

// until returns how long it is, in real time, until virtual time reaches v; not
// positive when it has.
func (c clock) until(v time.Time) time.Duration {
	real := c.now()
	due := c.began.Add(time.Duration(float64(v.Sub(c.start)) / c.speed))
	if c.catchUp && due.Before(v) {
		due = v
	}
	return due.Sub(real)
}
