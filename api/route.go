package api

import (
	"net/http"
	"reflect"

	"github.com/gin-gonic/gin"
)

const prefix = "/api/v1"

// A route answers one method on one path, and says of itself what the description
// of the API holds. Unless it is open, it is reached only by who shows a session, or
// a device's secret.
type route struct {
	method, path string
	handler      func(*gin.Context) error
	about        string       // one sentence
	takes        reflect.Type // what its JSON body is read into; nil: it has none
	files        []string     // media types that it takes besides
	gives        []reflect.Type
	media        []string // media types that it answers besides
	query        []param
	open         bool
	list         string // of a list, the member that holds the items, which are of type gives
	besides      reflect.Type
	// guards is the path whose answer to GET has the tag that If-Match names, where
	// it is another than this one's; alone: nobody can change the same thing meanwhile.
	guards string
}

// alone stands in guards where there is nothing that two could edit.
const alone = "-"

// A param is one of the query.
type param struct{ name, about string }

// get reads one thing, and gives it as T.
func get[T any](path string, h func(*gin.Context) error, about string) route {
	return route{method: http.MethodGet, path: path, handler: h, about: about, gives: []reflect.Type{reflect.TypeFor[T]()}}
}

// lists reads what a listing lists.
func lists[T any](s *server, path, about string, l listing[T]) route {
	return route{
		method: http.MethodGet, path: path, about: about, list: l.name, besides: l.besides, gives: []reflect.Type{reflect.TypeFor[T]()},
		handler: func(c *gin.Context) error { return l.serve(s, c) },
	}
}

// takes changes something by a body that is read into In, and gives Out.
func takes[In, Out any](method, path string, h func(*gin.Context) error, about string) route {
	return route{
		method: method, path: path, handler: h, about: about, takes: reflect.TypeFor[In](), gives: []reflect.Type{reflect.TypeFor[Out]()},
	}
}

// none is what a route takes or gives that takes or gives nothing.
type none struct{}

// asks adds a parameter of the query.
func (r route) asks(name, about string) route {
	r.query = append(r.query[:len(r.query):len(r.query)], param{name, about})
	return r
}

// file says that the body is, or may be, a file.
func (r route) file(media ...string) route {
	r.files = media
	return r
}

// also says that the answer may be something else than JSON.
func (r route) also(media ...string) route {
	r.media = append(r.media, media...)
	return r
}

// or says that the answer may be of another type.
func (r route) or(t reflect.Type) route {
	r.gives = append(r.gives[:len(r.gives):len(r.gives)], t)
	return r
}

// openly says that whoever comes is let in.
func (r route) openly() route {
	r.open = true
	return r
}

// guarding says which answer If-Match is held against.
func (r route) guarding(path string) route {
	r.guards = path
	return r
}
