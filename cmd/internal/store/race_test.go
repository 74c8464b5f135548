//go:build race

package store_test

// underRace says that the race detector slows SQLite, which is Go here, tenfold.
// Random histories are shorter then; make test drives them in full without it.
const underRace = true
