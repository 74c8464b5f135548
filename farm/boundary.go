package farm

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
)

// MaxVertices is the most that a boundary may have in all its rings.
const MaxVertices = 2000

// A Position is a place on WGS 84, in degrees.
type Position struct{ Longitude, Latitude float64 }

// A Boundary is the edge of a site on WGS 84: an outer ring and holes in it, each
// closed by repeating its first position. In JSON it is a GeoJSON Polygon
// (RFC 7946 §3.1.6). The zero Boundary is none.
type Boundary struct{ Rings [][]Position }

// IsZero reports whether there is no boundary.
func (b Boundary) IsZero() bool { return len(b.Rings) == 0 }

type geoJSON struct {
	Type        string         `json:"type"`
	Coordinates [][][2]float64 `json:"coordinates"`
}

// MarshalJSON writes a GeoJSON Polygon, or null.
func (b Boundary) MarshalJSON() ([]byte, error) {
	if b.IsZero() {
		return []byte("null"), nil
	}
	g := geoJSON{Type: "Polygon"}
	for _, ring := range b.Rings {
		out := make([][2]float64, len(ring))
		for i, p := range ring {
			out[i] = [2]float64{p.Longitude, p.Latitude}
		}
		g.Coordinates = append(g.Coordinates, out)
	}
	return json.Marshal(g)
}

// UnmarshalJSON reads a GeoJSON Polygon or null, and turns its rings as RFC 7946
// wants them: the outer one counter-clockwise, holes clockwise. It does not
// check more; see Check.
func (b *Boundary) UnmarshalJSON(raw []byte) error {
	*b = Boundary{}
	if string(raw) == "null" {
		return nil
	}
	var g struct {
		Type        string          `json:"type"`
		Coordinates json.RawMessage `json:"coordinates"`
	}
	if err := json.Unmarshal(raw, &g); err != nil {
		return fmt.Errorf("read boundary: %w", err)
	}
	if g.Type != "Polygon" {
		return fmt.Errorf("read boundary: type is %q, not Polygon", g.Type)
	}
	var rings [][][]float64
	if err := json.Unmarshal(g.Coordinates, &rings); err != nil {
		return fmt.Errorf("read boundary: coordinates are not rings of positions: %w", err)
	}
	for r, ring := range rings {
		out := make([]Position, len(ring))
		for i, p := range ring {
			if len(p) < 2 {
				return fmt.Errorf("read boundary: position %d of ring %d has %d numbers, not longitude and latitude", i, r, len(p))
			}
			out[i] = Position{p[0], p[1]}
		}
		if (signedArea(out) < 0) == (r == 0) {
			slices.Reverse(out)
		}
		b.Rings = append(b.Rings, out)
	}
	return nil
}

// Check reports what keeps b from being the edge of a site: too many vertices; a
// ring that is not closed, has fewer than three corners, crosses itself or
// another, or spans more than one degree; a position that is no place; a hole
// outside of the outer ring. The zero Boundary is fine.
func (b Boundary) Check() error {
	n := 0
	for r, ring := range b.Rings {
		n += len(ring)
		if n > MaxVertices {
			return fmt.Errorf("boundary has more than %d vertices", MaxVertices)
		}
		if err := checkRing(ring); err != nil {
			return fmt.Errorf("boundary ring %d: %w", r, err)
		}
	}
	if i, j, crossing := b.crossing(); crossing {
		return fmt.Errorf("boundary crosses itself between edges %d and %d", i, j)
	}
	for r := 1; r < len(b.Rings); r++ {
		if !inside(b.Rings[r][0], b.Rings[0]) {
			return fmt.Errorf("boundary ring %d is a hole outside of the outer ring", r)
		}
	}
	return nil
}

func checkRing(ring []Position) error {
	if len(ring) < 4 {
		return fmt.Errorf("%d positions are no ring: three corners and the first again are the least", len(ring))
	}
	if ring[0] != ring[len(ring)-1] {
		return errors.New("the last position is not the first: the ring is open")
	}
	for i, p := range ring {
		if !(math.Abs(p.Latitude) <= 90) || !(math.Abs(p.Longitude) <= 180) {
			return fmt.Errorf("position %d, longitude %v, latitude %v, is no place; longitude comes first", i, p.Longitude, p.Latitude)
		}
		if math.Abs(p.Latitude-ring[0].Latitude) > 1 || math.Abs(p.Longitude-ring[0].Longitude) > 1 {
			return fmt.Errorf("position %d is more than one degree from the first: no site is so large", i)
		}
		if i > 0 && p == ring[i-1] {
			return fmt.Errorf("position %d repeats the one before", i)
		}
	}
	return nil
}

