package main_test

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// A rawClient is the least MQTT 3.1.1 that can publish at QoS 1 and knows which
// messages were acknowledged. A library's "published" is no proof: it also
// completes when the connection is lost.
type rawClient struct {
	conn net.Conn
	r    *bufio.Reader
}

// dialRaw connects as device with secret and waits for the CONNACK.
func dialRaw(addr, device, secret string) (*rawClient, error) {
	conn, err := net.DialTimeout("tcp", addr, 5*time.Second)
	if err != nil {
		return nil, err
	}
	body := append(mqttString("MQTT"), 4, 0xC0, 0, 60)
	for _, s := range []string{device, device, secret} {
		body = append(body, mqttString(s)...)
	}
	c := &rawClient{conn, bufio.NewReader(conn)}
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return nil, err
	}
	if _, err := conn.Write(mqttPacket(0x10, body)); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	kind, answer, err := c.read()
	if err == nil && (kind != 0x20 || len(answer) != 2 || answer[1] != 0) {
		err = fmt.Errorf("refused: packet %#x %v", kind, answer)
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return c, conn.SetDeadline(time.Time{})
}

// publishPacket encodes a PUBLISH at QoS 1.
func publishPacket(topic string, id uint16, payload []byte) []byte {
	body := mqttString(topic)
	body = binary.BigEndian.AppendUint16(body, id)
	return mqttPacket(0x32, append(body, payload...))
}

// read returns the next packet's first byte and its body.
func (c *rawClient) read() (byte, []byte, error) {
	kind, err := c.r.ReadByte()
	if err != nil {
		return 0, nil, err
	}
	length, err := binary.ReadUvarint(c.r) // MQTT's remaining length is a base-128 varint
	if err != nil {
		return 0, nil, err
	}
	body := make([]byte, length)
	_, err = io.ReadFull(c.r, body)
	return kind, body, err
}

// readAck returns the identifier of the next PUBACK.
func (c *rawClient) readAck() (uint16, error) {
	for {
		kind, body, err := c.read()
		if err != nil {
			return 0, err
		}
		if kind == 0x40 {
			return binary.BigEndian.Uint16(body), nil
		}
	}
}

func mqttString(s string) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(s))), s...)
}

func mqttPacket(kind byte, body []byte) []byte {
	return append(binary.AppendUvarint([]byte{kind}, uint64(len(body))), body...)
}
