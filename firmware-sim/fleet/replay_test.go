package fleet_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"tianhai/firmware-sim/fleet"
)

func rowsOf(t *testing.T, file string) *fleet.Rows {
	t.Helper()
	rows, err := fleet.NewRows(strings.NewReader(file), fleet.Mapping{TimeColumn: "t", TimeLayout: "unix", Columns: map[string]string{"A": "a"}})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func sensor(b *mosquitto) fleet.Replay {
	return fleet.Replay{Broker: b.url(), Device: fleet.Device{ID: "probe", Secret: "secret-probe"}}
}

// TestReplayGrandBay sends two months of a real station over MQTT: every row,
// gaps too, arrives once it is acknowledged.
func TestReplayGrandBay(t *testing.T) {
	rows := grandBayRows(t)
	broker := startMosquitto(t, "probe")
	w := watch(t, broker)
	r := sensor(broker)
	progress := 0
	r.Progress = func(row fleet.Row, acknowledged int) { progress = row.Number }
	done, err := r.Run(t.Context(), rows)
	if err != nil || done.Acknowledged != 5856 || done.Next != 5857 || progress != 5856 {
		t.Fatalf("replayed %+v, progress to %d, %v", done, progress, err)
	}
	eventually(t, "all rows arrive", func() bool { return len(w.on("th/probe/up")) >= 5856 })
	empty := 0
	for _, p := range w.on("th/probe/up") {
		if len(parse(t, []byte(p)).values) == 0 {
			empty++
		}
	}
	if times, ordered := arrived(t, w, "probe"); len(times) != 5856 || !ordered || empty != 523 {
		t.Errorf("%d rows arrived, in order: %t, empty: %d", len(times), ordered, empty)
	}
}

func TestReplayStopsAtBadRow(t *testing.T) {
	broker := startMosquitto(t, "probe")
	w := watch(t, broker)
	const file = "t,A\n1,1\n2,2\n3,x\n4,4\n"
	done, err := sensor(broker).Run(t.Context(), rowsOf(t, file))
	if err == nil || !strings.Contains(err.Error(), `line 4 (row 3), column "A"`) {
		t.Errorf("error is %v, want one that names line and column", err)
	}
	if done.Acknowledged != 2 || done.Next != 3 {
		t.Errorf("replayed %+v, want 2 and the third next", done)
	}
	r := sensor(broker)
	r.FromRow = done.Next + 1
	if done, err = r.Run(t.Context(), rowsOf(t, file)); err != nil || done.Acknowledged != 1 || done.Next != 5 {
		t.Errorf("went on with %+v, %v", done, err)
	}
	eventually(t, "three rows", func() bool { return len(w.on("th/probe/up")) == 3 })
	if got := fmt.Sprint(w.on("th/probe/up")); got != `[{"ts":1000,"a":1} {"ts":2000,"a":2} {"ts":4000,"a":4}]` {
		t.Errorf("arrived %s", got)
	}
	r.FromRow = 9
	if _, err = r.Run(t.Context(), rowsOf(t, file)); err == nil {
		t.Error("went on behind the last row without an error")
	}
}

// TestReplayInterrupted stops a paced replay and goes on where it says.
func TestReplayInterrupted(t *testing.T) {
	broker := startMosquitto(t, "probe")
	w := watch(t, broker)
	file := "t,A\n"
	for i := range 200 {
		file += fmt.Sprintf("%d,%d\n", 60*i, i)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r := sensor(broker)
	r.Speed = 6000 // a row every 10 ms
	r.Progress = func(row fleet.Row, _ int) {
		if row.Number == 50 {
			cancel()
		}
	}
	start := time.Now()
	done, err := r.Run(ctx, rowsOf(t, file))
	if err == nil || done.Next != done.Acknowledged+1 || done.Next < 40 || done.Next > 51 {
		t.Fatalf("interrupted at %+v, %v", done, err)
	}
	if took := time.Since(start); took < 490*time.Millisecond {
		t.Errorf("49 minutes at 6000 times their speed took %s, want at least 490 ms", took)
	}
	r = sensor(broker)
	r.FromRow = done.Next
	rest, err := r.Run(t.Context(), rowsOf(t, file))
	if err != nil || rest.Acknowledged != 200-done.Acknowledged || rest.Next != 201 {
		t.Fatalf("went on from %d with %+v, %v", done.Next, rest, err)
	}
	eventually(t, "all rows arrive", func() bool { times, _ := arrived(t, w, "probe"); return len(times) == 200 })
}

func TestReplayWithoutBroker(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r := fleet.Replay{Broker: "tcp://127.0.0.1:1", Device: fleet.Device{ID: "probe"}, FromRow: 2}
	r.Progress = func(row fleet.Row, _ int) {
		if row.Number == 3 {
			cancel()
		}
	}
	done, err := r.Run(ctx, rowsOf(t, "t,A\n1,1\n2,2\n3,3\n4,4\n"))
	if !errors.Is(err, context.Canceled) || done.Acknowledged != 0 || done.Next != 2 {
		t.Errorf("replayed %+v, %v; want nothing, and the second row next", done, err)
	}
}
