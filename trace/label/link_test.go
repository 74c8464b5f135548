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
		"port left empty": {"https://a:/01/09506000134352", "(01)09506000134352", "https://a:/01/09506000134352"},
		"full stop after the domain, stem of keys": {
			"https://a.example./01/02/00/09506000134352/01/09506000134352", "(01)09506000134352", "https://a.example./01/02/00/09506000134352/01/09506000134352",
		},
		"made by a third party": {"https://a/01/09506000134352/235/T%3Aq", "(01)09506000134352(235)T:q", "https://a/01/09506000134352/235/T%3Aq"},
		"piece of an item":      {"https://a/8006/095060001343520203/22/v/10/L/21/s", "(8006)095060001343520203(22)v(10)L(21)s", "https://a/8006/095060001343520203/22/v/10/L/21/s"},
		"document":              {"https://a/253/9506000134376A%2f1", "(253)9506000134376A/1", "https://a/253/9506000134376A%2F1"},
		"document type":         {"https://a/253/9506000134376", "(253)9506000134376", "https://a/253/9506000134376"},
		"coupon's number":       {"https://a/255/9506000134376000123456789?3900=250", "(255)9506000134376000123456789(3900)250", "https://a/255/9506000134376000123456789?3900=250"},
		"consignment":           {"https://a/401/9506000x-9", "(401)9506000x-9", "https://a/401/9506000x-9"},
		"shipment":              {"https://a/402/95060001343760123", "(402)95060001343760123", "https://a/402/95060001343760123"},
		"importer at a place":   {"https://a/414/9506000134376/7040/1ABC", "(414)9506000134376(7040)1ABC", "https://a/414/9506000134376/7040/1ABC"},
		"importer's party":      {"https://a/417/9506000134376/7040/1ABC", "(417)9506000134376(7040)1ABC", "https://a/417/9506000134376/7040/1ABC"},
		"importer's asset":      {"https://a/8004/9506000-1/7040/1ABC", "(8004)9506000-1(7040)1ABC", "https://a/8004/9506000-1/7040/1ABC"},
		"crate":                 {"https://a/8003/09506000134352K7", "(8003)09506000134352K7", "https://a/8003/09506000134352K7"},
		"part":                  {"https://a/8010/9506000-1%232%2FA/8011/120", "(8010)9506000-1#2/A(8011)120", "https://a/8010/9506000-1%232%2FA/8011/120"},
		"part number 0":         {"https://a/8010/9506000-1/8011/0", "(8010)9506000-1(8011)0", "https://a/8010/9506000-1/8011/0"},
		"who serves":            {"https://a/8017/950600013437612342/8019/7", "(8017)950600013437612342(8019)7", "https://a/8017/950600013437612342/8019/7"},
		"signature": {
			"https://a/01/09506000134352/21/7?8030=Ab-_9%3D", "(01)09506000134352(21)7(8030)Ab-_9=", "https://a/01/09506000134352/21/7?8030=Ab-_9%3D",
		},
		"semicolon in a value": {"https://a/01/09506000134352?91=A;B", "(01)09506000134352(91)A;B", "https://a/01/09506000134352?91=A%3BB"},
		"price in yuan":        {"https://a/01/09506000134352?3103=000500&3932=15601250", "(01)09506000134352(3103)000500(3932)15601250", "https://a/01/09506000134352?3103=000500&3932=15601250"},
		"price in ZiG":         {"https://a/01/09506000134352?30=6&3932=92401250", "(01)09506000134352(30)6(3932)92401250", "https://a/01/09506000134352?30=6&3932=92401250"},
		"model number":         {"https://a/8013/1987654Ad4X4bL5ttr2310c2K", "(8013)1987654Ad4X4bL5ttr2310c2K", "https://a/8013/1987654Ad4X4bL5ttr2310c2K"},
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
		"signature of a type": {gtin + "?8030=AbCd", "query", "8030", "(01) and (21)"},
		"signature's set":     {gtin + "/21/7?8030=Ab%2B9", "query", "8030", "base64url"},
		"short IBAN":          {"https://a/415/9520123456788/8020/R?8007=DE5100000", "query", "8007", "check digits"},
		"serial twice":        {gtin + "/21/1?21=1", "query", "21", "twice"},
		"pay-to alone":        {"https://a/8020/R1", "path", "", "no GS1 key"},
		"importer's digits":   {"https://a/417/9506000134376/7040/AABC", "path", "7040", "the digits"},
		"importer's index":    {"https://a/417/9506000134376/7040/1AB%25", "path", "7040", "importer index"},
		"part from 0":         {"https://a/8010/9506000-1/8011/012", "path", "8011", "without zeros"},
		"part's small letter": {"https://a/8010/9506000a", "path", "8010", "character set 39"},
		"crate without zero":  {"https://a/8003/19506000134352", "path", "8003", "is not 0"},
		"GDTI of 18 behind":   {"https://a/253/9506000134376" + strings.Repeat("A", 18), "path", "253", "13 to 30 characters"},
		"GCN with a letter":   {"https://a/255/9506000134376A", "path", "255", "'A'"},
		"serial of a model":   {"https://a/8013/1987654Ad4X4bL5ttr2310c2K/21/7", "path", "21", "what may is nothing"},
		"semicolons for &":    {gtin + "?17=270630;11=260630", "query", "17", "too many"},
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

