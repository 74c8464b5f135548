package evidence_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"tianhai/farm"
	"tianhai/trace/evidence"
)

var august = time.Date(2026, 8, 1, 0, 0, 0, 0, time.FixedZone("UTC+8", 8*3600))

func header() evidence.Header {
	return evidence.Header{Site: "raft-1", Quantity: "water.temperature", Unit: "Cel", From: august, To: august.AddDate(0, 1, 0)}
}

func sample(device string, after time.Duration, v float64, flag int) farm.Sample {
	return farm.Sample{Quantity: "water.temperature", Device: device, Time: august.Add(after).UnixMilli(), Value: v, Flag: flag}
}

// write returns the canonical text of samples, and its hash.
func write(t testing.TB, h evidence.Header, samples []farm.Sample) (text []byte, sum string) {
	t.Helper()
	var b bytes.Buffer
	w, err := evidence.NewWriter(&b, h)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range samples {
		if err := w.Write(s); err != nil {
			t.Fatal(err)
		}
	}
	if sum, err = w.Sum(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), sum
}

// TestCanonical holds the form against the bytes that the package promises. They
// never change: every record in the world hangs on them.
func TestCanonical(t *testing.T) {
	tenth, fifth := 0.1, 0.2 // variables: constants are exact
	text, sum := write(t, header(), []farm.Sample{
		sample("b", 0, 30.7, 1), sample("a", time.Minute, math.NaN(), 9), sample("a", time.Minute, math.Copysign(0, -1), 2), sample("b", time.Minute, 1e21, 4),
		sample("b", time.Hour, -1.5e-9, 4), sample("b", 2*time.Hour, tenth+fifth, 3), sample("b", 3*time.Hour, 123456789012345680000, 4),
	})
	want := `tianhai-series,1
site,raft-1
quantity,water.temperature
unit,Cel
from,1785513600000
to,1788192000000
device,time,value,flag
b,1785513600000,30.7,1
a,1785513660000,,9
a,1785513660000,0,2
b,1785513660000,1e+21,4
b,1785517200000,-1.5e-9,4
b,1785520800000,0.30000000000000004,3
b,1785524400000,123456789012345680000,4
`
	if string(text) != want {
		t.Errorf("got\n%s\nwant\n%s", text, want)
	}
	if h := sha256.Sum256([]byte(want)); sum != hex.EncodeToString(h[:]) {
		t.Errorf("the hash is %s, want that of the text", sum)
	}
	h := header()
	h.Site, h.Shipment = "", "01JDQ0000000000000000000AA"
	if text, _ = write(t, h, nil); !bytes.HasPrefix(text, []byte("tianhai-series,1\nshipment,01JDQ0000000000000000000AA\n")) {
		t.Errorf("a shipment's series begins %q", text)
	}
}

func TestWriterRefuses(t *testing.T) {
	for name, samples := range map[string][]farm.Sample{
		"out of order":         {sample("a", time.Second, 1, 1), sample("b", 0, 1, 1)},
		"devices out of order": {sample("b", 0, 1, 1), sample("a", 0, 1, 1)},
		"outside the period":   {sample("a", 31*24*time.Hour, 1, 1)},
		"infinite":             {sample("a", 0, math.Inf(1), 4)},
		"a comma":              {sample("a,b", 0, 1, 1)},
		"no device":            {sample("", 0, 1, 1)},
		"a flag of its own":    {sample("a", 0, 1, 5)},
	} {
		t.Run(name, func(t *testing.T) {
			w, err := evidence.NewWriter(&bytes.Buffer{}, header())
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range samples {
				if err == nil {
					err = w.Write(s)
				}
			}
			if err == nil {
				t.Error("it is written")
			}
		})
	}
}

