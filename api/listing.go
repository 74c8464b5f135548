package api

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gin-gonic/gin"
)

// Pages of lists, unless a listing says otherwise.
const (
	usualPage = 500
	maxPage   = 1000
)

// A page asks a listing for items: at most Limit of them, behind the item whose key
// is after; from the beginning where that is empty.
type page struct {
	after string
	limit int
}

// A listing is a list as the API shows it: a page at a time, in an order that stays
// while items come and go, or whole as a file. The route is all that is told of it;
// paging, cursors, files, ETag and description follow.
type listing[T any] struct {
	name  string // of the member that holds the items
	usual int    // items on a page that does not say how many; 0: usualPage
	// key gives an item its place: no two share one and it never changes. Items are
	// in the order of their keys, the greatest first where falling is set.
	key     func(T) string
	falling bool
	// read returns the items that the caller may read. One that pages by itself
	// returns those of the page in order; any other returns all, in whatever order.
	read  func(*gin.Context, page) ([]T, error)
	pages bool
	// sees is asked of every item before it is shown, and takes out of it what the
	// caller may not know; nil where read has asked whether the caller may see them all,
	// or everybody may.
	sees func(*gin.Context, *T) (bool, error)
	// beside returns what stands beside the items of a page, a struct of the type of
	// besides; both are nil where there are only items. Files have the items alone.
	beside  func(*gin.Context, []T) (any, error)
	besides reflect.Type
}

// Place is where an item stands in a list that is newest first.
type Place struct {
	At time.Time
	ID string
}

// timeKey is the key of what is listed by time and then by ID.
func timeKey(at time.Time, id string) string {
	return strconv.FormatInt(max(at.UnixMicro(), 0)+1e18, 10) + id
}

// timePlace is what timeKey was made of; the zero Place of none, and of nonsense.
func timePlace(key string) Place {
	const digits = 19
	if len(key) < digits {
		return Place{}
	}
	n, err := strconv.ParseInt(key[:digits], 10, 64)
	if err != nil || n < 1e18 {
		return Place{}
	}
	return Place{time.UnixMicro(n - 1e18).UTC(), key[digits:]}
}

// cursorVersion begins every cursor, so that one of an older form is refused and not
// misread.
const cursorVersion = "1"

func cursor(key string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(cursorVersion + key))
}

// pageOf returns the page that the parameters limit and after ask for.
func (l listing[T]) pageOf(c *gin.Context) (page, error) {
	usual := l.usual
	if usual == 0 {
		usual = usualPage
	}
	limit, err := queryInt(c, "limit", usual, maxPage)
	if err != nil {
		return page{}, err
	}
	p := page{limit: limit}
	if s := c.Query("after"); s != "" {
		raw, err := base64.RawURLEncoding.DecodeString(s)
		key, ok := strings.CutPrefix(string(raw), cursorVersion)
		if err != nil || !ok || key == "" || strings.ContainsRune(key, 0) || !utf8.ValidString(key) {
			return page{}, &invalidError{"after", "is not the next of a page before"}
		}
		p.after = key
	}
	return p, nil
}

// page returns a page of items, and the key of the last where there are more.
func (l listing[T]) page(c *gin.Context, p page) (items []T, next string, err error) {
	asked := page{p.after, p.limit + 1} // one more shows whether there are more
	if items, err = l.read(c, asked); err != nil {
		return nil, "", err
	}
	if !l.pages {
		items = l.behind(items, p.after)
	}
	if len(items) > p.limit {
		items, next = items[:p.limit], l.key(items[p.limit-1])
	}
	if l.sees == nil {
		return items, next, nil
	}
	seen := make([]T, 0, len(items))
	for _, item := range items {
		ok, err := l.sees(c, &item)
		if err != nil {
			return nil, "", err
		}
		if ok {
			seen = append(seen, item)
		}
	}
	return seen, next, nil
}

// behind returns the items behind a key, in order.
func (l listing[T]) behind(items []T, after string) []T {
	compare := func(a, b string) int {
		if l.falling {
			a, b = b, a
		}
		return strings.Compare(a, b)
	}
	items = slices.Clone(items)
	slices.SortStableFunc(items, func(a, b T) int { return compare(l.key(a), l.key(b)) })
	if after == "" {
		return items
	}
	i, _ := slices.BinarySearchFunc(items, after, func(item T, key string) int {
		if compare(l.key(item), key) <= 0 {
			return -1
		}
		return 1
	})
	return items[i:]
}

// serve answers with a page, or with the whole list as a file.
func (l listing[T]) serve(s *server, c *gin.Context) error {
	format, err := formatOf(c)
	if err != nil {
		return err
	}
	if format != "" {
		return l.export(s, c, format)
	}
	p, err := l.pageOf(c)
	if err != nil {
		return err
	}
	items, next, err := l.page(c, p)
	if err != nil {
		return err
	}
	answer := gin.H{l.name: list(items)}
	if l.beside != nil {
		more, err := l.beside(c, items)
		if err != nil {
			return err
		}
		for _, f := range fieldsOf(l.besides) {
			answer[f.name] = reflect.ValueOf(more).FieldByIndex(f.index).Interface()
		}
	}
	if next != "" {
		answer["next"] = cursor(next)
		c.Header("Link", "<"+pageURL(c.Request.URL, cursor(next))+`>; rel="next"`) // RFC 8288
	}
	c.JSON(http.StatusOK, answer)
	return nil
}

// pageURL is the address of the page behind a cursor, with all else as it was asked.
func pageURL(u *url.URL, after string) string {
	q := u.Query()
	q.Set("after", after)
	return u.Path + "?" + q.Encode()
}
