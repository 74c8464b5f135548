package api

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"tianhai/api/auth"
	"tianhai/farm"
)

const usualFrames = 100

// frameView is a frame that could not be stored, with its bytes as they came.
type frameView struct {
	Seq         uint64    `json:"seq"`
	At          time.Time `json:"at"`
	Device      string    `json:"device"`
	Reason      string    `json:"reason"`
	Received    time.Time `json:"received"`
	ContentType string    `json:"content_type"`
	Payload     []byte    `json:"payload_base64"`
}

// listQuarantine shows frames to whoever administers the device they came from;
// those of all devices, and of ones that nobody registered, only to administrators.
func (s *server) listQuarantine() listing[frameView] {
	return listing[frameView]{
		name: "frames", usual: usualFrames, pages: true,
		key: func(f frameView) string { return fmt.Sprintf("%020d", f.Seq) },
		read: func(c *gin.Context, p page) ([]frameView, error) {
			dev := c.Query("device")
			if err := s.mayInspect(c, dev); err != nil {
				return nil, err
			}
			after, err := uint64(0), error(nil)
			if p.after != "" {
				if after, err = strconv.ParseUint(p.after, 10, 63); err != nil {
					return nil, &invalidError{"after", "is not the next of a page before"}
				}
			}
			frames, err := s.Quarantine.Quarantined(c.Request.Context(), dev, after, p.limit)
			views := make([]frameView, len(frames))
			for i, q := range frames {
				views[i] = frameView{
					Seq: q.Seq, At: q.At.UTC(), Device: q.Frame.Device, Reason: q.Reason, Received: q.Frame.Received.UTC(),
					ContentType: q.Frame.ContentType, Payload: q.Frame.Payload,
				}
			}
			return views, err
		},
	}
}

// mayInspect is nil when the caller may see the quarantined frames of a device,
// or of all when it is empty.
func (s *server) mayInspect(c *gin.Context, dev string) error {
	p := who(c)
	everything := auth.Can(p, auth.Administer, auth.Object{})
	if dev == "" && everything {
		return nil
	}
	if dev == "" {
		return errForbidden
	}
	if farm.CheckID(dev) != nil {
		return &invalidError{"device", "is not an identifier"}
	}
	d, err := s.find(c.Request.Context(), dev)
	if errors.Is(err, farm.ErrNotFound) && everything {
		return nil
	}
	if err != nil {
		return err
	}
	return allow(p, auth.Administer, d.object())
}
