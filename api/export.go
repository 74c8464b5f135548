package api

import (
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"tianhai/farm"
	"tianhai/table"
	"tianhai/trace/chain"
)

// The formats of a list beside JSON.
const (
	formatCSV  = "csv"
	formatXLSX = "xlsx"
)

// exportPage is how many items are read at a time for a file.
const exportPage = maxPage

// beijing is the zone of every time that a person reads.
func beijing() *time.Location { return time.FixedZone("UTC+8", 8*60*60) }

// formatOf returns the file that is asked for, by the parameter format or else by
// Accept; empty for JSON.
func formatOf(c *gin.Context) (string, error) {
	switch f := c.Query("format"); f {
	case "json":
		return "", nil
	case formatCSV, formatXLSX:
		return f, nil
	case "":
	default:
		return "", &invalidError{"format", "is none of json, csv and xlsx"}
	}
	switch c.NegotiateFormat("application/json", "text/csv", table.XLSXType) {
	case "text/csv":
		return formatCSV, nil
	case table.XLSXType:
		return formatXLSX, nil
	}
	return "", nil
}

// A column is one value of an item, such as place.site.
type column struct {
	path  string
	index []int
	time  bool
	text  bool
}

// columnsOfType returns the columns of what a list holds. What has members becomes
// several; lists and maps stay one, as JSON.
func columnsOfType(t reflect.Type) []column {
	var out []column
	var walk func(prefix string, index []int, t reflect.Type)
	walk = func(prefix string, index []int, t reflect.Type) {
		for _, f := range fieldsOf(t) {
			at := append(append([]int{}, index...), f.index...)
			inner := deref(f.typ)
			if inner.Kind() == reflect.Struct && inner != timeType() && inner != textType() && !marshals(inner) {
				walk(prefix+f.name+".", at, inner)
				continue
			}
			out = append(out, column{prefix + f.name, at, inner == timeType(), inner == textType()})
		}
	}
	walk("", nil, deref(t))
	return out
}

// cell returns a value as a table shows it: times in Beijing, texts in a language.
func cell(v reflect.Value, lang string) any {
	for v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface {
		if v.IsNil() {
			return nil
		}
		v = v.Elem()
	}
	switch x := v.Interface().(type) {
	case time.Time:
		if x.IsZero() {
			return nil
		}
		return x.In(beijing()).Format(time.DateTime)
	case farm.Text:
		return x.In(lang)
	case chain.Amount:
		if x.Unit == "" {
			return nil
		}
		return x.String()
	}
	switch v.Kind() {
	case reflect.String:
		return v.String()
	case reflect.Bool:
		return v.Bool()
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return float64(v.Int())
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return float64(v.Uint())
	case reflect.Float32, reflect.Float64:
		return v.Float()
	}
	if (v.Kind() == reflect.Slice || v.Kind() == reflect.Map) && v.Len() == 0 {
		return nil
	}
	raw, err := json.Marshal(v.Interface())
	if err != nil || string(raw) == "null" {
		return nil
	}
	return string(raw)
}

// at returns the value at an index that may lead through pointers; false where one is
// nil.
func at(v reflect.Value, index []int) (reflect.Value, bool) {
	for _, i := range index {
		for v.Kind() == reflect.Pointer {
			if v.IsNil() {
				return v, false
			}
			v = v.Elem()
		}
		v = v.Field(i)
	}
	return v, true
}

// export answers with the whole list as a file, in the caller's language. A file that
// breaks off has no end, and the connection none either: nobody takes a part for all.
func (l listing[T]) export(s *server, c *gin.Context, format string) error {
	lang := s.lang(c)
	p := page{limit: exportPage}
	items, next, err := l.page(c, p)
	if err != nil {
		return err
	}
	name := l.name + "-" + s.Now().In(beijing()).Format("20060102") + "." + format
	c.Header("Content-Disposition", `attachment; filename="`+name+`"`)
	c.Header("Content-Language", lang)
	var w table.Writer
	if format == formatCSV {
		c.Header("Content-Type", table.CSVType)
		w = table.NewCSV(c.Writer)
	} else {
		c.Header("Content-Type", table.XLSXType)
		if w, err = table.NewXLSX(c.Writer, s.Catalog.T(lang, "list."+l.name)); err != nil {
			return err
		}
	}
	columns := columnsOfType(reflect.TypeFor[T]())
	c.Status(http.StatusOK)
	if err := w.Row(s.headings(lang, l.name, columns)); err != nil {
		return broken(err)
	}
	for {
		for _, item := range items {
			row := make([]any, len(columns))
			for i, col := range columns {
				if v, ok := at(reflect.ValueOf(item), col.index); ok {
					row[i] = cell(v, lang)
				}
			}
			if err := w.Row(row); err != nil {
				return broken(err)
			}
		}
		if next == "" {
			break
		}
		p.after = next
		if items, next, err = l.page(c, p); err != nil {
			s.fail(c, err) // for the log: something is on its way already
			return broken(err)
		}
	}
	return broken(w.Close())
}

// broken ends a connection whose answer has begun and cannot be ended.
func broken(err error) error {
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	return nil
}

// headings returns the names of columns, with the zone where a time is.
func (s *server) headings(lang, list string, columns []column) []any {
	out := make([]any, len(columns))
	for i, col := range columns {
		words := s.heading(lang, list, col.path)
		if col.time {
			words = s.Catalog.T(lang, "column.beijing", "name", words)
		}
		out[i] = words
	}
	return out
}

// heading is column.{list}.{path}, or column.{path} where the list has no words of its
// own. What stands within something has that one's name before it.
func (s *server) heading(lang, list, path string) string {
	for _, key := range []string{"column." + list + "." + path, "column." + path} {
		if words := s.Catalog.T(lang, key); words != key {
			return words
		}
	}
	if outer, inner, ok := strings.Cut(path, "."); ok {
		return s.heading(lang, list, outer) + " · " + s.heading(lang, list, inner)
	}
	return s.Catalog.T(lang, "column."+path)
}
