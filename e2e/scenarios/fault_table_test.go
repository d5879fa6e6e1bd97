package scenarios

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/docker/docker/api/types/container"
	"gotest.tools/v3/assert"
)

// outcome is what a row came to.
type outcome struct {
	row    row
	code   int
	down   time.Duration // from the first container that did not run until all ran again
	passed bool
}

// faultTable is what make faults prints.
type faultTable struct {
	engine string
	rows   []*outcome
}

func (f *faultTable) begin(r row) *outcome {
	o := &outcome{row: r}
	f.rows = append(f.rows, o)
	return o
}

func (f *faultTable) print(t *testing.T) {
	t.Helper()
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "fault\tphase\tengine\texit\tdown\tverdict") // a builder never fails
	for _, o := range f.rows {
		verdict := "FAIL"
		if o.passed {
			verdict = "ok"
		}
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%s\t%s\n", o.row.fault, o.row.at.name, f.engine, o.code, o.down.Round(100*time.Millisecond), verdict)
	}
	assert.NilError(t, table.Flush())
	t.Logf("\n%s", &text)
	if *faultsTable == "" {
		return
	}
	file, err := os.OpenFile(*faultsTable, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	assert.NilError(t, err)
	_, err = file.WriteString(text.String())
	assert.NilError(t, err)
	assert.NilError(t, file.Close())
}

// downWatch measures how long not everything ran.
type downWatch struct {
	end  context.CancelFunc
	done sync.WaitGroup
	from time.Time // zero until something did not run
	last time.Time // when all ran again; zero while they do not
}

// watch looks many times a second whether all runs that runs now: each container, and of each service as many tasks.
func (s *stage) watch(t *testing.T, before world) *downWatch {
	t.Helper()
	ctx, end := context.WithCancel(t.Context())
	w := &downWatch{end: end}
	w.done.Go(func() {
		for ctx.Err() == nil {
			switch runs := s.allRun(ctx, before); {
			case ctx.Err() != nil:
			case !runs && w.from.IsZero():
				w.from = time.Now()
			case !runs:
				w.last = time.Time{}
			case !w.from.IsZero() && w.last.IsZero():
				w.last = time.Now()
			}
			select {
			case <-ctx.Done():
			case <-time.After(50 * time.Millisecond):
			}
		}
	})
	t.Cleanup(end)
	return w
}

// stop returns the time from the first look at which something did not run to the last at which it did again.
func (w *downWatch) stop() time.Duration {
	w.end()
	w.done.Wait()
	if w.from.IsZero() || w.last.IsZero() {
		return 0
	}
	return w.last.Sub(w.from)
}

// allRun is false too while the engine gives no answer.
func (s *stage) allRun(ctx context.Context, before world) bool {
	asking, end := context.WithTimeout(ctx, 2*time.Second)
	defer end()
	list, err := s.engine.ContainerList(asking, container.ListOptions{})
	if err != nil {
		return false
	}
	running, tasks := map[string]bool{}, map[string]int{}
	for _, c := range list {
		running[c.ID] = c.State == "running"
		if service := c.Labels[labelService]; service != "" && c.State == "running" {
			tasks[service]++
		}
	}
	for name, status := range before.containers {
		if _, id, _ := strings.Cut(name, " "); status == "running" && !running[id] {
			return false
		}
	}
	for service, all := range before.tasks {
		if tasks[service] < len(all) {
			return false
		}
	}
	return true
}
