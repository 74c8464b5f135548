package api

import (
	"bytes"
	"encoding/csv"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"tianhai/api/auth"
	"tianhai/farm"
	"tianhai/i18n"
	"tianhai/ingest/device"
	"tianhai/trace/label"
	"tianhai/trace/label/press"
)

// Labels draws sheets of labels for devices; also for the shell.
type Labels struct {
	Catalog   *i18n.Catalog
	Schemes   label.Schemes // of codes on packets
	PublicURL string        // what the codes on devices point at, without a slash at the end
}

// DeviceURL is what the code on a device says.
func (l Labels) DeviceURL(id string) string { return l.PublicURL + "/d/" + url.PathEscape(id) }

// Sheet returns a sheet in a language, of which the caller chooses the rest.
func (l Labels) Sheet(lang string) label.Sheet {
	return label.Sheet{Lang: lang, T: func(key string, args ...string) string { return l.Catalog.T(lang, key, args...) }}
}

// Draw returns what draws the labels of a sheet: as they are in files.
func (l Labels) Draw(p *press.Press, sheet label.Sheet) func(label.Tag) ([]byte, error) {
	return func(t label.Tag) ([]byte, error) { return p.Inline(sheet.Stock, l.Device(sheet.Lang, t)) }
}

// Widest returns the label of a device that is yet to be issued which takes the most
// room: where it fits, all of the model do.
func (l Labels) Widest(lang string, m device.Model) label.Tag {
	tags, _ := l.Issued(lang, m, []device.Label{{ID: device.WidestID(m.ID), Code: widestCode}})
	return tags[0]
}

// widestCode is of the widest character that codes have.
var widestCode = strings.Repeat("W", label.CodeLength)

// Issued returns the labels of new devices, with their claim codes, and apart from
// them a CSV file of what belongs into the devices.
func (l Labels) Issued(lang string, m device.Model, labels []device.Label) ([]label.Tag, []byte) {
	var file bytes.Buffer
	rows := [][]string{{"id", "model", "secret", "claim_code"}}
	tags := make([]label.Tag, len(labels))
	for i, d := range labels {
		tags[i] = label.Tag{URL: l.DeviceURL(d.ID), ID: d.ID, Name: m.Name.In(lang), Code: d.Code}
		rows = append(rows, []string{d.ID, d.Model, d.Secret, d.Code})
	}
	// A buffer takes everything.
	_ = csv.NewWriter(&file).WriteAll(rows)
	return tags, file.Bytes()
}

// Known returns the labels of devices that have an owner.
func (l Labels) Known(lang string, devices []device.Placed) []label.Tag {
	tags := make([]label.Tag, len(devices))
	for i, d := range devices {
		tags[i] = label.Tag{URL: l.DeviceURL(d.ID), ID: d.ID, Name: d.Name.In(lang), Place: d.SiteName.In(lang)}
	}
	return tags
}

// wantsHTML reports whether a person's browser asks, or a program for a page.
func wantsHTML(c *gin.Context) bool {
	return strings.Contains(c.GetHeader("Accept"), "text/html")
}

// sheet returns the sheet that the parameters stock, skip and lang ask for.
func (s *server) sheet(c *gin.Context) (label.Sheet, error) {
	sheet := s.Labels.Sheet(s.Catalog.Match(c.Query("lang"), c.GetHeader("Accept-Language")))
	var known bool
	if sheet.Stock, known = label.LookupStock(c.Query("stock")); !known || sheet.Stock.Roll {
		return sheet, &invalidError{"stock", "is none of " + sheetNames() + "; others are printed from a file, with the parameter format"}
	}
	var err error
	if sheet.Skip, err = strconv.Atoi(c.DefaultQuery("skip", "0")); err != nil || sheet.Skip < 0 || sheet.Skip >= sheet.Stock.PerSheet() {
		return sheet, &invalidError{"skip", "is not a whole number from 0 to " + strconv.Itoa(sheet.Stock.PerSheet()-1)}
	}
	return sheet, nil
}

func sheetNames() string {
	var names []string
	for _, s := range label.Stocks() {
		if !s.Roll {
			names = append(names, s.Name)
		}
	}
	return strings.Join(names, ", ")
}

func (s *server) showSheet(c *gin.Context, status int, sheet label.Sheet) error {
	var page bytes.Buffer
	sheet.Draw = s.Labels.Draw(s.Press, sheet)
	if err := sheet.Write(&page); err != nil {
		return err
	}
	c.Header("Content-Security-Policy", label.SheetPolicy)
	c.Header("Content-Language", sheet.Lang)
	c.Header("Referrer-Policy", "no-referrer")
	c.Data(status, "text/html; charset=utf-8", page.Bytes())
	return nil
}

// listLabels shows labels without claim codes, as a page or a file: of the devices that the parameters
// of the list choose, or of those that id names.
func (s *server) listLabels(c *gin.Context) error {
	file := c.Query("format") != ""
	sheet := s.Labels.Sheet(s.lang(c))
	var err error
	if !file {
		if sheet, err = s.sheet(c); err != nil {
			return err
		}
	}
	var devices []device.Placed
	if ids := c.QueryArray("id"); len(ids) > 0 {
		devices, err = s.named(c, ids)
	} else {
		devices, err = s.chosen(c)
	}
	if err != nil {
		return err
	}
	if len(devices) == 0 {
		return farm.ErrNotFound
	}
	sheet.Tags = s.Labels.Known(sheet.Lang, devices)
	if file {
		return s.printDevices(c, sheet.Lang, sheet.Tags)
	}
	return s.showSheet(c, http.StatusOK, sheet)
}

// named returns devices that the caller may read, in the order asked for.
func (s *server) named(c *gin.Context, ids []string) ([]device.Placed, error) {
	if len(ids) > label.MaxTags {
		return nil, &invalidError{"id", "is there more than 1000 times"}
	}
	var out []device.Placed
	for _, id := range ids {
		if farm.CheckID(id) != nil {
			return nil, &invalidError{"id", "is not an identifier"}
		}
		d, err := s.find(c.Request.Context(), id)
		if err != nil {
			return nil, err
		}
		if err := allow(who(c), auth.Read, d.object()); err != nil {
			return nil, err
		}
		at := device.Placed{Device: d.Device}
		if d.place != nil {
			site, err := s.Farms.Site(c.Request.Context(), d.place.Site)
			if err != nil {
				return nil, err
			}
			at.Site, at.SiteName, at.Region = site.ID, site.Name, site.Region
		}
		out = append(out, at)
	}
	return out, nil
}

// chosen returns the devices that the caller may read and the parameters choose.
func (s *server) chosen(c *gin.Context) ([]device.Placed, error) {
	q, err := deviceQuery(c)
	if err != nil {
		return nil, err
	}
	if c.Query("state") == issued {
		return nil, &invalidError{"state", "issued devices have a claim code on their label; have it reissued"}
	}
	q.Limit = label.MaxTags
	devices, err := s.findDevices(c, q)
	return slices.DeleteFunc(devices, func(d device.Placed) bool { return !auth.Can(who(c), auth.Read, placedObject(d)) }), err
}
