package farm_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"tianhai/farm"
)

// square is a degree hundredth wide, at Maowei Sea, with a pond in it.
const square = `{"type":"Polygon","coordinates":[
	[[108.50,21.70],[108.51,21.70],[108.51,21.71],[108.50,21.71],[108.50,21.70]],
	[[108.502,21.702],[108.502,21.704],[108.504,21.704],[108.504,21.702],[108.502,21.702]]]}`

func boundary(t *testing.T, s string) farm.Boundary {
	t.Helper()
	var b farm.Boundary
	if err := json.Unmarshal([]byte(s), &b); err != nil {
		t.Fatal(err)
	}
	return b
}

func TestBoundary(t *testing.T) {
	b := boundary(t, square)
	if err := b.Check(); err != nil {
		t.Fatal(err)
	}
	// A hundredth of a degree is 1,112 m north and, at 21.705° N, 1,033 m east.
	want := 1111.95 * 1111.95 * math.Cos(21.705*math.Pi/180) * (1 - 0.04)
	if got := b.Area(); math.Abs(got/want-1) > 1e-3 {
		t.Errorf("Area() = %.0f m², want %.0f", got, want)
	}
	for name, tt := range map[string]struct {
		at   farm.Position
		want bool
	}{
		"inside":      {farm.Position{Longitude: 108.507, Latitude: 21.707}, true},
		"in the hole": {farm.Position{Longitude: 108.503, Latitude: 21.703}, false},
		"east of it":  {farm.Position{Longitude: 108.52, Latitude: 21.705}, false},
		"swapped":     {farm.Position{Longitude: 21.705, Latitude: 108.505}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := b.Contains(tt.at); got != tt.want {
				t.Errorf("Contains(%v) = %v", tt.at, got)
			}
		})
	}
}

// Rings are turned as RFC 7946 wants them, whichever way they came.
func TestBoundaryJSON(t *testing.T) {
	clockwise := `{"type":"Polygon","coordinates":[[[0,0],[0,0.5],[0.5,0.5],[0.5,0],[0,0]]]}`
	out, err := json.Marshal(boundary(t, clockwise))
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"type":"Polygon","coordinates":[[[0,0],[0.5,0],[0.5,0.5],[0,0.5],[0,0]]]}`; string(out) != want {
		t.Errorf("got  %s\nwant %s", out, want)
	}
	if out, err := json.Marshal(farm.Boundary{}); err != nil || string(out) != "null" {
		t.Errorf("no boundary is %s, %v; want null", out, err)
	}
	for name, bad := range map[string]string{
		"a point":    `{"type":"Point","coordinates":[]}`,
		"one number": `{"type":"Polygon","coordinates":[[[1]]]}`,
		"no JSON":    `{"type"`,
	} {
		t.Run(name, func(t *testing.T) {
			var b farm.Boundary
			if err := json.Unmarshal([]byte(bad), &b); err == nil {
				t.Errorf("%s is read as %v", bad, b)
			}
		})
	}
}

func TestBoundaryCheck(t *testing.T) {
	for name, tt := range map[string]struct{ rings, says string }{
		"two corners":   {`[[0,0],[0.1,0],[0,0]]`, "three corners"},
		"open":          {`[[0,0],[0.1,0],[0.1,0.1],[0,0.1]]`, "open"},
		"bow tie":       {`[[0,0],[0.1,0.1],[0.1,0],[0,0.1],[0,0]]`, "crosses itself"},
		"spike":         {`[[0,0],[0.2,0],[0.1,0],[0.1,0.1],[0,0]]`, "crosses itself"},
		"touches":       {`[[0,0],[0.2,0],[0.2,0.2],[0.1,0],[0,0.2],[0,0]]`, "crosses itself"},
		"twice there":   {`[[0,0],[0,0],[0.1,0],[0.1,0.1],[0,0]]`, "repeats"},
		"swapped":       {`[[21.7,108.5],[21.8,108.5],[21.8,108.6],[21.7,108.5]]`, "longitude comes first"},
		"half of China": {`[[100,20],[110,20],[110,30],[100,20]]`, "one degree"},
		"hole outside":  {`[[0,0],[0.1,0],[0.1,0.1],[0,0]],[[0.5,0.5],[0.5,0.6],[0.6,0.6],[0.5,0.5]]`, "hole"},
		"hole across":   {`[[0,0],[0.1,0],[0.1,0.1],[0,0.1],[0,0]],[[0.05,0.05],[0.05,0.2],[0.06,0.2],[0.05,0.05]]`, "crosses itself"},
	} {
		t.Run(name, func(t *testing.T) {
			err := boundary(t, `{"type":"Polygon","coordinates":[`+tt.rings+`]}`).Check()
			if err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("Check() = %v, want an error that says %q", err, tt.says)
			}
		})
	}
	many := make([]farm.Position, 0, farm.MaxVertices+2)
	for i := range farm.MaxVertices + 1 {
		angle := 2 * math.Pi * float64(i) / (farm.MaxVertices + 1)
		many = append(many, farm.Position{Longitude: 0.1 * math.Cos(angle), Latitude: 0.1 * math.Sin(angle)})
	}
	many = append(many, many[0])
	if err := (farm.Boundary{Rings: [][]farm.Position{many}}).Check(); err == nil {
		t.Error("a boundary of too many vertices passes")
	}
}

func FuzzBoundary(f *testing.F) {
	f.Add([]byte(square))
	f.Add([]byte(`{"type":"Polygon","coordinates":[[]]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var b farm.Boundary
		if json.Unmarshal(raw, &b) != nil || b.IsZero() || b.Check() != nil {
			return
		}
		if a := b.Area(); !(a >= 0) || math.IsInf(a, 0) {
			t.Errorf("Area() = %v", a)
		}
		out, err := json.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		var again farm.Boundary
		if err := json.Unmarshal(out, &again); err != nil || again.Check() != nil {
			t.Errorf("%s cannot be read again: %v", out, err)
		}
	})
}

func TestDistance(t *testing.T) {
	b := boundary(t, square)
	// A thousandth of a degree is 111.2 m north and, at 21.705° N, 103.3 m east.
	for name, tt := range map[string]struct {
		at   farm.Position
		want float64
	}{
		"inside":          {farm.Position{Longitude: 108.507, Latitude: 21.707}, 0},
		"east of an edge": {farm.Position{Longitude: 108.511, Latitude: 21.705}, 103.3},
		"north of it":     {farm.Position{Longitude: 108.505, Latitude: 21.711}, 111.2},
		"off a corner":    {farm.Position{Longitude: 108.511, Latitude: 21.711}, 151.8},
		"in the hole":     {farm.Position{Longitude: 108.503, Latitude: 21.703}, 103.3},
		"another country": {farm.Position{Longitude: 0, Latitude: 51.5}, 9.33e6},
	} {
		t.Run(name, func(t *testing.T) {
			if got := b.Distance(tt.at); math.Abs(got-tt.want) > 0.5+tt.want/100 {
				t.Errorf("%.1f m, want %.1f", got, tt.want)
			}
		})
	}
	if d := (farm.Boundary{}).Distance(farm.Position{}); !math.IsInf(d, 1) {
		t.Errorf("no boundary is %v m away", d)
	}
}
