package quiesce

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// How often a container that does not come up is tried, and the pauses between two tries, which double.
const (
	resumeTries  = 5
	resumePause  = 500 * time.Millisecond
	longestPause = 5 * time.Second
)

// startTimeout bounds one try to start a container. It is long, because an engine under load takes its time, and one
// that dies breaks the connection, which is noticed at once. After tryingLimit no other try begins, so that a container
// on which the engine hangs does not keep the rest from coming up for long.
const (
	startTimeout = 2 * time.Minute
	tryingLimit  = 3 * time.Minute
)

// shortestLook is what an engine has to answer a question when patience with it is over already: others may have used
// it up, and a quick answer is still welcome.
const shortestLook = time.Second

// killMargin is how long after the grace an engine that kills a container may take to be done with it.
const killMargin = 5 * time.Second

// TakeOver brings back what somebody else was bringing to rest who died, or lost sight of the engine. A stop that the
// engine was once asked for goes on without whoever asked, so a container that runs may be about to end: TakeOver
// resumes at once, and again when every such stop must be over. It does not wait for the second when the first ran out
// of patience. Its error holds a *NotResumed, as that of Resume, or says why it could not wait.
func (p *Plan) TakeOver(ctx context.Context, engine Engine, patience time.Duration) error {
	first := p.Resume(ctx, engine, patience)
	var left *NotResumed
	if errors.As(first, &left) && left.Unanswered {
		return first
	}
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
// called at any time and more than once.
//
// An engine that gives no answer, as while it is started anew, is asked again for as long as patience, counted from its
// last sign of life. All containers share that patience. A container that takes long to start costs none of it. The
// error is a *NotResumed.
func (p *Plan) Resume(ctx context.Context, engine Engine, patience time.Duration) error {
	r := &resuming{engine: engine, patience: patience, until: time.Now().Add(patience)}
	failed := &NotResumed{}
	var told *Target // one that the engine told the state of, the last
	for _, wave := range slices.Backward(p.Waves) {
		results := make([]error, len(wave))
		var group sync.WaitGroup
		for i, target := range wave {
			group.Go(func() { results[i] = r.bringBack(ctx, target) })
		}
		group.Wait()
		for i, err := range results {
			if !isNotTold(err) {
				told = &wave[i]
			}
			if err != nil {
				failed.Targets = append(failed.Targets, wave[i])
				failed.Causes = append(failed.Causes, err)
			}
		}
	}
	if len(failed.Targets) == 0 {
		return nil
	}
	failed.Unanswered = slices.ContainsFunc(failed.Causes, isNotTold) && r.silent(ctx, told)
	return failed
}

// resuming is one Resume at work.
type resuming struct {
	engine   Engine
	patience time.Duration

	mu    sync.Mutex
	until time.Time // when an engine that goes on saying nothing is given up on
}

// bringBack tries again when the container does not come up, and when the engine does not even say in which state it is.
func (r *resuming) bringBack(ctx context.Context, target Target) error {
	trying := time.Duration(0)
	for tries, next := 0, resumePause; ; next = min(2*next, longestPause) {
		pause := next
		state, err := r.look(ctx, target)
		switch {
		case err == nil:
			began := time.Now()
			err = r.act(ctx, target, state)
			trying += time.Since(began)
			if tries++; err == nil || tries == resumeTries || trying > tryingLimit {
				return err
			}
		case r.engine.IsGone(err) && target.Owned:
			return nil
		case r.engine.IsGone(err):
			return err
		default:
			err = &notTold{err}
			if pause = min(pause, r.left()); pause <= 0 {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w; given up: %w", err, context.Cause(ctx))
		case <-time.After(pause):
		}
	}
}

// look asks in which state the container is. A question that is never answered takes no longer than patience: an engine
// that begins to work accepts connections long before it answers.
func (r *resuming) look(ctx context.Context, target Target) (State, error) {
	ctx, cancel := context.WithTimeout(ctx, min(callTimeout, max(r.left(), shortestLook)))
	defer cancel()
	state, err := r.engine.ContainerState(ctx, target.ID)
	if err == nil || r.engine.IsGone(err) {
		r.heard()
	}
	return state, err
}

// act does what the container's state asks for and not what the plan once did to it. One that has an owner and no
// longer runs is left to its owner.
func (r *resuming) act(ctx context.Context, target Target, state State) (err error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	switch {
	case state.Paused:
		err = r.engine.UnpauseContainer(ctx, target.ID)
	case state.Running, target.Owned:
		return nil
	default:
		err = r.engine.StartContainer(ctx, target.ID)
	}
	r.heard() // it may have failed because the engine died, and then patience begins now
	if err != nil && r.engine.IsGone(err) {
		// What an engine does not find while it starts a container is a network, say, that is not there yet. Whether the
		// container is gone the next look tells.
		return errors.New(err.Error())
	}
	return err
}

func (r *resuming) heard() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.until = time.Now().Add(r.patience)
}

// left is how much of the patience is left.
func (r *resuming) left() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return time.Until(r.until)
}

// silent tells an engine that says nothing at all from one that keeps silent about a container on which it hangs: the
// latter still knows the state of another one.
func (r *resuming) silent(ctx context.Context, other *Target) bool {
	if other == nil {
		return true
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shortestLook)
	defer cancel()
	_, err := r.engine.ContainerState(ctx, other.ID)
	return err != nil && !r.engine.IsGone(err)
}
