package mapping_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tianhai/farm"
	"tianhai/ingest/mapping"
)

// A shelf keeps versions in memory.
type shelf struct {
	mu   sync.Mutex
	all  []mapping.Version
	read int
	fail error
}

func (s *shelf) AddMapping(_ context.Context, v mapping.Version) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if slices.ContainsFunc(s.all, func(o mapping.Version) bool { return o.Name == v.Name && o.Version == v.Version }) {
		return farm.ErrConflict
	}
	s.all = append(s.all, v)
	return s.fail
}

func (s *shelf) Mappings(context.Context) ([]mapping.Version, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.read++
	newest := map[string]mapping.Version{}
	for _, v := range s.all {
		newest[v.Name] = v
	}
	var all []mapping.Version
	for _, v := range newest {
		all = append(all, v)
	}
	return all, s.fail
}

func (s *shelf) MappingVersions(_ context.Context, name string) ([]mapping.Version, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := slices.DeleteFunc(slices.Clone(s.all), func(v mapping.Version) bool { return v.Name != name })
	if len(all) == 0 {
		return nil, farm.ErrNotFound
	}
	return all, s.fail
}

func (s *shelf) setFail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = err
}

func TestNameIn(t *testing.T) {
	for format, want := range map[string]string{
		mapping.Format("weather"):     "weather",
		"mapped; mapping=\"weather\"": "weather",
		"mapped":                      "",
		"mapped;mapping=":             "",
		"mapped;mapping=No":           "",
		"mapped;mapping=a;x=b":        "",
		"json;mapping=a":              "",
		"":                            "",
	} {
		name, ok := mapping.NameIn(format)
		if ok != (want != "") || ok && name != want {
			t.Errorf("%q: %q, %v; want %q", format, name, ok, want)
		}
	}
}

// Frames are read by what was saved last, whoever saved it, without a look into
// the store for each.
func TestLibrary(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{}
		changes := make(chan []string, 10)
		l := mapping.NewLibrary(s, func(formats []string) { changes <- formats }, nil)
		if err := l.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- l.Run(ctx) }()
		reads := func(payload string) float64 {
			t.Helper()
			d, known := l.ByFormat("mapped;mapping=weather")
			if !known {
				return -1
			}
			values, err := d([]byte(payload), nil)
			if err != nil {
				return -2
			}
			return values[0].Number
		}
		here := mapping.Desk{Store: s, Changed: l.Wake}
		there := mapping.Desk{Store: s}
		if got := reads(`{"v":1}`); got != -1 {
			t.Errorf("before it is saved: %v", got)
		}
		if _, known := l.ByFormat("json"); !known {
			t.Error("json is not known")
		}
		step := func(what string, save func() error, within time.Duration, want float64) {
			t.Helper()
			if err := save(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(within)
			synctest.Wait()
			if got := reads(`{"v":1}`); got != want {
				t.Errorf("%s: read %v, want %v", what, got, want)
			}
			select {
			case formats := <-changes:
				if !slices.Equal(formats, []string{"mapped;mapping=weather"}) {
					t.Errorf("%s: changed %v", what, formats)
				}
			default:
				t.Errorf("%s: nobody is told", what)
			}
		}
		save := func(d mapping.Desk, doc string) func() error {
			return func() error {
				_, err := d.Save(t.Context(), "weather", doc, "root", 0)
				return err
			}
		}
		step("saved here", save(here, "channels: [{channel: v, path: v}]"), 0, 1)
		step("edited elsewhere", save(there, "channels: [{channel: v, path: v, scale: 10}]"), mapping.RefreshEvery, 10)
		s.setFail(errors.New("away"))
		time.Sleep(time.Minute)
		if got := reads(`{"v":1}`); got != 10 {
			t.Errorf("while the records do not answer: %v", got)
		}
		s.setFail(nil)
		step("deleted", func() error { return here.Delete(t.Context(), "weather", "root") }, 0, -1)
		step("saved again", save(here, "channels: [{channel: v, path: v, scale: 2}]"), 0, 2)
		if n := s.read; n > 40 {
			t.Errorf("the store was read %d times in about a minute", n)
		}
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// Two who edit the same version do not overwrite each other.
func TestSaveConflict(t *testing.T) {
	d := mapping.Desk{Store: &shelf{}}
	ctx := t.Context()
	for i, doc := range []string{"channels: [{channel: a, path: a}]", "channels: [{channel: b, path: b}]"} {
		if v, err := d.Save(ctx, "weather", doc, "root", i); err != nil || v.Version != i+1 {
			t.Fatalf("version %d, %v", v.Version, err)
		}
	}
	if _, err := d.Save(ctx, "weather", "channels: [{channel: c, path: c}]", "root", 1); !errors.Is(err, farm.ErrConflict) {
		t.Errorf("error %v, want a conflict", err)
	}
	if _, err := d.Save(ctx, "weather", "channels: []", "root", 0); err == nil {
		t.Error("what is no mapping is saved")
	}
	if _, err := d.Save(ctx, "Weather", "channels: [{channel: c, path: c}]", "root", 0); err == nil {
		t.Error("a bad name is taken")
	}
}
