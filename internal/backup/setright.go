package backup

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/docker/docker/api/types/container"

	"github.com/docker-ucp/docker-ucp/internal/agent"
	"github.com/docker-ucp/docker-ucp/internal/engine"
	"github.com/docker-ucp/docker-ucp/internal/failure"
	"github.com/docker-ucp/docker-ucp/internal/quiesce"
	"github.com/docker-ucp/docker-ucp/internal/ucp"
)

// setRight finishes what an agent that died began: UCP first, then its reconcilers.
func (b *backup) setRight(ctx context.Context, left *leftover) error {
	b.wrong = left.journal != nil
	if err := b.putRight(ctx, left); err != nil {
		return err
	}
	b.wrong, b.right = false, true
	b.sweep(ctx)
	return nil
}

// putRight starts and unpauses alone, while the agent that tries the same goes on. It stops that one when UCP is back,
// for the sake of its name, and whatever then comes between, it is stopped for good or goes on again.
func (b *backup) putRight(ctx context.Context, left *leftover) error {
	if left.journal == nil {
		return nil
	}
	if err := b.refuseOtherEngine(ctx, left); err != nil {
		return err
	}
	if down, err := b.downOf(ctx, left); err == nil && len(down) == 0 {
		b.talk.Warn("an earlier backup, started by %s, died before all was put right; seeing to it", left.StartedBy)
	} else {
		b.talk.Warn("an earlier backup, started by %s, died and left UCP at rest; bringing it back", left.StartedBy)
	}
	if err := b.takeOver(ctx, left); err != nil {
		return broughtBack(err)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
	defer cancel()
	node := left.journal.Node
	if left.Running {
		err := left.Stop(ctx)
		if err == nil {
			err = left.readPapers(ctx, b.engine)
		}
		if err != nil {
			return errors.Join(err, b.giveBack(ctx, left))
		}
	}
	if left.journal != nil { // the agent was not about to succeed
		b.release(ctx, node)
	}
	return nil
}

// sweep removes what earlier runs left of small tasks. It waits until UCP is back, and stops nobody.
func (b *backup) sweep(ctx context.Context) {
	if err := b.engine.SweepTasks(ctx); err != nil && ctx.Err() == nil {
		b.talk.Warn("containers of small tasks that an earlier backup left stay on the manager: %v", err)
	}
}

func (b *backup) takeOver(ctx context.Context, left *leftover) error {
	err := left.journal.Plan.TakeOver(ctx, b.engine, enginePatience)
	var down *quiesce.NotResumed
	if errors.As(err, &down) && down.Gone(b.engine) {
		// Whoever removed these containers since has made new ones, or knows why not; no backup can bring them back.
		b.talk.Warn("these containers of UCP are gone since: %s", strings.Join(down.Names(), ", "))
		return nil
	}
	return err
}

// giveBack has the agent go on that could not be stopped for good, or was, and then it was not to be learned how it ended.
func (b *backup) giveBack(ctx context.Context, left *leftover) error {
	if !left.Running {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
	defer cancel()
	policy := container.RestartPolicy{Name: container.RestartPolicyOnFailure}
	if _, err := b.engine.API().ContainerUpdate(ctx, left.ID, container.UpdateConfig{RestartPolicy: policy}); err != nil {
		return fmt.Errorf("have container %s go on: %w", engine.AgentName, err)
	}
	input, err := left.Start(ctx)
	if err != nil {
		return err
	}
	return input.Close()
}

// refuseOtherEngine: a spool may lie on a disk that several machines have.
func (b *backup) refuseOtherEngine(ctx context.Context, left *leftover) error {
	id, err := b.engine.EngineID(ctx)
	if err != nil {
		return fmt.Errorf("read the engine's state: %w", err)
	}
	if left.journal.EngineID == id {
		return nil
	}
	return failure.Refuse(
		fmt.Errorf("volume %s holds what a backup of another engine, %s, has to put right", left.spool, left.journal.EngineID),
		"take a backup there first; each engine needs a spool of its own")
}

// release lets UCP's reconcilers on the node go to work again, on behalf of a run that died. A swarm without a leader
// cannot change labels: then the end of this run is the next try, and the last before a person is asked.
func (b *backup) release(ctx context.Context, node string) {
	if node == "" {
		return
	}
	err := ucp.Release(ctx, b.engine.API(), node)
	if err == nil {
		return
	}
	b.talk.Warn("UCP's reconcilers on this node stay told to hold still for now: %v", err)
	b.unreleased = node
}

// releaseForgotten takes a label off the node that no agent is there any more to take off.
func (b *backup) releaseForgotten(ctx context.Context) {
	node := b.instance.Node
	switch {
	case node.HeldBy == "":
	case b.opts.DryRun:
		b.talk.Warn("an earlier backup, started by %s, told UCP's reconcilers on this node to hold still; the next backup lets them go on", node.HeldBy)
	default:
		b.talk.Warn("an earlier backup, started by %s, told UCP's reconcilers on this node to hold still; letting them go on", node.HeldBy)
		b.release(ctx, node.ID)
	}
}

// releaseToo goes on from what brings UCP back by hand.
func releaseToo(node string) string {
	if node == "" {
		return ""
	}
	return "; " + releaseByHand(node)
}

// releaseByHand is what to type for a node whose label could not be taken off.
func releaseByHand(node string) string {
	return "docker node update --label-rm " + ucp.LabelAgentPause + " --label-rm " + ucp.LabelHeldBy + " " + node
}

// removeLeftover removes the agent, its image and its spool; from a spool that is the operator's own volume it takes
// what is ours.
func (b *backup) removeLeftover(ctx context.Context, left *leftover) error {
	if left.spool != "" && !left.ownSpool {
		if err := b.cleanSpool(ctx, left.Image, left.spool, left.journal != nil); err != nil {
			b.talk.Warn("what the earlier backup left in volume %s stays there until a backup uses that volume again: %v", left.spool, err)
		}
	}
	err := left.Remove(ctx)
	if left.ownSpool {
		err = errors.Join(err, b.engine.RemoveVolume(ctx, left.spool))
	}
	return errors.Join(err, b.engine.RemoveImage(ctx, left.Image))
}

// cleanSpool empties our folder in the operator's own volume; one that holds a journal only when that is settled.
func (b *backup) cleanSpool(ctx context.Context, image, spool string, settled bool) error {
	if _, err := b.engine.RunTask(ctx, agent.CleanTask(image, b.opts.StartedBy, spool, settled)); err != nil {
		return fmt.Errorf("empty the spool: %w", err)
	}
	return nil
}
