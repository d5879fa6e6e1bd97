package quiesce

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
)

// callTimeout bounds one call to the engine beyond the time that a container may take to end.
const callTimeout = 60 * time.Second

// Quiesce brings the plan's containers to rest and calls done after each one.
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
	}
	return undo, nil
}

func (p *Plan) quiesceWave(ctx context.Context, engine Engine, wave []Target, done func()) error {
	var group errgroup.Group
	for _, target := range wave {
		group.Go(func() error {
			if err := context.Cause(ctx); err != nil {
				return err
			}
			if err := p.rest(context.WithoutCancel(ctx), engine, target); err != nil {
				return err
			}
			done()
			return nil
		})
	}
	return group.Wait()
}

func (p *Plan) rest(ctx context.Context, engine Engine, target Target) error {
	limit := callTimeout
	if p.StopTimeout != nil {
		limit += *p.StopTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
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
