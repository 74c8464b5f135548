package main_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"tianhai/farm"
	"tianhai/ingest"
	"tianhai/ingest/influx"
	"tianhai/trace"
)

// measured writes a month of readings at raft-1, every ten minutes, with a night of
// silence and what sensors do wrong, into the InfluxDB of a server.
func measured(t *testing.T, s *server, late bool) {
	t.Helper()
	token, err := influx.ServerToken(filepath.Join(s.dir, "influx"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := influx.Open(t.Context(), influx.Options{URL: s.Influx, Token: token})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	temperature, _ := farm.LookupQuantity("water.temperature")
	oxygen, _ := farm.LookupQuantity("water.dissolved_oxygen")
	place := ingest.Place{Tenant: "oysters", Site: "raft-1", Region: "450702"}
	now := time.Now().UTC().Truncate(time.Hour)
	if late {
		ob := ingest.Observation{Device: "sonde", Place: place, Time: now.AddDate(0, 0, -9).Add(time.Minute), Readings: []ingest.Reading{{Quantity: oxygen, Value: 4.44, Flag: ingest.Good}}}
		if err := c.Write(t.Context(), []ingest.Observation{ob}); err != nil {
			t.Fatal(err)
		}
		return
	}
	var obs []ingest.Observation
	for at := now.AddDate(0, 0, -29); at.Before(now.Add(-2 * time.Hour)); at = at.Add(10 * time.Minute) {
		if at.After(now.AddDate(0, 0, -20)) && at.Before(now.AddDate(0, 0, -20).Add(9*time.Hour)) {
			continue
		}
		day := float64(at.Unix()%86400) / 86400 * 2 * math.Pi
		o := ingest.Observation{Device: "sonde", Place: place, Time: at, Readings: []ingest.Reading{
			{Quantity: temperature, Value: 26 + 2*math.Sin(day), Flag: ingest.Good},
			{Quantity: oxygen, Value: 5 + 2.5*math.Sin(day), Flag: ingest.Good},
		}}
		switch len(obs) % 100 {
		case 7:
			o.Readings[0] = ingest.Reading{Quantity: temperature, Value: 99, Flag: ingest.Fail}
		case 8:
			o.Readings[1] = ingest.Reading{Quantity: oxygen, Flag: ingest.Missing}
		}
		obs = append(obs, o)
	}
	if err := c.Write(t.Context(), obs); err != nil {
		t.Fatal(err)
	}
}

// TestEvidenceOfTheProgram goes the way of a stranger who was handed the readings
// behind a code: they lead to what was sealed; changed ones do not; what came after
// the sealing is named, and breaks nothing.
func TestEvidenceOfTheProgram(t *testing.T) {
	data, out := filepath.Join(t.TempDir(), "data"), t.TempDir()
	_, printed := importAccounts(t, data, managedFarm+"products: [{id: oyster, kind: aquatic, species: oyster, name: {zh: 大蚝, en: Oyster}}]\n")
	s := startServer(t, "serve", data)
	measured(t, s, false)
	b := newBrowser(t, s.HTTP)
	b.login("wang", passwordOf(t, printed, "wang"))
	if status, raw := b.send("POST", "/api/v1/devices/sonde/calibrations", []byte(`{"channel":"do","slope":1.05,"offset":0.1,"from":"2026-02-01T00:00:00Z"}`)); status >= 300 {
		t.Fatalf("calibrate: %d %s", status, raw)
	}
	code := sellBatch(b, "E-1")
	waitFor(t, "the receipt", 30*time.Second, func() bool {
		status, _ := b.send("GET", "/t/"+code+"/receipt", nil)
		return status == 200
	})
	shipped := shipBatch(b, code)
	_, raw := b.send("GET", "/log/key", nil)
	key := strings.TrimSpace(string(raw))

	if said, err := runTianhai(t, "evidence", "export", code, "--data", data, "--out", out); err != nil {
		t.Fatalf("export: %v\n%s", err, said)
	}
	file := func(name string) string { return filepath.Join(out, code+name) }
	opening, err := os.ReadFile(file(".json"))
	if err != nil {
		t.Fatal(err)
	}
	rec, err := trace.ParseOpening(opening)
	if err != nil {
		t.Fatal(err)
	}
	public, err := trace.ParsePublicRecord(rec.Body)
	if err != nil {
		t.Fatal(err)
	}
	oxygen, err := public.Evidence.SealedSeries("water.dissolved_oxygen")
	if err != nil {
		t.Fatal(err)
	}
	sensors, _ := json.Marshal(oxygen.Sensors)
	if oxygen.Below == nil || oxygen.Below.Hours < 50 || oxygen.InRange == nil || oxygen.InRange.Share < 0.4 || oxygen.InRange.Share > 0.6 ||
		string(sensors) != `[{"device":"sonde","model":"station","calibration":{"at":"2026-02-01T00:00:00Z","slope":1.05,"offset":0.1,"by":"manager"}}]` || len(oxygen.Gaps) != 3 {
		t.Errorf("sealed: %+v, below %+v, in range %+v, %s", oxygen, oxygen.Below, oxygen.InRange, sensors)
	}

	verify := func(args ...string) (string, error) {
		t.Helper()
		return runTianhai(t, append([]string{"evidence", "verify", "--record", file(".json")}, args...)...)
	}
	files := []string{file("-water.temperature.csv"), file("-water.dissolved_oxygen.csv")}
	said, err := verify(append(files, "--receipt", file(".tlog-proof"), "--key", key)...)
	if err != nil || !strings.Contains(said, "the record is the one that was sealed") || strings.Count(said, "holds: ") != 3 || !strings.Contains(said, "\nverified: ") {
		t.Errorf("verify: %v\n%s", err, said)
	}
	if said, err = verify(files[0]); err == nil || !strings.Contains(said, "no readings were given for water.dissolved_oxygen") {
		t.Errorf("with one file of two: %v\n%s", err, said)
	}
	if said, err = verify("--data", data); err != nil || strings.Count(said, "and no other") != 2 {
		t.Errorf("against the running InfluxDB: %v\n%s", err, said)
	}

	// The way of the batch is verified like its growing.
	way := file("-shipment-" + shipped)
	if said, err = runTianhai(t, "evidence", "verify", "--record", way+".json", "--receipt", way+".tlog-proof", "--key", key, way+"-sonde.csv"); err != nil || !strings.Contains(said, "holds: sonde: the hash and all 13 numbers") {
		t.Errorf("verify the shipment: %v\n%s", err, said)
	}
	if said, err = runTianhai(t, "evidence", "verify", "--record", way+".json", files[0]); err == nil {
		t.Errorf("the shipment is verified by the readings of the raft:\n%s", said)
	}

	// One night's oxygen is made better.
	text, err := os.ReadFile(files[1])
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(text), "\n")
	cells := strings.Split(lines[500], ",")
	cells[2] = "7.5"
	lines[500] = strings.Join(cells, ",")
	forged := filepath.Join(t.TempDir(), "forged.csv")
	if err := os.WriteFile(forged, []byte(strings.Join(lines, "")), 0o600); err != nil {
		t.Fatal(err)
	}
	if said, err = verify(files[0], forged); err == nil || !strings.Contains(said, "does not hold: water.dissolved_oxygen: sha256") || !strings.Contains(said, "holds: water.temperature") {
		t.Errorf("with a forged file: %v\n%s", err, said)
	}

	// The folder is gone: InfluxDB still has what was sealed, byte for byte.
	kept, aside := filepath.Join(data, "evidence"), filepath.Join(t.TempDir(), "evidence")
	if err := os.Rename(kept, aside); err != nil {
		t.Fatal(err)
	}
	export := func() (dir, said string, err error) {
		dir = t.TempDir()
		said, err = runTianhai(t, "evidence", "export", code, "--data", data, "--out", dir)
		return dir, said, err
	}
	names := []string{"-water.temperature", "-water.dissolved_oxygen", "-shipment-" + shipped + "-sonde"}
	dir, said, err := export()
	if err != nil || strings.Count(said, "with the hash that was sealed") != 3 || strings.Count(said, "what was kept when it was sealed is not there any more") != 3 {
		t.Errorf("without the folder: %v\n%s", err, said)
	}
	for _, name := range names {
		want, _ := os.ReadFile(file(name + ".csv"))
		if got, err := os.ReadFile(filepath.Join(dir, code+name+".csv")); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes, want the %d that were sealed: %v", name, len(got), len(want), err)
		}
	}

	// A logger hands in what it could not send: the record speaks of what was there.
	measured(t, s, true)
	dir, said, err = export()
	if err == nil || strings.Count(said, "with the hash that was sealed") != 2 || !strings.Contains(said, "NOT what was sealed: its hash is ") || !strings.Contains(said, "of 1 series what was sealed could not be written") {
		t.Errorf("without the folder and with a late reading: %v\n%s", err, said)
	}
	_, errSealed := os.Stat(filepath.Join(dir, code+names[1]+".csv"))
	if _, err := os.Stat(filepath.Join(dir, code+names[1]+".recomputed.csv")); err != nil || !os.IsNotExist(errSealed) {
		t.Errorf("what is not what was sealed does not bear another name: %v, %v", err, errSealed)
	}
	if err := os.Rename(aside, kept); err != nil {
		t.Fatal(err)
	}
	said, err = verify("--data", data)
	if err != nil || !strings.Contains(said, "since sealing: water.dissolved_oxygen: 1 rows came") || !strings.Contains(said, ",4.44,1") {
		t.Errorf("with a late reading: %v\n%s", err, said)
	}

	// A damaged file, and a server that does not run.
	s.kill()
	if err := os.Remove(filepath.Join(data, "run.json")); err != nil {
		t.Fatal(err)
	}
	sum := oxygen.SHA256
	if err := os.WriteFile(filepath.Join(kept, sum+".csv.gz"), []byte("torn"), 0o600); err != nil {
		t.Fatal(err)
	}
	dir, said, err = export()
	if err == nil || !strings.Contains(said, names[1]+": NOT written: the kept readings are gone, and InfluxDB is out of reach: no server runs") {
		t.Errorf("damaged, and no server: %v\n%s", err, said)
	}
	if _, err := os.Stat(filepath.Join(dir, code+names[0]+".csv")); err != nil {
		t.Errorf("what was kept is not written: %v", err)
	}
}

