package api

import (
	"encoding/json"
	"path"
	"reflect"
	"strings"

	"tianhai/farm"
	"tianhai/trace/gate"
)

func typeOf[T any]() reflect.Type { return reflect.TypeFor[T]() }

// A schema is one of JSON Schema 2020-12.
type schema map[string]any

// schemas makes schemas of Go types as encoding/json writes them. Named structs are
// made once and referred to.
type schemas struct {
	named map[string]schema
	input bool // what a request may say: no member has to be there
}

// of returns the schema of what encoding/json makes of a value of a type.
func (s schemas) of(t reflect.Type) schema {
	if words := enums(t); words != nil {
		return schema{"type": "string", "enum": words}
	}
	switch {
	case t == timeType():
		return schema{"type": "string", "format": "date-time"}
	case t == reflect.TypeFor[json.RawMessage](), t.Kind() == reflect.Interface:
		return schema{}
	case t.Kind() != reflect.Pointer && marshals(t):
		return schema{"description": "as " + t.String() + " writes itself"}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return schema{"anyOf": []schema{s.of(t.Elem()), {"type": "null"}}}
	case reflect.Struct:
		return s.object(t)
	case reflect.Slice, reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 {
			return schema{"type": []string{"string", "null"}, "contentEncoding": "base64"}
		}
		return schema{"type": []string{"array", "null"}, "items": s.of(t.Elem())}
	case reflect.Map:
		return schema{"type": []string{"object", "null"}, "additionalProperties": s.of(t.Elem())}
	case reflect.String:
		return schema{"type": "string"}
	case reflect.Bool:
		return schema{"type": "boolean"}
	case reflect.Float32, reflect.Float64:
		return schema{"type": "number"}
	}
	return schema{"type": "integer"}
}

func (s schemas) object(t reflect.Type) schema {
	name := s.name(t)
	if name != "" {
		ref := schema{"$ref": "#/components/schemas/" + name}
		if _, known := s.named[name]; known {
			return ref
		}
		s.named[name] = nil // a type that holds itself ends here
		s.named[name] = s.members(t)
		return ref
	}
	return s.members(t)
}

func (s schemas) members(t reflect.Type) schema {
	properties, required := map[string]schema{}, []string{}
	for _, f := range fieldsOf(t) {
		properties[f.name] = s.of(f.typ)
		if !f.optional && !s.input {
			required = append(required, f.name)
		}
	}
	out := schema{"type": "object", "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		out["required"] = required
	}
	return out
}

// name is what a type is called in the description: package.Type, and .in behind it
// where it describes what may be sent.
func (s schemas) name(t reflect.Type) string {
	if t.Name() == "" {
		return ""
	}
	name := path.Base(t.PkgPath()) + "." + strings.NewReplacer("[", "_", "]", "", "/", "_", "·", "_").Replace(t.Name())
	if s.input {
		name += ".in"
	}
	return name
}

// enums returns the words that a type of text can be, where there is a list of them.
func enums(t reflect.Type) []string {
	switch t {
	case reflect.TypeFor[farm.SiteKind]():
		return words(farm.SiteKinds())
	case reflect.TypeFor[gate.Gate]():
		return words(gate.Gates())
	case reflect.TypeFor[gate.ActKind]():
		return words(gate.ActKinds())
	}
	return nil
}

func words[T ~string](all []T) []string {
	out := make([]string, len(all))
	for i, w := range all {
		out[i] = string(w)
	}
	return out
}
