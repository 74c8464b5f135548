package api

import (
	"encoding/json"
	"reflect"
	"strings"
	"time"

	"tianhai/farm"
)

// A field is a member of a JSON object as encoding/json makes it from a struct.
type field struct {
	name     string
	index    []int
	typ      reflect.Type
	optional bool // left out where it is empty
}

// fieldsOf returns what encoding/json writes of a struct: members of embedded
// structs stand among its own, and give way to those with their name.
func fieldsOf(t reflect.Type) []field {
	var all []field
	at := map[string]int{}
	for _, f := range reflect.VisibleFields(t) {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" && options == "" || !f.IsExported() && !f.Anonymous {
			continue
		}
		if f.Anonymous && name == "" && deref(f.Type).Kind() == reflect.Struct {
			continue // its fields are visible themselves
		}
		if !f.IsExported() {
			continue
		}
		if name == "" {
			name = f.Name
		}
		optional := strings.Contains(options, "omitempty") || strings.Contains(options, "omitzero")
		next := field{name, f.Index, f.Type, optional}
		if i, known := at[name]; known {
			if len(f.Index) < len(all[i].index) {
				all[i] = next
			}
			continue
		}
		at[name] = len(all)
		all = append(all, next)
	}
	return all
}

func deref(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}

// The types that are one value to a reader, whatever they are made of.
func timeType() reflect.Type { return reflect.TypeFor[time.Time]() }
func textType() reflect.Type { return reflect.TypeFor[farm.Text]() }

// marshals reports whether a type writes itself.
func marshals(t reflect.Type) bool {
	m := reflect.TypeFor[json.Marshaler]()
	return t.Implements(m) || reflect.PointerTo(t).Implements(m)
}
