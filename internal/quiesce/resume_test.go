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

// single is a plan of one container, "x".
func single(action quiesce.Action) *quiesce.Plan {
	return &quiesce.Plan{Waves: [][]quiesce.Target{{{ID: "x", Name: "ucp-x", Action: action}}}}
}

func TestResumeDoesWhatTheStateAsksFor(t *testing.T) {
	gone := quiesce.State{Paused: true} // stands for a container that the engine does not have
	const owned = true
	tests := map[string]struct {
		action quiesce.Action
		owned  bool
		state  quiesce.State
		calls  string
		fails  bool
	}{
		"a stopped container is started":                                {quiesce.Stop, false, exited, "start x", false},
		"a container that runs already is left alone":                   {quiesce.Stop, false, running, "", false},
		"one that was to be stopped and is frozen is unfrozen":          {quiesce.Stop, false, paused, "unpause x", false},
		"a container of UCP that is gone is told of":                    {quiesce.Stop, false, gone, "", true},
		"a frozen container is unfrozen":                                {quiesce.Pause, false, paused, "unpause x", false},
		"one that was never frozen is left alone":                       {quiesce.Pause, false, running, "", false},
		"a frozen one that an engine's restart ended is started":        {quiesce.Pause, false, exited, "start x", false},
		"a frozen container of UCP that is gone is told of":             {quiesce.Pause, false, gone, "", true},
		"a frozen pod is unfrozen":                                      {quiesce.Pause, owned, paused, "unpause x", false},
		"a pod that runs is left alone":                                 {quiesce.Pause, owned, running, "", false},
		"a pod that has ended is left to its owner":                     {quiesce.Pause, owned, exited, "", false},
		"a pod that is gone is left to its owner":                       {quiesce.Pause, owned, gone, "", false},
		"one with an owner that was to be stopped is left to the owner": {quiesce.Stop, owned, exited, "", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				engine := engineWith(&quiesce.Plan{})
				if test.state != gone {
					engine.states["x"] = test.state
				}
				plan := single(test.action)
				plan.Waves[0][0].Owned = test.owned
				began := time.Now()
				err := plan.Resume(t.Context(), engine, patience)
				if test.fails {
					assert.ErrorIs(t, err, errGone)
				} else {
					assert.NilError(t, err)
				}
				assert.Equal(t, engine.seen(), test.calls)
				assert.Equal(t, engine.looks, 1)
				assert.Equal(t, time.Since(began), time.Duration(0), "nothing to wait for")
			})
		})
	}
}

func TestResumeMayBeCalledAtAnyTimeAndTwice(t *testing.T) {
	plan := threeWaves()
	engine := engineWith(plan)
	assert.NilError(t, plan.Resume(t.Context(), engine, patience))
	engine.states["kv"], engine.states["agent"] = exited, paused
	assert.NilError(t, plan.Resume(t.Context(), engine, patience))
	assert.NilError(t, plan.Resume(t.Context(), engine, patience))
	assert.Equal(t, engine.seen(), "start kv, unpause agent")
}

func TestResumeTriesAgainWithLongerPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine := engineWith(&quiesce.Plan{})
		engine.states["x"] = exited
		began := time.Now()
		var tried []time.Duration
		engine.before = func(_ context.Context, call, _ string) error {
			if call == "look" {
				return nil
			}
			if tried = append(tried, time.Since(began)); len(tried) < 5 {
				return errors.New("port is taken")
			}
			return nil
		}
		assert.NilError(t, single(quiesce.Stop).Resume(t.Context(), engine, patience))
		const half = 500 * time.Millisecond
		assert.DeepEqual(t, tried, []time.Duration{0, half, 3 * half, 7 * half, 15 * half})
	})
}

func TestResumeGoesOnPastThoseThatFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		plan := threeWaves()
		engine := engineWith(plan)
		undo, err := plan.Quiesce(t.Context(), engine, nothing)
		assert.NilError(t, err)

		refused := errors.New("port is taken")
		delete(engine.states, "proxy")
		engine.before = func(_ context.Context, call, id string) error {
			if call == "start" && id == "store" {
				return refused
			}
			return nil
		}
		began := time.Now()
		err = undo(t.Context(), patience)
		assert.DeepEqual(t, engine.notRunning(), []string{"store"})
		assert.Equal(t, time.Since(began), 7500*time.Millisecond)

		var left *quiesce.NotResumed
		assert.Assert(t, errors.As(err, &left))
		assert.DeepEqual(t, left.Names(), []string{"ucp-store", "ucp-proxy"})
		assert.ErrorIs(t, err, refused)
		assert.ErrorIs(t, err, errGone)
		assert.Error(t, err, "start ucp-store again: port is taken\nstart ucp-proxy again: no such container")
	})
}

func TestResumeWaitsForAnEngineThatIsStartedAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		plan := threeWaves()
		engine := engineWith(plan)
		undo, err := plan.Quiesce(t.Context(), engine, nothing)
		assert.NilError(t, err)
		began := time.Now()
		engine.before = func(context.Context, string, string) error {
			if time.Since(began) < 90*time.Second {
				return errors.New("connection refused")
			}
			return nil
		}
		assert.NilError(t, undo(t.Context(), patience))
		assert.Check(t, cmp.Len(engine.notRunning(), 0))
		took := time.Since(began)
		assert.Check(t, took <= 95*time.Second, "looked again %s after the engine came back", took-90*time.Second)
	})
}

func TestResumeGivesUpOnAnEngineThatNeverAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		plan := threeWaves()
		engine := engineWith(plan)
		away := errors.New("connection refused")
		engine.before = func(context.Context, string, string) error { return away }
		began := time.Now()
		err := plan.Resume(t.Context(), engine, patience)
		assert.ErrorIs(t, err, away)
		var left *quiesce.NotResumed
		assert.Assert(t, errors.As(err, &left))
		assert.Equal(t, len(left.Names()), plan.Len())
		took := time.Since(began)
		assert.Check(t, took >= 2*time.Minute && took < 3*time.Minute, "the waves share one patience; took %s", took)
	})
}

func TestResumeEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine := engineWith(&quiesce.Plan{})
		engine.states["x"] = exited
		refused := errors.New("port is taken")
		engine.before = func(_ context.Context, call, _ string) error {
			if call == "start" {
				return refused
			}
			return nil
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := single(quiesce.Stop).Resume(ctx, engine, patience)
		assert.ErrorIs(t, err, refused)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
	})
}

func TestOneCallThatHangsDoesNotHoldUpTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		plan := threeWaves()
		engine := engineWith(plan)
		undo, err := plan.Quiesce(t.Context(), engine, nothing)
		assert.NilError(t, err)
		hung := false
		engine.before = func(ctx context.Context, call, id string) error {
			if call == "start" && id == "kv" && !hung {
				hung = true
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		}
		assert.NilError(t, undo(t.Context(), patience))
		assert.Check(t, cmp.Len(engine.notRunning(), 0))
	})
}
