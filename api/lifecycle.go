package api

import (
	"cmp"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"tianhai/api/auth"
	"tianhai/farm"
	"tianhai/ingest/device"
	"tianhai/trace/label"
)

// listEvents shows a device's; those of one that nobody owns yet to administrators.
func (s *server) listEvents() listing[device.Event] {
	return listing[device.Event]{
		name: "events", key: func(e device.Event) string { return timeKey(e.At, string(e.Kind)) },
		read: func(c *gin.Context, _ page) ([]device.Event, error) {
			d, err := s.device(c, auth.Read)
			issued := errors.Is(err, farm.ErrNotFound) && administrator(c) == nil
			if err != nil && !issued {
				return nil, err
			}
			events, err := s.Lifecycle.Events(c.Request.Context(), cmp.Or(d.ID, c.Param("id")))
			if err == nil && issued && len(events) == 0 {
				err = farm.ErrNotFound
			}
			return events, err
		},
	}
}

// order returns what the caller, who must be a manager, wants done to the device
// of the path. In is the body.
func (s *server) order(c *gin.Context, in any, reason *string) (device.Order, error) {
	d, err := s.device(c, auth.Administer)
	if err != nil {
		return device.Order{}, err
	}
	if err := body(c, in); err != nil {
		return device.Order{}, err
	}
	if err := device.CheckReason(*reason); err != nil {
		return device.Order{}, &invalidError{"reason", err.Error()}
	}
	return device.Order{Device: d.ID, Account: who(c).Login, Reason: *reason}, nil
}

// What the routes of this file answer; secrets and codes are seen this once.
type (
	secretView struct {
		Device string `json:"device"`
		Secret string `json:"secret"`
	}
	issuedLabels struct {
		Devices []device.Label `json:"devices"`
	}
	modelName struct {
		ID   string    `json:"id"`
		Name farm.Text `json:"name"`
	}
	offerView struct {
		Device string    `json:"device"`
		Left   int       `json:"left"` // guesses
		Model  modelName `json:"model"`
	}
	claimCodeView struct {
		Code   string `json:"claim_code"`
		Device string `json:"device"`
	}
	claimedView struct {
		Device string `json:"device"`
		Site   string `json:"site"`
	}
)

// setStateRequest is the body.
type setStateRequest struct {
	State  device.State `json:"state"`
	Reason string       `json:"reason"`
}

func (s *server) setState(c *gin.Context) error {
	var in setStateRequest
	o, err := s.order(c, &in, &in.Reason)
	if err != nil {
		return err
	}
	switch in.State {
	case device.Active, device.Suspended, device.Retired:
	default:
		return &invalidError{"state", "is none of active, suspended and retired"}
	}
	if err := s.Lifecycle.SetState(c.Request.Context(), o, in.State); err != nil {
		return err
	}
	c.Status(http.StatusNoContent)
	return nil
}

// rotateSecretRequest is the body.
type rotateSecretRequest struct {
	Grace  int64  `json:"grace"` // seconds
	Reason string `json:"reason"`
}

// rotateSecret answers with the new secret, the only time it is seen.
func (s *server) rotateSecret(c *gin.Context) error {
	var in rotateSecretRequest
	o, err := s.order(c, &in, &in.Reason)
	if err != nil {
		return err
	}
	if in.Grace < 0 || in.Grace > int64(device.MaxGrace.Seconds()) {
		return &invalidError{"grace", "is not within 0 and 2592000 seconds"}
	}
	secret, err := s.Lifecycle.Rotate(c.Request.Context(), o, time.Duration(in.Grace)*time.Second)
	if err != nil {
		return err
	}
	c.JSON(http.StatusCreated, secretView{o.Device, secret})
	return nil
}

func (s *server) revokeSecret(c *gin.Context) error {
	d, err := s.device(c, auth.Administer)
	if err != nil {
		return err
	}
	if err := s.Lifecycle.Revoke(c.Request.Context(), device.Order{Device: d.ID, Account: who(c).Login}); err != nil {
		return err
	}
	c.Status(http.StatusNoContent)
	return nil
}

// issueDevicesRequest is the body.
type issueDevicesRequest struct {
	Model string `json:"model"`
	Count int    `json:"count"`
}

