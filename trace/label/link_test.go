package label_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tianhai/trace/label"
)

// The cases of GS1's own Barcode Syntax Engine.
func TestParseLinkVectors(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join("..", "..", "..", "shared", "vectors", "gs1", "digital-link-parse.json"))
	if os.IsNotExist(err) {
		t.Skip("GS1's cases are not beside the repository, in ../shared/vectors/gs1")
	}
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Vectors []struct {
			OK    bool
			URI   string
			AI    string
			Flags map[string]bool
		}
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Vectors) == 0 {
		t.Fatal("no cases")
	}
	for _, v := range file.Vectors {
		opt := label.LinkOptions{
			ShortGTIN: v.Flags["PermitZeroSuppressedGTINinDLuris"],
			Alphas:    v.Flags["permitConvenienceAlphas"],
		}
		if refuse, given := v.Flags["gs1_encoder_vUNKNOWN_AI_NOT_DL_ATTR"]; given && !refuse {
			opt.UnknownAI = v.Flags["PermitUnknownAIs"]
		}
		l, err := label.ParseLink(v.URI, opt)
		if (err == nil) != v.OK {
			t.Errorf("%s: error %v, want ok %v", v.URI, err, v.OK)
			continue
		}
		if err == nil && l.ElementString() != v.AI {
			t.Errorf("%s: %s, want %s", v.URI, l.ElementString(), v.AI)
		}
	}
}

// Written from the standard, beyond what the vectors hold.
func TestParseLink(t *testing.T) {
	for name, tt := range map[string]struct{ uri, want, canonical string }{
		"capitals": {
			"HTTPS://ID.GS1.ORG/01/09506000134352/10/ABC", "(01)09506000134352(10)ABC",
			"https://id.gs1.org/01/09506000134352/10/ABC",
		},
		"port and stem": {
			"http://a.example:8080/some/Stem/01/09506000134352", "(01)09506000134352",
			"http://a.example:8080/some/Stem/01/09506000134352",
		},
		"attributes sorted": {
			"https://a/01/09506000134352/10/L%2f1?17=270630&utm=x&15=270600&3103=000500#top",
			"(01)09506000134352(10)L/1(17)270630(15)270600(3103)000500",
			"https://a/01/09506000134352/10/L%2F1?15=270600&17=270630&3103=000500",
		},
		"plus": {"https://a/01/09506000134352/10/A+B", "(01)09506000134352(10)A+B", "https://a/01/09506000134352/10/A%2BB"},
		"bracket in a value": {
			"https://a/01/09506000134352/10/A(1)?10x=1", `(01)09506000134352(10)A\(1)`,
			"https://a/01/09506000134352/10/A%281%29",
		},
		"short GTIN as attribute": {
			"https://a/8004/9520614141234567?01=9520123456788", "(8004)9520614141234567(01)09520123456788",
			"https://a/8004/9520614141234567?01=09520123456788",
		},
		"logistic unit": {
			"https://a/00/952012345678912345?02=09520123456788&37=25&10=ABC123",
			"(00)952012345678912345(02)09520123456788(37)25(10)ABC123",
			"https://a/00/952012345678912345?02=09520123456788&10=ABC123&37=25",
		},
		"lot beside a serial of a third party": {
			"https://a/01/09520123456788/235/XYZ?10=ABC123", "(01)09520123456788(235)XYZ(10)ABC123",
			"https://a/01/09520123456788/235/XYZ?10=ABC123",
		},
		"invoice": {"https://a/415/9520123456788/8020/R1", "(415)9520123456788(8020)R1", "https://a/415/9520123456788/8020/R1"},
		"farm": {
			"https://a/01/09506000134352/10/A?422=156&427=GX&7007=260801260803&7008=CPC&7030=156GX1",
			"(01)09506000134352(10)A(422)156(427)GX(7007)260801260803(7008)CPC(7030)156GX1",
			"https://a/01/09506000134352/10/A?422=156&427=GX&7007=260801260803&7008=CPC&7030=156GX1",
		},
		"bank account": {
			"https://a/415/9520123456788/8020/R?8007=DE89370400440532013000", "(415)9520123456788(8020)R(8007)DE89370400440532013000",
			"https://a/415/9520123456788/8020/R?8007=DE89370400440532013000",
		},
		"model number": {"https://a/8013/1987654Ad4X4bL5ttr2310c2K", "(8013)1987654Ad4X4bL5ttr2310c2K", "https://a/8013/1987654Ad4X4bL5ttr2310c2K"},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := label.ParseLink(tt.uri, label.LinkOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if l.Brackets() != tt.want || l.String() != tt.canonical {
				t.Errorf("\n got %s, %s\nwant %s, %s", l.Brackets(), l, tt.want, tt.canonical)
			}
			again, err := label.ParseLink(tt.canonical, label.LinkOptions{})
			if err != nil || again.String() != tt.canonical {
				t.Errorf("the canonical form is read as %s, %v", again, err)
			}
		})
	}
}

