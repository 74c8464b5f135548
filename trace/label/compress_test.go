package label_test

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"tianhai/trace/label"
)

// Made with GS1's own prototype of the compression.
func TestCompressed(t *testing.T) {
	for name, tt := range map[string]struct{ link, compressed string }{
		"GTIN alone":    {"https://a/01/09506000134352", "https://a/ARFKk4XBoA"},
		"base64":        {"https://a/01/09506000134352/10/ABC-1z", "https://a/CxFKk4XBoMwAIX2uY"},
		"four at once":  {"https://a/01/09506000134352/10/A1/21/99?17=270630", "https://a/GhFKk4XBoIVChCTAWM"},
		"weight":        {"https://a/01/05412345000013/22/v2?3103=000189", "https://a/LQnYUc1gmgAXpExX7A"},
		"SSCC":          {"https://a/00/006141411234567890", "https://a/AAFdGUuw5W0g"},
		"small letters": {"https://a/01/09506000134352/21/12ab?7003=2706301200", "https://a/DhFKk4XBoFCncIgQkglVg"},
		"ASCII":         {"https://a/414/9520123456788/254/32a%2Fb", "https://a/nYVmywr8UVEnJ1oo"},
	} {
		t.Run(name, func(t *testing.T) {
			plain, err := label.ParseLink(tt.link, label.LinkOptions{})
			if err != nil || plain.Compressed() != tt.compressed {
				t.Errorf("compressed it is %s, want %s; %v", plain.Compressed(), tt.compressed, err)
			}
			l, err := label.ParseLink(tt.compressed, label.LinkOptions{})
			if err != nil || l.String() != tt.link {
				t.Errorf("read as %s, want %s; %v", l, tt.link, err)
			}
		})
	}
}

// What is read beside the form that is made.
func TestReadCompressed(t *testing.T) {
	for name, tt := range map[string]struct{ uri, want string }{
		"stem, query and fragment": {"https://a/x/y/ARFKk4XBoA?17=270630&k=v#top", "https://a/x/y/01/09506000134352?17=270630"},
		"key in the open":          {"https://a/s/01/09506000134352/EEKh?17=270630", "https://a/s/01/09506000134352/10/A1?17=270630"},
	} {
		l, err := label.ParseLink(tt.uri, label.LinkOptions{})
		if err != nil || l.String() != tt.want {
			t.Errorf("%s: %s, want %s; %v", name, l, tt.want, err)
		}
	}
}

// packed writes numbers of so many bits each as base64url.
func packed(numbers ...[2]int) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	bits := ""
	for _, n := range numbers {
		bits += fmt.Sprintf("%0*b", n[1], n[0])
	}
	bits += strings.Repeat("0", (6-len(bits)%6)%6)
	var b strings.Builder
	for ; bits != ""; bits = bits[6:] {
		n, _ := strconv.ParseUint(bits[:6], 2, 8)
		b.WriteByte(letters[n])
	}
	return b.String()
}

// Parameters of others stand in a compressed part behind 1111: the length of the
// name, the name, and a value like that of any AI.
func TestForeignParameters(t *testing.T) {
	gtin := [][2]int{{0x01, 8}, {9506000134352, 47}}
	k := [][2]int{{15, 4}, {1, 7}, {'k' - 'a' + 26, 6}}
	text := slices.Concat(k, [][2]int{{4, 3}, {2, 7}, {'v', 7}, {'=', 7}})
	number := slices.Concat(k, [][2]int{{0, 3}, {3, 7}, {125, 10}})
	capitals := slices.Concat(k, [][2]int{{2, 3}, {1, 7}, {0xF, 4}})
	lot := [][2]int{{0x10, 8}, {2, 3}, {2, 5}, {0xA1, 8}}
	for name, tt := range map[string]struct {
		bits [][2]int
		want string // "" if it is refused
	}{
		"behind the key":       {slices.Concat(gtin, text), "(01)09506000134352"},
		"before it":            {slices.Concat(number, gtin), "(01)09506000134352"},
		"between":              {slices.Concat(gtin, capitals, lot, text), "(01)09506000134352(10)A1"},
		"twice the same":       {slices.Concat(gtin, number, number), "(01)09506000134352"},
		"no such encoding":     {slices.Concat(gtin, k, [][2]int{{7, 3}, {1, 7}, {1, 7}}), ""},
		"cut within its value": {slices.Concat(gtin, k, [][2]int{{4, 3}, {90, 7}, {'v', 7}}), ""},
	} {
		l, err := label.ParseLink("https://a/"+packed(tt.bits...), label.LinkOptions{})
		if tt.want == "" && err == nil || tt.want != "" && (err != nil || l.Brackets() != tt.want) {
			t.Errorf("%s: %s, %v; want %s", name, l.Brackets(), err, tt.want)
		}
	}
}

// AIs of the table come back as they went in, beside a key and what they need.
func TestCompressedRoundTrip(t *testing.T) {
	raw, err := os.ReadFile("ai.txt")
	if err != nil {
		t.Fatal(err)
	}
	values := []string{"0", "1", "12", "007", "ab", "AB", "A-b_9", `x/%"~`[:4], "270630", "000500", "156", "0000", "1234", "09506000134352", "9520123456788", "2708011230", strings.Repeat("0", 17) + "9"}
	seen := map[string]bool{}
	for line := range strings.Lines(string(raw)) {
		ai, _, _ := strings.Cut(strings.TrimSpace(line), " | ")
		if ai, _, _ = strings.Cut(ai, "-"); ai == "" || ai[0] == '#' {
			continue
		}
		for _, value := range values {
			for _, beside := range [][]label.Element{
				nil,
				{{"01", "09506000134352"}},
				{{"01", "09506000134352"}, {"21", "007"}},
				{{"01", "09506000134352"}, {"422", "156"}},
				{{"00", "006141411234567890"}},
				{{"8006", "095060001343520103"}},
				{{"414", "9520123456788"}},
				{{"415", "9520123456788"}, {"8020", "00A"}},
			} {
				l, err := label.MakeLink("https://a/s", append(slices.Clone(beside), label.Element{AI: ai, Value: value}))
				if err != nil {
					continue
				}
				seen[ai] = true
				again, err := label.ParseLink(l.Compressed(), label.LinkOptions{})
				if err != nil || again.String() != l.String() {
					t.Errorf("%s, compressed %s, is read as %s: %v", l, l.Compressed(), again, err)
				}
			}
		}
	}
	if len(seen) < 120 {
		t.Errorf("only %d AIs were tried: %v", len(seen), slices.Sorted(maps.Keys(seen)))
	}
}

// Whatever comes, it is refused by name or is a link that compresses to one alike.
func FuzzCompressed(f *testing.F) {
	for _, s := range []string{"ARFKk4XBoA", "gAQQh0vK37o2I8HdbMwOI", "01/09506000134352/ABC", "8gAAAAAAAAAAA"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, path string) {
		l, err := label.ParseLink("https://a/"+path, label.LinkOptions{})
		if err != nil {
			var e *label.LinkError
			if !errors.As(err, &e) || e.Reason == "" {
				t.Errorf("%q: %v", path, err)
			}
			return
		}
		if len(l.Compressed()) > label.MaxLink {
			return
		}
		again, err := label.ParseLink(l.Compressed(), label.LinkOptions{})
		if err != nil || again.String() != l.String() {
			t.Errorf("%q: %s, compressed %s, is read as %s: %v", path, l, l.Compressed(), again, err)
		}
	})
}
