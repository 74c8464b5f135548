package api

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/oklog/ulid/v2"

	"tianhai/farm"
	"tianhai/ingest/device"
	"tianhai/table"
)

// Limits of a file that is imported.
const (
	importsPath   = "/imports/:id"
	MaxImport     = 8 << 20 // bytes
	MaxImportRows = 5000
	importTimeout = 10 * time.Minute
	maxFaults     = 200 // that are told of one file
)

// An importing takes rows of a file as the bodies of a route that adds one thing: In
// is what that route reads.
type importing[In any] struct {
	// check says what is wrong with a row, without adding it.
	check func(*gin.Context, *In) error
	// add adds a row; false where the same was there already.
	add func(*gin.Context, In) (bool, error)
	// cell takes a column that is no member of In; false where it is unknown to it too.
	cell func(in *In, column, text string) (known bool, err error)
	// id is where the row's ULID stands, for rows that bring none: one made of what they
	// say, so that the same file again is nothing new. Nil where rows name themselves.
	id func(*In) *string
}

// An importer is an importing of whichever type.
type importer interface {
	run(s *server, c *gin.Context, rows []table.Row, v *importedFile, dry bool, tell func())
	columns() []string
}

// importedFile is what became of a file.
type importedFile struct {
	DryRun   bool           `json:"dry_run"`
	Count    int            `json:"count"`    // rows in the file
	Done     int            `json:"done"`     // rows looked at
	Created  int            `json:"created"`  // rows added
	Existing int            `json:"existing"` // rows that were there already
	Failed   int            `json:"failed"`   // rows that were not added, or could not be
	Faults   []device.Fault `json:"faults"`   // the first 200
	Columns  []string       `json:"columns"`  // that the list has

	list string // whose headings count
}

func (v *importedFile) fault(line int, field, reason string) {
	if len(v.Faults) < maxFaults {
		v.Faults = append(v.Faults, device.Fault{Line: line, Field: field, Reason: reason})
	}
}

// importList takes a CSV file or a workbook of many things. With dry_run=true it only
// says what is wrong, line by line. Otherwise rows are added one after the other, each
// by itself: what is refused is named, and the file sent again adds what was missing.
// To whom accepts application/x-ndjson the progress is told on the way.
func (s *server) importList(c *gin.Context) error {
	im, known := s.importers()[c.Param("id")]
	if !known {
		return farm.ErrNotFound
	}
	dry := c.Query("dry_run") == "true"
	file, _, err := upload(c)
	if err != nil {
		return err
	}
	raw, err := io.ReadAll(file)
	if err != nil {
		return uploadError(err)
	}
	rows, err := table.Read(raw, MaxImportRows)
	if err != nil {
		return tableError(err)
	}
	v := &importedFile{list: c.Param("id"), DryRun: dry, Faults: []device.Fault{}, Columns: im.columns()}
	if len(rows) == 0 {
		return &invalidError{"file", "has no line with the names of its columns"}
	}
	v.Count = len(rows) - 1
	if c.NegotiateFormat(gin.MIMEJSON, "application/x-ndjson") == gin.MIMEJSON {
		im.run(s, c, rows, v, dry, func() {})
		c.JSON(http.StatusOK, v)
		return nil
	}
	c.Header("Content-Type", "application/x-ndjson")
	tell := func() {
		_ = json.NewEncoder(c.Writer).Encode(v) // who is gone asks again
		c.Writer.Flush()
	}
	im.run(s, c, rows, v, dry, func() {
		if v.Done%50 == 0 {
			tell()
		}
	})
	tell()
	return nil
}

func tableError(err error) error {
	switch {
	case errors.Is(err, table.ErrTooMany):
		return &invalidError{"file", fmt.Sprintf("has more than %d rows or %d columns; take it in parts", MaxImportRows, table.MaxColumns)}
	case errors.Is(err, table.ErrNoTable):
		return &invalidError{"file", "is neither CSV text nor a workbook (.xlsx)"}
	}
	return &invalidError{"file", err.Error()}
}

func (im importing[In]) columns() []string {
	var out []string
	for _, col := range columnsOfType(reflect.TypeFor[In]()) {
		out = append(out, col.path)
	}
	return out
}

func (im importing[In]) run(s *server, c *gin.Context, rows []table.Row, v *importedFile, dry bool, tell func()) {
	set, ok := im.header(s, rows[0], v)
	if !ok {
		v.Failed = v.Count
		return
	}
	seen := map[[sha256.Size]byte]int{}
	for _, row := range rows[1:] {
		if c.Request.Context().Err() != nil {
			v.fault(row.Line, "file", "the time was up before this line; send the file again")
			v.Failed += v.Count - v.Done
			return
		}
		v.Done++
		im.row(s, c, row, set, seen, v, dry)
		tell()
	}
}

// row takes one row.
func (im importing[In]) row(s *server, c *gin.Context, row table.Row, set []setter[In], seen map[[sha256.Size]byte]int, v *importedFile, dry bool) {
	var in In
	good := true
	h := sha256.New()
	for i, text := range row.Cells {
		fmt.Fprintf(h, "%d %d %s", i, len(text), text)
		if text == "" || i >= len(set) {
			continue
		}
		if err := set[i].put(&in, text); err != nil {
			v.fault(row.Line, set[i].column, err.Error())
			good = false
		}
	}
	said := [sha256.Size]byte(h.Sum(nil))
	if first, again := seen[said]; again {
		v.fault(row.Line, "file", fmt.Sprintf("says the same as line %d", first))
		good = false
	}
	seen[said] = row.Line
	if good && im.id != nil && *im.id(&in) == "" {
		*im.id(&in) = idOf(c.Param("id")+" "+who(c).Tenant, in)
	}
	var err error
	if good {
		err = im.check(c, &in)
	}
	created := false
	if good && err == nil && !dry {
		created, err = im.add(c, in)
	}
	switch {
	case err != nil:
		im.refused(s, c, row.Line, v, err)
		v.Failed++
	case !good:
		v.Failed++
	case created:
		v.Created++
	case !dry:
		v.Existing++
	}
}

