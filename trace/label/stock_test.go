package label_test

import (
	"errors"
	"strings"
	"testing"

	"tianhai/trace/label"
)

// Every sheet fits on A4, and every stock can be described in its own words.
func TestStocks(t *testing.T) {
	for _, s := range label.Stocks() {
		if got, ok := label.LookupStock(s.Name); !ok || got != s {
			t.Errorf("LookupStock(%s) = %v, %v", s.Name, got, ok)
		}
		if s.Roll {
			if s.PerSheet() != 1 || s.PageWidth() != s.Width || s.PageHeight() != s.Height {
				t.Errorf("%s: a page of %v × %v", s.Name, s.PageWidth(), s.PageHeight())
			}
			continue
		}
		across, down := s.Across(), s.Down()
		if s.MarginLeft < 0 || s.MarginTop < 0 || s.MarginLeft > 25 || s.MarginTop > 30 || len(across) != s.Columns+1 || len(down) != s.Rows+1 {
			t.Errorf("%s: margins %v, %v", s.Name, s.MarginLeft, s.MarginTop)
		}
		if x, y := s.At(s.PerSheet() - 1); x+s.Width > 210-s.MarginLeft+0.01 || y+s.Height > 297-s.MarginTop+0.01 {
			t.Errorf("%s ends at %v, %v mm", s.Name, x+s.Width, y+s.Height)
		}
	}
	if _, ok := label.LookupStock("letter"); ok {
		t.Error("found a stock that there is not")
	}
	if s, ok := label.LookupStock(""); !ok || !s.Plain {
		t.Errorf("by default %v", s)
	}
}

func TestOwnStock(t *testing.T) {
	tests := map[string]label.Stock{
		"columns=4,rows=10,width=48.5,height=25.4":                            {Columns: 4, Rows: 10, Width: 48.5, Height: 25.4, MarginLeft: 8, MarginTop: 21.5},
		"columns=2,rows=2,width=60,height=40,gap=3,row-gap=2.5,left=0,top=10": {Columns: 2, Rows: 2, Width: 60, Height: 40, Gap: 3, RowGap: 2.5, MarginTop: 10},
		"roll,width=58,height=40":                                             {Columns: 1, Rows: 1, Width: 58, Height: 40, Roll: true},
		"width=210, height=297":                                               {Columns: 1, Rows: 1, Width: 210, Height: 297},
	}
	for description, want := range tests {
		want.Name = description
		if got, err := label.ParseStock(description); err != nil || got != want {
			t.Errorf("%s:\n got %+v, %v\nwant %+v", description, got, err, want)
		}
	}
	if s, err := label.ParseStock("70x37"); err != nil || s.Columns != 3 {
		t.Errorf("a stock by its name: %v, %v", s, err)
	}
}

func TestOwnStockRefused(t *testing.T) {
	for description, field := range map[string]string{
		"letter": "stock", "width=60,height=40,depth=3": "stock", strings.Repeat("width=60,", 50): "stock",
		"columns=four,width=60,height=40": "columns", "columns=0,width=60,height=40": "columns", "columns=21,width=15,height=40": "columns",
		"rows=41,width=60,height=40": "rows", "width=sixty,height=40": "width", "width=NaN,height=40": "width", "width=-60,height=40": "width",
		"width=14.9,height=40": "width", "width=60": "height", "columns=4,width=60,height=40": "width", "rows=8,width=60,height=40": "height",
		"left=180,width=60,height=40": "width", "width=60,width=60,height=40": "width", "roll,width=111,height=40": "width",
		"roll,width=60,height=161": "height", "roll,columns=2,width=60,height=40": "columns", "roll,width=60,height=40,left=2": "left",
	} {
		_, err := label.ParseStock(description)
		var fault *label.StockError
		if !errors.As(err, &fault) || fault.Field != field {
			t.Errorf("%s: %v, want one about %s", description, err, field)
		}
	}
}

// What is read stays within its page.
func FuzzParseStock(f *testing.F) {
	f.Add("columns=4,rows=10,width=48.5,height=25.4,gap=1,row-gap=1,left=1,top=2")
	f.Add("roll,width=60,height=40")
	f.Fuzz(func(t *testing.T, description string) {
		s, err := label.ParseStock(description)
		if err != nil {
			var fault *label.StockError
			if !errors.As(err, &fault) {
				t.Fatalf("%q: %v", description, err)
			}
			return
		}
		x, y := s.At(s.PerSheet() - 1)
		if s.PerSheet() < 1 || s.Width < 15 || s.Height < 15 || x+s.Width > s.PageWidth()+0.02 || y+s.Height > s.PageHeight()+0.02 {
			t.Errorf("%q: %+v leaves its page", description, s)
		}
	})
}
