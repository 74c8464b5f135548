package main

import (
	"encoding/csv"
	"fmt"
	"strings"
	"testing"
	"time"
)

// The vectors of ioos_qc's test_qartod.py, from a file through the command. They
// hold what a port gets wrong: 10/15/60 is less than 10/900 in floating point, the
// point after a missing one, strict inequalities, whole seconds, and the median
// interval.
func TestQCVectors(t *testing.T) {
	const quarter, day = 15 * time.Minute, 24 * time.Hour
	const moving = "2,10,2.1,3,4,5,7,10,0,2,2.2,2,1,2,3,90,91,92,93,1,2,3,4,5"
	const spiky = "3,4.99,5,6,8,6,6,6.75,6,6,5.3,6,6,9,5,,4,4"
	for name, tt := range map[string]struct {
		test, values, z string
		step            time.Duration
		want            string
	}{
		"gross range":          {"gross_range_test: {fail_span: [0, 5], suspect_span: [1, 4]}", "1,2,3,4,8", "", quarter, "1,1,1,1,4"},
		"spike":                {"spike_test: {suspect_threshold: 25, fail_threshold: 50}", "10,12,999.99,13,15,40,9,9,None,10,10,999.99,10,NaN", "", quarter, "2,4,4,4,1,3,1,2,9,2,4,4,2,9"},
		"spike, average":       {"spike_test: {suspect_threshold: .5, fail_threshold: 1, method: average}", spiky, "", quarter, "2,3,1,1,4,3,1,3,1,1,3,1,4,4,2,9,2,2"},
		"spike, differential":  {"spike_test: {suspect_threshold: .5, fail_threshold: 1, method: differential}", spiky, "", quarter, "2,1,1,1,4,1,1,3,1,1,3,1,1,4,2,9,2,2"},
		"rate of change":       {"rate_of_change_test: {threshold: 5/15/60}", moving, "", quarter, "1,3,3,1,1,1,1,1,3,1,1,1,1,1,1,3,1,1,1,3,1,1,1,1"},
		"rate of change, fail": {"rate_of_change_test: {threshold: 5/15/60, fail_threshold: 10/15/60}", moving, "", quarter, "1,3,3,1,1,1,1,1,4,1,1,1,1,1,1,4,1,1,1,4,1,1,1,1"},
		"rate, missing":        {"rate_of_change_test: {threshold: 5/15/60}", "2,10,2,3,,,7,10", "", quarter, "1,3,3,1,9,9,1,1"},
		"flat line": {
			"flat_line_test: {tolerance: 0.01, suspect_threshold: 3000, fail_threshold: 4800}",
			"1,2,2.0001,2,2.0001,2,2.0001,2,4,5,3,3.0001,3.0005,3.00001", "", quarter, "1,1,1,1,3,3,4,4,1,1,1,1,1,3",
		},
		"flat line, missing": {
			"flat_line_test: {tolerance: 0.01, suspect_threshold: 3000, fail_threshold: 4800}",
			"1,,,2,2.0001,2,2.0001,2,4,,3,,,3.00001", "", quarter, "1,9,9,1,3,3,4,4,1,9,1,9,9,3",
		},
		"flat line, short": {"flat_line_test: {tolerance: .1, suspect_threshold: 3, fail_threshold: 5}", "5,5,5,5,5,5", "", time.Second, "1,1,1,3,3,4"},
		"flat line, slope": {"flat_line_test: {tolerance: 4, suspect_threshold: 3, fail_threshold: 6}", "1,1,1,1,1,6,5,4,3,2", "", time.Second, "1,1,1,3,3,1,1,1,3,3"},
		"attenuated": {
			"attenuated_signal_test: {suspect_threshold: 100, fail_threshold: 10, test_period: 172800, min_obs: 0, check_type: range}",
			"1,2,3,100,1000", "", day, "4,4,4,3,1",
		},
		"attenuated, min_obs": {
			"attenuated_signal_test: {suspect_threshold: 100, fail_threshold: 10, test_period: 172800, min_obs: 2, check_type: range}",
			"1,2,3,100,1000", "", day, "2,4,4,3,1",
		},
		"attenuated, missing": {
			"attenuated_signal_test: {suspect_threshold: 100, fail_threshold: 50, test_period: 172800, min_obs: 2, check_type: range}",
			"1,,10,100,1000", "", day, "2,9,2,3,1",
		},
		"attenuated, whole": {"attenuated_signal_test: {suspect_threshold: 5, fail_threshold: 0}", "1,2,3,4", "", day, "3,3,3,3"},
		"density, down": {
			"density_inversion_test: {suspect_threshold: -.01, fail_threshold: -.03}",
			"1024,1024,1023.98,1024,1025,1026,1025.9,1026,1026,,1026,1027", "1,2,3,4,5,6,7,8,9,10,11,12", time.Second, "1,3,3,1,1,4,4,1,1,9,9,1",
		},
		"density, up": {
			"density_inversion_test: {suspect_threshold: -.01, fail_threshold: -.03}",
			"1026,,1026,1026,1025.9,1026,1025,1024,1023.98,1024,1024", "11,10,9,8,7,6,5,4,3,2,1", time.Second, "1,9,9,1,4,4,1,1,3,3,1",
		},
		"climatology by month": {
			"climatology_test: {config: [{period: month, tspan: [0, 3], vspan: [10, 20]}]}", "9,11,15,21,21", "", 25 * day, "3,1,1,3,2",
		},
		"time gap": {"time_gap_test: {suspect_threshold: 899, fail_threshold: 900}", "1,1,,1", "", quarter, "2,3,9,4"},
	} {
		t.Run(name, func(t *testing.T) {
			var file strings.Builder
			file.WriteString("time,z,v\n")
			depths := strings.Split(tt.z, ",")
			for i, v := range strings.Split(tt.values, ",") {
				z := ""
				if tt.z != "" {
					z = depths[i]
				}
				at := time.Date(2015, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(i) * tt.step)
				fmt.Fprintf(&file, "%s,%s,%s\n", at.Format(time.DateTime), z, v)
			}
			args := []string{"--tests", write(t, "tests.yaml", "streams: {v: {qartod: {"+tt.test+"}}}"), write(t, "in.csv", file.String())}
			if tt.z != "" {
				args = append(args, "--z", "z")
			}
			out, err := qcRun(t, args...)
			if err != nil {
				t.Fatal(err)
			}
			rows, err := csv.NewReader(strings.NewReader(out)).ReadAll()
			if err != nil {
				t.Fatal(err)
			}
			var flags []string
			for _, row := range rows[1:] {
				flags = append(flags, row[3])
			}
			if got := strings.Join(flags, ","); got != tt.want {
				t.Errorf("flags\n%s, want\n%s", got, tt.want)
			}
		})
	}
}