// refused names what keeps a row out.
func (im importing[In]) refused(s *server, c *gin.Context, line int, v *importedFile, err error) {
	p := s.words(c, newProblem(err))
	reason := p.Detail
	if reason == "" {
		reason = p.Title
	}
	v.fault(line, p.Field, reason)
}

// idOf makes a ULID of what a row says; its time is that of nothing.
func idOf(list string, in any) string {
	raw, err := json.Marshal(in)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(append([]byte(list+"\x00"), raw...))
	var id ulid.ULID
	copy(id[6:], sum[:10])
	return id.String()
}

// A setter puts a cell of a column into a row.
type setter[In any] struct {
	column string
	put    func(*In, string) error
}

// header returns what to do with each column; false where one is unknown.
func (im importing[In]) header(s *server, row table.Row, v *importedFile) ([]setter[In], bool) {
	names := map[string]column{}
	for _, col := range columnsOfType(reflect.TypeFor[In]()) {
		names[col.path] = col
		if col.text {
			names[col.path+".zh"] = col
		}
		for _, lang := range s.Catalog.Languages() {
			words := s.heading(lang, v.list, col.path)
			names[words], names[s.Catalog.T(lang, "column.beijing", "name", words)] = col, col
		}
	}
	out, ok := make([]setter[In], len(row.Cells)), true
	for i, name := range row.Cells {
		out[i].column = name
		if col, known := names[name]; known {
			out[i].put = func(in *In, text string) error {
				return parseCell(reach(reflect.ValueOf(in).Elem(), col.index), text)
			}
			continue
		}
		if col, known := names[strings.TrimSuffix(name, ".en")]; known && col.text {
			out[i].put = func(in *In, text string) error {
				reach(reflect.ValueOf(in).Elem(), col.index).FieldByName("En").SetString(text)
				return nil
			}
			continue
		}
		var probe In
		if im.cell != nil {
			if known, _ := im.cell(&probe, name, ""); known {
				out[i].put = func(in *In, text string) error { _, err := im.cell(in, name, text); return err }
				continue
			}
		}
		out[i].put = func(*In, string) error { return nil }
		if name != "" {
			v.fault(row.Line, name, "is no column of this list")
			ok = false
		}
	}
	return out, ok
}

// reach returns the field at an index, making what pointers on the way point at.
func reach(v reflect.Value, index []int) reflect.Value {
	for _, i := range index {
		if v.Kind() == reflect.Pointer {
			if v.IsNil() {
				v.Set(reflect.New(v.Type().Elem()))
			}
			v = v.Elem()
		}
		v = v.Field(i)
	}
	return v
}

// parseCell reads a cell as a person types it.
func parseCell(v reflect.Value, text string) error {
	switch v.Interface().(type) {
	case time.Time:
		t, err := parseMoment(text)
		if err != nil {
			return err
		}
		v.Set(reflect.ValueOf(t))
		return nil
	case farm.Text:
		v.FieldByName("Zh").SetString(text)
		return nil
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Float64:
		n, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsInf(n, 0) || math.IsNaN(n) {
			return errors.New("is not a number")
		}
		v.SetFloat(n)
	case reflect.Int, reflect.Int64:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return errors.New("is not a whole number")
		}
		v.SetInt(n)
	case reflect.Bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return errors.New("is neither true nor false")
		}
		v.SetBool(b)
	default:
		if err := json.Unmarshal([]byte(text), v.Addr().Interface()); err != nil {
			return errors.New("is not the JSON that is wanted")
		}
	}
	return nil
}

// parseMoment reads a time as spreadsheets and people write it: in Beijing unless it
// says otherwise. A number is a workbook's day since 1899-12-30.
func parseMoment(text string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, time.DateTime, "2006-01-02 15:04", time.DateOnly, "2006/1/2 15:04:05", "2006/1/2 15:04", "2006/1/2", "2006年1月2日"} {
		if t, err := time.ParseInLocation(layout, text, beijing()); err == nil && ofOurTime(t) {
			return t.UTC(), nil
		}
	}
	if n, err := strconv.ParseFloat(text, 64); err == nil && n > 25_570 && n < 109_939 { // 1970 to 2200
		day := time.Date(1899, 12, 30, 0, 0, 0, 0, beijing())
		return day.Add(time.Duration(math.Round(n*86400)) * time.Second).UTC(), nil
	}
	return time.Time{}, errors.New("is not a time such as 2026-07-01 08:00, in Beijing")
}

// importers are the lists that many are added to at once; devices have their own.
func (s *server) importers() map[string]importer {
	return map[string]importer{
		"accounts":   s.importAccounts(),
		"sites":      s.importSites(),
		"licences":   s.importLicences(),
		"batches":    s.importBatches(),
		"operations": s.importOperations(),
	}
}

// existed turns a conflict with the very same thing into its being there already.
func existed(err error, same func() (bool, error)) (added bool, _ error) {
	if !errors.Is(err, farm.ErrConflict) {
		return err == nil, err
	}
	switch is, sameErr := same(); {
	case sameErr != nil:
		return false, sameErr
	case !is:
		return false, err
	}
	return false, nil
}
