package fleet

import (
	"hash/fnv"
	"math"
)

// A source is randomness without a sequence: what it says of an instant does
// not depend on what was asked before. Two runs with one seed therefore agree
// at every instant that both cover, whatever their interval or start.
type source uint64

// named derives an independent source, such as one per device or channel.
func (s source) named(name string) source {
	h := fnv.New64a()
	h.Write([]byte(name))
	return source(mix(uint64(s) ^ h.Sum64()))
}

// mix is the finaliser of SplitMix64 (Steele, Lea and Flood 2014).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// uniform returns a number in [0, 1) for the integer n.
func (s source) uniform(n int64) float64 {
	return float64(mix(uint64(s)^mix(uint64(n)))>>11) / (1 << 53)
}

// gauss returns a number of mean 0, standard deviation 1 and magnitude at most
// 3.5 for the integer n: the sum of twelve uniforms would be nearer to normal,
// four are near enough for a sensor.
func (s source) gauss(n int64) float64 {
	sum := -2.0
	for i := range int64(4) {
		sum += s.uniform(4*n + i)
	}
	return sum * math.Sqrt(3)
}

// wave returns a smooth number in [-1, 1] that forgets itself within two
// periods: value noise on a lattice of period seconds.
func (s source) wave(t, period float64) float64 {
	cell, f := math.Modf(t / period)
	f = f * f * (3 - 2*f)
	a, b := s.uniform(int64(cell)), s.uniform(int64(cell)+1)
	return 2*(a+(b-a)*f) - 1
}
