package history_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tianhai/ingest"
	"tianhai/ingest/history"
)

var ofBuoy = history.Backfill{Device: "buoy-1", File: "old.csv"}

// Every value gets the site and the calibration of its own time; the same file
// again changes nothing.
func TestBackfill(t *testing.T) {
	p := newPlant(t)
	p.change("buoy-1", func(pr *ingest.Profile) {
		moved := pr.Installations[0]
		moved.From, moved.Place.Site = time.Date(2026, 8, 3, 0, 0, 0, 0, time.UTC), "raft-2"
		pr.Installations = append(pr.Installations, moved)
	})
	const file = "采集时间,水温(℃),溶解氧（mg/L）,备注\n" +
		"2026-07-31 12:00:00,28,6.5,\n" + // before the calibration
		"2026/8/2 12:00,29,,晴\n" +
		"2026-08-04 12:00:00,30,6.1,\n" // after it moved
	for range 2 {
		j := p.backfill(ofBuoy, file)
		want := history.Progress{Done: 3, Total: 3, Stored: 3, Readings: 5, Ignored: []string{"备注"}}
		j.Progress.Cursor = history.Cursor{}
		if d := cmp.Diff(want, j.Progress); d != "" || j.State != history.Done || j.Error != "" {
			t.Fatalf("%s %s (-want +got)\n%s", j.State, j.Error, d)
		}
		at := func(month time.Month, day int) time.Time { return time.Date(2026, month, day, 4, 0, 0, 0, time.UTC) }
		got := p.points("buoy-1", "water.temperature")
		for i := range got {
			got[i].flag, got[i].clock = nil, nil
		}
		if d := cmp.Diff([]point{
			{at: at(7, 31), site: "raft-1", value: 28.0},
			{at: at(8, 2), site: "raft-1", value: 29.5},
			{at: at(8, 4), site: "raft-2", value: 30.5},
		}, got, cmp.AllowUnexported(point{})); d != "" {
			t.Errorf("(-want +got)\n%s", d)
		}
		if n := p.count("buoy-1", "water.dissolved_oxygen"); n != 2 {
			t.Errorf("%d values of oxygen, want 2", n)
		}
	}
	if n := p.files(); n != 0 {
		t.Errorf("%d files are left", n)
	}
}

