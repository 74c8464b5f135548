package api

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"tianhai/api/auth"
	"tianhai/farm"
	"tianhai/trace"
)

// MaxOutbox is how many operations one request may hold.
const MaxOutbox = 500

// What became of one operation of a request.
const (
	created = "created"
	exists  = "exists"  // the same was there already
	refused = "refused" // as it is it never will be; see the problem
	failed  = "failed"  // nothing is known against it: send it again
)

// An outcome is what became of the operation at one place of the request.
type outcome struct {
	ID       string     `json:"id"` // as it was sent; empty where it could not be read
	Outcome  string     `json:"outcome"`
	Recorded *time.Time `json:"recorded,omitempty"`
	Problem  *problem   `json:"problem,omitempty"`
}

// addOperationsRequest is the body.
type addOperationsRequest struct {
	Operations []json.RawMessage `json:"operations"`
}

// outcomesView has one outcome for each operation, in their order.
type outcomesView struct {
	Outcomes []outcome `json:"outcomes"`
}

// addOperations stores the operations of a phone that was out of reach: one after
// the other in the order of the request, each by itself. A refused one holds up
// none behind it, but what corrects it is refused as well. The answer has one
// outcome for each, in the same order; the whole may be sent again any number of
// times. Once the records do not answer, or the time is up, the rest has failed.
func (s *server) addOperations(c *gin.Context) error {
	var in addOperationsRequest
	raw, err := rawBody(c)
	if err == nil {
		err = unmarshal(raw, &in) // each operation is read by itself
	}
	if err != nil {
		return err
	}
	if len(in.Operations) == 0 || len(in.Operations) > MaxOutbox {
		return &invalidError{"operations", "are none or more than 500"}
	}
	ctx, p := c.Request.Context(), who(c)
	out := make([]outcome, 0, len(in.Operations))
	sites := map[string]farm.Site{}
	var down error
	for _, raw := range in.Operations {
		o, op, err := outcome{}, trace.Operation{}, down
		if down == nil {
			o.ID, op, err = s.sent(ctx, p, raw, sites)
		}
		if err == nil {
			var added bool
			if op, added, err = s.Recorder.AddOperation(ctx, op); err == nil {
				o.Outcome, o.Recorded = exists, &op.Recorded
				if added {
					o.Outcome = created
				}
			}
		}
		if err != nil {
			o.Outcome, o.Problem = s.against(c, err)
			if o.Outcome == failed {
				if down == nil {
					s.Logger.ErrorContext(ctx, "operations failed", slog.String("request", requestID(c)), slog.Any("error", err))
				}
				down = err
			}
		}
		out = append(out, o)
	}
	c.JSON(http.StatusOK, outcomesView{out})
	return nil
}

// sentRequest is one operation of the body.
type sentRequest struct {
	Site string `json:"site"`
	operationRequest
}

// sent reads one operation and asks whether its site is the principal's to write.
func (s *server) sent(ctx context.Context, p auth.Principal, raw json.RawMessage, sites map[string]farm.Site) (id string, op trace.Operation, err error) {
	var in sentRequest
	if err := strict(raw, &in); err != nil {
		return in.ID, op, err
	}
	if farm.CheckID(in.Site) != nil {
		return in.ID, op, &invalidError{"site", "is not an identifier"}
	}
	site, known := sites[in.Site]
	if !known {
		if site, err = s.Farms.Site(ctx, in.Site); err != nil {
			return in.ID, op, err
		}
		sites[in.Site] = site
	}
	if err := s.mayRecord(ctx, p, site, in.operationRequest); err != nil {
		return in.ID, op, err
	}
	return in.ID, in.operation(site, p.Login), nil
}

// against says what an error means to one operation.
func (s *server) against(c *gin.Context, err error) (string, *problem) {
	p := s.words(c, newProblem(err))
	if p.Status >= http.StatusInternalServerError {
		p.Request = requestID(c)
		return failed, &p
	}
	return refused, &p
}
