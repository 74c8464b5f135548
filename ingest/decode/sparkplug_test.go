package decode_test

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"tianhai/ingest"
	"tianhai/ingest/decode"
)

// Messages of an edge node at 2026-08-01T08:08:57.223Z and after, made with
// Eclipse Tahu's schema.
const (
	nbirth     = "0887fdf9e2fb3312120a0562645365711887fdf9e2fb332008580512210a144e6f646520436f6e74726f6c2f526562697274681887fdf9e2fb33200b7000121c0a0a57617465722f54656d7010011887fdf9e2fb33200965cdccc441121e0a0857617465722f444f10021887fdf9e2fb33200a693333333333331b401800"
	ndata1     = "08ef84fae2fb331214100218ef84fae2fb33200a693333333333330f401801"
	historical = "08d78cfae2fb33121610021887a09ee1fb33200a2801690000000000001a401802"
	isNull     = "08bf94fae2fb33120d100118bf94fae2fb33200938011803"
	negative   = "08a79cfae2fb3312140a0341646a18a79cfae2fb33200150fbffffff0f1804"
	ndeath     = "0887fdf9e2fb3312120a0562645365711887fdf9e2fb3320085805"
)

func unhex(tb testing.TB, s string) []byte {
	tb.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func TestSparkplug(t *testing.T) {
	const born = "Water/Temp 2026-08-01T08:08:57.223Z 24.600000381469727\nWater/DO 2026-08-01T08:08:57.223Z 6.8\n"
	s := decode.NewSparkplug()
	for i, step := range []struct {
		verb, payload string
		want          string // values, or "rebirth: …"
	}{
		{"NDATA/raft", ndata1, "rebirth: no birth"},
		{"NBIRTH/raft", nbirth, born},
		{"NDATA/raft", ndata1, "Water/DO 2026-08-01T08:08:58.223Z 3.9\n"},
		{"NDATA/raft", historical, "Water/DO 2026-08-01T07:08:57.223Z 6.5 old\n"},
		{"NDATA/raft", isNull, "Water/Temp 2026-08-01T08:09:00.223Z missing\n"},
		{"NDATA/raft", negative, "Adj 2026-08-01T08:09:01.223Z -5\n"},
		{"NDATA/raft", isNull, "rebirth: sequence number 3 after 4"},
		{"NDATA/raft", negative, "rebirth: no birth"},
		{"NBIRTH/raft", nbirth, born},
		{"NDATA/other", ndata1, "rebirth: no birth"},
		{"DBIRTH/raft/probe", "12100a01741007200a6900000000000000001801", "t - 0\n"}, // t, alias 7, Double
		{"NDATA/raft", "120210071802", "rebirth: alias 7"},                           // of the device, not of the node
		{"NBIRTH/raft", nbirth, born},
		{"NDEATH/raft", strings.Replace(ndeath, "5805", "5804", 1), ""}, // of an earlier session
		{"NDATA/raft", ndata1, "Water/DO 2026-08-01T08:08:58.223Z 3.9\n"},
		{"NDEATH/raft", ndeath, ""},
		{"NDATA/raft", ndata1, "rebirth: no birth"},
	} {
		values, err := s.Decode("spBv1.0/bay/"+step.verb, unhex(t, step.payload))
		got := full(values)
		if lost := (*decode.RebirthError)(nil); errors.As(err, &lost) {
			got = "rebirth: " + lost.Err.Error()
		} else if err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
		if strings.HasPrefix(step.want, "rebirth") && strings.HasPrefix(got, step.want) {
			continue
		}
		if got != step.want {
			t.Errorf("step %d, %s: got\n%swant\n%s", i, step.verb, got, step.want)
		}
	}
}

// Values of every datatype of §6.4.16, each as the one metric "a" of a birth.
func TestSparkplugDatatypes(t *testing.T) {
	const quality = "\x0a\x07Quality"
	for name, tt := range map[string]struct{ fields, want string }{
		"Int8":                  {"\x20\x01\x50\xfb\xff\xff\xff\x0f", "a - -5\n"},
		"Int8 in its own size":  {"\x20\x01\x50\xfb\x01", "a - -5\n"},
		"Int8 in ten bytes":     {"\x20\x01\x50\xfb\xff\xff\xff\xff\xff\xff\xff\xff\x01", "a - -5\n"},
		"Int16":                 {"\x20\x02\x50\xff\xff\x03", "a - -1\n"},
		"Int32":                 {"\x20\x03\x50\xff\xff\xff\xff\x0f", "a - -1\n"},
		"Int64":                 {"\x20\x04\x58\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "a - -1\n"},
		"UInt8":                 {"\x20\x05\x50\xff\x01", "a - 255\n"},
		"UInt16":                {"\x20\x06\x50\xff\xff\x03", "a - 65535\n"},
		"UInt32":                {"\x20\x07\x50\xff\xff\xff\xff\x0f", "a - 4.294967295e+09\n"},
		"UInt64":                {"\x20\x08\x58\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "a - 1.8446744073709552e+19\n"},
		"Float":                 {"\x20\x09\x65\x00\x00\xc4\x41", "a - 24.5\n"},
		"Double":                {"\x20\x0a\x69\x00\x00\x00\x00\x00\x80\x38\x40", "a - 24.5\n"},
		"Boolean":               {"\x20\x0b\x70\x01", "a - 1\n"},
		"String":                {"\x20\x0c\x7a\x02ok", "a - \"ok\" extra\n"},
		"Text":                  {"\x20\x0e\x7a\x00", "a - missing extra\n"},
		"DateTime":              {"\x20\x0d\x58\x01", ""},
		"DateTime, null":        {"\x20\x0d\x38\x01", ""},
		"UUID":                  {"\x20\x0f\x7a\x01x", ""},
		"DataSet":               {"\x20\x10\x8a\x01\x02\x08\x01", ""},
		"Bytes":                 {"\x20\x11\x82\x01\x01\xff", ""},
		"Template":              {"\x20\x13\x92\x01\x02\x28\x01", ""},
		"Int8Array":             {"\x20\x16\x82\x01\x02\xfb\x05", ""},
		"DateTimeArray":         {"\x20\x22\x82\x01\x01\x00", ""},
		"transient":             {"\x20\x05\x30\x01\x50\x07", "a - 7 extra\n"},
		"metadata":              {"\x20\x05\x42\x02\x08\x00\x50\x07", "a - 7\n"},
		"good":                  {"\x20\x05\x4a\x10" + quality + "\x12\x05\x08\x03\x18\xc0\x01\x50\x07", "a - 7\n"},
		"bad":                   {"\x20\x05\x4a\x0f" + quality + "\x12\x04\x08\x03\x18\x00\x50\x07", "a - missing\n"},
		"stale, second of two":  {"\x20\x05\x4a\x1a\x0a\x01u" + quality + "\x12\x05\x08\x0c\x42\x01m\x12\x05\x08\x03\x18\xf4\x03\x50\x07", "a - missing\n"},
		"another property is 0": {"\x20\x05\x4a\x09\x0a\x01u\x12\x04\x08\x03\x18\x00\x50\x07", "a - 7\n"},
	} {
		t.Run(name, func(t *testing.T) {
			metric := "\x0a\x01a" + tt.fields
			values, err := decode.NewSparkplug().Decode("spBv1.0/g/NBIRTH/n", []byte("\x12"+string(rune(len(metric)))+metric+"\x18\x00"))
			if err != nil || full(values) != tt.want {
				t.Errorf("error %v, got %q, want %q", err, full(values), tt.want)
			}
		})
	}
}

// The sequence goes on at 0 after 255, whatever number the birth began with.
func TestSparkplugSequenceWraps(t *testing.T) {
	s := decode.NewSparkplug()
	if _, err := s.Decode("spBv1.0/g/NBIRTH/n", []byte("\x18\xfe\x01")); err != nil {
		t.Fatal(err)
	}
	for _, seq := range []string{"\x18\xff\x01", "\x18\x00", "\x18\x01"} {
		if _, err := s.Decode("spBv1.0/g/NDATA/n", []byte(seq)); err != nil {
			t.Errorf("%x: %v", seq, err)
		}
	}
	if _, err := s.Decode("spBv1.0/g/NDATA/n", []byte("\x18\x01")); err == nil {
		t.Error("a repeated number is taken")
	}
}

func TestSparkplugErrors(t *testing.T) {
	for verb, table := range map[string]map[string]wrong{
		"NBIRTH": {
			"no sequence number": {"", 0, "seq"},
			"cut off":            {"\x12\x05\x0a", 0, ""},
			"cut off in metric":  {"\x12\x02\x0a\x05\x18\x00", 2, ""},
			"no name":            {"\x12\x02\x10\x01\x18\x00", 2, ""},
			"no datatype":        {"\x12\x03\x0a\x01a\x18\x00", 2, "a"},
			"name is no text":    {"\x12\x02\x08\x01\x18\x00", 2, ""},
			"float in a varint":  {"\x12\x07\x0a\x01a\x20\x09\x60\x01\x18\x00", 7, ""},
			"value of another":   {"\x12\x07\x0a\x01a\x20\x0a\x50\x01\x18\x00", 2, "a"},
			"no value":           {"\x12\x05\x0a\x01a\x20\x0a\x18\x00", 2, "a"},
			"beyond Int8":        {"\x12\x08\x0a\x01a\x20\x01\x50\xac\x02\x18\x00", 2, "a"},
			"beyond UInt8":       {"\x12\x08\x0a\x01a\x20\x05\x50\x80\x02\x18\x00", 2, "a"},
			"properties":         {"\x12\x09\x0a\x01a\x20\x05\x4a\x02\x08\x01\x18\x00", 9, ""},
			"not a number":       {"\x12\x0a\x0a\x01a\x20\x09\x65\x00\x00\xc0\x7f\x18\x00", 2, "a"},
			"alias taken":        {"\x12\x09\x0a\x01a\x10\x01\x20\x01\x38\x01\x12\x09\x0a\x01b\x10\x01\x20\x01\x38\x01\x18\x00", 13, "b"},
		},
		"STATE":    {"no readings": {"", -1, ""}},
		"NBIRTH/x": {"device of a node message": {"", -1, ""}},
		"DDATA":    {"no device": {"", -1, ""}},
	} {
		topic := "spBv1.0/bay/" + verb
		if node, device, ok := strings.Cut(verb, "/"); ok {
			topic = "spBv1.0/bay/" + node + "/raft/" + device
		} else {
			topic += "/raft"
		}
		refused(t, "sparkplug", func(payload []byte) ([]ingest.Value, error) {
			return decode.NewSparkplug().Decode(topic, payload)
		}, table)
	}
}

func FuzzSparkplug(f *testing.F) {
	for _, s := range []string{nbirth, ndata1, historical, isNull, negative, ndeath} {
		f.Add(unhex(f, s))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		s := decode.NewSparkplug()
		values, err := s.Decode("spBv1.0/g/NBIRTH/n", payload)
		if rebirth := (*decode.RebirthError)(nil); !errors.As(err, &rebirth) {
			sound(t, payload, values, err)
		}
		if _, err := s.Decode("spBv1.0/g/NBIRTH/n", unhex(t, nbirth)); err != nil {
			t.Fatal(err)
		}
		values, err = s.Decode("spBv1.0/g/NDATA/n", payload)
		if rebirth := (*decode.RebirthError)(nil); !errors.As(err, &rebirth) {
			sound(t, payload, values, err)
		}
	})
}
