package api

import (
	"errors"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gin-gonic/gin"

	"tianhai/api/auth"
	"tianhai/farm"
	"tianhai/ingest/device"
)

// Limits of a list of devices.
const (
	usualDevices = 100
	maxSearch    = 100 // bytes
)

// issued is the state of a device that nobody owns. It is no device.State: such a
// device has no owner to ask for.
const issued = "issued"

// listDevices shows devices that have an owner, by ID, or those that nobody owns:
// they are asked for as state=issued, by administrators.
func (s *server) listDevices(c *gin.Context) error {
	if c.Query("state") == issued {
		return s.issued().serve(s, c)
	}
	return s.placed().serve(s, c)
}

func (s *server) placed() listing[device.Placed] {
	return listing[device.Placed]{
		name: "devices", usual: usualDevices, pages: true, key: func(d device.Placed) string { return d.ID },
		read: func(c *gin.Context, p page) ([]device.Placed, error) {
			q, err := deviceQuery(c)
			if err != nil {
				return nil, err
			}
			q.After, q.Limit = p.after, p.limit
			return s.findDevices(c, q)
		},
		sees: func(c *gin.Context, d *device.Placed) (bool, error) {
			return auth.Can(who(c), auth.Read, placedObject(*d)), nil
		},
	}
}

func placedObject(d device.Placed) auth.Object {
	return auth.Object{Tenant: d.Tenant, Region: d.Region}
}

// findDevices returns devices within what the caller may list.
func (s *server) findDevices(c *gin.Context, q DeviceQuery) ([]device.Placed, error) {
	in, ok := scopeOf(who(c))
	if !ok {
		return nil, nil
	}
	q.Scope = in
	return s.Inventory.FindDevices(c.Request.Context(), q)
}

type issuedView struct {
	device.Issued
	State string `json:"state"`
}

func (s *server) issued() listing[issuedView] {
	return listing[issuedView]{
		name: "devices", usual: usualDevices, pages: true, key: func(d issuedView) string { return d.ID },
		read: func(c *gin.Context, p page) ([]issuedView, error) {
			q, err := deviceQuery(c)
			if err != nil {
				return nil, err
			}
			if err := administrator(c); err != nil {
				return nil, err
			}
			q.After, q.Limit = p.after, p.limit
			devices, err := s.Inventory.FindIssued(c.Request.Context(), q)
			views := make([]issuedView, len(devices))
			for i, d := range devices {
				views[i] = issuedView{d, issued}
			}
			return views, err
		},
	}
}

// deviceQuery returns what the parameters ask for.
func deviceQuery(c *gin.Context) (DeviceQuery, error) {
	q := DeviceQuery{Site: c.Query("site"), Model: c.Query("model"), Text: strings.TrimSpace(c.Query("text"))}
	for name, value := range map[string]string{"site": q.Site, "model": q.Model} {
		if value != "" && farm.CheckID(value) != nil {
			return q, &invalidError{name, "is not an identifier"}
		}
	}
	switch state := c.Query("state"); state {
	case "", issued:
	case string(device.Claimed), string(device.Active), string(device.Suspended), string(device.Retired):
		q.State = device.State(state)
	default:
		return q, &invalidError{"state", "is none of issued, claimed, active, suspended and retired"}
	}
	if online := c.Query("online"); online != "" {
		is := online == "true"
		if !is && online != "false" {
			return q, &invalidError{"online", "is neither true nor false"}
		}
		q.Online = &is
	}
	if len(q.Text) > maxSearch || !utf8.ValidString(q.Text) || strings.ContainsRune(q.Text, 0) {
		return q, &invalidError{"text", "is not text of at most 100 bytes"}
	}
	return q, nil
}

// importView is what became of a file of devices.
type importView struct {
	DryRun  bool           `json:"dry_run"`
	Count   int            `json:"count"`  // devices in the file
	Faults  []device.Fault `json:"faults"` // with any, nothing was imported
	Devices []importedView `json:"devices"`
}

type importedView struct {
	ID     string `json:"id"`
	Model  string `json:"model"`
	Secret string `json:"secret"`
}

// importDevices registers the devices of a CSV file, all or none, and answers with
// their secrets, the only time they are seen. With dry_run=true it only says what
// is wrong. A manager's file holds devices of the own tenant.
func (s *server) importDevices(c *gin.Context) error {
	ctx, p := c.Request.Context(), who(c)
	if !auth.Can(p, auth.Administer, auth.Object{Tenant: p.Tenant}) {
		return errForbidden
	}
	dry, err := strconv.ParseBool(c.DefaultQuery("dry_run", "false"))
	if err != nil {
		return &invalidError{"dry_run", "is neither true nor false"}
	}
	if t, _, err := mime.ParseMediaType(c.GetHeader("Content-Type")); err != nil || t != "text/csv" {
		return errMediaType
	}
	devices, faults, err := s.Importer.Check(ctx, c.Request.Body, p.Tenant)
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return errTooLarge
	} else if err != nil {
		return err
	}
	if len(faults) > 0 && !dry {
		return &faultsError{faults}
	}
	answer := importView{DryRun: dry, Count: len(devices), Faults: list(faults), Devices: []importedView{}}
	if dry {
		c.JSON(http.StatusOK, answer)
		return nil
	}
	labels, err := s.Importer.Import(ctx, p.Login, devices)
	if err != nil {
		return err
	}
	for _, l := range labels {
		answer.Devices = append(answer.Devices, importedView{l.ID, l.Model, l.Secret})
	}
	c.JSON(http.StatusCreated, answer)
	return nil
}
