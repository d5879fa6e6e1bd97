package agent

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
	"github.com/docker-ucp/docker-ucp/internal/ucp"
)

// silenceError says that the engine gives no answer. Whoever meets it leaves everything as it is, without a last word: the
// engine starts the agent again when it is back, with a socket that leads to it.
type silenceError struct{ cause error }

func (e *silenceError) Error() string { return fmt.Sprintf("the engine gives no answer: %v", e.cause) }
func (e *silenceError) Unwrap() error { return e.cause }

func isSilence(err error) bool {
	var silence *silenceError
	return errors.As(err, &silence)
}

// replay is what an agent does first, and mostly last, that finds the journal of one that died: it finishes what that one
// had begun. It does not read its input, which does not end in a container that the engine started again.
func (r *runner) replay(ctx context.Context) error {
	journal, err := r.spool.readJournal()
	switch {
	case errors.Is(err, errDamaged):
		return r.leaveDamaged(err)
	case err != nil: // a disk that cannot be read now may be later
		r.emit(Event{Type: Warning, Message: err.Error()})
		return err
	}
	id, err := r.awaitEngine(context.WithoutCancel(ctx)) // whoever stops the agent wants UCP to run
	if err == nil && id != journal.EngineID {
		return r.leaveToOther(journal, id)
	}
	if err == nil {
		r.emit(Event{Type: Warning, Message: fmt.Sprintf("the backup that %s started was interrupted on the manager; bringing UCP back", journal.By)})
		err = r.takeOver(ctx, journal, journal.Plan.TakeOver)
	}
	r.lastWordOf(journal, err)
	if r.spool.unsettled() && !isSilence(err) {
		r.persist(ctx, journal)
	}
	return r.promise()
}

// The pauses between two tries of a later life, which double.
const (
	persistPause        = 5 * time.Second
	longestPersistPause = time.Minute
)

// persist tries again and again what the engine refuses: to start a container, or, for want of a leader, to take the
// node's label off. It leaves alone what is done, which is the operator's again to stop. It stays alive meanwhile and does
// not leave that to the engine's restarts: measured, an engine 20.10 that is killed while a container waits between two of
// them forgets to start it. It ends with ctx, for the next backup to take over, and where the engine gives no answer.
func (r *runner) persist(ctx context.Context, left *Journal) {
	for length := persistPause; pause(ctx, length) == nil; length = min(2*length, longestPersistPause) {
		switch err := r.takeOver(ctx, left, left.Plan.Resume); {
		case isSilence(err):
			r.waitForEngine(err)
			return
		case !r.spool.unsettled():
			r.emit(Event{Type: Warning, Message: "UCP is as it was before the backup that was interrupted"})
			return
		}
	}
}

// leaveDamaged keeps a journal whose content is damaged, as an orphan, for the next backup and for whoever reads the log,
// where the plan stands too. No later life could do more, so this is not an end that the engine should try again.
func (r *runner) leaveDamaged(err error) error {
	err = errors.Join(err, r.spool.adopt())
	r.fail(failure.NeedsAttention(
		fmt.Errorf("a backup was interrupted on the manager, and what it left at rest cannot be told: %w", err),
		"start what does not run of: docker ps --all --filter label="+ucp.LabelInstance+
			"; what was stopped says the plan in: docker logs "+engine.AgentName))
	return nil
}

// leaveToOther leaves the journal of another engine's agent alone: nothing of this engine rests because of it, and a
// spool that two managers share may be in use right now.
func (r *runner) leaveToOther(journal *Journal, id string) error {
	r.fail(failure.WithHint(
		fmt.Errorf("the spool holds the journal of a backup on engine %s, started by %s, and this is engine %s", journal.EngineID, journal.By, id),
		"use a volume that this manager has for itself: docker ucp backup --spool-volume NAME FILE"))
	return nil
}

