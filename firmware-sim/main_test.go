package main_test

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// program is the path of the built command.
var program string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "firmware-sim")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	program = filepath.Join(dir, "firmware-sim")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// openBroker starts a broker that lets everyone in, and returns its URL and its
// log; or it skips the test.
func openBroker(t *testing.T) (url string, log func() string) {
	t.Helper()
	path, err := exec.LookPath("mosquitto")
	if err != nil {
		path = "/usr/sbin/mosquitto"
	}
	if _, err := os.Stat(path); err != nil {
		t.Skip("mosquitto is not installed; on Debian: apt-get install mosquitto")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	listener.Close()
	dir := t.TempDir()
	config, logFile := filepath.Join(dir, "mosquitto.conf"), filepath.Join(dir, "log")
	text := fmt.Sprintf("listener %d 127.0.0.1\nallow_anonymous true\nlog_dest stderr\nlog_type all\n", port)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := os.Create(logFile)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "-c", config)
	cmd.Stderr = out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		out.Close()
	})
	log = func() string {
		b, err := os.ReadFile(logFile)
		if err != nil {
			t.Error(err)
		}
		return string(b)
	}
	eventually(t, "broker listens", func() bool { return strings.Contains(log(), "running") })
	return fmt.Sprintf("tcp://127.0.0.1:%d", port), log
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-deadline.C:
			t.Fatalf("in vain: %s", what)
		case <-tick.C:
		}
	}
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestRunUntilInterrupted starts devices from credentials, interrupts, and
// reads the summary.
func TestRunUntilInterrupted(t *testing.T) {
	url, log := openBroker(t)
	credentials := write(t, "devices.csv", "id,secret,kind\n# the farm\npond-1, hunter2,pond\nbarn-1,hunter3,barn\nraft-1,hunter4,raft\n")
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(t.Context(), program, "--broker", url, "--credentials", credentials, "--devices", "2", "--rate", "20ms",
		"--fault", "pond-1=drift,channel=ph,size=-0.5,after=1h", "--fault", "*=spikes,chance=0.5", "--low-oxygen", "pond-1")
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "measurements", func() bool {
		return strings.Count(log(), "Received PUBLISH from pond-1") > 10 && strings.Count(log(), "Received PUBLISH from barn-1") > 10
	})
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("ended with %v: %s", err, errs.String())
	}
	if !regexp.MustCompile(`^measured ([1-9]\d+) = acknowledged ([1-9]\d+) \+ still stored 0 \+ dropped 0\n$`).MatchString(out.String()) {
		t.Errorf("summary is %q", out.String())
	}
	if strings.Contains(errs.String()+out.String(), "hunter") {
		t.Error("a secret is told")
	}
	if strings.Contains(log(), "raft-1") {
		t.Error("the third of two devices connected")
	}
}

func TestReplayCommand(t *testing.T) {
	url, log := openBroker(t)
	file := write(t, "probe.csv", "when,Temp\n7/2/2021 0:00,30.7\n7/2/2021 0:15,\n")
	mapping := write(t, "mapping.yaml", "time: {column: when, layout: 1/2/2006 15:04, utc_offset: -6h}\ncolumns: {Temp: temperature}\n")
	for name, args := range map[string][]string{
		"flags":   {"--time-column", "when", "--time-layout", "1/2/2006 15:04", "--utc-offset", "-6h", "--map", "Temp=temperature"},
		"mapping": {"--mapping", mapping},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), program, append([]string{"replay", "--broker", url, "--csv", file, "--device", name}, args...)...)
			out, err := cmd.CombinedOutput()
			if err != nil || !strings.HasSuffix(string(out), "acknowledged 2 rows; next is --from-row 3\n") {
				t.Errorf("replay: %v: %s", err, out)
			}
			eventually(t, "two rows", func() bool {
				return strings.Count(log(), fmt.Sprintf("Received PUBLISH from %s (d0, q1, r0, m", name)) == 2
			})
		})
	}
}

func TestArgumentsRefused(t *testing.T) {
	csv := write(t, "a.csv", "t,A\nx,1\n")
	broken := write(t, "broken.csv", "a,secret\n")
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"rate":            {[]string{"--rate", "0s"}, "must be greater than 0"},
		"kind":            {[]string{"--kind", "submarine"}, `unknown kind "submarine"`},
		"scheme":          {[]string{"--broker", "http://x"}, `broker scheme "http"`},
		"fault":           {[]string{"--fault", "sim-0001"}, "is not DEVICE=KIND"},
		"fault option":    {[]string{"--fault", "sim-0001=drift,colour=red"}, "known are channel"},
		"fault number":    {[]string{"--fault", "sim-0001=drift,size=big"}, `option "size=big"`},
		"fault device":    {[]string{"--fault", "nobody=drift"}, `no device "nobody"`},
		"fault channel":   {[]string{"--kind", "raft", "--fault", "*=drift,channel=rain"}, `no channel "rain"`},
		"fault chance":    {[]string{"--kind", "raft", "--fault", "*=spikes,chance=nan"}, "out of range"},
		"no secret":       {[]string{"--credentials", write(t, "d.csv", "id,secret,kind\na,,pond\n")}, "line 2: id, secret or kind is missing"},
		"credentials":     {[]string{"--credentials", broken}, "wrong number of fields"},
		"no such mapping": {[]string{"replay", "--csv", csv, "--device", "a"}, "no time column"},
		"both mappings":   {[]string{"replay", "--csv", csv, "--device", "a", "--mapping", csv, "--map", "A=a"}, "not both"},
		"no such device":  {[]string{"replay", "--csv", csv, "--device", "a", "--credentials", write(t, "c.csv", "b,s,pond\n")}, `no device "a"`},
		"no such column":  {[]string{"replay", "--csv", csv, "--device", "a", "--time-column", "t", "--map", "B=b"}, `no column "B"`},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := exec.CommandContext(t.Context(), program, c.args...).CombinedOutput()
			if err == nil || !strings.Contains(string(out), c.want) {
				t.Errorf("%v: %s; want %q", err, out, c.want)
			}
			if strings.Contains(string(out), "secret\n") {
				t.Errorf("the file of secrets is quoted: %s", out)
			}
		})
	}
}

func TestInterruptedWithoutBroker(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "tcp://" + listener.Addr().String()
	listener.Close()
	var out bytes.Buffer
	cmd := exec.CommandContext(t.Context(), program, "--broker", url, "--devices", "3", "--rate", "1h", "--for", "200ms")
	cmd.Stdout = &out
	if err := cmd.Run(); err != nil {
		t.Error(err)
	}
	if out.String() != "measured 3 = acknowledged 0 + still stored 3 + dropped 0\n" {
		t.Errorf("summary is %q", out.String())
	}
}
