package api

import (
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"tianhai/farm"
	"tianhai/ingest/device"
)

const listedChanges = 100

// modelView has the interval in seconds.
type modelView struct {
	device.Model
	Interval float64 `json:"interval"`
}

func viewModel(m device.Model) modelView { return modelView{m, m.Interval.Seconds()} }

// usedModelView is what administrators see.
type usedModelView struct {
	modelView
	Devices int `json:"devices"` // of this model, those included that nobody owns
}

// listModels shows all; how many devices there are of each, to administrators.
func (s *server) listModels(c *gin.Context) error {
	ctx := c.Request.Context()
	models, err := s.Devices.Models(ctx)
	if err != nil {
		return err
	}
	if administrator(c) != nil {
		views := make([]modelView, len(models))
		for i, m := range models {
			views[i] = viewModel(m)
		}
		c.JSON(http.StatusOK, gin.H{"models": views})
		return nil
	}
	use, err := s.Models.ModelUse(ctx)
	if err != nil {
		return err
	}
	views := make([]usedModelView, len(models))
	for i, m := range models {
		views[i] = usedModelView{viewModel(m), use[m.ID]}
	}
	c.JSON(http.StatusOK, gin.H{"models": views})
	return nil
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
	var in struct {
		Name     farm.Text        `json:"name"`
		Format   string           `json:"format"`
		Interval float64          `json:"interval"` // seconds; 0: not known
		Channels []device.Channel `json:"channels"`
		Commands []string         `json:"commands"`
	}
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

func (s *server) listModelChanges(c *gin.Context) error {
	if err := administrator(c); err != nil {
		return err
	}
	id, err := id(c)
	if err != nil {
		return err
	}
	if _, err := s.model(c.Request.Context(), id); err != nil {
		return err
	}
	changes, err := s.Models.ModelChanges(c.Request.Context(), id, listedChanges)
	if err != nil {
		return err
	}
	views := make([]changeView, len(changes))
	for i, ch := range changes {
		views[i] = changeView{ch.At, ch.Account, viewModel(ch.Model)}
	}
	c.JSON(http.StatusOK, gin.H{"changes": views})
	return nil
}
