package quiesce

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// How often a container that does not come up is tried, and the pauses between two tries, which double.
const (
	resumeTries  = 5
	resumePause  = 500 * time.Millisecond
	longestPause = 5 * time.Second
)

// killMargin is how long after the grace an engine that kills a container may take to be done with it.
const killMargin = 5 * time.Second

// NotResumed is the error of containers that ran before and could not be brought back.
type NotResumed struct {
	Targets []Target
	Causes  []error // why, in the order of Targets
}

func (e *NotResumed) Error() string {
	lines := make([]string, len(e.Targets))
	for i, target := range e.Targets {
		lines[i] = fmt.Sprintf("start %s again: %v", target.Name, e.Causes[i])
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns the causes.
func (e *NotResumed) Unwrap() []error { return e.Causes }

// Names returns the names of the containers that do not run.
func (e *NotResumed) Names() []string {
	names := make([]string, len(e.Targets))
	for i, target := range e.Targets {
		names[i] = target.Name
	}
	return names
}

// Gone tells that none of the containers exists any more.
func (e *NotResumed) Gone(engine Engine) bool {
	return !slices.ContainsFunc(e.Causes, func(cause error) bool { return !engine.IsGone(cause) })
}

// TakeOver brings back what somebody else was bringing to rest who died, or lost sight of the engine. A stop that the
// engine was once asked for goes on without whoever asked, so a container that runs may be about to end: TakeOver
// resumes at once, and again when every such stop must be over. Its error holds a *NotResumed, as that of Resume, or
// says why it could not wait.
func (p *Plan) TakeOver(ctx context.Context, engine Engine, patience time.Duration) error {
	first := p.Resume(ctx, engine, patience)
	select {
	case <-ctx.Done():
		return errors.Join(first, fmt.Errorf("wait until containers that were told to end have ended: %w", context.Cause(ctx)))
	case <-time.After(p.longestGrace() + killMargin):
		return p.Resume(ctx, engine, patience)
	}
}

func (p *Plan) longestGrace() (longest time.Duration) {
	for _, wave := range p.Waves {
		for _, target := range wave {
			longest = max(longest, p.grace(target))
		}
	}
	return longest
}

// Resume brings every container of the plan back, last wave first, and goes on past those that fail: a control plane
// that lacks one container is better than one that lacks all. Containers that run already are left alone, so it may be
// called at any time and more than once. An engine that gives no answer, as while it is started anew, is asked again for as
// long as patience. The error is a *NotResumed.
func (p *Plan) Resume(ctx context.Context, engine Engine, patience time.Duration) error {
	failed := &NotResumed{}
	until := time.Now().Add(patience)
	for _, wave := range slices.Backward(p.Waves) {
		results := make([]error, len(wave))
		var group sync.WaitGroup
		for i, target := range wave {
			group.Go(func() { results[i] = resumeWithTries(ctx, engine, target, until) })
		}
		group.Wait()
		for i, err := range results {
			if err != nil {
				failed.Targets = append(failed.Targets, wave[i])
				failed.Causes = append(failed.Causes, err)
			}
		}
	}
	if len(failed.Targets) > 0 {
		return failed
	}
	return nil
}

// resumeWithTries tries again when the container does not come up, and until the time is over when the engine does
// not even say in which state it is.
func resumeWithTries(ctx context.Context, engine Engine, target Target, until time.Time) error {
	pause := resumePause
	for tries := 0; ; pause = min(2*pause, longestPause) {
		answered, err := resume(ctx, engine, target)
		if answered {
			tries++
		}
		switch {
		case err == nil, engine.IsGone(err), tries == resumeTries, !answered && time.Now().After(until):
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w; given up: %w", err, context.Cause(ctx))
		case <-time.After(pause):
		}
	}
}

// resume does what the container's state asks for and not what the plan once did to it. One that has
// an owner and no longer runs, or is gone, is left to its owner.
// It reports whether the engine told the state.
func resume(ctx context.Context, engine Engine, target Target) (answered bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	state, err := engine.ContainerState(ctx, target.ID)
	switch {
	case err != nil && target.Owned && engine.IsGone(err):
		return true, nil
	case err != nil:
		return false, err
	case state.Paused:
		return true, engine.UnpauseContainer(ctx, target.ID)
	case state.Running, target.Owned:
		return true, nil
	default:
		return true, engine.StartContainer(ctx, target.ID)
	}
}
