package trace

import "tianhai/farm"

// A Carriage is the sealed record of a shipment with which a batch went, or something
// that the batch was made of: its arrival, or its departure while it is on its way.
type Carriage struct {
	Record
	Of []Carried // which of them were on it, never none
}

// A Carried is a batch that was on a shipment.
type Carried struct {
	Batch   string
	Code    string // where it has a page of its own
	Product farm.Text
}
