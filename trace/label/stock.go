package label

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// A Stock is what labels are printed on: a sheet of A4 as its maker sells it, or a
// roll for a thermal printer, whose page is one label. Lengths are in mm. One that
// is not of Stocks comes from ParseStock.
type Stock struct {
	Name       string  `json:"name"`
	Columns    int     `json:"columns"`
	Rows       int     `json:"rows"`
	Width      float64 `json:"width"` // of a label
	Height     float64 `json:"height"`
	Gap        float64 `json:"gap"`     // between columns
	RowGap     float64 `json:"row_gap"` // between rows
	MarginLeft float64 `json:"left"`    // from the edge of the page to the first label
	MarginTop  float64 `json:"top"`
	Plain      bool    `json:"plain"` // paper without cuts: marks show where to cut
	Roll       bool    `json:"roll"`
}

// A4, in mm.
const pageWidth, pageHeight = 210.0, 297.0

// Limits of a stock of one's own. The smallest code of level Q with its quiet zone
// needs 13 mm to be read, that of an address of 40 letters 17; the heads of common thermal
// printers are 104 mm wide, and A6 is the largest that is sold on their rolls.
const (
	minLabel                     = 15.0
	maxRollWidth, maxRollHeight  = 110.0, 160.0
	maxColumns, maxRows          = 20, 40
	maxDescription, maxPrecision = 200, 100 // characters; parts of a mm
)

// Stocks lists what can be printed on, the first by default. Sheets of labels are
// named by the size of a label, rolls by "roll-" and theirs.
//
// Source: data sheets of Avery L7160, L7159, L7163, L7173, 3474 and L7165; other
// makers sell the same under other numbers. Rolls are what Chinese shops keep.
func Stocks() []Stock {
	plain, large := sheet(3, 7, 62, 39, 0), sheet(2, 4, 80, 60, 0)
	plain.Name, plain.Plain = "plain", true
	large.Name, large.Plain = "plain-80x60", true
	return []Stock{
		plain, large,
		sheet(3, 7, 63.5, 38.1, 2.5), sheet(3, 8, 63.5, 33.9, 2.5), sheet(3, 8, 70, 37, 0),
		sheet(2, 7, 99.1, 38.1, 2.5), sheet(2, 5, 99.1, 57, 2.5), sheet(2, 4, 99.1, 67.7, 2.5),
		roll(40, 30), roll(50, 30), roll(60, 40), roll(70, 50), roll(80, 60), roll(100, 60), roll(100, 80),
	}
}

// sheet is a stock in the middle of A4.
func sheet(columns, rows int, width, height, gap float64) Stock {
	s := Stock{Name: size(width, height), Columns: columns, Rows: rows, Width: width, Height: height, Gap: gap}
	s.MarginLeft, s.MarginTop = s.centre()
	return s
}

func roll(width, height float64) Stock {
	return Stock{Name: "roll-" + size(width, height), Columns: 1, Rows: 1, Width: width, Height: height, Roll: true}
}

func size(width, height float64) string { return number(width) + "x" + number(height) }

func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// LookupStock returns the stock of a name; the default one where it is empty.
func LookupStock(name string) (Stock, bool) {
	all := Stocks()
	if name == "" {
		return all[0], true
	}
	i := slices.IndexFunc(all, func(s Stock) bool { return s.Name == name })
	if i < 0 {
		return Stock{}, false
	}
	return all[i], true
}

// A StockError says what is wrong with a stock of one's own.
type StockError struct {
	Field  string // columns, rows, width, …; stock where it is the whole
	Reason string // what is wrong, and what would be right
}

// Error tells the case in English, for command lines.
func (e *StockError) Error() string { return fmt.Sprintf("stock: %s: %s", e.Field, e.Reason) }

func stockError(field, format string, args ...any) error {
	return &StockError{Field: field, Reason: fmt.Sprintf(format, args...)}
}

// ParseStock returns a stock by its name, or one of the sizes that a description
// gives, in mm: "columns=4,rows=10,width=48.5,height=25.4" with, as they apply,
// gap, row-gap, left and top (without them the labels stand in the middle of A4);
// or "roll,width=60,height=40". Otherwise it returns a *StockError.
func ParseStock(description string) (Stock, error) {
	if s, ok := LookupStock(description); ok {
		return s, nil
	}
	if !strings.ContainsAny(description, "=,") || len(description) > maxDescription {
		return Stock{}, stockError("stock", "%q is no stock that is known, nor a description such as columns=4,rows=10,width=48.5,height=25.4", first(description, 40))
	}
	s := Stock{Name: description, Columns: 1, Rows: 1}
	fields := map[string]*float64{
		"width": &s.Width, "height": &s.Height, "gap": &s.Gap, "row-gap": &s.RowGap, "left": &s.MarginLeft, "top": &s.MarginTop,
	}
	counts := map[string]*int{"columns": &s.Columns, "rows": &s.Rows}
	given := map[string]bool{}
	for part := range strings.SplitSeq(description, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		if given[name] {
			return Stock{}, stockError(name, "it is there twice")
		}
		given[name] = true
		var err error
		switch {
		case part == "roll":
			s.Roll = true
		case counts[name] != nil:
			if *counts[name], err = strconv.Atoi(value); err != nil {
				return Stock{}, stockError(name, "%q is not a whole number", value)
			}
		case fields[name] != nil:
			if *fields[name], err = millimetres(value); err != nil {
				return Stock{}, stockError(name, "%q is not a length in mm, such as 63.5", value)
			}
		default:
			return Stock{}, stockError("stock", "%q is none of roll, columns, rows, width, height, gap, row-gap, left and top", first(name, 40))
		}
	}
	if s.Roll {
		return s, s.checkRoll(given)
	}
	left, top := s.centre()
	if !given["left"] {
		s.MarginLeft = left
	}
	if !given["top"] {
		s.MarginTop = top
	}
	return s, s.checkSheet()
}

