package decode

import (
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"

	"tianhai/ingest"
)

// Datatypes of metrics (Sparkplug 3.0 §6.4.16).
const (
	spInt8     = 1
	spInt16    = 2
	spInt32    = 3
	spInt64    = 4
	spUInt64   = 8
	spFloat    = 9
	spDouble   = 10
	spBoolean  = 11
	spString   = 12
	spDateTime = 13
	spText     = 14
)

// spGood is the quality of a value that can be used; others are bad and stale.
const spGood = 192

// Fields of a metric that hold its value (§6.4.6). Integers are in two of them,
// by their size.
const (
	spIntField     = 10
	spLongField    = 11
	spFloatField   = 12
	spDoubleField  = 13
	spBooleanField = 14
	spStringField  = 15
)

// A sparkplugMessage is a payload (§6.4.5).
type sparkplugMessage struct {
	time    uint64 // Unix milliseconds; 0 if there is none
	seq     uint64
	hasSeq  bool
	metrics []sparkplugMetric
}

// A sparkplugMetric is one metric of a payload.
type sparkplugMetric struct {
	at         int // first byte in the payload
	name       string
	alias      uint64
	hasAlias   bool
	time       uint64
	datatype   uint64
	null       bool
	historical bool             // kept by the node until now
	transient  bool             // of interest now, and not to be stored
	quality    int32            // good unless a property says otherwise
	has        protowire.Number // the field of the value, 0 if there is none
	bits       uint64
	text       string
}

func (x *sparkplugMetric) fault(err error) error {
	return &ingest.DecodeError{Format: "sparkplug", Offset: x.at, Member: x.name, Err: err}
}

func (m *sparkplugMessage) fault(member string, err error) error {
	return &ingest.DecodeError{Format: "sparkplug", Offset: 0, Member: member, Err: err}
}

// bdSeq returns the number that joins a birth and a death (§6.4.19).
func (m *sparkplugMessage) bdSeq() uint64 {
	for i := range m.metrics {
		if m.metrics[i].name == "bdSeq" {
			return m.metrics[i].bits
		}
	}
	return 0
}

