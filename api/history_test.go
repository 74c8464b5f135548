package api_test

import (
	"bytes"
	"context"
	"io"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tianhai/api"
	"tianhai/farm"
	"tianhai/ingest/history"
)

func (w *world) Preview(_ context.Context, _ string, order history.Backfill, file io.Reader) (history.Preview, error) {
	return history.Preview{Format: "csv", Rows: 1}, w.order(order, file)
}

func (w *world) Backfill(_ context.Context, tenant, account string, order history.Backfill, file io.Reader) (history.Job, error) {
	if err := w.order(order, file); err != nil {
		return history.Job{}, err
	}
	defer w.mu.Unlock()
	w.mu.Lock()
	w.wrote++
	j := history.Job{ID: "01JZ00000000000000000000J3", Kind: history.KindBackfill, Tenant: tenant, Account: account, State: history.Waiting, Backfill: &order, Created: noon}
	w.jobs = slices.Insert(w.jobs, 0, j)
	return j, nil
}

func (w *world) order(order history.Backfill, file io.Reader) error {
	raw, err := io.ReadAll(file)
	if err != nil {
		return err
	}
	defer w.mu.Unlock()
	w.orders, w.files = append(w.orders, order), append(w.files, string(raw))
	if err := w.enter(); err != nil {
		return err
	}
	if !strings.HasPrefix(string(raw), "time") {
		return &history.OrderError{Field: "columns", Reason: "none is a time"}
	}
	return nil
}

func (w *world) Replay(_ context.Context, tenant, account string, order history.Replay) (history.Job, error) {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return history.Job{}, err
	}
	w.wrote++
	return history.Job{ID: "01JZ00000000000000000000J4", Kind: history.KindReplay, Tenant: tenant, Account: account, State: history.Waiting, Replay: &order, Created: noon}, nil
}

func (w *world) Job(_ context.Context, id string) (history.Job, error) {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return history.Job{}, err
	}
	i := slices.IndexFunc(w.jobs, func(j history.Job) bool { return j.ID == id })
	if i < 0 {
		return history.Job{}, farm.ErrNotFound
	}
	return w.jobs[i], nil
}

func (w *world) Jobs(_ context.Context, q api.JobQuery) ([]history.Job, error) {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return nil, err
	}
	out := slices.DeleteFunc(slices.Clone(w.jobs), func(j history.Job) bool {
		return !behind(q.After, j.Created, j.ID) || !w.leaky && q.Tenant != "" && j.Tenant != q.Tenant
	})
	return out[:min(q.Limit, len(out))], nil
}

func (w *world) CancelJob(_ context.Context, id string) error {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return err
	}
	w.wrote++
	i := slices.IndexFunc(w.jobs, func(j history.Job) bool { return j.ID == id })
	if w.jobs[i].State == history.Cancelled {
		return farm.ErrConflict
	}
	w.jobs[i].State = history.Cancelled
	return nil
}

// The order of a backfill stands in the query, whichever way the file comes.
func TestBackfillOrder(t *testing.T) {
	w := newWorld()
	base, _ := serve(t, w)
	c := client{t, base, "manager"}
	const file = "time,水温\n2026-07-01 08:00:00,5\n"
	const query = "?device=do-1&zone=UTC&sheet=%E8%A1%A8&measured=true&column=%E6%B0%B4%E6%B8%A9%3Dt&column=a%3Db%3D-"
	order := history.Backfill{
		File: "old.csv", Device: "do-1", Zone: "UTC", Sheet: "表", Measured: true,
		Columns: map[string]string{"水温": "t", "a=b": "-"},
	}
	a := c.do("POST", "/history/backfills"+query+"&file=old.csv", file, "Content-Type", "text/csv")
	var j history.Job
	if a.decode(t, &j); a.status != http.StatusAccepted || j.Tenant != "oyster" || j.Account != "manager" || j.State != history.Waiting {
		t.Errorf("%d %s", a.status, a.body)
	}
	var form bytes.Buffer
	m := multipart.NewWriter(&form)
	_ = m.WriteField("note", "ignored")
	part, err := m.CreateFormFile("file", "old.csv")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = part.Write([]byte(file))
	_ = m.Close()
	wrote := w.writes()
	a = c.do("POST", "/history/backfills"+query+"&dry_run=true", form.String(), "Content-Type", m.FormDataContentType())
	if a.status != http.StatusOK || !strings.Contains(a.body, `"rows":1`) || w.writes() != wrote {
		t.Errorf("preview: %d %s", a.status, a.body)
	}
	if d := cmp.Diff([]history.Backfill{order, order}, w.orders); d != "" || w.files[0] != file || w.files[1] != file {
		t.Errorf("orders (-want +got)\n%s files %q", d, w.files)
	}
}

