package backup

import (
	"context"
	"fmt"
	"strings"

	"github.com/docker-ucp/docker-ucp/internal/agent"
	"github.com/docker-ucp/docker-ucp/internal/engine"
	"github.com/docker-ucp/docker-ucp/internal/failure"
	"github.com/docker-ucp/docker-ucp/internal/ucp"
)

// inherit looks into a spool that was there before this run, whose own agent somebody removed, and tells of what is to be
// put right there. Then the agent that this run has started sees to that, and stays; so does an archive that waits. An
// agent that had something to survey has told already.
func (b *backup) inherit(ctx context.Context) error {
	if !b.unread || b.touched || b.container == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookTimeout)
	defer cancel()
	left := &leftover{Found: &engine.Found{Agent: b.container, Image: b.image, StartedBy: b.opts.StartedBy}, ownSpool: b.ownSpool}
	_, err := look(ctx, b.engine, b.container)
	if b.engine.IsGone(err) {
		return nil // nobody can look into the spool, so it stays
	}
	if err == nil {
		left.spool = b.opts.Spool
		err = left.readPapers(ctx, b.engine)
	}
	switch {
	case err != nil:
		b.inherits = true
		return failure.NeedsAttention(
			fmt.Errorf("it is not known whether an earlier backup left anything at rest; container %s and volume %s stay on the manager: %w", engine.AgentName, b.opts.Spool, err),
			lookByHand())
	case left.journal != nil && left.journal.EngineID != b.host.engineID:
		return nil // the spool is another engine's as well
	case left.journal != nil:
		b.inherits = true
		return b.heritage(ctx, left)
	}
	b.unread, b.kept = false, left.receipt != nil
	return nil
}

// heritage says what an earlier run left at rest, and what to type for it.
func (b *backup) heritage(ctx context.Context, left *leftover) error {
	down, err := b.downOf(ctx, left)
	if err != nil {
		return failure.NeedsAttention(
			fmt.Errorf("an earlier backup, started by %s, left something at rest; container %s stays on the manager and sees to it: %w", left.journal.By, engine.AgentName, err),
			lookByHand())
	}
	if len(down) == 0 {
		return failure.NeedsAttention(
			fmt.Errorf("an earlier backup, started by %s, died before all was put right; container %s stays on the manager and sees to it", left.journal.By, engine.AgentName),
			"see what it does: docker logs "+engine.AgentName)
	}
	return failure.NeedsAttention(
		fmt.Errorf("an earlier backup, started by %s, left %s at rest; container %s stays on the manager and goes on trying to bring UCP back",
			left.journal.By, strings.Join(down, ", "), engine.AgentName),
		startByHand(&left.journal.Plan, down))
}

// lookByHand is what to type to see what of UCP runs.
func lookByHand() string { return "look at: docker ps --all --filter label=" + ucp.LabelInstance }

// refuseForgotten stops a backup in whose way a finished archive lies, whose own agent somebody removed; see
// refuseWaiting. This run's agent stays there then, for --resume to find the archive by.
func (b *backup) refuseForgotten(survey *agent.Survey) error {
	receipt := survey.Waits
	if receipt == nil {
		return nil
	}
	b.kept = true
	if !b.opts.Attended && !b.opts.DryRun {
		b.talk.Warn("the archive of an earlier backup was never fetched, and makes way for this one")
		b.kept = false
		return nil
	}
	file, where := "FILE", "in volume "+b.opts.Spool
	if receipt.Output != "" {
		file, where = failure.Quote(receipt.Output), "in "+receipt.Output+".part"
	}
	err := failure.Refuse(fmt.Errorf("a finished archive waits %s, from an earlier backup", where),
		"fetch it with: docker ucp backup --resume "+file)
	return failure.WithHint(err, "or take a new one instead, which loses that archive: docker ucp backup --yes FILE")
}
