package device_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"

	"tianhai/farm"
	"tianhai/ingest/device"
)

func newReferences() device.References {
	return device.References{
		Tenants: map[string]bool{"oysters": true, "tea": true}, Models: map[string]bool{"station": true},
		Sites: map[string]string{"raft-1": "oysters", "garden-1": "tea"},
	}
}

func parse(t testing.TB, file, tenant string) *device.Sheet {
	t.Helper()
	sheet, err := device.ParseCSV(strings.NewReader(file), newReferences(), tenant)
	if err != nil {
		t.Fatal(err)
	}
	return sheet
}

// Each fault is told with its line and column, and all of them at once.
func TestParseCSVFaults(t *testing.T) {
	tests := map[string]struct {
		file string
		want []device.Fault
	}{
		"in order":           {"id,tenant,model,name_zh\na,oysters,station,甲\n", nil},
		"empty rows":         {"id,tenant,model,name_zh\na,oysters,station,甲\n,,,\n\n,,\n", nil},
		"from a spreadsheet": {"\ufeffid,tenant,model,name_zh,site,from\r\na,oysters,station,\"甲，\"\"乙\"\"\",raft-1,2026-07-01T08:00:00+08:00\r\n", nil},
		"header": {"id,model,name_zh,price,id\n", []device.Fault{
			{1, "price", "unknown column; there are id,model,name_zh,tenant,name_en,site,from"}, {1, "id", "is there twice"}, {1, "tenant", "missing column"},
		}},
		"short line": {"id,tenant,model,name_zh\na,oysters,station\nb,oysters,station,乙\n", []device.Fault{{2, "line", "3 fields instead of 4"}}},
		"many faults": {
			"id,tenant,model,name_zh,site,from\n" +
				"a,oysters,station,\"甲\n\",raft-1,\n" +
				"a,nobody,clock,,raft-1,\n" +
				"B,tea,station,\"乙\n丙\",raft-1,yesterday\n" +
				"b,tea,station,丙,,2026-07-01T08:00:00Z\n",
			[]device.Fault{
				{4, "id", "a is in line 2 already"},
				{4, "tenant", `"nobody" is not registered`},
				{4, "model", `"clock" is not registered`},
				{4, "name_zh", "has no Chinese"},
				{4, "site", `"raft-1" is none of nobody's`},
				{5, "id", `identifier "B": byte 0 is 'B'; use a-z, 0-9, and after the first - or _`},
				{5, "name_zh", "has a control character"},
				{5, "site", `"raft-1" is none of tea's`},
				{5, "from", `"yesterday" is not a time such as 2026-07-01T08:00:00+08:00`},
				{7, "from", "there is no site"},
			},
		},
		"empty":      {"", []device.Fault{{1, "file", "is empty: the first line names the columns id,model,name_zh,tenant,name_en,site,from"}}},
		"bare quote": {"id,tenant,model,name_zh\na\"b,oysters,station,甲\nb,oysters,clock,乙\n", []device.Fault{{2, "line", `bare " in non-quoted-field at byte 2`}, {3, "model", `"clock" is not registered`}}},
		"open quote": {"id,tenant,model,name_zh\n\"a", []device.Fault{{2, "line", `extraneous or missing " in quoted-field at byte 3`}}},
		"no text":    {"id,tenant\x00", []device.Fault{{1, "file", "is text neither in UTF-8 nor in UTF-16 or GB18030"}}},
		"a picture":  {"\x89PNG\r\n\x1a\n\xff\xff", []device.Fault{{1, "file", "is text neither in UTF-8 nor in UTF-16 or GB18030"}}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, parse(t, tt.file, "").Faults()); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
		})
	}
}

// However Excel saved it, the file says the same.
func TestParseCSVEncodings(t *testing.T) {
	const file = "id,tenant,model,name_zh,name_en,site,from\r\nsonde-1,oysters,station,㙟一号，水质,\"Raft, one\",raft-1,2026-07-01T08:00:00+08:00\r\n"
	want := []device.NewDevice{{
		ID: "sonde-1", Tenant: "oysters", Model: "station", Name: farm.Text{Zh: "㙟一号，水质", En: "Raft, one"},
		Site: "raft-1", From: time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC),
	}}
	encode := func(text string, err error) string {
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	tabs := strings.ReplaceAll(strings.ReplaceAll(file, `"Raft, one"`, "Raft~ one"), ",", "\t")
	for name, text := range map[string]string{
		"CSV UTF-8":               "\ufeff" + file,
		"plain UTF-8":             file,
		"CSV on a Chinese system": encode(simplifiedchinese.GB18030.NewEncoder().String(file)),
		"Unicode text":            encode(unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder().String(strings.ReplaceAll(tabs, "~", ","))),
		"UTF-16, big-endian":      encode(unicode.UTF16(unicode.BigEndian, unicode.UseBOM).NewEncoder().String(file)),
		"semicolons":              strings.ReplaceAll(strings.ReplaceAll(strings.ReplaceAll(file, "Raft, one", "Raft~ one"), ",", ";"), "~", ","),
	} {
		t.Run(name, func(t *testing.T) {
			sheet := parse(t, text, "")
			if diff := cmp.Diff(want, sheet.Devices()); diff != "" || len(sheet.Faults()) > 0 {
				t.Errorf("faults %v, devices (-want +got):\n%s", sheet.Faults(), diff)
			}
		})
	}
}

