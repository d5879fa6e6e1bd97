package quiesce_test

import (
	"context"
	"testing"
	"testing/synctest"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/assert/cmp"

	"github.com/docker-ucp/docker-ucp/internal/quiesce"
)

// allFrozen is a plan that freezes everything: UCP's own containers because the operator wants that, and a task.
func allFrozen() *quiesce.Plan {
	plan := threeWaves()
	for _, wave := range plan.Waves {
		for i := range wave {
			wave[i].Owned = wave[i].Action == quiesce.Pause
			wave[i].Action = quiesce.Pause
		}
	}
	return plan
}

func TestAPlanThatFreezesAllStopsNothing(t *testing.T) {
	plan := allFrozen()
	engine := engineWith(plan)
	undo, err := plan.Quiesce(t.Context(), engine, nothing)
	assert.NilError(t, err)
	assert.Equal(t, engine.seen(1, 3, 2), "pause agent, pause api, pause controller, pause proxy, pause kv, pause store")
	engine.calls = nil
	assert.NilError(t, undo(t.Context(), patience))
	assert.Equal(t, engine.seen(2, 3, 1),
		"unpause kv, unpause store, unpause api, unpause controller, unpause proxy, unpause agent")
	assert.Check(t, cmp.Len(engine.notRunning(), 0))
}

func TestWhatAnEnginesRestartEndedWhileItWasFrozenRunsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		plan := allFrozen()
		engine := engineWith(plan)
		undo, err := plan.Quiesce(t.Context(), engine, nothing)
		assert.NilError(t, err)
		engine.calls = nil
		// The engine died and is back: what has the policy "always" runs, the rest is down, the tasks are replaced.
		engine.states["kv"], engine.states["controller"], engine.states["proxy"] = exited, exited, running
		engine.states["api"] = exited
		delete(engine.states, "agent")
		assert.NilError(t, undo(t.Context(), patience))
		assert.Equal(t, engine.seen(2, 1), "start kv, unpause store, start controller")
		assert.DeepEqual(t, engine.notRunning(), []string{"api"})
	})
}

func TestAFrozenContainerThatEndsWhileItIsUnfrozenIsStarted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine := engineWith(&quiesce.Plan{})
		engine.states["x"] = paused
		engine.before = func(_ context.Context, call, _ string) error {
			if call == "unpause" {
				engine.states["x"] = exited
				return context.DeadlineExceeded
			}
			return nil
		}
		assert.NilError(t, single(quiesce.Pause).Resume(t.Context(), engine, patience))
		assert.Equal(t, engine.seen(), "unpause x, start x")
	})
}
