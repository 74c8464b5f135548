package api

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"tianhai/api/auth"
	"tianhai/farm"
	"tianhai/ingest/history"
)

// History brings old data in; *history.Desk does. An empty tenant is everybody's.
// What is wrong with an order or a file is a *history.OrderError.
type History interface {
	Preview(ctx context.Context, tenant string, order history.Backfill, file io.Reader) (history.Preview, error)
	Backfill(ctx context.Context, tenant, account string, order history.Backfill, file io.Reader) (history.Job, error)
	Replay(ctx context.Context, tenant, account string, order history.Replay) (history.Job, error)
}

// Jobs keeps the jobs that history makes.
type Jobs interface {
	Job(ctx context.Context, id string) (history.Job, error) // farm.ErrNotFound
	// Jobs returns jobs, newest first.
	Jobs(ctx context.Context, q JobQuery) ([]history.Job, error)
	// CancelJob ends one that waits or runs; farm.ErrConflict for one that ended.
	CancelJob(ctx context.Context, id string) error
}

// A JobQuery asks for jobs: of a tenant, or of all where it is empty, behind a place.
type JobQuery struct {
	Tenant string
	After  Place
	Limit  int
}

const (
	backfillsPath = "/history/backfills"
	uploadTimeout = 30 * time.Minute // of a file over a bad line
	usualJobs     = 50
)

// mayMend returns the tenant whose data the caller may bring in or read anew:
// the one asked for, or the only one there is to ask for. It is empty for an
// administrator who means everybody's.
func mayMend(c *gin.Context, tenant string) (string, error) {
	p := who(c)
	if tenant == "" && administrator(c) != nil {
		tenant = p.Tenant
	}
	if tenant != "" && farm.CheckID(tenant) != nil {
		return "", &invalidError{"tenant", "is not an identifier"}
	}
	if !auth.Can(p, auth.Administer, auth.Object{Tenant: tenant}) {
		return "", errForbidden
	}
	return tenant, nil
}

// tenantOf is mayMend for an order that names a device: it is of the device's
// tenant.
func (s *server) tenantOf(c *gin.Context, device, tenant string) (string, error) {
	if device == "" {
		return mayMend(c, tenant)
	}
	if farm.CheckID(device) != nil {
		return "", &invalidError{"device", "is not an identifier"}
	}
	d, err := s.find(c.Request.Context(), device)
	if err != nil {
		return "", err
	}
	if err := allow(who(c), auth.Administer, d.object()); err != nil {
		return "", err
	}
	if tenant != "" && tenant != d.Tenant {
		return "", &invalidError{"tenant", "is not that of the device"}
	}
	return d.Tenant, nil
}

// backfill takes a file: as the body, or as the part "file" of a form. The order
// stands in the query.
func (s *server) backfill(c *gin.Context) error {
	order := history.Backfill{
		File: c.Query("file"), Device: c.Query("device"), Zone: c.Query("zone"), Sheet: c.Query("sheet"),
		Measured: c.Query("measured") == "true",
	}
	tenant, err := s.tenantOf(c, order.Device, c.Query("tenant"))
	if err != nil {
		return err
	}
	if order.Columns, err = columnsOf(c.QueryArray("column")); err != nil {
		return err
	}
	file, name, err := upload(c)
	if err != nil {
		return err
	}
	if order.File == "" {
		order.File = name
	}
	ctx := c.Request.Context()
	if c.Query("dry_run") == "true" {
		v, err := s.History.Preview(ctx, tenant, order, file)
		if err != nil {
			return uploadError(err)
		}
		c.JSON(http.StatusOK, v)
		return nil
	}
	j, err := s.History.Backfill(ctx, tenant, who(c).Login, order, file)
	if err != nil {
		return uploadError(err)
	}
	c.JSON(http.StatusAccepted, jobView(j))
	return nil
}

// columnsOf reads "header=use"; a header may hold "=".
func columnsOf(pairs []string) (map[string]string, error) {
	columns := map[string]string{}
	for _, p := range pairs {
		i := strings.LastIndex(p, "=")
		if i < 1 || i == len(p)-1 {
			return nil, &invalidError{"column", "is not header=channel, header=time, header=date, header=device or header=-"}
		}
		columns[p[:i]] = p[i+1:]
	}
	return columns, nil
}

