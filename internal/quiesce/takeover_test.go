package quiesce_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/assert/cmp"

	"github.com/docker-ucp/docker-ucp/internal/quiesce"
)

// endsAfter makes the container end by itself after a while, as one does whose stop the engine goes on with.
func endsAfter(t *testing.T, engine *fakeEngine, id string, after time.Duration) {
	t.Helper()
	timer := time.AfterFunc(after, func() {
		if err := engine.put(id, exited); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { timer.Stop() })
}

func TestTheUndoBringsBackAContainerWhoseStopWentOnAfterItFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		plan := threeWaves()
		engine := engineWith(plan)
		engine.before = func(_ context.Context, call, id string) error {
			if call == "stop" && id == "kv" {
				endsAfter(t, engine, "kv", 10*time.Second)
				return errors.New("connection reset by peer")
			}
			return nil
		}
		undo, err := plan.Quiesce(t.Context(), engine, nothing)
		assert.ErrorContains(t, err, "connection reset by peer")
		assert.NilError(t, undo(t.Context(), patience))
		time.Sleep(time.Minute)
		assert.Check(t, cmp.Len(engine.notRunning(), 0))
	})
}

func TestTakeOverBringsBackWhatADeadRunnerWasStopping(t *testing.T) {
	minute := time.Minute
	tests := map[string]struct {
		timeout *time.Duration
		grace   time.Duration
		after   time.Duration
	}{
		"at once":                         {nil, 0, 0},
		"killed after the engine's grace": {nil, 0, 12 * time.Second},
		"killed after the container's":    {nil, 2 * time.Minute, 122 * time.Second},
		"killed after the operator's":     {&minute, 0, 62 * time.Second},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				plan := threeWaves()
				plan.StopTimeout, plan.Waves[2][0].Grace = test.timeout, test.grace
				engine := engineWith(plan)
				engine.states["agent"], engine.states["proxy"] = paused, exited
				endsAfter(t, engine, "kv", test.after)
				assert.NilError(t, plan.TakeOver(t.Context(), engine, patience))
				time.Sleep(time.Minute)
				assert.Check(t, cmp.Len(engine.notRunning(), 0))
			})
		})
	}
}

func TestTakeOverStartsWhatIsDownBeforeItWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		plan := threeWaves()
		engine := engineWith(plan)
		engine.states["kv"] = exited
		go func() {
			time.Sleep(time.Millisecond)
			assert.Check(t, cmp.Len(engine.notRunning(), 0))
		}()
		assert.NilError(t, plan.TakeOver(t.Context(), engine, patience))
	})
}

func TestTakeOverThatCouldNotWaitSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		plan := threeWaves()
		engine := engineWith(plan)
		delete(engine.states, "kv")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := plan.TakeOver(ctx, engine, patience)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		var left *quiesce.NotResumed
		assert.Assert(t, errors.As(err, &left))
		assert.DeepEqual(t, left.Names(), []string{"ucp-kv"})
	})
}
