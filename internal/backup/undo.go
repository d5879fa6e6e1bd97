package backup

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/docker-ucp/docker-ucp/internal/engine"
	"github.com/docker-ucp/docker-ucp/internal/failure"
	"github.com/docker-ucp/docker-ucp/internal/quiesce"
)

// undoTimeout bounds the clean-up, and resumeTimeout bringing UCP back; each has its own clock, so that what ended the
// run does not end them.
const (
	undoTimeout   = 2 * time.Minute
	resumeTimeout = 15 * time.Minute
)

// undoing is what must be undone at the end, last first.
type undoing struct {
	steps []undoStep
}

type undoStep struct {
	byHand string // what does the same by hand; empty where there is nothing to type
	do     func(context.Context) error
}

func (u *undoing) add(byHand string, do func(context.Context) error) {
	u.steps = append(u.steps, undoStep{byHand, do})
}

// run undoes everything. A step that fails does not keep the others from being tried.
func (u *undoing) run(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
	defer cancel()
	var failed []error
	var byHand []string
	for _, step := range slices.Backward(u.steps) {
		if err := step.do(ctx); err != nil {
			failed = append(failed, err)
			byHand = append(byHand, step.byHand)
		}
	}
	u.steps = nil
	if len(failed) == 0 {
		return nil
	}
	return failure.NeedsAttention(fmt.Errorf("clean up on the manager: %w", errors.Join(failed...)),
		strings.Join(slices.DeleteFunc(byHand, func(s string) bool { return s == "" }), "; "))
}

// needsStart turns an error of bringing UCP back into one that says what to type.
func needsStart(err error) error {
	var left *quiesce.NotResumed
	if errors.As(err, &left) {
		return notResumed(left.Names())
	}
	return failure.NeedsAttention(err, "look at: docker ps --all --filter label=com.docker.ucp.InstanceID")
}

// notResumed is the error of containers that ran before and do not run now; nil for none.
func notResumed(names []string) error {
	if len(names) == 0 {
		return nil
	}
	return failure.NeedsAttention(fmt.Errorf("these containers of UCP do not run again: %s", strings.Join(names, ", ")),
		"docker start "+strings.Join(names, " "))
}

// settleLeftover looks for the agent of another run: one that works is not disturbed, one that ended is removed after
// UCP was set right.
func (b *backup) settleLeftover(ctx context.Context) error {
	found, err := b.engine.FindAgent(ctx)
	if err != nil || found == nil {
		return err
	}
	if b.opts.DryRun && !found.Running {
		return failure.Refuse(
			fmt.Errorf("an earlier backup, started by %s, left container %s behind; the next backup sets that right first", found.StartedBy, engine.AgentName),
			"take a backup, or look at: docker logs "+engine.AgentName)
	}
	if found.Running {
		return failure.Refuse(
			fmt.Errorf("another backup is running on this manager since %s, started by %s", found.Since.Local().Format(time.DateTime), found.StartedBy),
			"see what it does: docker logs --follow "+engine.AgentName)
	}
	plan, err := unfinishedPlan(ctx, found.Agent)
	if err != nil {
		return err
	}
	if plan != nil {
		b.talk.Warn("an earlier backup, started by %s, died and left UCP at rest; bringing it back", found.StartedBy)
		if err := plan.Resume(ctx, b.engine); err != nil {
			return needsStart(err)
		}
	}
	b.talk.Say("removing what an earlier backup left on the manager, started by %s", found.StartedBy)
	return errors.Join(found.Remove(ctx), b.engine.RemoveVolume(ctx, DefaultSpool), b.engine.RemoveImage(ctx, found.Image))
}