// upload returns the file of a request, and its name where the form has one.
func upload(c *gin.Context) (io.Reader, string, error) {
	media, _, err := mime.ParseMediaType(c.GetHeader("Content-Type"))
	if err != nil || media != "multipart/form-data" {
		return c.Request.Body, "", nil
	}
	form, err := c.Request.MultipartReader()
	if err != nil {
		return nil, "", &invalidError{"file", "is not in a form that can be read"}
	}
	for {
		part, err := form.NextPart()
		if errors.Is(err, io.EOF) {
			return nil, "", &invalidError{"file", "is missing from the form"}
		}
		if err != nil {
			return nil, "", uploadError(err)
		}
		if part.FormName() == "file" {
			return part, part.FileName(), nil
		}
	}
}

// uploadError tells a file that is too large, or broke off, from trouble of ours.
func uploadError(err error) error {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return errTooLarge
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return &invalidError{"file", "broke off"}
	}
	return err
}

// replayRequest is the body.
type replayRequest struct {
	history.Replay
	Tenant string `json:"tenant"`
}

func (s *server) replay(c *gin.Context) error {
	var in replayRequest
	if err := body(c, &in); err != nil {
		return err
	}
	tenant, err := s.replayed(c, in.Tenant, in.Devices)
	if err != nil {
		return err
	}
	j, err := s.History.Replay(c.Request.Context(), tenant, who(c).Login, in.Replay)
	if err != nil {
		return err
	}
	c.JSON(http.StatusAccepted, jobView(j))
	return nil
}

// replayed returns the tenant of a replay. An administrator's may name devices
// that nobody registered.
func (s *server) replayed(c *gin.Context, tenant string, devices []string) (string, error) {
	if administrator(c) == nil {
		return mayMend(c, tenant)
	}
	for _, d := range devices {
		if _, err := s.tenantOf(c, d, tenant); err != nil {
			return "", err
		}
	}
	return mayMend(c, tenant)
}

func (s *server) listJobs() listing[history.Job] {
	return listing[history.Job]{
		name: "jobs", usual: usualJobs, falling: true, pages: true,
		key: func(j history.Job) string { return timeKey(j.Created, j.ID) },
		read: func(c *gin.Context, p page) ([]history.Job, error) {
			tenant, err := mayMend(c, c.Query("tenant"))
			if err != nil {
				return nil, err
			}
			jobs, err := s.Jobs.Jobs(c.Request.Context(), JobQuery{Tenant: tenant, After: timePlace(p.after), Limit: p.limit})
			for i := range jobs {
				jobs[i] = jobView(jobs[i])
			}
			return jobs, err
		},
		sees: func(c *gin.Context, j *history.Job) (bool, error) {
			return auth.Can(who(c), auth.Administer, auth.Object{Tenant: j.Tenant}), nil
		},
	}
}

// job returns the job of the path if the caller may see it; one of everybody's is
// an administrator's alone.
func (s *server) job(c *gin.Context) (history.Job, error) {
	j, err := s.Jobs.Job(c.Request.Context(), c.Param("id"))
	if err != nil {
		return history.Job{}, err
	}
	return j, allow(who(c), auth.Administer, auth.Object{Tenant: j.Tenant})
}

func (s *server) getJob(c *gin.Context) error {
	j, err := s.job(c)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, jobView(j))
	return nil
}

func (s *server) cancelJob(c *gin.Context) error {
	j, err := s.job(c)
	if err != nil {
		return err
	}
	if err := s.Jobs.CancelJob(c.Request.Context(), j.ID); err != nil {
		return err
	}
	c.Status(http.StatusNoContent)
	return nil
}

// jobView has lists where a new job has none yet.
func jobView(j history.Job) history.Job {
	j.Progress.Ignored, j.Progress.Problems = list(j.Progress.Ignored), list(j.Progress.Problems)
	return j
}
