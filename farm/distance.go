package farm

import "math"

const radian = math.Pi / 180

// Distance returns how far q is from p in metres, on a sphere: within 0.6 % of the
// ellipsoid.
func (p Position) Distance(q Position) float64 {
	// The haversine keeps its digits where p and q are close together.
	hav := func(a float64) float64 { s := math.Sin(a * radian / 2); return s * s }
	h := hav(q.Latitude-p.Latitude) + math.Cos(p.Latitude*radian)*math.Cos(q.Latitude*radian)*hav(q.Longitude-p.Longitude)
	return 2 * earthRadius * math.Asin(math.Sqrt(min(h, 1)))
}

// Distance returns how far p is from the boundary in metres; 0 within it. The zero
// Boundary is infinitely far.
func (b Boundary) Distance(p Position) float64 {
	if b.Contains(p) {
		return 0
	}
	least := math.Inf(1)
	for _, ring := range b.Rings {
		for i := range len(ring) - 1 {
			least = min(least, p.Distance(nearest(p, ring[i], ring[i+1])))
		}
	}
	return least
}

// nearest returns the point of the edge from a to b that is nearest to p, on the
// plane that touches the earth there: no site spans more than a degree.
func nearest(p, a, b Position) Position {
	east := math.Cos(a.Latitude * radian)
	dx, dy := (b.Longitude-a.Longitude)*east, b.Latitude-a.Latitude
	along := ((p.Longitude-a.Longitude)*east*dx + (p.Latitude-a.Latitude)*dy) / (dx*dx + dy*dy)
	along = max(0, min(1, along))
	return Position{a.Longitude + along*(b.Longitude-a.Longitude), a.Latitude + along*(b.Latitude-a.Latitude)}
}
