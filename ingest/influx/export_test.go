package influx

// Check gives tests the rule by which Write refuses an observation.
var Check = check