// What GS1 has not given out yet is let through by name, as its first two digits allow.
func TestParseLinkUnknownAI(t *testing.T) {
	const gtin = "https://a/01/09506000134352?"
	for name, tt := range map[string]struct{ query, want string }{
		"free":                   {"89=x&99=y", "^010950600013435289x^99y"},
		"predefined length":      {"3109=000500&99=y", "^01095060001343523109" + "00050099y"},
		"not of that length":     {"3109=00050", ""},
		"AIs of four digits":     {"311=000500", ""},
		"five digits":            {"89999=x", ""},
		"one digit":              {"8=x", ""},
		"long":                   {"89=" + strings.Repeat("x", 91), ""},
		"character set 82":       {"89=%7B", ""},
		"would-be date and time": {"14=270630&99=y", "^01095060001343521427063099y"},
	} {
		l, err := label.ParseLink(gtin+tt.query, label.LinkOptions{UnknownAI: true})
		if tt.want == "" && err == nil || tt.want != "" && (err != nil || l.ElementString() != tt.want) {
			t.Errorf("%s: %s, %v; want %s", name, l.ElementString(), err, tt.want)
		}
	}
}

func TestCoupons(t *testing.T) {
	const first = "0" + "950600" + "123456" + "2" + "50" + "1" + "3" + "0" + "111" // 50 cents for three
	for name, tt := range map[string]struct{ ai, value, reason string }{
		"least":                   {"8110", first, ""},
		"longest company":         {"8110", "6" + "950600123456" + first[7:], ""},
		"all that may be":         {"8110", first + "1" + "0" + "12" + "9" + "222" + "9" + "2" + "15" + "4" + "333" + "0" + "400123" + "3271231" + "4270101" + "5" + "0" + "123456" + "6" + "1" + "9506000" + "9" + "0" + "0" + "1" + "1", "too many"},
		"a second and third":      {"8110", first + "1" + "3" + "12" + "9" + "222" + "9" + "2" + "15" + "4" + "333" + "9" + "3271231", ""},
		"dates, serial, retailer": {"8110", first + "3271231" + "4270101" + "5" + "0" + "123456" + "6" + "1" + "9506000" + "9" + "5" + "2" + "7" + "0", ""},
		"one day":                 {"8110", first + "3270101" + "4270101", ""},
		"letter":                  {"8110", "A" + first[1:], `"A" at character 1`},
		"company too long":        {"8110", "7" + first[1:], "the length of the company prefix"},
		"ends early":              {"8110", first[:9], "ends within the offer code"},
		"no value":                {"8110", first[:13] + "0" + first[14:], "the value saved"},
		"code of the purchase":    {"8110", first[:18] + "5" + first[19:], "the code of the first purchase"},
		"family cut":              {"8110", first[:21], "the family of the first purchase"},
		"rule":                    {"8110", first + "1" + "4" + "12" + "9" + "222" + "9", "further purchases"},
		"second company":          {"8110", first + "1" + "3" + "12" + "9" + "222" + "8", "the length of the second company"},
		"no such day":             {"8110", first + "3270229", "not a date"},
		"ends before it begins":   {"8110", first + "3270101" + "4270102", "before it begins"},
		"retailer of 6":           {"8110", first + "6" + "0" + "950600", "the length of the retailer"},
		"kind of value":           {"8110", first + "9" + "3" + "0" + "0" + "0", "the kind of value"},
		"flag":                    {"8110", first + "9" + "0" + "0" + "0" + "2", "against multiplying"},
		"out of order":            {"8110", first + "50123456" + "3271231", `"3271231" at its end`},
		"offer":                   {"8112", "0" + "0" + "950600" + "123456" + "1" + "1234567", ""},
		"offer of a funder":       {"8112", "1" + "6" + "950600123456" + "123456" + "9" + "123456789012345", ""},
		"offer's format":          {"8112", "2" + "0" + "950600" + "123456" + "0" + "123456", "the format"},
		"offer's serial":          {"8112", "0" + "0" + "950600" + "123456" + "1" + "123456", "the serial number"},
		"offer's end":             {"8112", "0" + "0" + "950600" + "123456" + "0" + "1234567", `"7" at its end`},
	} {
		_, err := label.ParseLink("https://a/01/09506000134352?"+tt.ai+"="+tt.value, label.LinkOptions{})
		if tt.reason == "" && err != nil || tt.reason != "" && (err == nil || !strings.Contains(err.Error(), tt.reason)) {
			t.Errorf("%s: %v, want %q", name, err, tt.reason)
		}
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
		"of two barcodes": {
			"a",
			elements{{"01", "9506000134352"}, {"10", "A"}, {"01", "09506000134352"}, {"10", "A"}, {"99", "x"}, {"99", "x"}},
			"https://a/01/09506000134352/10/A?99=x",
		},
		"other key first":      {"a", elements{{"8017", "950600013437612342"}, {"99", "1"}, {"253", "9506000134376"}}, "https://a/8017/950600013437612342?253=9506000134376&99=1"},
		"lot not of this key":  {"a", elements{{"253", "9506000134376"}, {"01", "9506000134352"}, {"10", "A"}}, "https://a/253/9506000134376?01=09506000134352&10=A"},
		"qualifier of another": {"a", elements{{"01", "9506000134352"}, {"22", "v"}, {"235", "x"}}, "cannot be an attribute"},
		"no attribute":         {"a", elements{{"01", "9506000134352"}, {"8200", "http"}}, "cannot be an attribute"},
		"empty":                {"", elements{{"01", "9506000134352"}, {"10", ""}}, "0 characters are too few"},
		"Chinese lot":          {"", elements{{"01", "9506000134352"}, {"10", "批1"}}, "character set 82"},
		"excluded":             {"", elements{{"01", "9506000134352"}, {"21", "1"}, {"235", "X"}}, "(21) SERIAL"},
		"query":                {"a/?x=1", elements{{"01", "9506000134352"}}, "no ?"},
		"empty parts":          {"a//b", elements{{"01", "9506000134352"}}, "no empty parts"},
		"no domain":            {"https://", elements{{"01", "9506000134352"}}, "domain"},
		"space":                {"a b", elements{{"01", "9506000134352"}}, "characters"},
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