// awaitEngine returns the engine's ID. It waits as long as enginePatience for one that gives no answer; its error is a
// *silenceError.
func (r *runner) awaitEngine(ctx context.Context) (string, error) {
	limited, cancel := context.WithTimeout(ctx, enginePatience)
	defer cancel()
	for {
		id, err := r.host.Engine.EngineID(limited)
		if err == nil {
			return id, nil
		}
		if pause(limited, enginePause) != nil {
			return "", &silenceError{err}
		}
	}
}

// takeOver brings back what the journal names, by its plan's TakeOver or Resume, and leaves in it what is still to do. No
// signal ends it: whoever stops the agent wants UCP to run.
func (r *runner) takeOver(ctx context.Context, left *Journal, bringBack func(context.Context, quiesce.Engine, time.Duration) error) error {
	if err := r.spool.adopt(); err != nil {
		r.emit(Event{Type: Warning, Message: err.Error()}) // the journal does as well
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), resumeTimeout)
	defer cancel()
	resumed := bringBack(ctx, r.host.Engine, enginePatience)
	err := r.settle(ctx, left.Node, resumed)
	if r.spool.unsettled() {
		if ctx.Err() == nil { // with time enough, what is not named was seen to run
			left.narrow(resumed, isHeld(err), r.host.Engine)
		}
		return err
	}
	return errors.Join(err, r.spool.tidy())
}

// narrow leaves of the journal what is worth another try: the containers that exist and do not run, and the label.
func (j *Journal) narrow(resumed error, held bool, engine quiesce.Engine) {
	if !held {
		j.Node = ""
	}
	again := map[string]bool{}
	var failed *quiesce.NotResumed
	if errors.As(resumed, &failed) {
		for i, target := range failed.Targets {
			again[target.ID] = !engine.IsGone(failed.Causes[i])
		}
	}
	waves := make([][]quiesce.Target, len(j.Plan.Waves))
	for i, wave := range j.Plan.Waves {
		waves[i] = slices.DeleteFunc(slices.Clone(wave), func(target quiesce.Target) bool { return !again[target.ID] })
	}
	j.Plan.Waves = waves
}

// settle takes off the node's label and removes the journal, when there is nothing more to bring back. resumed is how
// bringing back went. Its error names all that was not put right.
func (r *runner) settle(ctx context.Context, node string, resumed error) error {
	if isUnanswered(resumed) {
		return &silenceError{firstOf(resumed)}
	}
	released := r.release(ctx, node)
	switch {
	case isHeld(released):
		r.held = node
	case released == nil:
		r.held = ""
	}
	var left *quiesce.NotResumed
	over := resumed == nil || errors.As(resumed, &left) && left.Gone(r.host.Engine)
	if over && released == nil {
		released = r.spool.settle()
	}
	if resumed != nil {
		resumed = failure.NeedsAttention(resumed, "")
	}
	return errors.Join(resumed, released)
}

// firstOf returns why the first of the containers could not be asked about: the others have the same reason.
func firstOf(resumed error) error {
	var left *quiesce.NotResumed
	if errors.As(resumed, &left) && len(left.Causes) > 0 {
		return left.Causes[0]
	}
	return resumed
}

// lastWordOf says how the work of an agent that died has ended. Where that one had finished its archive, it has had its
// last word already.
func (r *runner) lastWordOf(journal *Journal, err error) {
	if isSilence(err) {
		r.waitForEngine(err)
		return
	}
	about := fmt.Sprintf("the backup that %s started at %s was interrupted on the manager", journal.By, journal.Since.Format(time.RFC3339))
	switch {
	case err == nil:
		err = failure.WithHint(fmt.Errorf("%s; UCP runs again", about), "try again")
	case r.spool.unsettled():
		err = fmt.Errorf("%s, and UCP is not yet as it was: %w", about, err)
	case notResumed(err) != nil:
		err = fmt.Errorf("%s; UCP runs again, without containers that are gone since, %s: %w", about, strings.Join(notResumed(err), ", "), err)
	default:
		err = fmt.Errorf("%s; UCP runs again: %w", about, err)
	}
	if r.spool.finished() {
		r.emit(Event{Type: Warning, Message: err.Error()})
		return
	}
	r.fail(err)
}
