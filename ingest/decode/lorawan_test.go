package decode_test

import (
	"strings"
	"testing"

	"tianhai/ingest/decode"
)

func TestChirpStack(t *testing.T) { golden(t, "chirpstack/*.json", decode.ChirpStack) }

func TestTheThingsStack(t *testing.T) { golden(t, "ttn/*.json", decode.TheThingsStack) }

func TestChirpStackErrors(t *testing.T) {
	refused(t, "chirpstack", decode.ChirpStack, map[string]wrong{
		"not JSON":         {`{"deviceInfo":`, 14, "deviceInfo"},
		"no event":         {`{"temp":1}`, 0, ""},
		"an array":         {`[1]`, 0, ""},
		"no codec":         {`{"deviceInfo":{},"data":"AQ=="}`, 0, "object"},
		"codec gives null": {`{"deviceInfo":{},"data":"AQ==","object":null}`, 0, "object"},
		"a status":         {`{"deviceInfo":{},"margin":10,"batteryLevel":88.3}`, 0, ""},
		"of the cloud":     {`{"deviceInfo":{},"integrationName":"loracloud","object":{"a":1}}`, 0, ""},
		"empty object":     {`{"deviceInfo":{},"object":{}}`, 0, "object"},
		"nothing within":   {`{"deviceInfo":{},"object":{"a":{},"b":[]}}`, 26, "object"},
		"time is a number": {`{"deviceInfo":{},"time":1,"object":{"a":1}}`, 24, "time"},
		"name too long":    {`{"deviceInfo":{},"object":` + strings.Repeat(`{"`+strings.Repeat("n", 64)+`":`, 4) + `{"a":1}` + strings.Repeat("}", 5), 303, "object" + strings.Repeat("."+strings.Repeat("n", 64), 4) + ".a"},
	})
	for payload, want := range map[string]string{
		`{"deviceInfo":{},"fPort":2,"data":"AQ==","rxInfo":[]}`: "configure a codec",
		`{"deviceInfo":{},"rxInfo":[]}`:                         "the device sent no data",
		`{"deviceInfo":{},"devAddr":"00189440"}`:                `only "up" has readings`,
	} {
		if _, err := decode.ChirpStack([]byte(payload)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

func TestTheThingsStackErrors(t *testing.T) {
	refused(t, "ttn", decode.TheThingsStack, map[string]wrong{
		"no uplink":           {`{"join_accept":{}}`, 0, "uplink_message"},
		"no formatter":        {`{"uplink_message":{"frm_payload":"AQ=="}}`, 18, "uplink_message.decoded_payload"},
		"no data":             {`{"uplink_message":{"f_port":1}}`, 18, "uplink_message.decoded_payload"},
		"simulated":           {`{"uplink_message":{"decoded_payload":{"a":1}},"simulated":true}`, 58, "simulated"},
		"time":                {`{"received_at":"now","uplink_message":{"decoded_payload":{"a":1}}}`, 15, "received_at"},
		"time of uplink":      {`{"uplink_message":{"decoded_payload":{"a":1},"received_at":"now"}}`, 59, "uplink_message.received_at"},
		"time of measurement": {`{"uplink_message":{"normalized_payload":[{"time":0,"air":{}}]}}`, 49, "uplink_message.normalized_payload[0].time"},
		"nothing within":      {`{"uplink_message":{"normalized_payload":[{}]}}`, 18, "uplink_message.decoded_payload"},
		"no measurement":      {`{"uplink_message":{"normalized_payload":[1]}}`, 41, "uplink_message.normalized_payload[0]"},
	})
}

func FuzzChirpStack(f *testing.F) {
	seed(f, "chirpstack/*.json")
	f.Fuzz(func(t *testing.T, payload []byte) {
		values, err := decode.ChirpStack(payload)
		sound(t, payload, values, err)
	})
}

func FuzzTheThingsStack(f *testing.F) {
	seed(f, "ttn/*.json")
	f.Fuzz(func(t *testing.T, payload []byte) {
		values, err := decode.TheThingsStack(payload)
		sound(t, payload, values, err)
	})
}
