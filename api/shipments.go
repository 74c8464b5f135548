package api

import (
	"cmp"
	"context"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/oklog/ulid/v2"

	"tianhai/api/auth"
	"tianhai/farm"
	"tianhai/trace"
	"tianhai/trace/evidence"
)

// A ShipmentQuery asks for shipments, those that left last first.
type ShipmentQuery struct {
	Scope
	After Place
	Limit int
}

// Shipments keeps batches on their way. One that does not exist is farm.ErrNotFound.
type Shipments interface {
	FindShipments(ctx context.Context, q ShipmentQuery) ([]trace.Shipment, error)
	Shipment(ctx context.Context, id string) (trace.Shipment, error)
}

// A Shipper says that batches leave and arrive; *trace.Service does.
type Shipper interface {
	Depart(ctx context.Context, s trace.Shipment) (stored trace.Shipment, added bool, err error)
	Arrive(ctx context.Context, tenant, id string, arrived time.Time) (trace.Shipment, error)
	Courses(ctx context.Context, s trace.Shipment) ([]trace.Course, error)
}

func (s *server) listShipments() listing[trace.Shipment] {
	return listing[trace.Shipment]{
		name: "shipments", usual: 100, falling: true, pages: true,
		key: func(sh trace.Shipment) string { return timeKey(sh.Departed, sh.ID) },
		read: func(c *gin.Context, p page) ([]trace.Shipment, error) {
			in, ok := scopeOf(who(c))
			if !ok {
				return nil, nil
			}
			return s.Shipments.FindShipments(c.Request.Context(), ShipmentQuery{Scope: in, After: timePlace(p.after), Limit: p.limit})
		},
		sees: func(c *gin.Context, sh *trace.Shipment) (bool, error) {
			o, err := s.operator(c.Request.Context(), sh.Tenant)
			return auth.Can(who(c), auth.Read, o), err
		},
	}
}

// shipment returns the shipment of the path if the caller may do a to it.
func (s *server) shipment(c *gin.Context, a auth.Action) (trace.Shipment, error) {
	id := c.Param("id")
	if _, err := ulid.ParseStrict(id); err != nil {
		return trace.Shipment{}, farm.ErrNotFound
	}
	sh, err := s.Shipments.Shipment(c.Request.Context(), id)
	if err != nil {
		return trace.Shipment{}, err
	}
	o, err := s.operator(c.Request.Context(), sh.Tenant)
	if err != nil {
		return trace.Shipment{}, err
	}
	return sh, allow(who(c), a, o)
}

func (s *server) getShipment(c *gin.Context) error {
	sh, err := s.shipment(c, auth.Read)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, sh)
	return nil
}

// coursesView is what the loggers of a shipment have said.
type coursesView struct {
	Courses []trace.Course `json:"courses"`
}

func (s *server) getCourses(c *gin.Context) error {
	sh, err := s.shipment(c, auth.Read)
	if err != nil {
		return err
	}
	all, err := s.Shipper.Courses(c.Request.Context(), sh)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, coursesView{all})
	return nil
}

// An openShipmentRequest is what a client says of a departure. Limits are those of the
// catalog where none are stated.
type openShipmentRequest struct {
	ID          string          `json:"id"`
	Tenant      string          `json:"tenant"` // the caller's own when empty
	Batches     []string        `json:"batches"`
	Origin      string          `json:"origin"`
	Destination string          `json:"destination"`
	Carrier     string          `json:"carrier"`
	Vehicle     string          `json:"vehicle"`
	Loggers     []string        `json:"loggers"`
	Quantity    string          `json:"quantity"` // air.temperature when empty
	Limits      evidence.Limits `json:"limits"`
	Departed    time.Time       `json:"departed"`
}

// A closeShipmentRequest says when it arrived: now when no time is given.
type closeShipmentRequest struct {
	Arrived time.Time `json:"arrived"`
}

// openShipment is idempotent by the client's ULID: 201 for a new one, 200 for the same
// one again.
func (s *server) openShipment(c *gin.Context) error {
	ctx, p := c.Request.Context(), who(c)
	var in openShipmentRequest
	if err := body(c, &in); err != nil {
		return err
	}
	tenant := cmp.Or(in.Tenant, p.Tenant)
	if farm.CheckID(tenant) != nil {
		return &invalidError{"tenant", "is not an identifier"}
	}
	o, err := s.operator(ctx, tenant)
	if err != nil {
		return err
	}
	if err := allow(p, auth.Write, o); err != nil {
		return err
	}
	sh, added, err := s.Shipper.Depart(ctx, trace.Shipment{
		ID: in.ID, Tenant: tenant, Batches: in.Batches, Origin: in.Origin, Destination: in.Destination, Carrier: in.Carrier, Vehicle: in.Vehicle,
		Loggers: in.Loggers, Quantity: in.Quantity, Limits: in.Limits, Departed: in.Departed, Account: p.Login,
	})
	if err != nil {
		return err
	}
	status := http.StatusOK
	if added {
		status = http.StatusCreated
	}
	c.JSON(status, sh)
	return nil
}

// closeShipment says that it has arrived.
func (s *server) closeShipment(c *gin.Context) error {
	sh, err := s.shipment(c, auth.Write)
	if err != nil {
		return err
	}
	var in closeShipmentRequest
	if err := body(c, &in); err != nil {
		return err
	}
	if in.Arrived.IsZero() {
		in.Arrived = s.Now()
	}
	if sh, err = s.Shipper.Arrive(c.Request.Context(), sh.Tenant, sh.ID, in.Arrived); err != nil {
		return err
	}
	c.JSON(http.StatusOK, sh)
	return nil
}
