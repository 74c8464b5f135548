package farm_test

import (
	"strings"
	"testing"
	"time"

	"tianhai/farm"
)

func TestCheckCreditCode(t *testing.T) {
	for name, code := range map[string]string{
		"the standard's example":  "91350100M000100Y43",
		"letters and a remainder": "9144030071526726XG",
		"digits only":             "914403001922038216",
		"check character letter":  "91330100799655058B",
	} {
		t.Run(name, func(t *testing.T) {
			if err := farm.CheckCreditCode(code); err != nil {
				t.Fatal(err)
			}
			for i := range code {
				for _, c := range "0123456789ABCDEFGHJKLMNPQRTUWXY" {
					if wrong := code[:i] + string(c) + code[i+1:]; wrong != code && farm.CheckCreditCode(wrong) == nil {
						t.Errorf("%s passes: character %d of %s is wrong", wrong, i+1, code)
					}
				}
			}
		})
	}
	for name, tt := range map[string]struct{ code, says string }{
		"short":      {"91350100M000100Y4", "17 characters"},
		"letter I":   {"9135010IM000100Y43", "character 8"},
		"lower case": {"91350100m000100y43", "character 9"},
		"check":      {"91350100M000100Y44", `check character is '3'`},
	} {
		t.Run(name, func(t *testing.T) {
			if err := farm.CheckCreditCode(tt.code); err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("CheckCreditCode(%s) = %v, want an error that says %s", tt.code, err, tt.says)
			}
		})
	}
}

func TestCheckPersonNumber(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, good := range []string{"11010519491231002X", "440524188001010014"} { // examples of GB 11643-1999
		want := good[6:10] >= "1900"
		if err := farm.CheckPersonNumber(good, now); (err == nil) != want {
			t.Errorf("CheckPersonNumber(%s) = %v", good, err)
		}
	}
	for name, bad := range map[string]string{
		"check character": "110105194912310021",
		"no digit":        "11010519491231O02X",
		"short":           "1101051949123102X",
		"not born yet":    "11010520491231002" + "X",
	} {
		t.Run(name, func(t *testing.T) {
			err := farm.CheckPersonNumber(bad, now)
			if err == nil {
				t.Fatalf("%s passes", bad)
			}
			if strings.Contains(err.Error(), bad) {
				t.Errorf("the error repeats the number: %v", err)
			}
		})
	}
}

func TestTenantCheck(t *testing.T) {
	good := farm.Tenant{ID: "co", Kind: farm.Cooperative, Name: farm.Text{Zh: "合作社"}, CreditCode: "91350100M000100Y43"}
	if err := good.Check(); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		change func(*farm.Tenant)
		says   string
	}{
		"identifier":       {func(x *farm.Tenant) { x.ID = "A" }, "identifier"},
		"name":             {func(x *farm.Tenant) { x.Name.Zh = "" }, "name.zh"},
		"kind":             {func(x *farm.Tenant) { x.Kind = "club" }, "kind"},
		"no code":          {func(x *farm.Tenant) { x.CreditCode = "" }, "credit_code"},
		"wrong code":       {func(x *farm.Tenant) { x.CreditCode = "91350100M000100Y44" }, "check character"},
		"household's code": {func(x *farm.Tenant) { x.Kind, x.CreditCode = farm.Household, "1" }, "18"},
	} {
		t.Run(name, func(t *testing.T) {
			x := good
			tt.change(&x)
			if err := x.Check(); err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("Check() = %v, want an error about %s", err, tt.says)
			}
		})
	}
}

func TestLicence(t *testing.T) {
	day := func(d int) time.Time { return time.Date(2026, 1, d, 0, 0, 0, 0, time.UTC) }
	l := farm.Licence{Kind: farm.AquacultureLicence, Number: "桂养证〔2026〕1号", Issuer: "钦州市", Issued: day(2), Expires: day(5)}
	if err := l.Check(); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		site string
		at   time.Time
		want bool
	}{
		"before":      {"", day(1), false},
		"first day":   {"", day(2), true},
		"last moment": {"", day(5).Add(-1), true},
		"expired":     {"", day(5), false},
		"its site":    {"raft", day(3), true},
		"other site":  {"pond", day(3), false},
	} {
		t.Run(name, func(t *testing.T) {
			x := l
			if tt.site != "" {
				x.Site = "raft"
			}
			if got := x.Covers(tt.site, tt.at); got != tt.want {
				t.Errorf("Covers(%q, %v) = %v", tt.site, tt.at, got)
			}
		})
	}
	l.Kind, l.Expires, l.Number = "driving", day(1), ""
	err := l.Check()
	for _, part := range []string{"kind", "number", "expires"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("Check() = %v, want it to name %s", err, part)
		}
	}
}
