package trace

import (
	"math"

	"tianhai/farm"
)

// How far from its site a position may be and still be at it.
const (
	reach      = 200.0  // metres beyond the boundary: a boat drifts, a gate is down the road
	reachPoint = 2000.0 // metres from the point of a site whose boundary nobody has drawn
)

// outOfReach reports whether a position is too far from a site for what was
// recorded there to have been recorded there. What the client says of its own
// accuracy counts in its favour, up to as much again.
func outOfReach(site farm.Site, p Position) bool {
	at := farm.Position{Longitude: p.Longitude, Latitude: p.Latitude}
	if site.Boundary.IsZero() {
		if site.Latitude == 0 && site.Longitude == 0 {
			return false // nobody has said where the site is
		}
		limit := reachPoint + math.Sqrt(site.Area)
		return at.Distance(farm.Position{Longitude: site.Longitude, Latitude: site.Latitude}) > limit+min(p.Accuracy, limit)
	}
	return site.Boundary.Distance(at) > reach+min(p.Accuracy, reach)
}
