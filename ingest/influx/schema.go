package influx

import "tianhai/farm"

// Names in the time-series store. Nothing outside this package builds a query;
// dashboards, which must, are tested against these names.
//
// A quantity "water.dissolved_oxygen" lies in measurement "water" as the float
// field "dissolved_oxygen", at millisecond precision, beside the integer field
// "dissolved_oxygen_flag" where its flag is not 1, or was not before it was
// revised. A missing value has only the flag. A value that failed a quality test is stored in its field like any
// other, so that the test can be revised later by writing the flag again; who
// computes with it must leave out the rows whose flag is 4.
const (
	DefaultDatabase = "tianhai"
	DefaultBucket   = DefaultDatabase + "/autogen" // database and retention policy, as 1.8 names a bucket

	TagDevice = "device"
	TagRegion = "region" // GB/T 2260
	TagSite   = "site"
	TagTenant = "tenant"

	FlagSuffix = "_flag" // integer, QARTOD primary flag

	// FieldClock is the integer field clock_flag = 3 (suspect) of every row whose
	// time is the server's, because the device's was missing or not credible; 1
	// where that was revised.
	FieldClock = "clock" + FlagSuffix

	// MarkMeasurement holds a point for every Beijing day of every device at every
	// place, with the tags of its readings, at the day's start: who wrote readings
	// of that day last, and which of these writings the rollups know of. They are
	// complete where FieldMarked equals FieldRolled.
	MarkMeasurement = "rollup"
	FieldMarked     = "marked" // integer, of the newest writing
	FieldRolled     = "rolled" // integer, the value of FieldMarked when the day was rolled up

	// StateMeasurement holds, at time 0 and without tags, how far the readings that
	// were there before there were marks have been marked.
	StateMeasurement = "rollup_state"
	FieldAdopted     = "adopted"  // integer, Unix milliseconds: what is older is marked
	FieldComplete    = "complete" // integer 1: all is marked
)

// Rollups of medium "water" lie in measurements "water_hour" and "water_day", with
// the tags of the readings, at the start of their hour or Beijing day (UTC+8). A
// quantity has these fields there, named after its own field; the first three
// only where it has a usable value, which is one whose flag is 1, 2 or 3.
const (
	HourSuffix = "_hour"
	DaySuffix  = "_day"

	MinSuffix   = "_min"   // float
	MeanSuffix  = "_mean"  // float
	MaxSuffix   = "_max"   // float
	CountSuffix = "_count" // integer, usable values
	GoodSuffix  = "_good"  // integer, values with flag 1
	TotalSuffix = "_total" // integer, all readings, failed and missing ones too
)

// PurgedField returns the integer field of a mark that says what retention has
// deleted of the day's readings in a medium: 0 nothing, 1 has begun with the
// readings, 2 they are gone; 3 and 4 its hours too, 5 and 6 its day too. A medium in
// which nothing was measured has no such field.
func PurgedField(m farm.Medium) string { return string(m) + "_purged" }

// Measurement returns the measurement that holds the quantity.
func Measurement(q farm.Quantity) string { return string(q.Medium()) }

// ValueField returns the float field that holds the quantity.
func ValueField(q farm.Quantity) string { return q.Field() }

// FlagField returns the integer field that holds the quantity's flag when it is
// not 1.
func FlagField(q farm.Quantity) string { return q.Field() + FlagSuffix }
