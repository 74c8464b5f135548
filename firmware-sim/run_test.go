package main

import (
	"strings"
	"testing"
	"time"

	"tianhai/firmware-sim/fleet"
)

// A file of credentials gives devices with all that they need, or an error that quotes
// nothing of it.
func FuzzReadCredentials(f *testing.F) {
	f.Add("id,secret,kind\nraft-1,sesame,raft\n")
	f.Add("# made 2026\nraft-1, \"a,b\", pond\n")
	f.Add("raft-1,\"sesame\n")
	f.Add("raft-1,sesame\n")
	f.Add("\ufeffid,secret,kind\nraft-1,sesame,raft\n")
	f.Add(",sesame,raft\n")
	f.Fuzz(func(t *testing.T, file string) {
		const secret = "hunter2-of-the-file"
		devices, err := readCredentials(strings.NewReader(file + "\nraft-9,\"" + secret + "\",raft\n"))
		if err != nil {
			if strings.Contains(err.Error(), secret) || len(file) > 40 && strings.Contains(err.Error(), file) {
				t.Errorf("the file is quoted: %v", err)
			}
			return
		}
		for i, d := range devices {
			if d.ID == "" || d.Secret == "" || d.Kind == "" {
				t.Errorf("device %d of %q: %q of kind %q", i, file, d.ID, d.Kind)
			}
		}
	})
}

// A fault that is written is one that a device can have, or refused.
func FuzzParseFault(f *testing.F) {
	for _, s := range []string{"pond-1=drift,channel=do,after=1h,for=10m,size=-2.5", "*=missing,chance=0.5", "=stuck", "a=b,size=NaN", "a=spikes,chance=nan", "a=skew,for=-1s", "a=drift,after=2562047h,", "a"} {
		f.Add(s)
	}
	start := time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, text string) {
		device, fault, err := parseFault(text, start)
		if err != nil {
			if device != "" || !strings.Contains(err.Error(), "fault ") {
				t.Errorf("%q: %q, %v", text, device, err)
			}
			return
		}
		if head, _, _ := strings.Cut(text, "="); device != head {
			t.Errorf("%q is of %q", text, device)
		}
		if _, err = fleet.New(fleet.Config{
			Broker: "tcp://127.0.0.1:1", Interval: time.Second, Start: start, Speed: 1, Keep: 1,
			Devices: []fleet.Device{{ID: "pond-1", Kind: "pond", Faults: []fleet.Fault{fault}}},
		}); err != nil {
			return
		}
		if !(fault.Chance >= 0 && fault.Chance <= 1) || fault.For < 0 || fault.Size != fault.Size {
			t.Errorf("%q is taken: %+v", text, fault)
		}
	})
}