// TestReaderNames says for each way in which a text is not canonical which line is
// at fault.
func TestReaderNames(t *testing.T) {
	text, _ := write(t, header(), []farm.Sample{sample("a", 0, 1.5, 1), sample("b", 0, 2, 1)})
	tests := map[string]struct {
		old, new string
		line     int
	}{
		"another version":     {"tianhai-series,1", "tianhai-series,2", 1},
		"no site":             {"site,raft-1", "place,raft-1", 2},
		"no period":           {"to,1788192000000", "to,1785513600000", 7},
		"time with a plus":    {"from,1785", "from,+1785", 5},
		"CRLF":                {"Cel\n", "Cel\r\n", 7},
		"more digits":         {",1.5,", ",1.50,", 8},
		"an exponent":         {",1.5,", ",15e-1,", 8},
		"not a number":        {",1.5,", ",NaN,", 8},
		"cells":               {",1.5,1", ",1.5", 8},
		"a flag":              {",1.5,1", ",1.5,01", 8},
		"rows changed about":  {"a,1785513600000", "c,1785513600000", 9},
		"cut off":             {"2,1\n", "2,1", 9},
		"cut off in the head": {string(text), "tianhai-series,1\n", 1},
		"a long line":         {"b,", strings.Repeat("b", 600) + ",", 9},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r, err := evidence.NewReader(strings.NewReader(strings.Replace(string(text), tt.old, tt.new, 1)))
			if err == nil {
				_, err = r.Each(func(farm.Sample) error { return nil })
			}
			var at *evidence.LineError
			if !errors.As(err, &at) || at.Line != tt.line {
				t.Errorf("%v, want a fault in line %d", err, tt.line)
			}
		})
	}
}

// FuzzReader: what is read to the end is written again byte for byte.
func FuzzReader(f *testing.F) {
	text, _ := write(f, header(), []farm.Sample{sample("a", 0, 1.5, 1), sample("a", 1e6, math.NaN(), 9), sample("b", 1e6, 1e-7, 4)})
	f.Add(text)
	f.Add([]byte("tianhai-series,1\nshipment,x\nquantity,air.rain\nunit,mm\nfrom,-5\nto,7\ndevice,time,value,flag\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := evidence.NewReader(bytes.NewReader(text))
		if err != nil {
			return
		}
		var all []farm.Sample
		sum, err := r.Each(func(s farm.Sample) error { all = append(all, s); return nil })
		if err != nil {
			return
		}
		again, want := write(t, r.Header, all)
		if !bytes.Equal(again, text) || sum != want {
			t.Errorf("%q is read, but written %q", text, again)
		}
	})
}

// A shelf keeps what was kept and nothing else.
func TestShelf(t *testing.T) {
	shelf := &evidence.Shelf{Dir: t.TempDir()}
	begin := func() *evidence.Draft {
		d, err := shelf.Begin(header())
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Write(sample("a", 0, 1.5, 1)); err != nil {
			t.Fatal(err)
		}
		return d
	}
	for range 2 { // the same again does no harm
		sum, err := begin().Keep()
		if err != nil {
			t.Fatal(err)
		}
		text, err := shelf.Open(sum)
		if err != nil {
			t.Fatal(err)
		}
		r, err := evidence.NewReader(text)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := r.Each(func(farm.Sample) error { return nil }); err != nil || got != sum {
			t.Errorf("kept under %s, read as %s, error %v", sum, got, err)
		}
		if err := text.Close(); err != nil {
			t.Error(err)
		}
	}
	begin().Drop()
	begin() // its process is killed
	if err := shelf.Sweep(time.Now().Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	names := func() int {
		t.Helper()
		all, err := os.ReadDir(shelf.Dir)
		if err != nil {
			t.Fatal(err)
		}
		return len(all)
	}
	if n := names(); n != 2 {
		t.Errorf("%d files, want a series and a draft that may be at work", n)
	}
	if err := shelf.Sweep(time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if n := names(); n != 1 {
		t.Errorf("%d files, want the series", n)
	}
	for _, sum := range []string{strings.Repeat("0", 64), "../../etc/passwd", ""} {
		if _, err := shelf.Open(sum); !errors.Is(err, farm.ErrNotFound) {
			t.Errorf("open %q: %v", sum, err)
		}
	}
}

func TestCompare(t *testing.T) {
	sealed := []farm.Sample{sample("a", 0, 1, 1), sample("a", 1e6, 2, 1), sample("b", 1e6, 3, 1), sample("a", 2e6, math.NaN(), 9)}
	text, _ := write(t, header(), sealed)
	late, mended := sample("b", 0, 7, 1), sample("a", 1e6, 2, 3)
	r, err := evidence.NewReader(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	c := evidence.NewCompare(r, func(d evidence.Difference) error {
		sign := "-"
		if d.Added {
			sign = "+"
		}
		got = append(got, sign+d.Device+string(rune('0'+d.Time-august.UnixMilli())))
		return nil
	})
	for _, s := range []farm.Sample{sealed[0], late, mended, sealed[2]} {
		if err := c.Add(s); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.End(); err != nil {
		t.Fatal(err)
	}
	if want := "+b0 -a1 +a1 -a2"; strings.Join(got, " ") != want {
		t.Errorf("got %v, want %s", got, want)
	}
}