func TestParseLinkNamesTheFault(t *testing.T) {
	const gtin = "https://a/01/09506000134352"
	for name, tt := range map[string]struct{ uri, part, ai, reason string }{
		"scheme":              {"ftp://a/01/09506000134352", "scheme", "", "http:// or https://"},
		"mixed case":          {"Https://a/01/09506000134352", "scheme", "", "small letters or in capitals"},
		"Chinese":             {"https://a/01/09506000134352/10/批", "characters", "", "at byte 32"},
		"user":                {"https://u:p@a/01/09506000134352", "domain", "", "user"},
		"underscore":          {"https://a_b/01/09506000134352", "domain", "", `"_"`},
		"port":                {"https://a:65536/01/09506000134352", "domain", "", "65535"},
		"no path":             {"https://a", "path", "", "/01/"},
		"slash at the end":    {gtin + "/", "path", "", "ends in a slash"},
		"name":                {"https://a/gtin/09506000134352", "path", "", "write /01/"},
		"compressed":          {"https://a/zRHKVAdpQgqrhWwABC", "path", "", "there is no AI"},
		"partly compressed":   {gtin + "/ABC", "path", "00", "ends within"},
		"unknown AI":          {gtin + "/89/A", "path", "89", "no such AI"},
		"too long":            {gtin + "?91=" + strings.Repeat("x", label.MaxLink), "length", "", "8192"},
		"check digit":         {"https://a/01/09506000134353", "path", "01", "is 3, should be 2"},
		"short GTIN":          {"https://a/01/9506000134352", "path", "01", "all 14: 09506000134352"},
		"letter in GTIN":      {"https://a/01/0950600013435O", "path", "01", `'O' at character 14`},
		"empty value":         {gtin + "?17=", "query", "17", "empty"},
		"lot of 21":           {gtin + "/10/ABCDEFGHIJKLMNOPQRSTU", "path", "10", "1 to 20"},
		"set 82":              {gtin + "/10/A%20B", "path", "10", "character set 82"},
		"set 39":              {"https://a/8010/9506000ab", "path", "8010", "character set 39"},
		"percent":             {gtin + "/10/A%2", "path", "10", "percent-encoding"},
		"percent of letters":  {gtin + "/10/A%zz", "path", "10", "%25"},
		"order":               {gtin + "/21/1/10/A", "path", "10", "the order is 22, 10, 21 or 235"},
		"attribute in path":   {gtin + "/17/270630/10/A", "path", "17", "?17=270630"},
		"not its qualifier":   {gtin + "/254/1", "path", "254", "does not qualify (01)"},
		"of another order":    {gtin + "/10/A/235/1", "path", "235", "cannot follow 10"},
		"twice in path":       {gtin + "/10/A/10/B", "path", "10", "twice"},
		"twice in query":      {gtin + "?99=1&99=1", "query", "99", "twice"},
		"key again":           {gtin + "?01=09506000134352", "query", "01", "twice"},
		"belongs into path":   {gtin + "?10=A", "query", "10", "belongs into the path"},
		"before the others":   {gtin + "/21/1?10=A", "query", "10", "belongs into the path"},
		"no attribute":        {gtin + "?8200=http", "query", "8200", "cannot be an attribute"},
		"digits":              {gtin + "?999=1", "query", "999", "no such AI"},
		"month 13":            {gtin + "?17=271301", "query", "17", "not a date"},
		"30 February":         {gtin + "?17=280230", "query", "17", "not a date"},
		"harvest without day": {gtin + "?7007=270600", "query", "7007", "not a date"},
		"country":             {gtin + "?422=999", "query", "422", "ISO 3166-1"},
		"needs":               {gtin + "?427=GX", "query", "427", "(01) and (422)"},
		"not beside":          {gtin + "?3103=000500&3102=000500", "query", "3103", "beside (3102)"},
		"needs a reference":   {"https://a/415/9520123456788", "path", "415", "needs (8020)"},
		"check characters":    {"https://a/8013/1987654Ad4X4bL5ttr2310c2X", "path", "8013", "should be 2K"},
		"prefix":              {"https://a/8004/ABC1234", "path", "8004", "Company Prefix"},
		"hour":                {gtin + "?7003=2708012500", "query", "7003", "not a date or time"},
		"IBAN":                {"https://a/415/9520123456788/8020/R?8007=DE89370400440532013001", "query", "8007", "check digits"},
		"latitude":            {"https://a/00/952012345678912345?4309=18000000010000000000", "query", "4309", "latitude"},
		"birth":               {"https://a/8018/123456789012345675?7259=A&7258=3/2", "query", "7258", "sequence"},
		"piece":               {"https://a/8006/095060001343520403", "path", "8006", "sequence"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := label.ParseLink(tt.uri, label.LinkOptions{})
			var e *label.LinkError
			if !errors.As(err, &e) || e.Part != tt.part || e.AI != tt.ai || !strings.Contains(e.Error(), tt.reason) {
				t.Errorf("%s\n got %v\nwant %s (%s): %s", tt.uri, err, tt.part, tt.ai, tt.reason)
			}
		})
	}
}

