package api

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/gin-gonic/gin"
	"github.com/oklog/ulid/v2"

	"tianhai/api/auth"
	"tianhai/farm"
	"tianhai/ingest"
	"tianhai/ingest/device"
)

const (
	// CommandExpiry is how long a command is good for, unless it says otherwise. A
	// device that wakes later must not obey it: whoever pressed the switch no longer
	// expects it to.
	CommandExpiry = 10 * time.Minute
	// MaxCommandExpiry is the longest that one can be good for.
	MaxCommandExpiry = 7 * 24 * time.Hour
	maxCommandValue  = 64 // bytes
	usualCommands    = 50
)

// placed is a device with where it stands.
type placed struct {
	device.Device
	place *ingest.Place // nil before it is installed
}

func (d placed) object() auth.Object {
	o := auth.Object{Tenant: d.Tenant}
	if d.place != nil {
		o.Region = d.place.Region
	}
	return o
}

// device returns the device of the path if the caller may do a to it.
func (s *server) device(c *gin.Context, a auth.Action) (placed, error) {
	id, err := id(c)
	if err != nil {
		return placed{}, err
	}
	d, err := s.find(c.Request.Context(), id)
	if err != nil {
		return placed{}, err
	}
	if err := allow(who(c), a, d.object()); err != nil {
		return placed{}, err
	}
	return d, nil
}

func (s *server) find(ctx context.Context, id string) (placed, error) {
	d, err := s.Devices.Device(ctx, id)
	if err != nil {
		return placed{}, err
	}
	history, err := s.Devices.Installations(ctx, id)
	if err != nil {
		return placed{}, err
	}
	out := placed{Device: d}
	profile := ingest.Profile{Installations: history}
	if in, ok := profile.At(s.Now()); ok {
		out.place = &in.Place
	}
	return out, nil
}

// model returns the model with this ID; farm.ErrNotFound.
func (s *server) model(ctx context.Context, id string) (device.Model, error) {
	models, err := s.Devices.Models(ctx)
	if err != nil {
		return device.Model{}, err
	}
	i := slices.IndexFunc(models, func(m device.Model) bool { return m.ID == id })
	if i < 0 {
		return device.Model{}, farm.ErrNotFound
	}
	return models[i], nil
}

type placeView struct {
	Tenant string        `json:"tenant"`
	Region string        `json:"region"`
	Site   string        `json:"site"`
	Kind   farm.SiteKind `json:"kind"`
}

type deviceView struct {
	device.Device
	Model    modelView         `json:"model"`
	Place    *placeView        `json:"place"` // null before it is installed
	SiteName farm.Text         `json:"site_name"`
	Interval float64           `json:"interval"` // seconds between reports; 0 when not known
	Latest   map[string]Latest `json:"latest"`   // by quantity
}

func (s *server) getDevice(c *gin.Context) error {
	ctx := c.Request.Context()
	d, err := s.device(c, auth.Read)
	if err != nil {
		return err
	}
	m, err := s.model(ctx, d.Model)
	if err != nil {
		return err
	}
	seconds := m.Interval.Seconds()
	v := deviceView{Device: d.Device, Model: viewModel(m), Interval: seconds, Latest: s.Hub.latest("", d.ID)}
	if v.Latest == nil {
		v.Latest = map[string]Latest{}
	}
	if d.place != nil {
		site, err := s.Farms.Site(ctx, d.place.Site)
		if err != nil {
			return err
		}
		v.SiteName = site.Name
		v.Place = &placeView{d.place.Tenant, d.place.Region, d.place.Site, d.place.Kind}
	}
	c.JSON(http.StatusOK, v)
	return nil
}

func (s *server) listCommands() listing[device.CommandRecord] {
	return listing[device.CommandRecord]{
		name: "commands", usual: usualCommands, falling: true, pages: true,
		key: func(r device.CommandRecord) string { return timeKey(r.Created, r.ID) },
		read: func(c *gin.Context, p page) ([]device.CommandRecord, error) {
			d, err := s.device(c, auth.Read)
			if err != nil {
				return nil, err
			}
			after := timePlace(p.after)
			commands, err := s.Commands.Commands(c.Request.Context(), d.ID, after.At, after.ID, p.limit)
			for i := range commands {
				// The store gives commands up now and then; people see it at once.
				if r := &commands[i]; (r.State == device.Queued || r.State == device.Sent) && !s.Now().Before(r.Expires) {
					r.State = device.Expired
				}
			}
			return commands, err
		},
	}
}

// sendCommandRequest is the body.
type sendCommandRequest struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	Good  int64  `json:"good"` // seconds; 0: CommandExpiry
}

// sendCommand records a command, from where it is sent when its device listens, so
// that nothing happens on a farm that nobody answers for.
func (s *server) sendCommand(c *gin.Context) error {
	ctx := c.Request.Context()
	d, err := s.device(c, auth.Command)
	if err != nil {
		return err
	}
	var in sendCommandRequest
	if err := body(c, &in); err != nil {
		return err
	}
	if !d.State.Connects() {
		return fmt.Errorf("%s is %s and gets no commands: %w", d.ID, d.State, farm.ErrConflict)
	}
	m, err := s.model(ctx, d.Model)
	if err != nil {
		return err
	}
	if !slices.Contains(m.Commands, in.Name) {
		return &invalidError{"name", "is not a command that this model obeys"}
	}
	if in.Value == "" || len(in.Value) > maxCommandValue || !utf8.ValidString(in.Value) {
		return &invalidError{"value", "is empty or longer than 64 bytes"}
	}
	if in.Good < 0 || in.Good > int64(MaxCommandExpiry.Seconds()) {
		return &invalidError{"good", "is not within 0 and 604800 seconds"}
	}
	good := cmp.Or(time.Duration(in.Good)*time.Second, CommandExpiry)
	now := s.Now().UTC().Truncate(time.Millisecond)
	cmd := ingest.Command{ID: ulid.MustNew(ulid.Timestamp(now), ulid.DefaultEntropy()).String(), Device: d.ID, Name: in.Name, Value: in.Value, Expires: now.Add(good)}
	record := device.CommandRecord{Command: cmd, Tenant: d.Tenant, Account: who(c).Login, State: device.Queued, Created: now}
	if err := s.Commands.CreateCommand(ctx, record); err != nil {
		return err
	}
	s.Queue.Wake()
	c.JSON(http.StatusAccepted, record)
	return nil
}

// cancelCommand takes back a command that its device was never told.
func (s *server) cancelCommand(c *gin.Context) error {
	d, err := s.device(c, auth.Command)
	if err != nil {
		return err
	}
	if err := s.Queue.Cancel(c.Request.Context(), d.ID, c.Param("command"), who(c).Login); err != nil {
		return err
	}
	c.Status(http.StatusNoContent)
	return nil
}
