package quiesce

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// callTimeout bounds one call to the engine beyond the time that a container may take to end.
const callTimeout = 60 * time.Second

// Quiesce brings the plan's containers to rest and calls done after each one, for those of a wave at the same time.
//
// It always returns a usable undo, also together with an error: call it once on every way out. A cancelled context
// starts no further call, but never cuts one that is under way: an engine goes on stopping a container whose client
// has left, and an undo that came in between would be undone itself.
func (p *Plan) Quiesce(ctx context.Context, engine Engine, done func()) (undo func(context.Context) error, err error) {
	undo = func(ctx context.Context) error { return p.Resume(ctx, engine) }
	for _, wave := range p.Waves {
		if err := p.quiesceWave(ctx, engine, wave, done); err != nil {
			return undo, err
		}
		if err := context.Cause(ctx); err != nil {
			return undo, err
		}
	}
	return undo, nil
}

func (p *Plan) quiesceWave(ctx context.Context, engine Engine, wave []Target, done func()) error {
	return each(wave, func(_ int, target Target) error {
		if ctx.Err() != nil {
			return nil
		}
		if err := p.rest(context.WithoutCancel(ctx), engine, target); err != nil {
			return err
		}
		done()
		return nil
	})
}

// rest brings one container to rest. It waits for longer than the engine does before it kills the container.
func (p *Plan) rest(ctx context.Context, engine Engine, target Target) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout+p.grace(target))
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