// A 29 February is only in leap years; a lost check would let every other day pass.
func TestLinkDates(t *testing.T) {
	for date, ok := range map[string]bool{"280229": true, "270229": false, "270200": true, "000229": true, "270000": false} {
		_, err := label.ParseLink("https://a/01/09506000134352?17="+date, label.LinkOptions{})
		if (err == nil) != ok {
			t.Errorf("%s: %v", date, err)
		}
	}
}

func TestMakeLink(t *testing.T) {
	type elements = []label.Element
	for name, tt := range map[string]struct {
		base     string
		elements elements
		want     string // a part of the error if it is no address
	}{
		"GTIN-13, out of order": {
			"",
			elements{{"01", "9506000134352"}, {"21", "7"}, {"17", "270630"}, {"10", "A/1"}, {"11", "260630"}},
			"https://id.gs1.org/01/09506000134352/10/A%2F1/21/7?11=260630&17=270630",
		},
		"domain":     {"Trace.Example.cn", elements{{"01", "02345673"}}, "https://trace.example.cn/01/00000002345673"},
		"stem":       {"HTTP://a:81/x/Y/", elements{{"01", "416000336108"}}, "http://a:81/x/Y/01/00416000336108"},
		"other key":  {"", elements{{"254", "32a/b"}, {"414", "9520123456788"}}, "https://id.gs1.org/414/9520123456788/254/32a%2Fb"},
		"235 and 10": {"", elements{{"01", "09520123456788"}, {"10", "A"}, {"235", "X"}}, "https://id.gs1.org/01/09520123456788/235/X?10=A"},
		"key as attribute": {
			"",
			elements{{"8004", "9520614141234567"}, {"01", "9520123456788"}},
			"https://id.gs1.org/8004/9520614141234567?01=09520123456788",
		},
		"check digit": {"", elements{{"01", "9506000134353"}}, "should be 2"},
		"no key":      {"", elements{{"10", "A"}}, "(01) GTIN"},
		"nothing":     {"", nil, "(01) GTIN"},
		"unknown":     {"", elements{{"01", "9506000134352"}, {"89", "A"}}, "no such AI"},
		"twice":       {"", elements{{"01", "9506000134352"}, {"10", "A"}, {"10", "B"}}, "twice"},
		"empty":       {"", elements{{"01", "9506000134352"}, {"10", ""}}, "0 characters are too few"},
		"Chinese lot": {"", elements{{"01", "9506000134352"}, {"10", "批1"}}, "character set 82"},
		"excluded":    {"", elements{{"01", "9506000134352"}, {"21", "1"}, {"235", "X"}}, "(21) SERIAL"},
		"query":       {"a/?x=1", elements{{"01", "9506000134352"}}, "no ?"},
		"empty parts": {"a//b", elements{{"01", "9506000134352"}}, "no empty parts"},
		"no domain":   {"https://", elements{{"01", "9506000134352"}}, "domain"},
		"space":       {"a b", elements{{"01", "9506000134352"}}, "characters"},
		"stem too long": {
			"a/" + strings.Repeat("x", label.MaxLink-12), elements{{"01", "9506000134352"}}, "length",
		},
	} {
		t.Run(name, func(t *testing.T) {
			given := slices.Clone(tt.elements)
			l, err := label.MakeLink(tt.base, tt.elements)
			if !slices.Equal(given, tt.elements) {
				t.Errorf("the elements given are changed: %v", tt.elements)
			}
			if strings.Contains(tt.want, "://") {
				if err != nil || l.String() != tt.want {
					t.Errorf("got %s, %v; want %s", l, err, tt.want)
				}
				return
			}
			var e *label.LinkError
			if !errors.As(err, &e) || !strings.Contains(e.Error(), tt.want) {
				t.Errorf("got %s, %v; want %s", l, err, tt.want)
			}
		})
	}
}

