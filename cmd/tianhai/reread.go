package main

import "context"

// knowsFormat reports whether a model may name a format.
func (s *server) knowsFormat(format string) bool {
	_, known := s.library.ByFormat(format)
	return known || format == "sparkplug" // whose frames say so themselves
}

// mappingsChanged tells of formats that are read otherwise now.
func (s *server) mappingsChanged(formats []string) {
	s.log.InfoContext(context.Background(), "mappings changed", "formats", formats)
}
