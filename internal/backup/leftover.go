package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	cerrdefs "github.com/containerd/errdefs"

	"github.com/docker-ucp/docker-ucp/internal/agent"
	"github.com/docker-ucp/docker-ucp/internal/engine"
	"github.com/docker-ucp/docker-ucp/internal/failure"
	"github.com/docker-ucp/docker-ucp/internal/quiesce"
)

// startingTime is how long a run may take from making its agent to starting it.
const startingTime = time.Minute

// settleLeftover looks for the agent of another run: one that works is not disturbed, one that ended is removed after
// UCP was set right.
func (b *backup) settleLeftover(ctx context.Context) error {
	found, err := b.engine.FindAgent(ctx)
	if err != nil || found == nil {
		return err
	}
	if !found.IsOurs() {
		return failure.Refuse(fmt.Errorf("a container on this manager is named %s and is none of ours", engine.AgentName),
			"rename it with: docker rename "+engine.AgentName+" NAME")
	}
	_, ended, err := found.Exited(ctx)
	switch {
	case cerrdefs.IsNotFound(err): // its own run has just removed it
		return nil
	case err != nil:
		return err
	case found.Running, !ended && time.Since(found.Since) < startingTime:
		return failure.Refuse(
			fmt.Errorf("another backup is running on this manager since %s, started by %s", found.Since.Local().Format(time.DateTime), found.StartedBy),
			"see what it does: docker logs --follow "+engine.AgentName)
	case b.opts.DryRun:
		if plan, err := unfinishedPlan(ctx, found.Agent); err == nil && plan != nil {
			names := slices.Concat(plan.Names(quiesce.Stop), plan.Names(quiesce.Pause))
			return failure.Refuse(
				fmt.Errorf("UCP is at rest: an earlier backup, started by %s, died and left %d containers down; the next backup brings them back first", found.StartedBy, len(names)),
				"take a backup, or: "+startByHand(plan, names))
		}
		return failure.Refuse(
			fmt.Errorf("an earlier backup, started by %s, left container %s behind; the next backup sets that right first", found.StartedBy, engine.AgentName),
			"take a backup, or look at: docker logs "+engine.AgentName)
	}
	if err := b.resumeLeftover(ctx, found); err != nil {
		return err
	}
	b.talk.Say("removing what an earlier backup left on the manager, started by %s", found.StartedBy)
	return b.removeLeftover(ctx, found)
}

// resumeLeftover finishes what an agent that died began.
func (b *backup) resumeLeftover(ctx context.Context, found *engine.Found) error {
	plan, err := unfinishedPlan(ctx, found.Agent)
	if err != nil || plan == nil {
		return err
	}
	b.talk.Warn("an earlier backup, started by %s, died and left UCP at rest; bringing it back", found.StartedBy)
	err = plan.TakeOver(ctx, b.engine, enginePatience)
	var left *quiesce.NotResumed
	if errors.As(err, &left) && left.Gone(b.engine) {
		// Whoever removed these containers since has made new ones, or knows why not; no backup can bring them back.
		b.talk.Warn("these containers of UCP are gone since: %s", strings.Join(left.Names(), ", "))
		return nil
	}
	return broughtBack(err)
}

// removeLeftover removes the agent, its image and its spool; from a spool that is the operator's own volume it takes
// what is ours.
func (b *backup) removeLeftover(ctx context.Context, found *engine.Found) error {
	spool, ours, err := b.spoolOf(ctx, found.Agent)
	if err != nil {
		return err
	}
	if spool != "" && !ours {
		if err := b.cleanSpool(ctx, found.Agent); err != nil {
			b.talk.Warn("what the earlier backup left in volume %s stays there until a backup uses that volume again: %v", spool, err)
		}
	}
	err = found.Remove(ctx)
	if ours {
		err = errors.Join(err, b.engine.RemoveVolume(ctx, spool))
	}
	return errors.Join(err, b.engine.RemoveImage(ctx, found.Image))
}

// spoolOf returns the volume that an agent has as its spool, and whether it is one that we made.
func (b *backup) spoolOf(ctx context.Context, agent *engine.Agent) (name string, ours bool, err error) {
	inspected, err := b.engine.API().ContainerInspect(ctx, agent.ID)
	if err != nil {
		return "", false, fmt.Errorf("inspect container %s: %w", engine.AgentName, err)
	}
	for _, mount := range inspected.Mounts {
		if mount.Destination == engine.SpoolPath {
			ours, err := b.isOurs(ctx, mount.Name)
			return mount.Name, ours, err
		}
	}
	return "", false, nil
}

// isOurs tells a volume that a backup made, this one or an earlier one, from the operator's own.
func (b *backup) isOurs(ctx context.Context, volume string) (bool, error) {
	inspected, err := b.engine.API().VolumeInspect(ctx, volume)
	if cerrdefs.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look at volume %s: %w", volume, err)
	}
	_, labelled := inspected.Labels[engine.LabelStartedBy]
	return labelled, nil
}

// unfinishedPlan reads out of the log of an agent that has ended what it brought to rest and not back; nil for nothing.
func unfinishedPlan(ctx context.Context, ended *engine.Agent) (*quiesce.Plan, error) {
	var plan *quiesce.Plan
	events := &lineWriter{line: func(line []byte) {
		switch event, _ := agent.ParseEvent(line); {
		case event.Type == agent.Quiescing:
			plan = event.Plan
		case event.Type == agent.Resumed && len(event.NotResumed) == 0:
			plan = nil
		}
	}}
	err := ended.Log(ctx, events, io.Discard, false)
	return plan, err
}