func TestBackfillRefused(t *testing.T) {
	base, _ := serve(t, newWorld())
	for name, tt := range map[string]struct {
		as, query, body string
		header          []string
		status          int
		says            string
	}{
		"another's device":   {"manager", "?device=tea-1", "time", nil, 404, "not_found"},
		"another's tenant":   {"manager", "?tenant=tea", "time", nil, 403, "forbidden"},
		"both":               {"admin", "?tenant=tea&device=do-1", "time", nil, 400, "tenant"},
		"no identifier":      {"admin", "?device=A", "time", nil, 400, "device"},
		"column":             {"admin", "?column=time", "time", nil, 400, "header=channel"},
		"what the file says": {"admin", "", "when", nil, 400, "none is a time"},
		"no part":            {"admin", "", "--x--\r\n", []string{"Content-Type", "multipart/form-data; boundary=x"}, 400, "missing"},
		"no form":            {"admin", "", "x", []string{"Content-Type", "multipart/form-data"}, 400, "form"},
		"another site":       {"admin", "", "time", []string{"Sec-Fetch-Site", "cross-site"}, 403, "cross_origin"},
	} {
		t.Run(name, func(t *testing.T) {
			a := client{t, base, tt.as}.do("POST", "/history/backfills"+tt.query, tt.body, tt.header...)
			if a.status != tt.status || !strings.Contains(a.body, tt.says) {
				t.Errorf("%d %s; want %d, %s", a.status, a.body, tt.status, tt.says)
			}
		})
	}
}

// A file may be larger than other bodies, and a larger one is refused unread.
func TestBackfillSize(t *testing.T) {
	w := newWorld()
	base, _ := serve(t, w)
	c := client{t, base, "manager"}
	large := "time" + strings.Repeat(" ", 3<<20)
	if a := c.do("POST", "/history/backfills?device=do-1", large); a.status != http.StatusAccepted || len(w.files[0]) != len(large) {
		t.Errorf("3 MiB: %d %s", a.status, a.body)
	}
	if a := c.do("POST", "/history/replays", large); a.status != http.StatusRequestEntityTooLarge {
		t.Errorf("3 MiB elsewhere: %d", a.status)
	}
}

func TestReplays(t *testing.T) {
	base, _ := serve(t, newWorld())
	for name, tt := range map[string]struct {
		as, body string
		status   int
		says     string
	}{
		"own device":        {"manager", `{"devices":["do-1"],"from":"2026-07-01T00:00:00Z","to":"2026-07-01T01:00:00Z"}`, 202, `"tenant":"oyster"`},
		"own devices":       {"manager", `{}`, 202, `"tenant":"oyster"`},
		"another's device":  {"manager", `{"devices":["do-1","tea-1"]}`, 404, "not_found"},
		"another's tenant":  {"manager", `{"tenant":"tea"}`, 403, "forbidden"},
		"everybody's":       {"admin", `{}`, 202, `"kind":"replay"`},
		"nobody's device":   {"admin", `{"devices":["ghost"]}`, 202, "ghost"},
		"a bad time":        {"admin", `{"from":"yesterday"}`, 400, "RFC 3339"},
		"an unknown member": {"admin", `{"device":"do-1"}`, 400, "device"},
	} {
		t.Run(name, func(t *testing.T) {
			a := client{t, base, tt.as}.do("POST", "/history/replays", tt.body)
			if a.status != tt.status || !strings.Contains(a.body, tt.says) {
				t.Errorf("%d %s; want %d, %s", a.status, a.body, tt.status, tt.says)
			}
		})
	}
}

func TestJobs(t *testing.T) {
	for _, leaky := range []bool{false, true} {
		w := newWorld()
		w.leaky = leaky
		base, _ := serve(t, w)
		for login, n := range map[string]int{"admin": 2, "manager": 1} {
			var got struct{ Jobs []history.Job }
			client{t, base, login}.do("GET", "/history/jobs", "").decode(t, &got)
			if len(got.Jobs) != n {
				t.Errorf("leaky %v: %s sees %d jobs, want %d", leaky, login, len(got.Jobs), n)
			}
		}
		if a := (client{t, base, "manager"}).do("GET", "/history/jobs/01JZ00000000000000000000J2", ""); a.status != http.StatusNotFound {
			t.Errorf("everybody's job: %d", a.status)
		}
	}
	base, _ := serve(t, newWorld())
	c := client{t, base, "manager"}
	for i, status := range []int{204, 409} {
		if a := c.do("DELETE", "/history/jobs/"+jobID, ""); a.status != status {
			t.Errorf("cancel %d: %d", i, a.status)
		}
	}
	var j history.Job
	a := c.do("GET", "/history/jobs/"+jobID, "")
	if a.decode(t, &j); j.State != history.Cancelled || !strings.Contains(a.body, `"problems":[]`) {
		t.Errorf("the cancelled job: %s", a.body)
	}
}
