package backup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/docker-ucp/docker-ucp/internal/agent"
	"github.com/docker-ucp/docker-ucp/internal/engine"
	"github.com/docker-ucp/docker-ucp/internal/failure"
)

const (
	// startingTime is how long a run may take from making its agent to starting it.
	startingTime = time.Minute
	// returningTime is how long a finished archive is left to the plugin that lost its connection to it: somewhat longer
	// than one tries to come back.
	returningTime = 3 * time.Minute
)

// leftover is what another run has on the manager.
type leftover struct {
	*engine.Found
	standing
	now      time.Time // on the engine's clock
	ownSpool bool      // a backup made the volume that it has as its spool

	journal *agent.Journal // what must be put right; nil for nothing
	orphan  bool           // the journal's own agent is dead, and its next life is putting it right
	receipt *agent.Receipt // an archive that waits; nil for none
	spoilt  bool           // there is a receipt, and what it says is damaged
}

// settleLeftover looks for the agent of another run: one that works is not disturbed; what one that died did not put
// right is put right, and its leavings are removed.
func (b *backup) settleLeftover(ctx context.Context) error {
	left, err := b.findLeftover(ctx)
	if err != nil || left == nil {
		return err
	}
	if b.opts.DryRun {
		return b.refuseDry(ctx, left)
	}
	if err := b.setRight(ctx, left); err != nil {
		return err
	}
	if err := b.refuseWaiting(ctx, left); err != nil {
		return err
	}
	b.talk.Say("removing what an earlier backup left on the manager, started by %s", left.StartedBy)
	b.nameTorso(left)
	return b.removeLeftover(ctx, left)
}

// nameTorso says where the beginning of an archive lies that will never be whole: on the machine that it was made from,
// which need not be this one, so nobody but its operator can tell whether that file is the one.
func (b *backup) nameTorso(left *leftover) {
	if left.journal != nil && left.journal.Output != "" && left.receipt == nil {
		part := left.journal.Output + ".part"
		b.talk.Say("the beginning of its archive may lie on the machine that it was started from: rm %s", failure.Quote(part))
	}
}

// findLeftover returns nil when there is nothing, or nothing any more, and refuses when another run is at work.
func (b *backup) findLeftover(ctx context.Context) (*leftover, error) {
	found, err := b.engine.FindAgent(ctx)
	if err != nil || found == nil {
		return nil, err
	}
	if !found.IsOurs() {
		return nil, failure.Refuse(fmt.Errorf("a container on this manager is named %s and is none of ours", engine.AgentName),
			"rename it with: docker rename "+engine.AgentName+" NAME")
	}
	left, err := b.lookAt(ctx, found)
	if err == nil && left != nil && left.busy() {
		return nil, left.refuseBusy()
	}
	return left, err
}

// refuseBusy leaves a run at work alone. One that has finished waits to be fetched from, or for a connection that broke
// and that its engine has not missed yet.
func (l *leftover) refuseBusy() error {
	err := failure.Refuse(
		fmt.Errorf("another backup is running on this manager since %s, started by %s", l.Since.Local().Format(time.DateTime), l.StartedBy),
		"see what it does: docker logs --follow "+engine.AgentName)
	if l.receipt != nil && l.journal == nil {
		err = failure.WithHint(err, "its archive is finished; if nobody is fetching it: docker stop "+engine.AgentName+"; docker ucp backup --resume FILE")
	}
	return err
}