// What cannot be read is named by line and column, and costs nothing else.
func TestBackfillProblems(t *testing.T) {
	p := newPlant(t)
	const file = "device;time;t;do\n" +
		"buoy-1;2026-08-02T08:00:00+08:00;28;6\n" +
		"buoy-1;2026-08-02T08:10:00+08:00;28,5;6.1\n" +
		"buoy-1;02/08/2026 08:20;28;6\n" +
		"leaf-1;2026-08-02T08:00:00+08:00;28;6\n" +
		"nobody;2026-08-02T08:00:00+08:00;28;6\n" +
		"buoy-2;2026-08-02T08:00:00+08:00;warm;x\n" +
		"buoy-2;2026-06-02T08:00:00+08:00;28;6\n" +
		"buoy-2;2027-06-02T08:00:00+08:00;28;6\n" +
		"buoy-2;2026-08-02 08:30;28;6\n" +
		"buoy-2;2026-08-02 08:30;28;6\n" +
		"buoy-2;2026-08-02 08:30;27;6\n" +
		";2026-08-02 08:30;27;6\n"
	j := p.backfill(history.Backfill{}, file)
	var got []string
	for _, x := range j.Progress.Problems {
		got = append(got, x.String())
	}
	want := []string{
		`line 3: column "t": "28,5" has a decimal comma, or commas between thousands; write 12.5 and 1234.5`,
		`line 4: column "time": "02/08/2026 08:20" does not say which is the day and which the month; write 2026-08-01 08:00:00`,
		`line 5: column "device": device leaf-1 is not known`,
		`line 6: column "device": device nobody is not known`,
		`line 7: column "t": "warm" is not a number`,
		`line 7: column "do": "x" is not a number`,
		`line 9: column "time": 2027-06-02T00:00:00Z is in the future`,
		`line 13: names no device`,
		`line 12: column "time": is the same moment as line 11, with other values; a time needs its seconds`,
		`line 8: device buoy-2 was not installed at any site at 2026-06-02T00:00:00Z`,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
	pr := j.Progress
	if pr.Total != 12 || pr.Done != 12 || pr.Stored != 4 || pr.Refused != 9 || pr.Readings != 7 {
		t.Errorf("%+v", pr)
	}
	if n := p.count("buoy-1", "water.dissolved_oxygen"); n != 2 {
		t.Errorf("%d values beside the bad ones, want 2", n)
	}
	if n := p.count("leaf-1", "water.temperature"); n != 0 {
		t.Errorf("%d values of another tenant's device", n)
	}
}

// minutes is a file of one reading a minute, newest first where told so.
func minutes(n int, backwards bool) string {
	var b strings.Builder
	b.WriteString("time,t,do\n")
	for i := range n {
		if backwards {
			i = n - 1 - i
		}
		fmt.Fprintf(&b, "%s,%g,%g\n", time.Date(2026, 7, 2, 0, i, 0, 0, time.UTC).Format(time.RFC3339), 25+float64(i%700)/100, 6+float64(i%90)/100)
	}
	return b.String()
}

// A file that begins with the newest row is flagged like one that ends with it.
func TestBackfillBackwards(t *testing.T) {
	var flags [2][]point
	for i, backwards := range []bool{false, true} {
		p := newPlant(t)
		p.backfill(ofBuoy, "time,t\n"+func() string {
			rows := strings.SplitAfter(strings.Replace(minutes(600, backwards), "time,t,do\n", "", 1), "\n")
			for k := range rows {
				if at := strings.LastIndex(rows[k], ","); at > 0 {
					rows[k] = rows[k][:at] + "\n"
				}
			}
			return strings.Replace(strings.Join(rows, ""), "T05:00:00Z,28", "T05:00:00Z,38", 1)
		}())
		flags[i] = p.points("buoy-1", "water.temperature")
	}
	if len(flags[0]) != 600 {
		t.Fatalf("%d points", len(flags[0]))
	}
	if d := cmp.Diff(flags[0], flags[1], cmp.AllowUnexported(point{})); d != "" {
		t.Error(d)
	}
	if f := flags[0][300].flag; f != 3.0 {
		t.Errorf("the spike has flag %v", f)
	}
}

// A worker that stops in the middle leaves a job that goes on, and the next one
// does not write again what was saved.
func TestBackfillGoesOn(t *testing.T) {
	p := newPlant(t)
	const rows = 9000
	j, err := p.desk.Backfill(t.Context(), "oysters", "li", ofBuoy, strings.NewReader(minutes(rows, false)))
	if err != nil {
		t.Fatal(err)
	}
	clock := now
	p.desk.Now = func() time.Time { clock = clock.Add(2 * time.Second); return clock } // every chunk is saved
	ctx, cancel := context.WithCancel(t.Context())
	p.onSave = func(j history.Job) {
		if j.Progress.Done >= 4000 {
			cancel()
		}
	}
	if err := p.worker().Run(ctx); err != nil {
		t.Fatal(err)
	}
	half := p.job(j.ID)
	if half.State != history.Running || half.Progress.Done < 4000 || half.Progress.Done >= rows {
		t.Fatalf("in the middle: %s %+v", half.State, half.Progress)
	}
	p.onSave = nil
	before := p.count("buoy-1", "water.temperature")
	p.rows("DELETE FROM water") // what was saved is not written again
	p.work()
	done := p.job(j.ID)
	if done.State != history.Done || done.Progress.Stored != rows || done.Progress.Done != rows {
		t.Errorf("at the end: %s %+v", done.State, done.Progress)
	}
	if n := p.count("buoy-1", "water.temperature"); n != rows-int(half.Progress.Cursor.At) || before == 0 {
		t.Errorf("%d written after the restart, want %d", n, rows-int(half.Progress.Cursor.At))
	}
}
