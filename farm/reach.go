package farm

import "math"

// How far from its site a position may be and still be at it.
const (
	reach      = 200.0  // metres beyond the boundary: a boat drifts, a gate is down the road
	reachPoint = 2000.0 // metres from the point of a site whose boundary nobody has drawn
)

// Far reports whether a position is too far from a site for what was recorded there
// to have been recorded there. What the client says of its own accuracy, in metres,
// counts in its favour, up to as much again.
func (s Site) Far(at Position, accuracy float64) bool {
	if s.Boundary.IsZero() {
		if s.Latitude == 0 && s.Longitude == 0 {
			return false // nobody has said where the site is
		}
		limit := reachPoint + math.Sqrt(s.Area)
		return at.Distance(Position{Longitude: s.Longitude, Latitude: s.Latitude}) > limit+min(accuracy, limit)
	}
	return s.Boundary.Distance(at) > reach+min(accuracy, reach)
}
