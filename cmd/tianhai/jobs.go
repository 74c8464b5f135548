package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"tianhai/cmd/internal/store"
	"tianhai/farm"
	"tianhai/ingest/history"
)

// jobsCommand works on the records database; a running server obeys.
type jobsCommand struct {
	List   jobsListCommand   `cmd:"" default:"withargs" help:"List backfills and replays, newest first."`
	Show   jobsShowCommand   `cmd:"" help:"Follow a job, and show what it could not store."`
	Cancel jobsCancelCommand `cmd:"" help:"Call a job off. What it has stored stays."`
}

type jobsListCommand struct {
	configFlags
	Tenant string `help:"Only this tenant's."`
}

// Run prints one line for each job.
func (c *jobsListCommand) Run(ctx context.Context) error {
	return c.withStore(ctx, func(db *store.Store) error {
		jobs, err := db.Jobs(ctx, store.JobFilter{Tenant: c.Tenant})
		if err != nil {
			return err
		}
		w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "job\tkind\tstate\tdone\tstored\trefused\ttenant\taccount\tcreated\twhat")
		for _, j := range jobs {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%d\t%s\t%s\t%s\t%s\n", j.ID, j.Kind, j.State, percent(j.Progress), j.Progress.Stored, j.Progress.Refused,
				cmp.Or(j.Tenant, "-"), j.Account, j.Created.Local().Format(time.DateTime), subject(j))
		}
		return w.Flush()
	})
}

type jobsShowCommand struct {
	configFlags
	Job string `arg:"" help:"Identifier of the job."`
}

// Run follows a job to its end.
func (c *jobsShowCommand) Run(ctx context.Context) error {
	return c.withStore(ctx, func(db *store.Store) error { return follow(ctx, db, c.Job) })
}

type jobsCancelCommand struct {
	configFlags
	Job string `arg:"" help:"Identifier of the job."`
}

// Run calls a job off.
func (c *jobsCancelCommand) Run(ctx context.Context) error {
	return c.withStore(ctx, func(db *store.Store) error {
		err := db.CancelJob(ctx, c.Job)
		if errors.Is(err, farm.ErrConflict) {
			return fmt.Errorf("job %s has ended already", c.Job)
		}
		return err
	})
}

// followEvery is how often a job is looked at.
const followEvery = 500 * time.Millisecond

// follow shows a job's progress until it has ended, in place on a terminal. Its
// error is the job's.
func follow(ctx context.Context, db *store.Store, id string) error {
	info, err := os.Stdout.Stat()
	terminal := err == nil && info.Mode()&os.ModeCharDevice != 0
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for shown := ""; ; {
		j, err := db.Job(ctx, id)
		if err != nil {
			return err
		}
		p := j.Progress
		line := fmt.Sprintf("%s  %s  %d of %d  stored %d  refused %d", j.State, percent(p), p.Done, p.Total, p.Stored, p.Refused)
		if j.Kind == history.KindReplay {
			line += fmt.Sprintf("  out of quarantine %d", p.Released)
		}
		if line != shown && terminal {
			fmt.Printf("\r\x1b[K%s", line)
		} else if line != shown && !j.Ended.IsZero() {
			fmt.Print(line)
		}
		shown = line
		if !j.Ended.IsZero() {
			fmt.Println()
			return printEnd(j)
		}
		select {
		case <-ctx.Done():
			fmt.Println("\nThe job goes on without being watched.")
			return nil
		case <-tick.C:
		}
	}
}

func printEnd(j history.Job) error {
	p, name := j.Progress, ""
	if j.Backfill != nil {
		name = j.Backfill.File
	}
	if len(p.Ignored) > 0 {
		fmt.Println("not read:", strings.Join(p.Ignored, ", "))
	}
	printProblems(p.Problems, p.Refused, name)
	switch j.State {
	case history.Failed:
		return errors.New(j.Error)
	case history.Cancelled:
		return errors.New("the job was called off; what it has stored stays")
	}
	return nil
}

func printProblems(problems []history.Problem, refused int64, file string) {
	for _, x := range problems {
		if file != "" {
			fmt.Print(file, ": ")
		}
		fmt.Println(x)
	}
	if len(problems) == history.MaxProblems {
		fmt.Printf("… these are the first %d problems; %d rows or frames have one\n", len(problems), refused)
	}
}

func percent(p history.Progress) string {
	if p.Total == 0 {
		return "-"
	}
	return fmt.Sprintf("%d%%", 100*p.Done/p.Total)
}

// subject says what a job is about.
func subject(j history.Job) string {
	switch {
	case j.Backfill != nil:
		return j.Backfill.File
	case j.Replay.QuarantineOnly:
		return "quarantine of " + cmp.Or(strings.Join(j.Replay.Devices, ","), "all devices")
	default:
		return cmp.Or(strings.Join(j.Replay.Devices, ","), "all devices")
	}
}