// What is read can be made again, and what is made is read as it was meant.
func FuzzParseLink(f *testing.F) {
	for _, s := range []string{
		"", "https://a/01/09506000134352", "HTTPS://A:80/s/01/09506000134352/22/V/10/%25/21/(?17=270630&3103=000195&3922=0299",
		"https://[::1]/8003/01234567890128X%2fy?8008=2708011230#x", "https://a/gtin/9506000134352/lot/%", "https://a/8018/123456789012345675?7258=1/3&7259=A&7250=20270801",
		"https://a/415/9520123456788/8020/R?8007=DE89370400440532013000", "https://a/00/952012345678912345?4309=02790858483015297971&4330=000000-",
		"https://a/01/12312312312333?99=XYZ&89=ABC123",
	} {
		f.Add(s, true)
		f.Add(s, false)
	}
	f.Fuzz(func(t *testing.T, uri string, lenient bool) {
		l, err := label.ParseLink(uri, label.LinkOptions{ShortGTIN: lenient, Alphas: lenient, UnknownAI: lenient})
		if err != nil {
			var e *label.LinkError
			if !errors.As(err, &e) || e.Reason == "" {
				t.Errorf("%q: %v", uri, err)
			}
			return
		}
		if !json.Valid([]byte(marshal(t, l))) {
			t.Errorf("%q: no JSON: %s", uri, marshal(t, l))
		}
		canonical := l.String()
		if len(canonical) > label.MaxLink {
			return // encoded, it has grown beyond what is read
		}
		again, err := label.ParseLink(canonical, label.LinkOptions{UnknownAI: lenient})
		if err != nil || again.String() != canonical {
			t.Fatalf("%q: canonical %q is read as %q, %v", uri, canonical, again, err)
		}
		made, err := label.MakeLink("", l.Elements())
		if err == nil && !slices.Equal(made.Elements(), again.Elements()) {
			t.Errorf("%q: made again it has %v, not %v", uri, made.Elements(), again.Elements())
		}
		if err != nil && !lenient {
			t.Errorf("%q: elements of a good link are refused: %v", uri, err)
		}
	})
}

func marshal(t *testing.T, l label.Link) string {
	t.Helper()
	b, err := json.Marshal(l)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestLinkJSON(t *testing.T) {
	l, err := label.ParseLink(`https://a/01/09506000134352/10/A%22%3C?17=270630`, label.LinkOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]string
	if err := json.Unmarshal([]byte(marshal(t, l)), &got); err != nil || got["10"] != `A"<` {
		t.Errorf("%s: %v", marshal(t, l), err)
	}
	if want := `{"01":"09506000134352","10":`; !strings.HasPrefix(marshal(t, l), want) {
		t.Errorf("%s does not begin with %s", marshal(t, l), want)
	}
}

// Every AI of the table can be checked, and leads to no AI that is not there.
func TestTable(t *testing.T) {
	raw, err := os.ReadFile("ai.txt")
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	related := map[string][]string{}
	for line := range strings.Lines(string(raw)) {
		f := strings.Split(strings.TrimSpace(line), " | ")
		if len(f) != 4 || f[0][0] == '#' {
			continue
		}
		ai, _, _ := strings.Cut(f[0], "-")
		all = append(all, ai)
		for word := range strings.FieldsSeq(f[2]) {
			if _, list, ok := strings.Cut(word, "="); ok {
				related[ai] = append(related[ai], strings.FieldsFunc(list, func(r rune) bool { return strings.ContainsRune(",+|", r) })...)
			}
		}
	}
	if len(all) < 200 {
		t.Fatalf("only %d lines", len(all))
	}
	for _, ai := range all {
		fits := 0
		for n := range 91 {
			_, err := label.MakeLink("", []label.Element{{"00", "006141411234567890"}, {ai, strings.Repeat("1", n)}})
			if err == nil || !strings.Contains(err.Error(), "too few") && !strings.Contains(err.Error(), "too many") {
				fits++
			}
		}
		if fits == 0 {
			t.Errorf("(%s) has no length that fits", ai)
		}
		for _, other := range related[ai] {
			if !slices.ContainsFunc(all, func(a string) bool {
				return len(a) == len(other) && strings.HasPrefix(a, strings.TrimRight(other, "n"))
			}) {
				t.Errorf("(%s) names %s, which is not there", ai, other)
			}
		}
	}
}
