package api

import (
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"tianhai/api/auth"
	"tianhai/farm"
	"tianhai/ingest"
	"tianhai/ingest/device"
)

// maxAhead is how far in the future a calibration or an installation may begin:
// a little, because the technician's clock is not ours.
const maxAhead = 5 * time.Minute

// SecondThoughts is how long after a device came to its first site whoever may
// write there may move it: a farmer who took the wrong line of the list needs no
// manager. Later a move is a manager's, as evidence depends on it.
const SecondThoughts = 24 * time.Hour

// mayMove is nil when the caller may move d, which stood at the places of history.
func (s *server) mayMove(c *gin.Context, d placed, history []ingest.Installation) error {
	a := auth.Administer
	if len(history) > 0 && s.Now().Before(history[0].From.Add(SecondThoughts)) {
		a = auth.Write
	}
	return allow(who(c), a, d.object())
}

// since returns when something that a technician did counts from: now, where
// nothing is said.
func (s *server) since(from time.Time) (time.Time, error) {
	now := s.Now().UTC()
	switch {
	case from.IsZero():
		return now, nil
	case from.Year() < 1970, from.After(now.Add(maxAhead)):
		return time.Time{}, &invalidError{"from", "is before 1970 or in the future"}
	}
	return from.UTC(), nil
}

func (s *server) listCalibrations() listing[device.Calibration] {
	return listing[device.Calibration]{
		name: "calibrations",
		key:  func(c device.Calibration) string { return timeKey(c.From, c.Channel+" "+timeKey(c.Recorded, "")) },
		read: func(c *gin.Context, _ page) ([]device.Calibration, error) {
			d, err := s.device(c, auth.Read)
			if err != nil {
				return nil, err
			}
			return s.Upkeep.Calibrations(c.Request.Context(), d.ID)
		},
	}
}

// addCalibrationRequest is the body.
type addCalibrationRequest struct {
	Channel string    `json:"channel"`
	Slope   float64   `json:"slope"`
	Offset  float64   `json:"offset"`
	From    time.Time `json:"from"`
	Note    string    `json:"note"`
}

func (s *server) addCalibration(c *gin.Context) error {
	ctx := c.Request.Context()
	d, err := s.device(c, auth.Administer)
	if err != nil {
		return err
	}
	var in addCalibrationRequest
	if err := body(c, &in); err != nil {
		return err
	}
	from, err := s.since(in.From)
	if err != nil {
		return err
	}
	m, err := s.model(ctx, d.Model)
	if err != nil {
		return err
	}
	cal := device.Calibration{
		Device: d.ID, Channel: in.Channel, Slope: in.Slope, Offset: in.Offset, Note: in.Note,
		From: from, Recorded: s.Now().UTC(), Account: who(c).Login,
	}
	if err := cal.Validate(m); err != nil {
		return &invalidError{"", err.Error()}
	}
	if err := s.Upkeep.AddCalibration(ctx, cal); err != nil {
		return err
	}
	c.JSON(http.StatusCreated, cal)
	return nil
}

// installRequest is the body.
type installRequest struct {
	Site string    `json:"site"`
	From time.Time `json:"from"`
}

// install moves a device to a site of its own tenant.
func (s *server) install(c *gin.Context) error {
	ctx := c.Request.Context()
	d, err := s.device(c, auth.Read)
	if err != nil {
		return err
	}
	history, err := s.Devices.Installations(ctx, d.ID)
	if err != nil {
		return err
	}
	if err := s.mayMove(c, d, history); err != nil {
		return err
	}
	var in installRequest
	if err := body(c, &in); err != nil {
		return err
	}
	from, err := s.since(in.From)
	if err != nil {
		return err
	}
	if farm.CheckID(in.Site) != nil {
		return &invalidError{"site", "is not an identifier"}
	}
	moved := device.Installation{Device: d.ID, Site: in.Site, From: from}
	if err := s.Upkeep.Install(ctx, moved); err != nil {
		return err
	}
	c.JSON(http.StatusCreated, moved)
	return nil
}

func (s *server) listInstallations() listing[device.Installation] {
	return listing[device.Installation]{
		name: "installations", key: func(in device.Installation) string { return timeKey(in.From, in.Site) },
		read: func(c *gin.Context, _ page) ([]device.Installation, error) {
			d, err := s.device(c, auth.Read)
			if err != nil {
				return nil, err
			}
			history, err := s.Devices.Installations(c.Request.Context(), d.ID)
			out := make([]device.Installation, len(history))
			for i, in := range history {
				out[i] = device.Installation{Device: d.ID, Site: in.Place.Site, From: in.From}
			}
			return out, err
		},
	}
}
