package api

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"tianhai/api/auth"
	"tianhai/farm"
)

const (
	usualFrames = 100
	maxFrames   = 1000
)

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
func (s *server) listQuarantine(c *gin.Context) error {
	dev := c.Query("device")
	if err := s.mayInspect(c, dev); err != nil {
		return err
	}
	limit, err := queryInt(c, "limit", usualFrames, maxFrames)
	if err != nil {
		return err
	}
	after, err := strconv.ParseUint(c.DefaultQuery("after", "0"), 10, 63)
	if err != nil {
		return &invalidError{"after", "is not a place in quarantine"}
	}
	frames, err := s.Quarantine.Quarantined(c.Request.Context(), dev, after, limit)
	if err != nil {
		return err
	}
	views := make([]frameView, len(frames))
	for i, q := range frames {
		views[i] = frameView{
			Seq: q.Seq, At: q.At.UTC(), Device: q.Frame.Device, Reason: q.Reason, Received: q.Frame.Received.UTC(),
			ContentType: q.Frame.ContentType, Payload: q.Frame.Payload,
		}
	}
	c.JSON(http.StatusOK, gin.H{"frames": views})
	return nil
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
