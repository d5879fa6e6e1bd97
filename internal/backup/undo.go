package backup

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/docker-ucp/docker-ucp/internal/failure"
	"github.com/docker-ucp/docker-ucp/internal/quiesce"
	"github.com/docker-ucp/docker-ucp/internal/ucp"
)

// undoTimeout bounds the clean-up, and resumeTimeout bringing UCP back; each has its own clock, so that what ended the
// run does not end them.
const (
	undoTimeout   = 2 * time.Minute
	resumeTimeout = 15 * time.Minute
)

// enginePatience is how long bringing UCP back from here waits for an engine that gives no answer, as while it is started
// anew.
const enginePatience = 2 * time.Minute

// How often a step of the clean-up is tried, and the pause between two tries: a connection that breaks just then should
// not leave work for a person.
const (
	undoTries = 3
	undoPause = time.Second
)

// undoing is what must be undone at the end, last first.
type undoing struct {
	steps []undoStep
}

type undoStep struct {
	byHand func() string // what does the same by hand; empty where there is nothing to type
	do     func(context.Context) error
}

func (u *undoing) add(byHand string, do func(context.Context) error) {
	u.steps = append(u.steps, undoStep{func() string { return byHand }, do})
}

func (s undoStep) run(ctx context.Context) error {
	for try := 1; ; try++ {
		err := s.do(ctx)
		if err == nil || try == undoTries || pause(ctx, undoPause) != nil {
			return err
		}
	}
}

// run undoes everything. A step that fails does not keep the others from being tried.
func (u *undoing) run(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
	defer cancel()
	var failed []error
	var byHand []string
	for _, step := range slices.Backward(u.steps) {
		if err := step.run(ctx); err != nil {
			failed = append(failed, err)
			byHand = append(byHand, step.byHand())
		}
	}
	u.steps = nil
	if len(failed) == 0 {
		return nil
	}
	return failure.NeedsAttention(fmt.Errorf("clean up on the manager: %w", errors.Join(failed...)),
		strings.Join(slices.DeleteFunc(byHand, func(s string) bool { return s == "" }), "; "))
}

// broughtBack turns an error of bringing UCP back into one that says what to type.
func broughtBack(err error) error {
	if err == nil {
		return nil
	}
	err = fmt.Errorf("bring UCP back: %w", err)
	var left *quiesce.NotResumed
	if errors.As(err, &left) {
		return failure.NeedsAttention(err, startByHand(&quiesce.Plan{Waves: [][]quiesce.Target{left.Targets}}, left.Names()))
	}
	return failure.NeedsAttention(err, "look at: docker ps --all --filter label="+ucp.LabelInstance)
}

// notResumed is the error of containers of the plan that ran before and do not run now; nil for none.
func notResumed(plan *quiesce.Plan, names []string) error {
	if len(names) == 0 {
		return nil
	}
	return failure.NeedsAttention(fmt.Errorf("these containers of UCP do not run again: %s", strings.Join(names, ", ")),
		startByHand(plan, names))
}

// startByHand is what to type for containers that do not run. An engine does not start one that is frozen; and one that was
// frozen is stopped when its engine was started anew. Of the latter those that have an owner are replaced by it.
func startByHand(plan *quiesce.Plan, names []string) string {
	actions, owned := map[string]quiesce.Action{}, map[string]bool{}
	if plan != nil {
		for _, target := range slices.Concat(plan.Waves...) {
			actions[target.Name], owned[target.Name] = target.Action, target.Owned
		}
	}
	var stopped, frozen, frozenOwned, commands []string
	for _, name := range names {
		switch {
		case actions[name] != quiesce.Pause:
			stopped = append(stopped, name)
		case owned[name]:
			frozenOwned = append(frozenOwned, name)
		default:
			frozen = append(frozen, name)
		}
	}
	if len(stopped) > 0 {
		commands = append(commands, "docker start "+strings.Join(stopped, " "))
	}
	if len(frozenOwned) > 0 {
		commands = append(commands, "docker unpause "+strings.Join(frozenOwned, " "))
	}
	if among := strings.Join(frozen, " "); among != "" {
		commands = append(commands, "docker unpause "+among+" || docker start "+among)
	}
	return strings.Join(commands, "; ")
}
