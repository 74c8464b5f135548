package fleet_test

import (
	"fmt"
	"math"
	"testing"

	"tianhai/firmware-sim/fleet"
)

// Source: UNESCO Technical Papers in Marine Science 44, check values of the
// practical salinity scale and its table of salinity by conductivity.
func TestPracticalSalinity(t *testing.T) {
	for name, c := range map[string]struct{ ratio, t, p, want, within float64 }{
		"surface":           {1, 15, 0, 35, 1e-6},
		"2000 dbar":         {1.2, 20, 2000, 37.245628, 1e-6},
		"1500 dbar":         {0.65, 5, 1500, 27.995347, 1e-6},
		"10000 dbar":        {1.888091, 40, 10000, 40, 1e-5},
		"30 mS/cm at 0 °C":  {30 / 42.914, 0, 0, 36.2864, 1e-4},
		"30 mS/cm at 10 °C": {30 / 42.914, 10, 0, 26.8609, 1e-4},
		"30 mS/cm at 30 °C": {30 / 42.914, 30, 0, 16.7100, 1e-4},
		"50 mS/cm at 10 °C": {50 / 42.914, 10, 0, 47.5215, 1e-4},
		"50 mS/cm at 20 °C": {50 / 42.914, 20, 0, 36.7173, 1e-4},
		"50 mS/cm at 30 °C": {50 / 42.914, 30, 0, 29.4273, 1e-4},
		"35 at 0 °C":        {0.676610, 0, 0, 35, 1e-4},
		"35 at 40 °C":       {1.613508, 40, 0, 35, 1e-4},
		"no salt":           {0, 20, 0, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			if got := fleet.PSS78(c.ratio, c.t, c.p); math.Abs(got-c.want) > c.within {
				t.Errorf("salinity %.6f, want %.6f", got, c.want)
			}
		})
	}
}

func TestConductivityIsInverseOfSalinity(t *testing.T) {
	for s := 0.1; s < 42; s += 1.7 {
		for temp := 0.0; temp <= 35; temp += 5 {
			if got := fleet.Salinity(fleet.Conductivity(s, temp), temp); math.Abs(got-s) > 1e-6 {
				t.Errorf("salinity %g at %g °C comes back as %g", s, temp, got)
			}
		}
	}
	// 42.914 mS/cm is salinity 35 at 15 °C on IPTS-68, 0.0036 °C below 15 on ITS-90.
	if got := fleet.Conductivity(35, 15/1.00024); math.Abs(got-42.914) > 1e-6 {
		t.Errorf("C(35, 15, 0) = %g mS/cm, want 42.914", got)
	}
}

// Source: Benson and Krause 1984, as tabled in USGS Office of Water Quality
// Technical Memorandum 2011.03, mg/L at 1 atm.
func TestOxygenAtSaturation(t *testing.T) {
	table := map[float64][8]float64{ // by °C, at salinities 0, 5 … 35
		0:  {14.621, 14.118, 13.633, 13.164, 12.712, 12.275, 11.853, 11.446},
		10: {11.288, 10.933, 10.589, 10.255, 9.933, 9.620, 9.317, 9.024},
		20: {9.092, 8.828, 8.572, 8.322, 8.080, 7.846, 7.617, 7.396},
		30: {7.559, 7.354, 7.155, 6.961, 6.772, 6.589, 6.410, 6.237},
		35: {6.949, 6.767, 6.589, 6.416, 6.248, 6.084, 5.924, 5.769},
	}
	for temp, row := range table {
		for i, want := range row {
			t.Run(fmt.Sprintf("%g °C, salinity %d", temp, 5*i), func(t *testing.T) {
				if got := fleet.OxygenAtSaturation(temp, float64(5*i)); math.Abs(got-want) > 0.0011 {
					t.Errorf("%.4f mg/L, want %.3f", got, want)
				}
			})
		}
	}
}
