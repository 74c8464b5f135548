package api

import (
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"tianhai/farm"
	"tianhai/ingest/device"
)

const listedChanges = 1000

// modelView has the interval in seconds.
type modelView struct {
	device.Model
	Interval float64 `json:"interval"`
}

func viewModel(m device.Model) modelView { return modelView{m, m.Interval.Seconds()} }

// usedModelView has what only administrators see.
type usedModelView struct {
	modelView
	// Devices are how many there are of the model, those included that nobody owns.
	Devices *int `json:"devices,omitempty"`
}

// listModels shows all; how many devices there are of each, to administrators.
func (s *server) listModels() listing[usedModelView] {
	return listing[usedModelView]{
		name: "models", key: func(m usedModelView) string { return m.ID },
		read: func(c *gin.Context, _ page) ([]usedModelView, error) {
			ctx := c.Request.Context()
			models, err := s.Devices.Models(ctx)
			if err != nil {
				return nil, err
			}
			views := make([]usedModelView, len(models))
			for i, m := range models {
				views[i] = usedModelView{modelView: viewModel(m)}
			}
			if administrator(c) != nil {
				return views, nil
			}
			use, err := s.Models.ModelUse(ctx)
			for i, m := range models {
				n := use[m.ID]
				views[i].Devices = &n
			}
			return views, err
		},
	}
}

func (s *server) getModel(c *gin.Context) error {
	id, err := id(c)
	if err != nil {
		return err
	}
	m, err := s.model(c.Request.Context(), id)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, viewModel(m))
	return nil
}

// putModelRequest is the body.
type putModelRequest struct {
	Name     farm.Text        `json:"name"`
	Format   string           `json:"format"`
	Interval float64          `json:"interval"` // seconds; 0: not known
	Channels []device.Channel `json:"channels"`
	Commands []string         `json:"commands"`
}

// putModel adds a model or replaces it. What it says counts from the next frame
// on; what is stored already stays as it is.
func (s *server) putModel(c *gin.Context) error {
	if err := administrator(c); err != nil {
		return err
	}
	id, err := id(c)
	if err != nil {
		return err
	}
	var in putModelRequest
	if err := body(c, &in); err != nil {
		return err
	}
	m := device.Model{ID: id, Name: in.Name, Format: in.Format, Channels: in.Channels, Commands: in.Commands}
	// Beyond this a Duration cannot hold it, and Faults tells the same of both.
	m.Interval = time.Duration(min(max(in.Interval, -1), 1e9) * float64(time.Second))
	faults := m.Faults()
	if m.Format != "" && !s.KnowsFormat(m.Format) {
		faults = append(faults, device.Fault{Field: "format", Reason: "is not a format that can be read"})
	}
	if len(faults) > 0 {
		return &faultsError{faults}
	}
	if err := s.Models.PutModel(c.Request.Context(), device.ModelChange{At: s.Now().UTC(), Account: who(c).Login, Model: m}); err != nil {
		return err
	}
	c.JSON(http.StatusOK, viewModel(m))
	return nil
}

// changeView is one change of a model.
type changeView struct {
	At      time.Time `json:"at"`
	Account string    `json:"account"`
	Model   modelView `json:"model"`
}

func (s *server) listModelChanges() listing[changeView] {
	return listing[changeView]{
		name: "changes", falling: true, key: func(ch changeView) string { return timeKey(ch.At, ch.Account) },
		read: func(c *gin.Context, _ page) ([]changeView, error) {
			if err := administrator(c); err != nil {
				return nil, err
			}
			id, err := id(c)
			if err != nil {
				return nil, err
			}
			if _, err := s.model(c.Request.Context(), id); err != nil {
				return nil, err
			}
			changes, err := s.Models.ModelChanges(c.Request.Context(), id, listedChanges)
			views := make([]changeView, len(changes))
			for i, ch := range changes {
				views[i] = changeView{ch.At, ch.Account, viewModel(ch.Model)}
			}
			return views, err
		},
	}
}
