package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"tianhai/firmware-sim/fleet"
)

type runCmd struct {
	broker
	Devices int           `default:"10" help:"How many devices, sim-0001 and on; with --credentials, at most how many of them."`
	Kind    string        `help:"Kind of the devices without credentials; all kinds in turn by default."`
	Rate    time.Duration `default:"1s" help:"Real time between two measurements of a device."`
	Seed    uint64        `default:"1" help:"The same seed and start give the same measurements."`
	Speed   float64       `default:"1" help:"How much faster than real time device time runs."`
	Start   time.Time     `format:"2006-01-02T15:04:05Z07:00" help:"Device time of the first measurement, RFC 3339; now by default."`
	CatchUp bool          `help:"Let device time run at --speed only until it reaches the present."`
	For     time.Duration `help:"End after this long; 0 is never."`
	Fault   []string      `sep:"none" placeholder:"DEVICE=KIND,…" help:"A fault, once for each: DEVICE=KIND[,channel=C][,after=1h][,for=10m][,size=X][,chance=P], of device time. DEVICE may be *. Kinds: drift, spikes, stuck, missing, skew (size in seconds), radio_loss."`
	Low     []string      `name:"low-oxygen" placeholder:"DEVICE" help:"A pond whose night of low oxygen begins at the start."`
	Keep    int           `default:"10000" help:"Measurements that a device stores unacknowledged before it drops the oldest."`
}

func (c *runCmd) Run(ctx context.Context) error {
	if c.Rate <= 0 || c.Speed <= 0 || c.Devices < 1 || c.Keep < 1 {
		return errors.New("rate, speed, devices and keep must be greater than 0")
	}
	if c.Start.IsZero() {
		c.Start = time.Now()
	}
	devices, err := c.devices()
	if err != nil {
		return err
	}
	authorities, err := c.tls()
	if err != nil {
		return err
	}
	f, err := fleet.New(fleet.Config{
		Broker: c.Broker, TLS: authorities, Seed: c.Seed, Devices: devices,
		Interval: time.Duration(float64(c.Rate) * c.Speed), Start: c.Start, Speed: c.Speed, CatchUp: c.CatchUp,
		Keep: c.Keep, Logger: c.logger(),
	})
	if err != nil {
		return err
	}
	if c.For > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.For)
		defer cancel()
	}
	fmt.Fprintf(os.Stderr, "%d devices, one measurement of each every %s, to %s\n", len(devices), c.Rate, redact(c.Broker))
	err = f.Run(ctx)
	s := f.Stats()
	fmt.Printf("measured %d = acknowledged %d + still stored %d + dropped %d\n", s.Measured, s.Acknowledged, s.Stored, s.Dropped)
	return err
}

// devices returns those of the credentials or makes some up, with their faults.
func (c *runCmd) devices() ([]fleet.Device, error) {
	devices, err := c.broker.devices()
	if err != nil {
		return nil, err
	}
	if c.Credentials == "" {
		password, err := c.password()
		if err != nil {
			return nil, err
		}
		all := fleet.Kinds()
		for i := range c.Devices {
			kind := c.Kind
			if kind == "" {
				kind = all[i%len(all)].Name
			}
			devices = append(devices, fleet.Device{ID: fmt.Sprintf("sim-%04d", i+1), User: c.User, Secret: password, Kind: kind})
		}
	}
	devices = devices[:min(len(devices), c.Devices)]
	for _, text := range c.Fault {
		id, f, err := parseFault(text, c.Start)
		if err != nil {
			return nil, err
		}
		if err := each(devices, id, func(d *fleet.Device) { d.Faults = append(d.Faults, f) }); err != nil {
			return nil, err
		}
	}
	for _, id := range c.Low {
		if err := each(devices, id, func(d *fleet.Device) { d.LowOxygen = c.Start }); err != nil {
			return nil, err
		}
	}
	return devices, nil
}

// each changes the device with this id, or all for "*".
func each(devices []fleet.Device, id string, change func(*fleet.Device)) error {
	found := false
	for i := range devices {
		if id == "*" || devices[i].ID == id {
			change(&devices[i])
			found = true
		}
	}
	if !found {
		return fmt.Errorf("no device %q is simulated", id)
	}
	return nil
}

// devices reads the credentials, where there are any.
func (b broker) devices() ([]fleet.Device, error) {
	if b.Credentials == "" {
		return nil, nil
	}
	file, err := os.Open(b.Credentials)
	if err != nil {
		return nil, fmt.Errorf("read credentials: %w", err)
	}
	defer func() { _ = file.Close() }()
	devices, err := readCredentials(file)
	if err != nil {
		return nil, fmt.Errorf("read credentials %s: %w", b.Credentials, err)
	}
	return devices, nil
}

// readCredentials reads lines of id, secret and kind. Its errors quote nothing
// of the file, which is secret.
func readCredentials(r io.Reader) ([]fleet.Device, error) {
	in := csv.NewReader(r)
	in.Comment = '#'
	in.FieldsPerRecord = 3
	in.TrimLeadingSpace = true
	var devices []fleet.Device
	for first := true; ; first = false {
		record, err := in.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		id, secret, kind := strings.TrimPrefix(record[0], "\ufeff"), record[1], strings.TrimSpace(record[2])
		if first && id == "id" { // headings
			continue
		}
		if line, _ := in.FieldPos(0); id == "" || secret == "" || kind == "" {
			return nil, fmt.Errorf("line %d: id, secret or kind is missing", line)
		}
		devices = append(devices, fleet.Device{ID: id, Secret: secret, Kind: kind})
	}
	if len(devices) == 0 {
		return nil, errors.New("there is no device in it")
	}
	return devices, nil
}

// parseFault reads DEVICE=KIND[,key=value…].
func parseFault(text string, start time.Time) (device string, f fleet.Fault, err error) {
	device, rest, ok := strings.Cut(text, "=")
	if !ok {
		return "", f, fmt.Errorf("fault %q is not DEVICE=KIND", text)
	}
	kind, options, more := strings.Cut(rest, ",")
	f = fleet.Fault{Kind: fleet.FaultKind(kind), From: start}
	for more {
		var option string
		option, options, more = strings.Cut(options, ",")
		key, value, _ := strings.Cut(option, "=")
		var after time.Duration
		switch key {
		case "channel":
			f.Channel = value
		case "after":
			after, err = time.ParseDuration(value)
			f.From = start.Add(after)
		case "for":
			f.For, err = time.ParseDuration(value)
		case "size":
			f.Size, err = strconv.ParseFloat(value, 64)
		case "chance":
			f.Chance, err = strconv.ParseFloat(value, 64)
		default:
			err = errors.New("known are channel, after, for, size and chance")
		}
		if err != nil {
			return "", f, fmt.Errorf("fault %q, option %q: %w", text, option, err)
		}
	}
	return device, f, nil
}
