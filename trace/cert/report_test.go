package cert_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"tianhai/trace/cert"
)

var now = time.Date(2026, 6, 1, 4, 0, 0, 0, time.UTC)

func newReport(items ...cert.Item) cert.Report {
	return cert.Report{
		ID: "01JZ00000000000000000000R1", Source: cert.Laboratory, By: "lab", Lab: "广西农产品检测中心", CMA: "230021340123", Number: "W2026-0417", Sample: "S-1",
		Sampled: "2026-05-20", Reported: "2026-05-28", Items: items,
	}
}

// What follows from result and limit, in every form that reports use.
func TestVerdicts(t *testing.T) {
	tests := map[string]struct {
		result, limit string
		want          cert.Verdict // empty: it does not follow
	}{
		"below the limit":               {"0.023", "0.5", cert.Pass},
		"at the limit":                  {"0.50", "≤0.5", cert.Pass},
		"above by the last digit":       {"0.500000000001", "0.5", cert.Fail},
		"not rounded":                   {"0.54", "0.5", cert.Fail},
		"full-width signs":              {"＜0.01", "≦ 0.5", cert.Pass},
		"ASCII signs":                   {"< 0.01", "<=0.5", cert.Pass},
		"below what is told, too much":  {"<0.05", "0.02", ""},
		"below the limit itself":        {"<0.02", "0.02", cert.Pass},
		"not detected":                  {"未检出", "0.02", cert.Pass},
		"ND":                            {"nd", "0.02", cert.Pass},
		"not detected, with the bound":  {"未检出（<0.01）", "0.02", cert.Pass},
		"not detected, a coarse bound":  {"未检出(＜0.05)", "0.02", ""},
		"no limit is set":               {"0.3", "", ""},
		"a dash for a limit":            {"0.3", "—", ""},
		"must not be there and is":      {"0.0003", "不得检出", cert.Fail},
		"must not be there and is not":  {"未检出", "不得检出", cert.Pass},
		"must not be there, below":      {"<0.0005", "不得检出", cert.Pass},
		"a strip, negative":             {"阴性", "不得检出", cert.Pass},
		"a strip, positive":             {"阳性", "阴性", cert.Fail},
		"a strip against a number":      {"阴性", "0.1", ""},
		"at least":                      {"7.2", "≥6.5", cert.Pass},
		"less than at least":            {"6.4", ">=6.5", cert.Fail},
		"below what must be reached":    {"<6", "≥6.5", cert.Fail},
		"below more than must be there": {"<10", "≥6.5", ""},
		"nothing of what must be":       {"未检出", "≥6.5", cert.Fail},
		"large":                         {"123456789012", "123456789012.5", cert.Pass},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r, err := newReport(cert.Item{Name: "毒死蜱", Result: tt.result, Limit: tt.limit, Unit: "mg/kg"}).Judge(now)
			if err != nil {
				t.Fatal(err)
			}
			if got := r.Items[0]; got.Verdict != tt.want || got.Stated {
				t.Errorf("%s against %q is %q, stated %v; want %q", tt.result, tt.limit, got.Verdict, got.Stated, tt.want)
			}
			if r.Verdict != tt.want || r.Stated {
				t.Errorf("the report says %q, stated %v", r.Verdict, r.Stated)
			}
			for _, said := range []cert.Verdict{cert.Pass, cert.Fail} {
				r, err := newReport(cert.Item{Name: "毒死蜱", Result: tt.result, Limit: tt.limit, Verdict: said}).Judge(now)
				switch {
				case tt.want == "":
					if err != nil || r.Items[0].Verdict != said || !r.Items[0].Stated {
						t.Errorf("the laboratory's own %s: %+v, %v", said, r.Items, err)
					}
				case said == tt.want:
					if err != nil || r.Items[0].Stated {
						t.Errorf("said as it follows: %+v, %v", r.Items, err)
					}
				default:
					wantField(t, err, "items[0].verdict", "毒死蜱")
				}
			}
		})
	}
}

func TestReportVerdict(t *testing.T) {
	good, bad, open := cert.Item{Name: "a", Result: "1", Limit: "2"}, cert.Item{Name: "b", Result: "3", Limit: "2"}, cert.Item{Name: "c", Result: "3"}
	for name, tt := range map[string]struct {
		items  []cert.Item
		said   cert.Verdict
		want   cert.Verdict
		stated bool
	}{
		"all good":                {[]cert.Item{good, good}, "", cert.Pass, false},
		"one bad":                 {[]cert.Item{good, bad, open}, "", cert.Fail, false},
		"one open":                {[]cert.Item{good, open}, "", "", false},
		"one open, the lab's yes": {[]cert.Item{good, open}, cert.Pass, cert.Pass, true},
		"one open, the lab's no":  {[]cert.Item{good, open}, cert.Fail, cert.Fail, true},
		"bad as it says":          {[]cert.Item{bad}, cert.Fail, cert.Fail, false},
	} {
		r := newReport(tt.items...)
		r.Verdict = tt.said
		got, err := r.Judge(now)
		if err != nil || got.Verdict != tt.want || got.Stated != tt.stated {
			t.Errorf("%s: %q, stated %v, %v", name, got.Verdict, got.Stated, err)
		}
	}
	r := newReport(good, bad)
	r.Verdict = cert.Pass
	_, err := r.Judge(now)
	wantField(t, err, "verdict", "fail")
	r = newReport(good)
	r.Verdict = cert.Fail
	_, err = r.Judge(now)
	wantField(t, err, "verdict", "pass")
}

