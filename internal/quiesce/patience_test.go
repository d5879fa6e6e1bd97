package quiesce_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/assert/cmp"

	"github.com/docker-ucp/docker-ucp/internal/quiesce"
)

var errRefused = errors.New("connection refused")

// never answers, as an engine that accepts a connection and hangs.
func never(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

// leftBy returns what the error says does not run.
func leftBy(t *testing.T, err error) *quiesce.NotResumed {
	t.Helper()
	var left *quiesce.NotResumed
	assert.Assert(t, errors.As(err, &left), "%v", err)
	return left
}

func TestASilentEngineIsGivenUpOnAfterOnePatience(t *testing.T) {
	const short = 5 * time.Second
	tests := map[string]struct {
		answer  func(context.Context) error
		longest time.Duration
	}{
		"it refuses connections":     {func(context.Context) error { return errRefused }, short},
		"it accepts and never talks": {never, short + 2*time.Second}, // a quick look for each of the other waves
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				plan := threeWaves()
				engine := engineWith(plan)
				engine.states["kv"], engine.states["agent"] = exited, paused
				engine.before = func(ctx context.Context, _, _ string) error { return test.answer(ctx) }
				began := time.Now()
				left := leftBy(t, plan.Resume(t.Context(), engine, short))
				took := time.Since(began)
				assert.Check(t, took >= short && took <= test.longest, "took %s", took)
				assert.Equal(t, engine.seen(), "", "nothing was changed")
				assert.Check(t, left.Unanswered)
				assert.Check(t, !left.Gone(engine))
				assert.DeepEqual(t, left.Names(), []string{"ucp-kv", "ucp-store", "ucp-api", "ucp-controller", "ucp-proxy", "ucp-agent"})
				assert.ErrorContains(t, left, "start ucp-agent again: no answer about its state: ")
			})
		})
	}
}

func TestASilentEngineIsNotTakenOverTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		plan := threeWaves()
		engine := engineWith(plan)
		engine.before = func(context.Context, string, string) error { return errRefused }
		began := time.Now()
		left := leftBy(t, plan.TakeOver(t.Context(), engine, 5*time.Second))
		assert.Check(t, left.Unanswered)
		assert.Equal(t, time.Since(began), 5*time.Second)
	})
}

// after returns nil after a while, unless the caller does not wait as long.
func after(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

func TestAnEngineThatIsSlowIsNotGivenUpOn(t *testing.T) {
	for name, state := range map[string]quiesce.State{"all must be started": exited, "all run": running} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				plan := threeWaves()
				engine := engineWith(plan)
				for id := range engine.states {
					engine.states[id] = state
				}
				engine.before = func(ctx context.Context, call, _ string) error {
					if call == "start" {
						return after(ctx, 100*time.Second)
					}
					return after(ctx, 4*time.Second)
				}
				assert.NilError(t, plan.Resume(t.Context(), engine, 5*time.Second))
				assert.Check(t, cmp.Len(engine.notRunning(), 0))
			})
		})
	}
}

// dyingAt makes the engine die in the middle of starting the controller, and stay away for a while.
func dyingAt(engine *fakeEngine, died, away time.Duration) {
	began := time.Now()
	engine.before = func(_ context.Context, call, id string) error {
		now := time.Since(began)
		switch {
		case call == "start" && id == "controller" && now < died:
			time.Sleep(died - now)
			return errors.New("unexpected EOF")
		case now >= died && now < died+away:
			return errRefused
		default:
			return nil
		}
	}
}

func TestPatienceBeginsWhenTheEngineFallsSilent(t *testing.T) {
	const died, short = 30 * time.Second, 5 * time.Second
	allDown := func() (*quiesce.Plan, *fakeEngine) {
		plan := threeWaves()
		engine := engineWith(plan)
		for id := range engine.states {
			engine.states[id] = exited
		}
		return plan, engine
	}
	t.Run("it comes back in time", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			plan, engine := allDown()
			dyingAt(engine, died, 4*time.Second)
			assert.NilError(t, plan.Resume(t.Context(), engine, short))
			assert.Check(t, cmp.Len(engine.notRunning(), 0))
		})
	})
	t.Run("it stays away", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			plan, engine := allDown()
			began := time.Now()
			dyingAt(engine, died, time.Hour)
			left := leftBy(t, plan.Resume(t.Context(), engine, short))
			assert.Check(t, left.Unanswered)
			assert.DeepEqual(t, left.Names(), []string{"ucp-controller", "ucp-agent"})
			assert.Equal(t, time.Since(began), died+short)
		})
	})
}

func TestAnEngineThatHangsOnOneContainerBringsBackTheOthersAndIsNoSilentOne(t *testing.T) {
	tests := map[string]struct {
		hangs   string // the call that is never answered
		longest time.Duration
		cause   string
	}{
		"asked about it":     {"look", 10 * time.Second, "start ucp-kv again: no answer about its state: context deadline exceeded"},
		"told to start it":   {"start", 5 * time.Minute, "start ucp-kv again: context deadline exceeded"},
		"told to unfreeze":   {"unpause", 5 * time.Minute, "start ucp-kv again: context deadline exceeded"},
		"after it was asked": {"second look", 3 * time.Minute, "start ucp-kv again: no answer about its state: context deadline exceeded"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				plan := threeWaves()
				engine := engineWith(plan)
				for id := range engine.states {
					engine.states[id] = exited
				}
				if test.hangs == "unpause" {
					engine.states["kv"] = paused
				}
				var started atomic.Bool
				engine.before = func(ctx context.Context, call, id string) error {
					hangs := call == test.hangs || test.hangs == "second look" && (call == "start" || started.Load())
					if id == "kv" && hangs {
						started.Store(true)
						return never(ctx)
					}
					return after(ctx, time.Second/2)
				}
				began := time.Now()
				left := leftBy(t, plan.Resume(t.Context(), engine, 5*time.Second))
				assert.Error(t, left, test.cause)
				assert.Check(t, !left.Unanswered)
				assert.DeepEqual(t, engine.notRunning(), []string{"kv"})
				assert.Check(t, time.Since(began) <= test.longest, "took %s", time.Since(began))
			})
		})
	}
}

func TestWhatAStartDoesNotFindIsNotTheContainer(t *testing.T) {
	noNetwork := errors.Join(errors.New("network ucp-bridge not found"), errGone)
	tests := map[string]struct {
		starts  int // from this try on the start goes well; zero for never
		removed bool
		left    bool
		gone    bool
	}{
		"a network that comes later":             {3, false, false, false},
		"a network that never comes":             {0, false, true, false},
		"the container, removed in that instant": {0, true, true, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				engine := engineWith(&quiesce.Plan{})
				engine.states["x"] = exited
				tries := 0
				engine.before = func(_ context.Context, call, _ string) error {
					if call != "start" {
						return nil
					}
					if test.removed {
						delete(engine.states, "x")
					}
					if tries++; tries == test.starts {
						return nil
					}
					return noNetwork
				}
				err := single(quiesce.Stop).Resume(t.Context(), engine, patience)
				if !test.left {
					assert.NilError(t, err)
					return
				}
				left := leftBy(t, err)
				assert.Equal(t, left.Gone(engine), test.gone)
				assert.Check(t, !left.Unanswered)
			})
		})
	}
}
