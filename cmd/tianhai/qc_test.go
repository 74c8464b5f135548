package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tianhai/farm"
	"tianhai/firmware-sim/fleet"
	"tianhai/ingest"
	"tianhai/ingest/decode"
	"tianhai/ingest/qc"
)

const qcTests = `streams: {Temp: {qartod: {gross_range_test: {fail_span: [0, 40], suspect_span: [5, 35]}, spike_test: {suspect_threshold: 3}}}}`

// write puts text into a file of its own.
func write(t *testing.T, name, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// qcRun runs the command as the shell would.
func qcRun(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	command, err := parseArgs(append([]string{"qc"}, args...))
	if err != nil {
		return "", err
	}
	c, ok := command.Selected().Target.Addr().Interface().(*qcCommand)
	if !ok {
		t.Fatal("qc is no command")
	}
	err = c.run(&out)
	return out.String(), err
}

func TestQC(t *testing.T) {
	const plain = "time,Temp,note\n2021-07-01T00:00:00Z,20,a\n2021-07-01T01:00:00Z,24,\"b, c\"\n2021-07-01T02:00:00Z,20,\n2021-07-01T03:00:00Z,,d\n2021-07-01T04:00:00Z,41,e\n"
	const flagged = `time,Temp,Temp_qartod_gross_range_test,Temp_qartod_spike_test,Temp_qartod_aggregate,note
2021-07-01T00:00:00Z,20,1,2,1,a
2021-07-01T01:00:00Z,24,1,3,3,"b, c"
2021-07-01T02:00:00Z,20,1,2,1,
2021-07-01T03:00:00Z,,9,9,9,d
2021-07-01T04:00:00Z,41,4,2,4,e
`
	for name, tt := range map[string]struct {
		file string
		args []string
		want string
	}{
		"plain":                {plain, nil, flagged},
		"mark and CRLF":        {"\ufeff" + strings.ReplaceAll(plain, "\n", "\r\n"), nil, flagged},
		"space and quotes":     {"time, \"Temp\"\n2021-07-01T00:00:00Z , 20 \n2021-07-01T01:00:00Z,  \n", nil, "time,Temp,Temp_qartod_gross_range_test,Temp_qartod_spike_test,Temp_qartod_aggregate\n2021-07-01T00:00:00Z ,20 ,1,2,1\n2021-07-01T01:00:00Z,,9,9,9\n"},
		"aggregate":            {"Temp,time\n50,2021-07-01T00:00:00Z\n", []string{"--aggregate"}, "Temp,Temp_qartod_aggregate,time\n50,4,2021-07-01T00:00:00Z\n"},
		"other names":          {"t,w\n7/1/2021 0:00,50\n", []string{"--as", "w=Temp", "--time", "t", "--time-layout", "1/2/2006 15:04", "--utc-offset=-6h", "--aggregate"}, "t,w,w_qartod_aggregate\n7/1/2021 0:00,50,4\n"},
		"Unix time, milli":     {"time,Temp\n1625097600000,50\n", []string{"--time-layout", "unix_ms", "--aggregate"}, "time,Temp,Temp_qartod_aggregate\n1625097600000,50,4\n"},
		"missing, as written":  {"Time Stamp,Temp\n2021-07-01 00:00,NaN\n2021-07-01 01:00:00,NA\n2021-07-01T02:00:00.5,null\n2021-07-01T11:00:00+08:00,-9999\n", []string{"--missing=-9999", "--aggregate"}, "Time Stamp,Temp,Temp_qartod_aggregate\n2021-07-01 00:00,NaN,9\n2021-07-01 01:00:00,NA,9\n2021-07-01T02:00:00.5,null,9\n2021-07-01T11:00:00+08:00,-9999,9\n"},
		"semicolons":           {"time;Temp\n1;50\n", []string{"--aggregate"}, "time;Temp;Temp_qartod_aggregate\n1;50;4\n"},
		"headings and no more": {"time,Temp\n", []string{"--aggregate"}, "time,Temp,Temp_qartod_aggregate\n"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := qcRun(t, append(tt.args, "--tests", write(t, "tests.yaml", qcTests), write(t, "in.csv", tt.file))...)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("printed (-want +got):\n%s", diff)
			}
		})
	}
}

func TestQCRefuses(t *testing.T) {
	const row = "2021-07-01T00:00:00Z"
	for name, tt := range map[string]struct {
		tests, file string
		args        []string
		want        string
	}{
		"tests":            {"streams: {Temp: {qartod: {spike: {}}}}", "", nil, "tests.yaml: tests: line 1: streams.Temp.qartod.spike: unknown test"},
		"no headings":      {qcTests, "", nil, "no headings"},
		"no time":          {qcTests, "t,Temp\n", nil, `which column is the time? Name one of t, Temp by --time`},
		"two times":        {qcTests, "date,time,Temp\n", nil, `which column is the time?`},
		"no such time":     {qcTests, "t,Temp\n", []string{"--time", "T"}, `--time: there is no column "T", only t, Temp`},
		"ambiguous day":    {qcTests, "time,Temp\n7/1/2021 0:00,1\n", nil, `line 2: column "time": "7/1/2021 0:00" is not a time such as 2021`},
		"milliseconds":     {qcTests, "time,Temp\n1625097600000,1\n", nil, `say how it is written by --time-layout`},
		"bad time":         {qcTests, "time,Temp\n\"a\n b\",1\n", nil, `line 2: column "time"`},
		"time goes back":   {qcTests, "time,Temp\n2021-07-01T01:00:00Z,1\n" + row + ",1\n", nil, `line 3: column "time": ` + row + ` is before`},
		"no such column":   {qcTests, "time,temp\n", nil, `there is no column "Temp"`},
		"column twice":     {qcTests, "time,Temp,Temp\n", nil, `column "Temp" is there twice`},
		"no number":        {qcTests, "time,Temp\n" + row + ",1\n" + row + ",warm\n", nil, `line 3: column "Temp": "warm" is not a number`},
		"not finite":       {qcTests, "time,Temp\n" + row + ",Inf\n", nil, `line 2: column "Temp": "Inf" is not a number`},
		"short row":        {qcTests, "time,Temp\n" + row + "\n", nil, `record on line 2`},
		"depth":            {qcTests, "time,Temp\n", []string{"--z", "depth"}, `--z: there is no column "depth"`},
		"unknown stream":   {qcTests, "time,Temp\n", []string{"--as", "Temp=water.colour"}, `there are no tests for water.colour`},
		"nothing to judge": {"", "time,Temp\n", nil, `no column is tested`},
		"no flags there":   {qcTests, "time,Temp\n", []string{"--compare", "F_"}, `--compare: there is no column "F_Temp"`},
	} {
		t.Run(name, func(t *testing.T) {
			args := append(tt.args, write(t, "in.csv", tt.file))
			if tt.tests != "" {
				args = append(args, "--tests", write(t, "tests.yaml", tt.tests))
			}
			if _, err := qcRun(t, args...); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q in it", err, tt.want)
			}
		})
	}
}

