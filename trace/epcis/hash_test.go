package epcis_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tianhai/trace/epcis"
)

// vectors returns the files of a set of outside cases.
func vectors(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "..", "..", "shared", "vectors", pattern))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Skip("the EPCIS documents are not beside the repository, in ../shared/vectors")
	}
	return files
}

func parse(t testing.TB, raw string) *epcis.Document {
	t.Helper()
	d, err := epcis.Parse([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// The reference implementation's hashes.
func TestHashesOfReference(t *testing.T) {
	for _, file := range vectors(t, "event-hash/*.jsonld") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			got, err := parse(t, readFile(t, file)).Hashes()
			if err != nil {
				t.Fatal(err)
			}
			want := strings.Fields(readFile(t, strings.TrimSuffix(file, ".jsonld")+".hashes"))
			if !slices.Equal(got, want) {
				t.Errorf("hashes are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		})
	}
}
