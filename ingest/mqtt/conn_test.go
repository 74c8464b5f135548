package mqtt_test

import (
	"net"
	"testing"
	"testing/synctest"
	"time"

	"tianhai/ingest/mqtt"
)

// drops is a connection on which so many bytes have come whenever it is read.
type drops struct {
	net.Conn
	n int
}

func (d *drops) Read(p []byte) (int, error) { return min(d.n, len(p)), nil }

func TestCalmConn(t *testing.T) {
	for name, tt := range map[string]struct {
		bytes    int
		messages int
		pause    time.Duration // of the reader between reads
		want     time.Duration // that four reads wait
	}{
		"a little at a time":      {1, 1, 0, 3 * mqtt.ShortestPause},
		"a window of 20":          {1, 20, 0, 3 * mqtt.ShortestPause},
		"a window of 100":         {1, 100, 0, 3 * 100 * mqtt.PausePerMessage},
		"as much as there can be": {1, 1000, 0, 3 * mqtt.LongestPause},
		"more than is asked for":  {64, 1000, 0, 0},
		"slower than it may be":   {1, 1, 2 * mqtt.ShortestPause, 0},
		"half as slow as allowed": {1, 1, mqtt.ShortestPause / 2, 3 * mqtt.ShortestPause / 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := mqtt.Calm(&drops{n: tt.bytes}, tt.messages)
				waited := time.Duration(0)
				for range 4 {
					start := time.Now()
					if n, err := c.Read(make([]byte, 16)); err != nil || n != min(tt.bytes, 16) {
						t.Fatalf("read %d bytes, error %v", n, err)
					}
					waited += time.Since(start)
					time.Sleep(tt.pause)
				}
				if waited != tt.want {
					t.Errorf("waited %s, want %s", waited, tt.want)
				}
			})
		})
	}
}
