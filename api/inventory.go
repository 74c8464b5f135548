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
	maxDevices   = 1000
	maxSearch    = 100 // bytes
)

// issued is the state of a device that nobody owns. It is no device.State: such a
// device has no owner to ask for.
const issued = "issued"

// listDevices answers with a page of devices, by ID, and where the next begins.
// Those that nobody owns are asked for as state=issued, by administrators.
func (s *server) listDevices(c *gin.Context) error {
	q, err := deviceQuery(c)
	if err != nil {
		return err
	}
	if c.Query("state") == issued {
		return s.listIssued(c, q)
	}
	devices, next, err := s.findDevices(c, q)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, gin.H{"devices": devices, "next": next})
	return nil
}

// findDevices returns a page of what the caller may read, and the ID behind which
// the next begins; empty where there is none.
func (s *server) findDevices(c *gin.Context, q DeviceQuery) (page []device.Placed, next string, err error) {
	p := who(c)
	page = []device.Placed{}
	in, ok := scopeOf(p)
	if !ok {
		return page, "", nil
	}
	limit := q.Limit
	q.Scope, q.Limit = in, limit+1 // one more shows whether there are more
	devices, err := s.Inventory.FindDevices(c.Request.Context(), q)
	if err != nil {
		return nil, "", err
	}
	if len(devices) > limit {
		devices, next = devices[:limit], devices[limit-1].ID
	}
	for _, d := range devices {
		if auth.Can(p, auth.Read, auth.Object{Tenant: d.Tenant, Region: d.Region}) {
			page = append(page, d)
		}
	}
	return page, next, nil
}

type issuedView struct {
	device.Issued
	State string `json:"state"`
}

func (s *server) listIssued(c *gin.Context, q DeviceQuery) error {
	if err := administrator(c); err != nil {
		return err
	}
	limit := q.Limit
	q.Limit++
	devices, err := s.Inventory.FindIssued(c.Request.Context(), q)
	if err != nil {
		return err
	}
	next := ""
	if len(devices) > limit {
		devices, next = devices[:limit], devices[limit-1].ID
	}
	views := make([]issuedView, len(devices))
	for i, d := range devices {
		views[i] = issuedView{d, issued}
	}
	c.JSON(http.StatusOK, gin.H{"devices": views, "next": next})
	return nil
}

// deviceQuery returns what the parameters ask for.
func deviceQuery(c *gin.Context) (q DeviceQuery, err error) {
	q = DeviceQuery{Site: c.Query("site"), Model: c.Query("model"), Text: strings.TrimSpace(c.Query("text")), After: c.Query("after")}
	for name, value := range map[string]string{"site": q.Site, "model": q.Model, "after": q.After} {
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
	q.Limit, err = queryInt(c, "limit", usualDevices, maxDevices)
	return q, err
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