// An edge is one side of a ring.
type edge struct {
	a, b        Position
	ring, index int
	last        int // index of the ring's last edge
}

// crossing returns two edges that touch and are not neighbours, counted over all
// rings.
func (b Boundary) crossing() (i, j int, found bool) {
	var edges []edge
	for r, ring := range b.Rings {
		for i := range len(ring) - 1 {
			edges = append(edges, edge{ring[i], ring[i+1], r, i, len(ring) - 2})
		}
	}
	for i, e := range edges {
		for j := i + 1; j < len(edges); j++ {
			f := edges[j]
			next := e.ring == f.ring && (f.index == e.index+1 || e.index == 0 && f.index == e.last)
			if next && !folded(e, f) {
				continue
			}
			if next || touch(e.a, e.b, f.a, f.b) {
				return i, j, true
			}
		}
	}
	return 0, 0, false
}

// folded reports whether of two neighbours one lies on the other.
func folded(e, f edge) bool {
	a, corner, b := e.a, e.b, f.b
	if e.b != f.a {
		a, corner, b = e.b, e.a, f.a
	}
	if turn(a, corner, b) != 0 {
		return false
	}
	dot := (a.Longitude-corner.Longitude)*(b.Longitude-corner.Longitude) + (a.Latitude-corner.Latitude)*(b.Latitude-corner.Latitude)
	return dot > 0
}

// turn is positive where a, b, c turn left, negative where right, 0 on a line.
func turn(a, b, c Position) float64 {
	return (b.Longitude-a.Longitude)*(c.Latitude-a.Latitude) - (b.Latitude-a.Latitude)*(c.Longitude-a.Longitude)
}

// touch reports whether two segments have a point in common.
func touch(a, b, c, d Position) bool {
	d1, d2, d3, d4 := turn(a, b, c), turn(a, b, d), turn(c, d, a), turn(c, d, b)
	if d1*d2 < 0 && d3*d4 < 0 {
		return true
	}
	return d1 == 0 && between(a, b, c) || d2 == 0 && between(a, b, d) || d3 == 0 && between(c, d, a) || d4 == 0 && between(c, d, b)
}

func between(a, b, p Position) bool {
	return min(a.Longitude, b.Longitude) <= p.Longitude && p.Longitude <= max(a.Longitude, b.Longitude) &&
		min(a.Latitude, b.Latitude) <= p.Latitude && p.Latitude <= max(a.Latitude, b.Latitude)
}

// Contains reports whether p lies within the boundary; false for the zero one.
func (b Boundary) Contains(p Position) bool {
	if b.IsZero() || !inside(p, b.Rings[0]) {
		return false
	}
	for _, hole := range b.Rings[1:] {
		if inside(p, hole) {
			return false
		}
	}
	return true
}

// inside counts how often a ray to the east crosses the ring.
func inside(p Position, ring []Position) bool {
	in := false
	for i := range len(ring) - 1 {
		a, b := ring[i], ring[i+1]
		if (a.Latitude > p.Latitude) != (b.Latitude > p.Latitude) &&
			p.Longitude < a.Longitude+(b.Longitude-a.Longitude)*(p.Latitude-a.Latitude)/(b.Latitude-a.Latitude) {
			in = !in
		}
	}
	return in
}

// earthRadius is that of the sphere with the surface of WGS 84, in metres.
const earthRadius = 6_371_007.2

// Area returns what the boundary encloses in m², on a sphere of the earth's
// surface: within 0.6 % of the ellipsoid.
//
// Source: Chamberlain and Duquette, Some Algorithms for Polygons on a Sphere,
// JPL 2007, equation 4, on latitudes and longitudes close together.
func (b Boundary) Area() float64 {
	var sum float64
	for r, ring := range b.Rings {
		a := math.Abs(signedArea(ring))
		if r > 0 {
			a = -a
		}
		sum += a
	}
	return sum
}

// signedArea is positive for a ring that goes counter-clockwise.
func signedArea(ring []Position) float64 {
	var sum float64
	for i := range max(len(ring)-1, 0) {
		a, b := ring[i], ring[i+1]
		sum += (b.Longitude - a.Longitude) * radian * (2 + math.Sin(a.Latitude*radian) + math.Sin(b.Latitude*radian))
	}
	return -sum / 2 * earthRadius * earthRadius
}