// parseSparkplug reads a payload. Fields that are not needed are passed over.
func parseSparkplug(payload []byte) (*sparkplugMessage, error) {
	m := &sparkplugMessage{}
	err := protoFields(payload, 0, func(num protowire.Number, v protoValue) error {
		if (num == 1 || num == 3) && v.kind != protowire.VarintType || num == 2 && v.kind != protowire.BytesType {
			return fmt.Errorf("field %d of a payload has the wire type %d", num, v.kind)
		}
		switch num {
		case 1:
			m.time = v.bits
		case 2:
			if len(m.metrics) == maxMetrics {
				return fmt.Errorf("more than %d metrics", maxMetrics)
			}
			x := sparkplugMetric{at: v.at, quality: spGood}
			if err := x.parse(v); err != nil {
				return err
			}
			m.metrics = append(m.metrics, x)
		case 3:
			m.seq, m.hasSeq = v.bits, true
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return m, nil
}

func (x *sparkplugMetric) parse(message protoValue) error {
	return protoFields(message.bytes, message.at, func(num protowire.Number, v protoValue) error {
		if want, used := metricWire(num); used && v.kind != want {
			return fmt.Errorf("field %d of a metric has the wire type %d, expected %d", num, v.kind, want)
		}
		switch num {
		case 1:
			x.name = string(v.bytes)
			if !utf8.ValidString(x.name) {
				return errors.New("a name that is not UTF-8")
			}
		case 2:
			x.alias, x.hasAlias = v.bits, true
		case 3:
			x.time = v.bits
		case 4:
			x.datatype = v.bits
		case 5:
			x.historical = v.bits != 0
		case 6:
			x.transient = v.bits != 0
		case 7:
			x.null = v.bits != 0
		case 9:
			return x.properties(v)
		case spIntField, spLongField:
			x.has, x.bits = spIntField, v.bits
		case spFloatField, spDoubleField, spBooleanField:
			x.has, x.bits = num, v.bits
		case spStringField:
			x.has, x.text = num, string(v.bytes)
		}
		return nil
	})
}

// properties reads the one property that the specification knows (§6.4.9). Keys
// and values are two lists.
func (x *sparkplugMetric) properties(set protoValue) error {
	at, key, value := -1, 0, 0
	return protoFields(set.bytes, set.at, func(num protowire.Number, v protoValue) error {
		if (num == 1 || num == 2) && v.kind != protowire.BytesType {
			return fmt.Errorf("field %d of a property set has the wire type %d", num, v.kind)
		}
		switch num {
		case 1:
			if string(v.bytes) == "Quality" {
				at = key
			}
			key++
		case 2:
			value++
			if value-1 != at {
				return nil
			}
			return protoFields(v.bytes, v.at, func(num protowire.Number, v protoValue) error {
				if num == 3 && v.kind == protowire.VarintType {
					x.quality = int32(v.bits)
				}
				return nil
			})
		}
		return nil
	})
}

// metricWire returns the wire type of a field of a metric, false if it is not
// used.
func metricWire(num protowire.Number) (protowire.Type, bool) {
	switch num {
	case 1, 9, spStringField:
		return protowire.BytesType, true
	case 2, 3, 4, 5, 6, 7, spIntField, spLongField, spBooleanField:
		return protowire.VarintType, true
	case spFloatField:
		return protowire.Fixed32Type, true
	case spDoubleField:
		return protowire.Fixed64Type, true
	default:
		return 0, false
	}
}

// A protoValue is the value of a field of a Protocol Buffers message.
type protoValue struct {
	kind  protowire.Type
	at    int // first byte in the payload
	bits  uint64
	bytes []byte
}

// protoFields calls f for each field of a message that begins at base.
func protoFields(b []byte, base int, f func(protowire.Number, protoValue) error) error {
	for pos := 0; pos < len(b); {
		at := base + pos
		num, kind, n := protowire.ConsumeTag(b[pos:])
		v := protoValue{kind: kind}
		if n >= 0 {
			pos += n
			v.at = base + pos
			switch kind {
			case protowire.VarintType:
				v.bits, n = protowire.ConsumeVarint(b[pos:])
			case protowire.Fixed32Type:
				var bits uint32
				bits, n = protowire.ConsumeFixed32(b[pos:])
				v.bits = uint64(bits)
			case protowire.Fixed64Type:
				v.bits, n = protowire.ConsumeFixed64(b[pos:])
			case protowire.BytesType:
				v.bytes, n = protowire.ConsumeBytes(b[pos:])
				v.at = base + pos + n - len(v.bytes)
			default:
				return &ingest.DecodeError{Format: "sparkplug", Offset: at, Err: fmt.Errorf("field %d is of the type %d", num, kind)}
			}
		}
		if n < 0 {
			return &ingest.DecodeError{Format: "sparkplug", Offset: at, Err: protowire.ParseError(n)}
		}
		pos += n
		err := f(num, v)
		if inner := (*ingest.DecodeError)(nil); err != nil && !errors.As(err, &inner) {
			err = &ingest.DecodeError{Format: "sparkplug", Offset: at, Err: err}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// RebirthCommand returns the payload of the NCMD message that asks an edge node for
// its births (§6.4.22).
func RebirthCommand(at time.Time) []byte {
	const name, isTime, datatype = 1, 3, 4
	var metric, payload []byte
	metric = protowire.AppendString(protowire.AppendTag(metric, name, protowire.BytesType), "Node Control/Rebirth")
	metric = protowire.AppendVarint(protowire.AppendTag(metric, isTime, protowire.VarintType), uint64(at.UnixMilli()))
	metric = protowire.AppendVarint(protowire.AppendTag(metric, datatype, protowire.VarintType), spBoolean)
	metric = protowire.AppendVarint(protowire.AppendTag(metric, spBooleanField, protowire.VarintType), 1)
	payload = protowire.AppendVarint(protowire.AppendTag(payload, 1, protowire.VarintType), uint64(at.UnixMilli()))
	return protowire.AppendBytes(protowire.AppendTag(payload, 2, protowire.BytesType), metric)
}
