package backup

import (
	"context"
	"errors"
	"fmt"

	cerrdefs "github.com/containerd/errdefs"

	"github.com/docker-ucp/docker-ucp/internal/agent"
	"github.com/docker-ucp/docker-ucp/internal/engine"
)

// endByHand gives an agent that may still be bringing UCP back the time for it: killing it would leave UCP at rest. While
// it is not known that UCP is back, nothing is to be typed here: the agent's log is what the next backup goes by.
func (b *backup) endByHand() string {
	if b.settled() {
		return "docker stop --time 900 " + engine.AgentName + "; docker rm " + engine.AgentName
	}
	return ""
}

// settled tells that nothing rests because of this run: nothing was ordered, or UCP is known to be back.
func (b *backup) settled() bool { return !b.touched || b.agent.back }

// settleDead brings UCP back from here when the agent is dead and was not heard to have done so. An agent that cannot be
// reached may be alive, and is left to bring UCP back by itself.
func (b *backup) settleDead(ctx context.Context) error {
	if b.settled() || b.tookOver {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), resumeTimeout)
	defer cancel()
	_, dead, err := b.agent.agent.Exited(ctx)
	if err != nil && !cerrdefs.IsNotFound(err) || err == nil && !dead {
		return nil
	}
	if err == nil && b.agent.readRest(ctx) == nil && b.settled() {
		return nil
	}
	b.tookOver = true
	b.talk.Warn("the agent on the manager died; bringing UCP back from here")
	if err := b.agent.plan.TakeOver(ctx, b.engine, enginePatience); err != nil {
		return broughtBack(err)
	}
	b.agent.back = true
	return nil
}

// removeAgent removes the agent's container; out of a spool that is the operator's own volume it first takes what is
// ours.
func (b *backup) removeAgent(ctx context.Context, container *engine.Agent) error {
	if b.agent == nil {
		return container.Remove(ctx)
	}
	emptied := !b.ownSpool && b.settled() && b.emptySpool(ctx)
	if err := errors.Join(b.endAgent(ctx), b.settleDead(ctx)); err != nil {
		return err
	}
	if !b.settled() {
		return fmt.Errorf("container %s stays: by its log the next docker ucp backup brings back what rests, and clears up", engine.AgentName)
	}
	if !b.ownSpool && !emptied {
		if err := b.cleanSpool(ctx, b.image, b.opts.Spool); err != nil {
			return err
		}
	}
	return container.Remove(ctx)
}

// emptySpool has the agent that is still there empty our folder in the spool. Not every agent can: one that did not
// finish ends by itself, having emptied it, and one whose connection broke hears nothing.
func (b *backup) emptySpool(ctx context.Context) bool {
	if b.agent.send(agent.Job{Clean: true}) != nil {
		return false
	}
	status, err := awaitEnd(ctx, b.agent.agent)
	return status == 0 && err == nil
}

// removeSpool removes the spool's volume, unless it is the operator's.
func (b *backup) removeSpool(ctx context.Context) error {
	if !b.ownSpool || !b.settled() { // or the agent's container, which stays, still holds it
		return nil
	}
	return b.engine.RemoveVolume(ctx, b.opts.Spool)
}

// endAgent makes sure that the agent has ended: one that waits ends with its input, one at work is told to.
func (b *backup) endAgent(ctx context.Context) error {
	told := errors.Join(b.agent.stdin.Close(), b.agent.agent.Terminate(ctx))
	if _, err := awaitEnd(ctx, b.agent.agent); err != nil {
		return errors.Join(told, err)
	}
	return nil
}

// awaitEnd returns the exit status of an agent that is about to end.
func awaitEnd(ctx context.Context, agent *engine.Agent) (status int, err error) {
	for {
		status, ended, err := agent.Exited(ctx)
		switch {
		case ended || cerrdefs.IsNotFound(err):
			return status, nil
		case err != nil:
			return 0, err
		}
		if err := pause(ctx, endingPause); err != nil {
			return 0, fmt.Errorf("wait for the end of container %s: %w", engine.AgentName, err)
		}
	}
}
