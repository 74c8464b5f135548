package api

import (
	"context"
	"net/http"

	"github.com/gin-gonic/gin"

	"tianhai/api/auth"
	"tianhai/farm"
	"tianhai/trace/complaint"
)

// Complaints knows what consumers complain of.
type Complaints interface {
	// ListComplaints returns those that are asked for without their answers, the latest first.
	ListComplaints(ctx context.Context, q NoticeQuery) ([]complaint.Complaint, error)
	Complaint(ctx context.Context, id string) (complaint.Complaint, error) // farm.ErrNotFound
	// Answer returns farm.ErrConflict where the complaint is closed.
	Answer(ctx context.Context, id string, a complaint.Answer) (complaint.Complaint, error)
	ErasePhone(ctx context.Context, id string) error
	// ComplaintPhoto returns a JPEG.
	ComplaintPhoto(hash string) ([]byte, error)
}

func complaintObject(m complaint.Complaint) auth.Object {
	return auth.Object{Tenant: m.Tenant, Region: m.Region}
}

// A complaintView is a complaint as who answers it sees it: without its reference,
// which is the consumer's alone.
type complaintView struct {
	complaint.Complaint
	MayAnswer bool `json:"may_answer"`
}

func (s *server) complaintView(c *gin.Context, m complaint.Complaint) complaintView {
	if m.Answers == nil {
		m.Answers = []complaint.Answer{}
	}
	return complaintView{Complaint: m, MayAnswer: m.State != complaint.Closed && auth.Can(who(c), auth.Answer, complaintObject(m))}
}

func (s *server) listComplaints() listing[complaintView] {
	return listing[complaintView]{
		name: "complaints", falling: true, pages: true, key: func(m complaintView) string { return timeKey(m.Received, m.ID) },
		read: func(c *gin.Context, p page) ([]complaintView, error) {
			q, ok, err := noticeQuery(c, p, "open", string(complaint.Received), string(complaint.Answered), string(complaint.Closed))
			if err != nil || !ok {
				return nil, err
			}
			found, err := s.Complaints.ListComplaints(c.Request.Context(), q)
			var all []complaintView
			for _, m := range found {
				all = append(all, s.complaintView(c, m))
			}
			return all, err
		},
		sees: func(c *gin.Context, m *complaintView) (bool, error) {
			return auth.Can(who(c), auth.Read, complaintObject(m.Complaint)), nil
		},
	}
}

// complaint returns the complaint of the path if the caller may do a to it.
func (s *server) complaint(c *gin.Context, a auth.Action) (complaint.Complaint, error) {
	if !namesULID(c) {
		return complaint.Complaint{}, farm.ErrNotFound
	}
	m, err := s.Complaints.Complaint(c.Request.Context(), c.Param("id"))
	if err != nil {
		return complaint.Complaint{}, err
	}
	return m, allow(who(c), a, complaintObject(m))
}

func (s *server) getComplaint(c *gin.Context) error {
	m, err := s.complaint(c, auth.Read)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, s.complaintView(c, m))
	return nil
}

func (s *server) getComplaintPhoto(c *gin.Context) error {
	m, err := s.complaint(c, auth.Read)
	if err != nil {
		return err
	}
	raw, err := s.Complaints.ComplaintPhoto(m.Photo)
	if err != nil {
		return err
	}
	c.Header("Cache-Control", "private, max-age=86400")
	c.Data(http.StatusOK, "image/jpeg", raw)
	return nil
}

type answerRequest struct {
	ID     string `json:"id"`
	Words  string `json:"words"`
	Closes bool   `json:"closes"`
}

// answerComplaint is for the producer's manager and the region's officers; which of
// them answers, the account says.
func (s *server) answerComplaint(c *gin.Context) error {
	m, err := s.complaint(c, auth.Answer)
	if err != nil {
		return err
	}
	var in answerRequest
	if err := body(c, &in); err != nil {
		return err
	}
	office := complaint.Producer
	if who(c).Role == auth.Bureau {
		office = complaint.Bureau
	}
	m, err = s.Complaints.Answer(c.Request.Context(), m.ID, complaint.Answer{ID: in.ID, Words: in.Words, Closes: in.Closes, Office: office, Account: who(c).Login})
	if err != nil {
		return err
	}
	c.JSON(http.StatusCreated, s.complaintView(c, m))
	return nil
}

func (s *server) eraseComplaintPhone(c *gin.Context) error {
	m, err := s.complaint(c, auth.Answer)
	if err != nil {
		return err
	}
	if err := s.Complaints.ErasePhone(c.Request.Context(), m.ID); err != nil {
		return err
	}
	c.Status(http.StatusNoContent)
	return nil
}