// Whatever is read has as many cells in a row as there are headings, and numbers
// and times are read or refused with a line.
func FuzzQCTable(f *testing.F) {
	f.Add([]byte("time,Temp\n2021-07-01 00:00,NaN\n1625097600.5,\"1\"\n"))
	f.Add([]byte("\ufeffDate;v\r\n2021/7/1;-9999\r\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		table, err := parseTable(raw)
		if err != nil {
			return
		}
		for _, row := range table.rows {
			if len(row) != len(table.heads) {
				t.Fatalf("%d cells below %d headings", len(row), len(table.heads))
			}
		}
		c := qcCommand{Missing: []string{"-9999"}}
		if times, err := c.times(table); err == nil && len(times) != len(table.rows) {
			t.Errorf("%d times in %d rows", len(times), len(table.rows))
		}
		for _, h := range table.heads {
			values, err := table.numbers(strings.TrimSpace(h), c.Missing)
			if err == nil && len(values) != len(table.rows) || err != nil && !strings.Contains(err.Error(), "column") {
				t.Errorf("%d numbers in %d rows, error %v", len(values), len(table.rows), err)
			}
		}
	})
}

// docs/quality.md shows what the built-in tests make of a real station, beside
// what people made of it. This holds the page against the data.
func TestQCGrandBay(t *testing.T) {
	const file = "../../../shared/data/grand-bay/water-quality-2021.csv"
	if _, err := os.Stat(file); err != nil {
		t.Skipf("the station's file is not here: %v", err)
	}
	got, err := qcRun(t, "--as", "Temp=water.temperature;SpCond=water.specific_conductance;Sal=water.salinity;DO_Pct=water.oxygen_saturation;"+
		"DO_mgl=water.dissolved_oxygen;Depth=water.depth;pH=water.ph;Turb=water.turbidity",
		"--time", "DateTimeStamp", "--time-layout", "1/2/2006 15:04", "--utc-offset=-6h", "--compare", "F_", file)
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../../docs/quality.md")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(got) {
		if !bytes.Contains(page, []byte(line)) {
			t.Errorf("docs/quality.md lacks %s", line)
		}
	}
}

// The built-in tests find nothing to fail in what healthy devices say, and
// hardly anything to suspect, whether they report every 15 minutes or every 5
// seconds; nor do they fail the oxygen of the demo's bad night.
func TestDefaultTestsSpareHealthyDevices(t *testing.T) {
	config, err := qc.Default()
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 7, 20, 12, 0, 0, 0, time.UTC)
	for _, rate := range []struct{ every, length time.Duration }{{demoStep, 30 * 24 * time.Hour}, {demoInterval, 6 * time.Hour}} {
		for _, k := range fleet.Kinds() {
			dev := fleet.Device{ID: k.Name + "-1", Secret: "s", Kind: k.Name}
			if k.Name == "pond" {
				dev.LowOxygen, dev.Haste = now.Add(-demoNight), demoHaste
			}
			checker, err := qc.New(config)
			if err != nil {
				t.Fatal(err)
			}
			quantities := map[string]farm.Quantity{}
			for _, c := range k.Channels {
				quantities[c.Name], _ = farm.LookupQuantity(c.Quantity)
			}
			past, err := fleet.History(1, dev, now.Add(-rate.length), now, rate.every)
			if err != nil {
				t.Fatal(err)
			}
			counts, read := map[string]int{}, 0
			for at, payload := range past {
				values, err := decode.JSON(payload)
				if err != nil {
					t.Fatal(err)
				}
				for _, v := range values {
					flag := checker.Flag(ingest.Sample{Device: dev.ID, Channel: v.Channel, Quantity: quantities[v.Channel], Time: at, Value: v.Number, Missing: v.Missing})
					read++
					switch flag {
					case ingest.Good:
					case ingest.Suspect:
						counts[v.Channel]++
					default:
						t.Fatalf("%s every %s: %s = %v at %s is flagged %d", k.Name, rate.every, v.Channel, v.Number, at, flag)
					}
				}
			}
			total := 0
			for _, n := range counts {
				total += n
			}
			if read == 0 || total*200 > read {
				t.Errorf("%s every %s: suspect %v of %d readings, want at most one in 200", k.Name, rate.every, counts, read)
			}
		}
	}
}