// issueDevices answers with secrets and claim codes, the only time they are seen; or
// with labels to print, beside which the secrets are a file.
func (s *server) issueDevices(c *gin.Context) error {
	if err := administrator(c); err != nil {
		return err
	}
	var in issueDevicesRequest
	if isForm(c) {
		in.Model = c.PostForm("model")
		in.Count, _ = strconv.Atoi(c.PostForm("count")) // 0 is refused
	} else if err := body(c, &in); err != nil {
		return err
	}
	if in.Count < 1 || in.Count > device.MaxIssue {
		return &invalidError{"count", "is not a whole number from 1 to 1000"}
	}
	sheet, err := s.sheet(c) // nothing is issued for labels that cannot be drawn
	if err != nil {
		return err
	}
	m, err := s.model(c.Request.Context(), in.Model)
	if err != nil {
		return err
	}
	if _, err := s.Labels.Draw(s.Press, sheet)(s.Labels.Widest(sheet.Lang, m)); err != nil && wantsHTML(c) {
		return err
	}
	labels, err := s.Claims.Issue(c.Request.Context(), who(c).Login, m, in.Count)
	if err != nil {
		return err
	}
	if wantsHTML(c) {
		sheet.Tags, sheet.Secrets = s.Labels.Issued(sheet.Lang, m, labels)
		return s.showSheet(c, http.StatusCreated, sheet)
	}
	c.JSON(http.StatusCreated, issuedLabels{labels})
	return nil
}

// offer tells whoever may claim devices, and holds one, what it is. That a device
// has an owner is not told from there being none.
func (s *server) offer(c *gin.Context) error {
	ctx, p := c.Request.Context(), who(c)
	id, err := id(c)
	if err != nil {
		return err
	}
	if !auth.Can(p, auth.Write, auth.Object{Tenant: p.Tenant}) {
		return errForbidden
	}
	o, err := s.Claims.Offer(ctx, id)
	if err != nil {
		return err
	}
	m, err := s.model(ctx, o.Model)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, offerView{o.Device, o.Left, modelName{m.ID, m.Name}})
	return nil
}

// reissueClaimRequest is the body.
type reissueClaimRequest struct {
	Reason string `json:"reason"`
}

// reissueClaim answers with another claim code, the only time it is seen; or with a
// label to print.
func (s *server) reissueClaim(c *gin.Context) error {
	if err := administrator(c); err != nil {
		return err
	}
	id, err := id(c)
	if err != nil {
		return err
	}
	var in reissueClaimRequest
	if isForm(c) {
		in.Reason = c.PostForm("reason")
	} else if err := body(c, &in); err != nil {
		return err
	}
	if err := device.CheckReason(in.Reason); err != nil {
		return &invalidError{"reason", err.Error()}
	}
	sheet, err := s.sheet(c)
	if err != nil {
		return err
	}
	tag := label.Tag{URL: s.Labels.DeviceURL(id), ID: id, Code: widestCode}
	if wantsHTML(c) {
		if o, err := s.Claims.Offer(c.Request.Context(), id); err == nil {
			tag.Name = o.Name.In(sheet.Lang) // who claims it at this moment goes without
		}
		if _, err := s.Labels.Draw(s.Press, sheet)(tag); err != nil {
			return err // before the code on the old label is worth nothing
		}
	}
	code, err := s.Claims.Reissue(c.Request.Context(), device.Order{Device: id, Account: who(c).Login, Reason: in.Reason})
	if err != nil {
		return err
	}
	if wantsHTML(c) {
		tag.Code = code
		sheet.Tags = []label.Tag{tag}
		return s.showSheet(c, http.StatusCreated, sheet)
	}
	c.JSON(http.StatusCreated, claimCodeView{code, id})
	return nil
}

// claimRequest is the body.
type claimRequest struct {
	Code string    `json:"code"`
	Site string    `json:"site"`
	Name farm.Text `json:"name"`
}

// claim makes an issued device the caller's, at a site where the caller may
// write. A mistyped code is told from a wrong one, and is no guess.
func (s *server) claim(c *gin.Context) error {
	ctx := c.Request.Context()
	id, err := id(c)
	if err != nil {
		return err
	}
	var in claimRequest
	if err := body(c, &in); err != nil {
		return err
	}
	if farm.CheckID(in.Site) != nil {
		return &invalidError{"site", "is not an identifier"}
	}
	site, err := s.Farms.Site(ctx, in.Site)
	if err != nil {
		return err
	}
	if err := allow(who(c), auth.Write, siteObject(site)); err != nil {
		return err
	}
	code, err := label.ParseCode(in.Code)
	if err != nil {
		return &invalidError{"code", "is mistyped"}
	}
	if len(in.Name.Zh) > device.MaxNote || len(in.Name.En) > device.MaxNote {
		return &invalidError{"name", "is too long"}
	}
	if err := s.Claims.Claim(ctx, device.Claim{Device: id, Site: site, Name: in.Name, Account: who(c).Login}, code); err != nil {
		return err
	}
	c.JSON(http.StatusCreated, claimedView{id, site.ID})
	return nil
}
