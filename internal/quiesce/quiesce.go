package quiesce

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Undo brings back what was brought to rest. It waits as long as patience for an engine that gives no answer, see
// Plan.Resume, and its error holds a *NotResumed.
type Undo func(ctx context.Context, patience time.Duration) error

// cancelMargin is how much longer than the grace a call may go on once nobody wants it any more.
const cancelMargin = 10 * time.Second

// callTimeout bounds one call to the engine beyond the time that a container may take to end.
const callTimeout = 60 * time.Second

// Quiesce brings the plan's containers to rest and calls done after each one, for those of a wave at the same time.
// Containers that have ended since the plan was made are left as they are, by the undo too; one that is gone is an
// error, because something that nobody planned for may run in its place.
//
// It always returns a usable undo, also together with an error: call it once on every way out. A cancelled context
// starts no further call, and lets one that is under way come to its end: an engine goes on stopping a container whose
// client has left, and an undo that came in between would be undone itself. One that gets no answer it gives up soon:
// an engine that is ending itself waits for us.
func (p *Plan) Quiesce(ctx context.Context, engine Engine, done func()) (undo Undo, err error) {
	plan, err := p.Running(ctx, engine)
	if err != nil {
		return func(context.Context, time.Duration) error { return nil }, err
	}
	undo = func(ctx context.Context, patience time.Duration) error { return plan.Resume(ctx, engine, patience) }
	for _, wave := range plan.Waves {
		if err := plan.quiesceWave(ctx, engine, wave, done); err != nil {
			return func(ctx context.Context, patience time.Duration) error { return plan.TakeOver(ctx, engine, patience) }, err
		}
		if err := context.Cause(ctx); err != nil {
			return undo, err
		}
	}
	return undo, nil
}

// Running returns the plan without the containers that do not run now, and changes nothing. Whoever writes a plan down
// for others to resume should write that one: what ended before anything was touched is not to be started.
func (p *Plan) Running(ctx context.Context, engine Engine) (*Plan, error) {
	now := &Plan{StopTimeout: p.StopTimeout}
	for _, wave := range p.Waves {
		states := make([]State, len(wave))
		err := each(wave, func(i int, target Target) (err error) {
			states[i], err = look(ctx, engine, target)
			return err
		})
		if err != nil {
			return nil, err
		}
		var still []Target
		for i, target := range wave {
			if states[i].Running && !states[i].Paused {
				still = append(still, target)
			}
		}
		now.Waves = append(now.Waves, still)
	}
	return now, nil
}

func look(ctx context.Context, engine Engine, target Target) (State, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	state, err := engine.ContainerState(ctx, target.ID)
	if err != nil {
		return state, fmt.Errorf("look at %s before it is brought to rest: %w", target.Name, err)
	}
	return state, nil
}

func (p *Plan) quiesceWave(ctx context.Context, engine Engine, wave []Target, done func()) error {
	return each(wave, func(_ int, target Target) error {
		if ctx.Err() != nil {
			return nil
		}
		if err := p.rest(ctx, engine, target); err != nil {
			return err
		}
		done()
		return nil
	})
}

// rest brings one container to rest. It waits for longer than the engine does before it kills the container.
func (p *Plan) rest(ctx context.Context, engine Engine, target Target) error {
	ctx, cancel := outlasting(ctx, cancelMargin+p.grace(target), callTimeout+p.grace(target))
	defer cancel()
	if target.Action == Pause {
		if err := engine.PauseContainer(ctx, target.ID); err != nil {
			return fmt.Errorf("pause %s: %w", target.Name, err)
		}
		return nil
	}
	if err := engine.StopContainer(ctx, target.ID, p.StopTimeout); err != nil {
		return fmt.Errorf("stop %s: %w", target.Name, err)
	}
	return nil
}

// outlasting returns a context that ends after limit, and once ctx is done after margin: what is under way should come to
// its end, but an engine that was told to end itself may never answer, and waits for us.
func outlasting(ctx context.Context, margin, limit time.Duration) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	stop := context.AfterFunc(ctx, func() {
		select {
		case <-longer.Done():
		case <-time.After(margin):
			cancel()
		}
	})
	return longer, func() { stop(); cancel() }
}

// each calls do for all targets at the same time and joins the errors in their order.
func each(targets []Target, do func(i int, target Target) error) error {
	errs := make([]error, len(targets))
	var group sync.WaitGroup
	for i, target := range targets {
		group.Go(func() { errs[i] = do(i, target) })
	}
	group.Wait()
	return errors.Join(errs...)
}
