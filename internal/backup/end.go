package backup

import (
	"context"
	"errors"
	"fmt"

	cerrdefs "github.com/containerd/errdefs"

	"github.com/docker-ucp/docker-ucp/internal/agent"
	"github.com/docker-ucp/docker-ucp/internal/engine"
	"github.com/docker-ucp/docker-ucp/internal/failure"
	"github.com/docker-ucp/docker-ucp/internal/ucp"
)

// endByHand gives an agent that may still be bringing UCP back the time for it: killing it would leave UCP at rest. While
// it is not known that UCP is back, nothing is to be typed here: the agent's journal is what the next backup goes by.
func (b *backup) endByHand() string {
	if b.settled() {
		return "docker stop --time 900 " + engine.AgentName + "; docker rm " + engine.AgentName
	}
	return ""
}

// settled tells that nothing rests because of this run, nor because of one whose spool it has: nothing was ordered, or UCP
// is known to be back.
func (b *backup) settled() bool { return !b.inherits && (!b.touched || b.agent.back) }

// stays tells that what is on the manager is left there: for the archive's sake, for the agent's, which has something to
// put right, for another run's, or because nobody knows how it stands.
func (b *backup) stays() bool {
	return b.kept || b.held || b.inherits || b.yielded || b.agent != nil && b.agent.away
}

// settleDead brings UCP back from here when the agent is dead for good, and was not heard to have done so. An agent that
// cannot be reached may be alive, and one that the engine is about to start again soon is: either is left to bring UCP
// back by itself.
func (b *backup) settleDead(ctx context.Context) error {
	if !b.touched || b.tookOver || b.agent.last != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), resumeTimeout)
	defer cancel()
	switch {
	case b.takenOver(ctx):
		b.yield()
		return nil
	case b.agent.restless:
		if err := b.agent.agent.Stop(ctx); err != nil {
			return err
		}
	}
	now, err := look(ctx, b.engine, b.agent.agent)
	if err != nil && !cerrdefs.IsNotFound(err) || err == nil && !now.ended {
		return nil
	}
	if err == nil && b.agent.readRest(ctx) == nil && b.agent.last != nil {
		return nil
	}
	b.tookOver = true
	return b.bringBack(ctx)
}

// bringBack does what the agent had to do, unless another run begins meanwhile.
func (b *backup) bringBack(ctx context.Context) error {
	if !b.agent.back {
		b.talk.Warn("the agent on the manager died; bringing UCP back from here")
		guarded := &unlessAnother{Engine: b.engine, b: b}
		err := b.agent.plan.TakeOver(ctx, guarded, enginePatience)
		switch {
		case guarded.yielded.Load():
			b.yield()
			return nil
		case err != nil:
			return broughtBack(err)
		}
		b.agent.back = true
	}
	if b.another(ctx) {
		b.yield()
		return nil
	}
	if b.holds {
		b.release(ctx, b.instance.Node.ID)
	}
	return nil
}

// letGo dismisses an agent that could not take the node's label off. It tries once more. When that is in vain it stays,
// and the engine starts it again and again until there is a leader.
func (b *backup) letGo(ctx context.Context) error {
	if b.agent.last == nil || !b.agent.last.Held {
		return nil
	}
	ctx = context.WithoutCancel(ctx)
	before, err := look(ctx, b.engine, b.agent.agent)
	if !b.kept {
		err = errors.Join(err, b.agent.send(agent.Job{Clean: true}))
	}
	err = errors.Join(err, b.agent.hangUp())
	if err == nil && !before.died() && b.agent.settles(ctx, before) { // a later life does not listen
		return nil
	}
	b.held = true
	return failure.NeedsAttention(
		fmt.Errorf("UCP's reconcilers on %s stay told to hold still, for want of a leader of the swarm; container %s stays on the manager and tells them to go on when there is one",
			b.instance.Node.Name, engine.AgentName),
		"or when there is one: "+releaseByHand(b.instance.Node.ID))
}

// removeAgent removes the agent's container; out of a spool that is the operator's own volume it first takes what is
// ours.
func (b *backup) removeAgent(ctx context.Context, container *engine.Agent) error {
	switch {
	case b.stays():
		return b.leave(ctx)
	case b.agent == nil:
		return container.Remove(ctx)
	}
	emptied := b.settled() && b.dismissed(ctx)
	if err := errors.Join(b.endAgent(ctx), b.settleDead(ctx)); err != nil {
		return err
	}
	if !b.settled() {
		return fmt.Errorf("container %s stays: by its journal the next docker ucp backup brings back what rests, and clears up", engine.AgentName)
	}
	if b.yielded || b.another(ctx) {
		b.yielded = true
		return nil
	}
	if ordered := b.touched || b.opts.Resume; ordered && !b.ownSpool && !emptied {
		// A journal is this run's own, or one that it has set right, as long as its agent has the name.
		settled := b.tookOver || b.opts.Resume || b.agent.last != nil && len(b.agent.last.NotResumed) > 0
		if err := b.cleanSpool(ctx, b.image, b.opts.Spool, settled); err != nil {
			return err
		}
	}
	return container.Remove(ctx)
}

// leave ends the agent's input, and sees the agent end that only held its name, so that --resume can begin at once.
func (b *backup) leave(ctx context.Context) error {
	if b.agent == nil {
		return nil
	}
	before, err := look(ctx, b.engine, b.agent.agent)
	if hangErr := b.agent.hangUp(); hangErr != nil || err != nil || !b.kept || before.died() {
		return hangErr
	}
	b.agent.settles(ctx, before)
	return nil
}

// dismissed tells an agent that waits for it that all is done, and reports whether it emptied the spool. One whose
// connection broke hears nothing.
func (b *backup) dismissed(ctx context.Context) bool {
	if b.agent.last == nil && !b.agent.waits {
		return false
	}
	before, err := look(ctx, b.engine, b.agent.agent)
	err = errors.Join(err, b.agent.send(agent.Job{Clean: true}))
	return errors.Join(err, b.agent.hangUp()) == nil && b.agent.settles(ctx, before)
}

// removeSpool removes the spool's volume, unless it is the operator's, or one in which nobody has looked for what an
// earlier run left.
func (b *backup) removeSpool(ctx context.Context) error {
	if !b.ownSpool || !b.settled() || b.stays() || b.unread { // or the agent's container, which stays, still holds it
		return nil
	}
	return b.engine.RemoveVolume(ctx, b.opts.Spool)
}

func (b *backup) removeImage(ctx context.Context) error {
	if b.stays() {
		return nil
	}
	// A run that began at the same moment, and was quicker, has the image under the same name, and removes it.
	if found, err := b.engine.FindAgent(ctx); b.agent == nil && (err != nil || found != nil) {
		return err
	}
	return b.engine.RemoveImage(ctx, b.image)
}

// endAgent makes sure that the agent has ended: one that has nothing to put right, or has had its last word, for good;
// one at work is told to end and waited for.
func (b *backup) endAgent(ctx context.Context) error {
	if !b.touched || b.agent.last != nil {
		return errors.Join(b.agent.hangUp(), b.agent.agent.Stop(ctx))
	}
	told := errors.Join(b.agent.hangUp(), b.agent.agent.Terminate(ctx))
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

// releaseAtLast is the last try to let UCP's reconcilers on the node go to work again, before a person is asked.
func (b *backup) releaseAtLast(ctx context.Context) error {
	if b.unreleased == "" {
		return nil
	}
	return ucp.Release(ctx, b.engine.API(), b.unreleased)
}