// millimetres reads a length to the hundredth.
func millimetres(s string) (float64, error) {
	v, err := strconv.ParseFloat(s, 64)
	if err == nil && !(v >= 0 && v <= pageHeight) { // NaN is neither
		err = strconv.ErrRange
	}
	return math.Round(v*maxPrecision) / maxPrecision, err
}

func (s Stock) checkRoll(given map[string]bool) error {
	for _, name := range []string{"columns", "rows", "gap", "row-gap", "left", "top"} {
		if given[name] {
			return stockError(name, "a roll has none: its labels follow each other, one a page")
		}
	}
	if s.Width < minLabel || s.Width > maxRollWidth {
		return stockError("width", "%s mm is not %v to %v", number(s.Width), minLabel, maxRollWidth)
	}
	if s.Height < minLabel || s.Height > maxRollHeight {
		return stockError("height", "%s mm is not %v to %v", number(s.Height), minLabel, maxRollHeight)
	}
	return nil
}

func (s Stock) checkSheet() error {
	if s.Columns < 1 || s.Columns > maxColumns {
		return stockError("columns", "%d is not 1 to %d", s.Columns, maxColumns)
	}
	if s.Rows < 1 || s.Rows > maxRows {
		return stockError("rows", "%d is not 1 to %d", s.Rows, maxRows)
	}
	if s.Width < minLabel {
		return stockError("width", "%s mm is less than %v", number(s.Width), minLabel)
	}
	if s.Height < minLabel {
		return stockError("height", "%s mm is less than %v", number(s.Height), minLabel)
	}
	const rounding = 1e-6
	if right := s.MarginLeft + s.breadth(); s.MarginLeft < 0 || right > pageWidth+rounding {
		return stockError("width", "the columns need %s mm; A4 is 210 mm wide", number(math.Round(max(right, s.breadth())*maxPrecision)/maxPrecision))
	}
	if bottom := s.MarginTop + s.length(); s.MarginTop < 0 || bottom > pageHeight+rounding {
		return stockError("height", "the rows need %s mm; A4 is 297 mm high", number(math.Round(max(bottom, s.length())*maxPrecision)/maxPrecision))
	}
	return nil
}

func (s Stock) breadth() float64 {
	return float64(s.Columns)*s.Width + float64(s.Columns-1)*s.Gap
}

func (s Stock) length() float64 { return float64(s.Rows)*s.Height + float64(s.Rows-1)*s.RowGap }

func (s Stock) centre() (left, top float64) {
	return (pageWidth - s.breadth()) / 2, (pageHeight - s.length()) / 2
}

// PerSheet returns how many labels one page has.
func (s Stock) PerSheet() int { return s.Columns * s.Rows }

// PageWidth is that of the sheet, or of a roll's label.
func (s Stock) PageWidth() float64 {
	if s.Roll {
		return s.Width
	}
	return pageWidth
}

// PageHeight is PageWidth's other side.
func (s Stock) PageHeight() float64 {
	if s.Roll {
		return s.Height
	}
	return pageHeight
}

// At returns where the label of a place on the page begins, counted in rows from 0.
func (s Stock) At(place int) (left, top float64) {
	column, row := place%s.Columns, place/s.Columns
	return s.MarginLeft + float64(column)*(s.Width+s.Gap), s.MarginTop + float64(row)*(s.Height+s.RowGap)
}

// Across and Down are where marks for cutting stand: where the labels of a sheet
// begin and end.
func (s Stock) Across() []float64 {
	var at []float64
	for i := range s.Columns + 1 {
		at = append(at, s.MarginLeft+float64(i)*(s.Width+s.Gap))
	}
	return at
}

// Down is Across for rows.
func (s Stock) Down() []float64 {
	var at []float64
	for i := range s.Rows + 1 {
		at = append(at, s.MarginTop+float64(i)*(s.Height+s.RowGap))
	}
	return at
}
