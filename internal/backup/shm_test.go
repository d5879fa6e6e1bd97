package backup

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/assert/cmp"

	"github.com/docker-ucp/docker-ucp/internal/engine"
	"github.com/docker-ucp/docker-ucp/internal/progress"
	"github.com/docker-ucp/docker-ucp/internal/ucp"
)

// errand answers small tasks, each time with the next word; an empty word is a failure.
type errand struct {
	answers map[string][]string
	ran     []string
	options []string
}

func (e *errand) RunTask(ctx context.Context, task engine.Task) ([]byte, error) {
	name := strings.Join(task.Args, " ")
	e.ran = append(e.ran, name)
	e.options = task.SecurityOpt
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	answer := e.answers[name][0]
	e.answers[name] = e.answers[name][1:]
	if answer == "" {
		return nil, errors.New("operation not permitted")
	}
	return []byte(answer + "\n"), nil
}

func affected(version string, opts Options, answers map[string][]string) (*backup, *errand, *bytes.Buffer) {
	tasks, said := &errand{answers: answers}, &bytes.Buffer{}
	opts.Clone = CloneNever
	b := discovered(opts)
	b.tasks, b.talk, b.image = tasks, progress.New(progress.Plain, said, false), "agent:1"
	b.instance = &ucp.Instance{ID: testInstance, Version: version, Node: ucp.Node{Name: "manager1"}, Containers: b.instance.Containers}
	return b, tasks, said
}

const piledUp = "/dev/shm is mounted 12 times on this manager, which can hang the machine after a backup or when its engine stops" +
	" (the vendor's KB000934); all but one of them are taken away with: docker ucp backup --fix-shm FILE"

func TestMountsOfShmAreCountedWhereTheyPileUpAndTakenAwayOnDemand(t *testing.T) {
	tests := map[string]struct {
		version  string
		opts     Options
		answers  map[string][]string
		ran      string // the tasks
		warnings []string
		said     []string
	}{
		"another version": {version: "3.1.4"},
		"another version that nothing is to be done about": {
			version: "3.1.4", opts: Options{FixShm: true},
			said: []string{"UCP 3.1.4 is not known to pile up mounts of /dev/shm; --fix-shm has nothing to do"},
		},
		"one mount": {version: "3.1.2", answers: map[string][]string{"shm": {"1"}}, ran: "shm"},
		"none":      {version: "3.1.2", answers: map[string][]string{"shm": {"0"}}, ran: "shm"},
		"many":      {version: "3.1.2", answers: map[string][]string{"shm": {"12"}}, ran: "shm", warnings: []string{piledUp}},
		"one that nothing is to be done about": {
			version: "3.1.2", opts: Options{FixShm: true}, answers: map[string][]string{"shm": {"1"}}, ran: "shm",
		},
		"many that are only to be shown": {
			version: "3.1.2", opts: Options{FixShm: true, DryRun: true}, answers: map[string][]string{"shm": {"12"}}, ran: "shm",
		},
		"many that are taken away": {
			version: "3.1.2", opts: Options{FixShm: true}, answers: map[string][]string{"shm": {"12", "1"}, "fix": {"11"}}, ran: "shm fix shm",
			said: []string{"took 11 of 12 mounts of /dev/shm away on manager1"},
		},
		"many that are there again": {
			version: "3.1.2", opts: Options{FixShm: true}, answers: map[string][]string{"shm": {"14", "12"}, "fix": {"13"}}, ran: "shm fix shm",
			said: []string{"took 13 of 14 mounts of /dev/shm away on manager1", "warning: " + piledUp},
		},
		"many that cannot be taken away": {
			version: "3.1.2", opts: Options{FixShm: true}, answers: map[string][]string{"shm": {"12", "12"}, "fix": {""}}, ran: "shm fix shm",
			said: []string{"warning: take mounts of /dev/shm away on manager1: operation not permitted", "warning: " + piledUp},
		},
		"nobody can count": {
			version: "3.1.2", opts: Options{FixShm: true}, answers: map[string][]string{"shm": {""}}, ran: "shm",
			warnings: []string{"this version of UCP piles up mounts of /dev/shm, which can hang the machine, and they could not be counted: operation not permitted"},
		},
		"a number that is none": {
			version: "3.1.2", answers: map[string][]string{"shm": {"many"}}, ran: "shm",
			warnings: []string{"this version of UCP piles up mounts of /dev/shm, which can hang the machine, and they could not be counted: task shm on the manager: it printed no number"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			b, tasks, said := affected(test.version, test.opts, test.answers)
			assert.NilError(t, b.lookAtShm(t.Context()))
			plan, err := b.plan(surveyOf(1))
			assert.NilError(t, err)
			assert.DeepEqual(t, plan.Warnings, test.warnings)
			assert.Equal(t, plan.FixShm, test.opts.FixShm && plan.Shm > 1)
			assert.NilError(t, b.fixShm(t.Context()))
			assert.Equal(t, strings.Join(tasks.ran, " "), test.ran)
			assert.Equal(t, strings.Count(said.String(), "\n"), len(test.said), said.String())
			for _, line := range test.said {
				assert.Check(t, cmp.Contains(said.String(), line))
			}
		})
	}
}

func TestATaskGetsTheOperatorsSecurityOptions(t *testing.T) {
	b, tasks, _ := affected("3.1.2", Options{SecurityOpt: []string{"label=disable"}}, map[string][]string{"shm": {"1"}})
	assert.NilError(t, b.lookAtShm(t.Context()))
	assert.Check(t, slices.Contains(tasks.options, "label=disable"))
}

func TestACancelWhileMountsAreCountedOrTakenAwayIsOne(t *testing.T) {
	b, _, _ := affected("3.1.2", Options{FixShm: true}, map[string][]string{"shm": {"12"}})
	assert.NilError(t, b.lookAtShm(t.Context()))
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	cancel(enough)
	assert.ErrorIs(t, b.fixShm(ctx), enough)
	assert.ErrorIs(t, b.lookAtShm(ctx), enough)
}
