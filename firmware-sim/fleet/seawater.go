package fleet

import "math"

// conductivityAt35 is C(35, 15, 0) of the practical salinity scale, mS/cm.
const conductivityAt35 = 42.914

// salinity returns the practical salinity of water of the given conductivity
// in mS/cm at t °C (ITS-90) and the surface: PSS-78, UNESCO Technical Papers in
// Marine Science 44, with the extension of Hill, Dauphinee and Woods 1986 below
// 2. Valid for -2 ≤ t ≤ 35 and salinities up to 42.
func salinity(conductivity, t float64) float64 {
	return pss78(conductivity/conductivityAt35, 1.00024*t, 0)
}

// conductivity returns the in-situ conductivity in mS/cm of water of practical
// salinity s at t °C and the surface: the inverse of salinity, to 1e-9 mS/cm.
func conductivity(s, t float64) float64 {
	low, high := 0.0, 120.0
	for high-low > 1e-9 {
		if mid := (low + high) / 2; salinity(mid, t) < s {
			low = mid
		} else {
			high = mid
		}
	}
	return (low + high) / 2
}

// pss78 takes the conductivity ratio, t °C on IPTS-68 and the pressure in dbar.
func pss78(r, t, p float64) float64 {
	if r <= 0 {
		return 0
	}
	rt := poly(t, 0.6766097, 2.00564e-2, 1.104259e-4, -6.9698e-7, 1.0031e-9)
	rp := 1 + p*poly(p, 2.070e-5, -6.370e-10, 3.989e-15)/
		(1+3.426e-2*t+4.464e-4*t*t+(0.4215-3.107e-3*t)*r)
	root := math.Sqrt(r / (rp * rt))
	f := (t - 15) / (1 + 0.0162*(t-15))
	s := poly(root, 0.0080, -0.1692, 25.3851, 14.0941, -7.0261, 2.7081) +
		f*poly(root, 0.0005, -0.0056, -0.0066, -0.0375, 0.0636, -0.0144)
	if s < 2 {
		x, y := 400*root*root, 100*root*root
		s -= 0.0080/(1+1.5*x+x*x) + 0.0005*f/(1+math.Sqrt(y)+y+y*math.Sqrt(y))
	}
	return max(0, s)
}

// oxygenAtSaturation returns the dissolved oxygen in mg/L of water at t °C and
// salinity s in equilibrium with wet air at 1 atm: Benson and Krause 1984, as
// in Standard Methods 4500-O. Valid for 0 ≤ t ≤ 40 and 0 ≤ s ≤ 40.
func oxygenAtSaturation(t, s float64) float64 {
	x := 1 / (t + 273.15)
	return math.Exp(poly(x, -139.34411, 1.575701e5, -6.642308e7, 1.243800e10, -8.621949e11) -
		s*poly(x, 1.7674e-2, -10.754, 2140.7))
}

// poly returns a[0] + a[1]·x + a[2]·x² + …
func poly(x float64, a ...float64) float64 {
	var y float64
	for i := len(a) - 1; i >= 0; i-- {
		y = y*x + a[i]
	}
	return y
}
