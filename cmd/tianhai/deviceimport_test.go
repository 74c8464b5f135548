package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func newRegister() register {
	return register{
		tenants: map[string]bool{"oysters": true, "tea": true}, models: map[string]bool{"station": true},
		devices: map[string]bool{"old": true}, sites: map[string]string{"raft-1": "oysters", "garden-1": "tea"},
	}
}

// Each fault is told with its line and column, and all of them at once.
func TestDeviceImportFaults(t *testing.T) {
	tests := map[string]struct {
		file string
		want []lineFault
	}{
		"in order":           {"id,tenant,model,name_zh\na,oysters,station,甲\n", nil},
		"from a spreadsheet": {"\ufeffid,tenant,model,name_zh,site,from\r\na,oysters,station,\"甲\n乙\",raft-1,2026-07-01T08:00:00+08:00\r\n", nil},
		"header":             {"id,model,name_zh,price,id\n", []lineFault{{1, "price", "unknown column"}, {1, "id", "is there twice"}, {1, "tenant", "missing column"}}},
		"short line":         {"id,tenant,model,name_zh\na,oysters,station\nb,oysters,station,乙\n", []lineFault{{2, "line", "3 fields instead of 4"}}},
		"many faults": {
			"id,tenant,model,name_zh,site,from\n" +
				"a,oysters,station,\"甲\n\",raft-1,\n" +
				"a,nobody,clock,,raft-1,\n" +
				"old,tea,station,乙,raft-1,yesterday\n" +
				"b,tea,station,丙,,2026-07-01T08:00:00Z\n",
			[]lineFault{
				{4, "id", "a is there already"},
				{4, "tenant", `"nobody" is not registered`},
				{4, "model", `"clock" is not registered`},
				{4, "name_zh", "is missing"},
				{4, "site", `"raft-1" is none of nobody's`},
				{5, "id", "old is there already"},
				{5, "site", `"raft-1" is none of tea's`},
				{5, "from", `"yesterday" is not a time such as 2026-07-01T08:00:00+08:00`},
				{6, "from", "there is no site"},
			},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, faults, err := newRegister().parse(strings.NewReader(tt.file))
			if diff := cmp.Diff(tt.want, faults, cmp.AllowUnexported(lineFault{})); diff != "" || err != nil {
				t.Errorf("%v, faults (-want +got):\n%s", err, diff)
			}
		})
	}
	for name, file := range map[string]string{"empty": "", "no CSV": "id,tenant,model,name_zh\n\"a"} {
		if _, _, err := newRegister().parse(strings.NewReader(file)); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func FuzzDeviceImport(f *testing.F) {
	f.Add("id,tenant,model,name_zh,site,from\na,oysters,station,甲,raft-1,2026-07-01T08:00:00Z\n")
	f.Add("\ufeffid,tenant,model,name_zh\n\"a\",b\n")
	f.Fuzz(func(t *testing.T, file string) {
		devices, faults, err := newRegister().parse(strings.NewReader(file))
		if err != nil || len(faults) > 0 {
			return
		}
		for _, d := range devices {
			if d.ID == "" || d.Tenant == "" || d.Model != "station" || d.Name.Zh == "" {
				t.Errorf("took %+v", d)
			}
		}
	})
}