func (b *backup) lookAt(ctx context.Context, found *engine.Found) (left *leftover, err error) {
	left = &leftover{Found: found}
	if left.now, err = b.engine.Clock(ctx); err != nil {
		return nil, err
	}
	left.standing, err = look(ctx, b.engine, found.Agent)
	if b.engine.IsGone(err) { // its own run has just removed it
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if left.ownSpool, err = b.isOurs(ctx, left.spool); err != nil {
		return nil, err
	}
	if err := left.readPapers(ctx, b.engine); err != nil {
		return nil, err
	}
	if left.spoilt {
		b.talk.Warn("the receipt of an archive that an earlier backup, started by %s, left is damaged, so nothing is known of the archive: it counts as none", left.StartedBy)
	}
	return left, nil
}

// isOurs tells a volume that a backup made, this one or an earlier one, from the operator's own.
func (b *backup) isOurs(ctx context.Context, volume string) (bool, error) {
	if volume == "" {
		return false, nil
	}
	_, ours, err := b.engine.FindVolume(ctx, volume)
	return ours, err
}

// busy tells an agent at work, or about to be, from one that is dead and the next life of such a one. One that has ended
// after all was delivered may be started again to hold the name, and is at work too.
func (l *leftover) busy() bool {
	switch {
	case l.orphan, l.restarting && l.journal != nil:
		return false
	case l.created:
		return l.now.Sub(l.Since) < startingTime
	default:
		return l.Running
	}
}

// refuseDry says what a backup would find here. A dry run changes nothing, so it cannot make room for its own agent.
func (b *backup) refuseDry(ctx context.Context, left *leftover) error {
	down, err := b.downOf(ctx, left)
	switch {
	case err != nil:
		return err
	case len(down) > 0:
		return failure.Refuse(
			fmt.Errorf("UCP is at rest: an earlier backup, started by %s, died and left %s down; the next backup brings them back first", left.StartedBy, strings.Join(down, ", ")),
			"take a backup, or: "+startByHand(&left.journal.Plan, down)+releaseToo(left.journal.Node))
	case left.receipt != nil && left.delivered(ctx) == "":
		return left.waits("; a dry run leaves it alone")
	default:
		return failure.Refuse(
			fmt.Errorf("an earlier backup, started by %s, left container %s behind; the next backup sets that right first", left.StartedBy, engine.AgentName),
			"take a backup, or look at: docker logs "+engine.AgentName)
	}
}

// downOf names the containers that the journal would bring back.
func (b *backup) downOf(ctx context.Context, left *leftover) (names []string, err error) {
	if left.journal == nil {
		return nil, nil
	}
	for _, target := range slices.Concat(left.journal.Plan.Waves...) {
		state, err := b.engine.ContainerState(ctx, target.ID)
		if b.engine.IsGone(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("look at %s: %w", target.Name, err)
		}
		if !state.Running && !target.Owned || state.Paused {
			names = append(names, target.Name)
		}
	}
	return names, nil
}

// refuseWaiting stops a backup in whose way a finished archive lies, where somebody can be asked for it, or its own
// plugin may still come back; otherwise the archive makes way.
func (b *backup) refuseWaiting(ctx context.Context, left *leftover) error {
	if left.receipt == nil {
		return nil
	}
	if place := left.delivered(ctx); place != "" {
		b.talk.Say("the earlier backup's archive is in its place: %s", place)
		return nil
	}
	switch {
	case left.returning():
		return left.waits("; whoever started it may be about to fetch it")
	case b.opts.Attended:
		return left.waits("")
	}
	b.talk.Warn("the archive of an earlier backup, started by %s, was never fetched, and makes way for this one", left.StartedBy)
	if left.receipt.Output != "" {
		b.talk.Warn("on the machine that it was made from, what there is of it is: %s", left.receipt.Output+".part")
	}
	return nil
}

// returning tells that the plugin whose archive waits may be on its way back to it.
func (l *leftover) returning() bool {
	return !l.Ended.IsZero() && l.now.Sub(l.Ended) < returningTime
}

// waits is the refusal to throw a finished archive away.
func (l *leftover) waits(more string) error {
	file, where := "FILE", "on the manager"
	if output := l.receipt.Output; output != "" {
		file, where = failure.Quote(output), "in "+output+".part"
	}
	err := fmt.Errorf("a finished archive waits %s, from a backup of %s, started by %s%s",
		where, l.Since.Local().Format(time.DateTime), l.StartedBy, more)
	anew := "or take a new one instead, which loses that archive: docker ucp backup --yes FILE"
	if l.returning() {
		anew = "or, from " + l.Ended.Add(returningTime).Local().Format(time.TimeOnly) + " on, take a new one, which loses that archive: docker ucp backup --yes FILE"
	}
	return failure.Refuse(failure.WithHint(err, anew), "fetch it with: docker ucp backup --resume "+file)
}

// delivered returns the file in which an archive lies that the operator's machine holds already, under its own name: its
// run died after the very last step. Empty for none.
func (l *leftover) delivered(ctx context.Context) string {
	output := l.receipt.Output
	if output == "" {
		return ""
	}
	if _, err := os.Lstat(output + ".part"); !errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	if _, err := digestOf(ctx, output, &l.receipt.Result); err != nil {
		return ""
	}
	return output
}