// shipBatch sends the batch of a code on its way with the sonde, and has it arrive.
func shipBatch(b *browser, code string) (id string) {
	b.t.Helper()
	var batches struct{ Batches []struct{ ID, Code string } }
	if _, raw := b.send("GET", "/api/v1/batches", nil); json.Unmarshal(raw, &batches) != nil || len(batches.Batches) != 1 {
		b.t.Fatalf("batches: %s", raw)
	}
	id = ulid.Make().String()
	now := time.Now().UTC()
	body := fmt.Sprintf(`{"id":%q,"batches":[%q],"origin":"450702","destination":"450100","vehicle":"桂N12345","loggers":["sonde"],"quantity":"water.temperature","limits":{"max":27,"source":"本场"},"departed":%q}`,
		id, batches.Batches[0].ID, now.Add(-30*time.Hour).Format(time.RFC3339))
	for _, want := range []int{http.StatusCreated, http.StatusOK} { // the second time nothing is new
		if status, raw := b.send("POST", "/api/v1/shipments", []byte(body)); status != want {
			b.t.Fatalf("ship: %d %s, want %d", status, raw, want)
		}
	}
	status, raw := b.send("POST", "/api/v1/shipments/"+id+"/close", fmt.Appendf(nil, `{"arrived":%q}`, now.Add(-4*time.Hour).Format(time.RFC3339)))
	var sh trace.Shipment
	if err := json.Unmarshal(raw, &sh); err != nil || status != http.StatusOK || len(sh.Trips) != 1 || sh.Trips[0].Count == 0 || sh.Trips[0].Kinetic == nil || sh.Trips[0].N < 100 {
		b.t.Fatalf("arrive: %d %s", status, raw)
	}
	waitFor(b.t, "the sealed arrival", 30*time.Second, func() bool {
		_, raw := b.send("GET", "/t/"+code+"/statements", nil)
		return bytes.Contains(raw, []byte(`"t":"arrival"`)) && !bytes.Contains(raw, []byte(`"receipt":""`))
	})
	if _, page := b.send("GET", "/t/"+code+"?lang=zh-CN", nil); !bytes.Contains(page, []byte("钦州市 → 南宁市")) || bytes.Contains(page, []byte("桂N12345")) {
		b.t.Error("the page does not show the way, or shows the number plate")
	}
	return id
}