func TestBadReports(t *testing.T) {
	item := cert.Item{Name: "铅", Result: "0.1", Unit: "mg/kg", Limit: "0.2"}
	for name, tt := range map[string]struct {
		spoil func(*cert.Report)
		field string
	}{
		"source":                 {func(r *cert.Report) { r.Source = "bureau" }, "source"},
		"entered by nobody":      {func(r *cert.Report) { r.By = "" }, "by"},
		"a laboratory's without": {func(r *cert.Report) { r.Lab, r.CMA = "", "" }, "laboratory"},
		"CMA of 11 digits":       {func(r *cert.Report) { r.CMA = "23002134012" }, "cma"},
		"CMA with a letter":      {func(r *cert.Report) { r.CMA = "23002134012Z" }, "cma"},
		"CMA of nobody":          {func(r *cert.Report) { r.Source, r.By, r.Lab = cert.Self, "", "" }, "cma"},
		"number":                 {func(r *cert.Report) { r.Number = " " }, "number"},
		"long number":            {func(r *cert.Report) { r.Number = strings.Repeat("1", 65) }, "number"},
		"sample":                 {func(r *cert.Report) { r.Sample = "a\nb" }, "sample"},
		"sampled":                {func(r *cert.Report) { r.Sampled = "2026-02-30" }, "sampled"},
		"before the sample":      {func(r *cert.Report) { r.Reported = "2026-05-19" }, "reported"},
		"tomorrow":               {func(r *cert.Report) { r.Reported = "2026-06-02" }, "reported"},
		"no items":               {func(r *cert.Report) { r.Items = nil }, "items"},
		"too many items":         {func(r *cert.Report) { r.Items = make([]cert.Item, cert.MaxItems+1) }, "items"},
		"itself":                 {func(r *cert.Report) { r.Corrects = r.ID }, "corrects"},
		"verdict":                {func(r *cert.Report) { r.Verdict = "good" }, "verdict"},
		"item without name":      {func(r *cert.Report) { r.Items[0].Name = "" }, "items[0].name"},
		"result in words":        {func(r *cert.Report) { r.Items[0].Result = "少量" }, "items[0].result"},
		"result with exponent":   {func(r *cert.Report) { r.Items[0].Result = "1e-3" }, "items[0].result"},
		"negative result":        {func(r *cert.Report) { r.Items[0].Result = "-1" }, "items[0].result"},
		"empty brackets":         {func(r *cert.Report) { r.Items[0].Result = "未检出()" }, "items[0].result"},
		"limit in words":         {func(r *cert.Report) { r.Items[0].Limit = "适量" }, "items[0].limit"},
		"item's verdict":         {func(r *cert.Report) { r.Items[0].Verdict = "ok" }, "items[0].verdict"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newReport(item)
			tt.spoil(&r)
			_, err := r.Judge(now)
			wantField(t, err, tt.field, "")
		})
	}
	// The report of the very day, which has begun in Beijing and not in Greenwich.
	r := newReport(item)
	r.Reported = "2026-06-02"
	if _, err := r.Judge(time.Date(2026, 6, 1, 16, 0, 0, 0, time.UTC)); err != nil {
		t.Errorf("today: %v", err)
	}
}

func wantField(t *testing.T, err error, name, says string) {
	t.Helper()
	var bad *cert.FieldError
	if !errors.As(err, &bad) || bad.Field != name || !strings.Contains(bad.Reason, says) {
		t.Errorf("err = %v, want one of %s that says %s", err, name, says)
	}
}

// Whatever a laboratory writes, the verdict is one of three, and the same however
// the number is padded.
func FuzzItem(f *testing.F) {
	for _, seed := range [][2]string{{"0.023", "0.5"}, {"<0.01", "≤0.5"}, {"未检出(<0.01)", "不得检出"}, {"阴性", ""}, {"ND", "≥1"}, {"＜０", "/"}, {"n.d.", "-"}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, result, limit string) {
		judge := func(result string) (string, error) {
			r, err := newReport(cert.Item{Name: "x", Result: result, Limit: limit}).Judge(now)
			if err != nil {
				var bad *cert.FieldError
				if !errors.As(err, &bad) {
					t.Fatalf("%q: %v is no FieldError", result, err)
				}
				return "", err
			}
			v := r.Items[0].Verdict
			if v != "" && v != cert.Pass && v != cert.Fail || r.Items[0].Stated {
				t.Fatalf("%q against %q: %+v", result, limit, r.Items[0])
			}
			return fmt.Sprint(v), nil
		}
		plain, err := judge(result)
		if padded, again := judge(" " + result + " "); err == nil && again == nil && padded != plain {
			t.Errorf("%q is %s and with blanks %s", result, plain, padded)
		}
	})
}