// A manager's file may leave the tenant out, and cannot name another.
func TestParseCSVOfOneTenant(t *testing.T) {
	known := newReferences()
	delete(known.Tenants, "tea")
	sheet, err := device.ParseCSV(strings.NewReader("name_zh,id,model\n甲,a,station\n"), known, "oysters")
	if err != nil || len(sheet.Faults()) > 0 || sheet.Devices()[0].Tenant != "oysters" {
		t.Errorf("%v, %v, %v", err, sheet.Faults(), sheet.Devices())
	}
	sheet, err = device.ParseCSV(strings.NewReader("name_zh,id,model,tenant\n甲,a,station,tea\n乙,b,station,\n"), known, "oysters")
	if err != nil || len(sheet.Faults()) != 1 || sheet.Faults()[0].Field != "tenant" || sheet.Devices()[1].Tenant != "oysters" {
		t.Errorf("%v, %v, %v", err, sheet.Faults(), sheet.Devices())
	}
}

func TestParseCSVLimits(t *testing.T) {
	sheet := parse(t, "id,tenant,model,name_zh\n"+strings.Repeat("A,oysters,station,甲\n", device.MaxFaults+5), "")
	if faults := sheet.Faults(); len(faults) != device.MaxFaults+1 || faults[device.MaxFaults].Field != "file" {
		t.Errorf("%d faults", len(faults))
	}
	sheet = parse(t, "id,tenant,model,name_zh\na,"+strings.Repeat("x", 1<<20)+",station,甲\n", "")
	if faults := sheet.Faults(); len(faults) != 1 || len(faults[0].Reason) > 400 {
		t.Errorf("%d faults", len(faults))
	}
	if _, err := device.ParseCSV(strings.NewReader(strings.Repeat("x", device.MaxImportBytes+1)), newReferences(), ""); !errors.Is(err, device.ErrTooLarge) {
		t.Errorf("error %v, want ErrTooLarge", err)
	}
}

func FuzzParseCSV(f *testing.F) {
	f.Add("id,tenant,model,name_zh,site,from\na,oysters,station,甲,raft-1,2026-07-01T08:00:00Z\n")
	f.Add("\ufeffid,tenant,model,name_zh\n\"a\",b\n")
	f.Add("id;tenant;model;name_zh\na;oysters;station;\xbc\xd7\n")
	f.Add("\xff\xfei\x00d\x00")
	f.Fuzz(func(t *testing.T, file string) {
		sheet := parse(t, file, "")
		if len(sheet.Faults()) > 0 {
			return
		}
		seen := map[string]bool{}
		for _, d := range sheet.Devices() {
			if farm.CheckID(d.ID) != nil || seen[d.ID] || !newReferences().Tenants[d.Tenant] || d.Model != "station" || d.Name.Zh == "" {
				t.Errorf("took %+v", d)
			}
			seen[d.ID] = true
		}
	})
}

// depot is what the records database is to the importer.
type depot struct {
	taken   map[string]bool
	devices []device.NewDevice
}

func (d *depot) References(context.Context, string) (device.References, error) {
	return newReferences(), nil
}

func (d *depot) Taken(_ context.Context, ids []string) (map[string]bool, error) { return d.taken, nil }

func (d *depot) CreateDevices(_ context.Context, devices []device.NewDevice) error {
	d.devices = slices.Clone(devices)
	return nil
}

func TestImporter(t *testing.T) {
	d := &depot{taken: map[string]bool{"b": true, "c": true}}
	im := device.Importer{Store: d, Now: func() time.Time { return noon }}
	const header = "id,tenant,model,name_zh,site\n"
	_, faults, err := im.Check(t.Context(), strings.NewReader(header+"a,oysters,station,甲,raft-1\n\nb,tea,clock,乙,\n"), "")
	want := []device.Fault{{4, "model", `"clock" is not registered`}, {4, "id", "b is there already"}}
	if diff := cmp.Diff(want, faults); diff != "" || err != nil {
		t.Errorf("%v (-want +got)\n%s", err, diff)
	}
	devices, faults, err := im.Check(t.Context(), strings.NewReader(header+"a,oysters,station,甲,raft-1\n"), "")
	if err != nil || len(faults) > 0 {
		t.Fatal(faults, err)
	}
	labels, err := im.Import(t.Context(), "li", devices)
	if err != nil || len(labels) != 1 || labels[0].ID != "a" || len(labels[0].Secret) != 32 || labels[0].Code != "" {
		t.Fatalf("labels %v, %v", labels, err)
	}
	got := d.devices[0]
	if got.Account != "li" || !got.Created.Equal(noon) || !got.From.Equal(noon) || len(got.SecretHash) != 32 || strings.Contains(string(got.SecretHash), labels[0].Secret) {
		t.Errorf("kept %+v", got)
	}
}
