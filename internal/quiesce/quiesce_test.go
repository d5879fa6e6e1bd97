package quiesce_test

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/assert/cmp"

	"github.com/docker-ucp/docker-ucp/internal/quiesce"
)

func nothing() {}

// patience is how long these tests let an engine be away.
const patience = 2 * time.Minute

func TestQuiesceGoesWaveByWaveAndTellsEachOne(t *testing.T) {
	plan := threeWaves()
	engine := engineWith(plan)
	var done atomic.Int32
	undo, err := plan.Quiesce(t.Context(), engine, func() { done.Add(1) })
	assert.NilError(t, err)
	assert.Equal(t, engine.seen(1, 3, 2),
		"pause agent, pause api, stop controller, stop proxy, stop kv, stop store")
	assert.Equal(t, int(done.Load()), plan.Len())

	engine.calls = nil
	assert.NilError(t, undo(t.Context(), patience))
	assert.Equal(t, engine.seen(2, 3, 1),
		"start kv, start store, start controller, start proxy, unpause api, unpause agent")
	assert.Check(t, cmp.Len(engine.notRunning(), 0))
}

func TestQuiesceWorksOnAWaveAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		plan := threeWaves()
		engine := engineWith(plan)
		// Every call waits until all of its wave have begun; one after the other they would wait for ever.
		waves := map[string]*sync.WaitGroup{}
		for _, wave := range plan.Waves {
			var begun sync.WaitGroup
			begun.Add(len(wave))
			for _, target := range wave {
				waves[target.ID] = &begun
			}
		}
		engine.before = func(_ context.Context, call, id string) error {
			if call == "stop" || call == "pause" {
				waves[id].Done()
				waves[id].Wait()
			}
			return nil
		}
		_, err := plan.Quiesce(t.Context(), engine, nothing)
		assert.NilError(t, err)
	})
}

func TestQuiesceEndsAWaveBeforeItBeginsTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		plan := threeWaves()
		engine := engineWith(plan)
		var atWork, most atomic.Int32
		engine.before = func(_ context.Context, call, _ string) error {
			if call == "look" {
				return nil
			}
			most.Store(max(most.Load(), atWork.Add(1)))
			time.Sleep(time.Second)
			atWork.Add(-1)
			return nil
		}
		began := time.Now()
		_, err := plan.Quiesce(t.Context(), engine, nothing)
		assert.NilError(t, err)
		assert.Equal(t, time.Since(began), 3*time.Second)
		assert.Equal(t, int(most.Load()), 3)
	})
}

func TestTheUndoBringsEverythingBackWhicheverCallFails(t *testing.T) {
	refused := errors.New("the engine refuses")
	for _, wave := range threeWaves().Waves {
		for _, target := range wave {
			t.Run(target.ID, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					plan := threeWaves()
					engine := engineWith(plan)
					engine.before = func(_ context.Context, call, id string) error {
						if call == string(target.Action) && id == target.ID {
							return refused
						}
						return nil
					}
					undo, err := plan.Quiesce(t.Context(), engine, nothing)
					assert.ErrorIs(t, err, refused)
					assert.Error(t, err, string(target.Action)+" "+target.Name+": the engine refuses")
					assert.NilError(t, undo(t.Context(), patience))
					assert.Check(t, cmp.Len(engine.notRunning(), 0))
				})
			})
		}
	}
}

func TestAFailureKeepsLaterWavesFromBeingTouched(t *testing.T) {
	plan := threeWaves()
	engine := engineWith(plan)
	engine.before = func(_ context.Context, call, id string) error {
		if call == "stop" && id == "proxy" {
			return errors.New("the engine refuses")
		}
		return nil
	}
	_, err := plan.Quiesce(t.Context(), engine, nothing)
	assert.ErrorContains(t, err, "ucp-proxy")
	assert.Equal(t, engine.seen(1, 3), "pause agent, pause api, stop controller, stop proxy")
}

func TestQuiesceNamesEveryContainerThatFails(t *testing.T) {
	plan := threeWaves()
	engine := engineWith(plan)
	engine.before = func(_ context.Context, call, id string) error {
		if call != "look" && (id == "proxy" || id == "api") {
			return errors.New("no " + id)
		}
		return nil
	}
	_, err := plan.Quiesce(t.Context(), engine, nothing)
	assert.Error(t, err, "pause ucp-api: no api\nstop ucp-proxy: no proxy")
}

func TestContainersThatHaveEndedSinceThePlanStayDown(t *testing.T) {
	plan := threeWaves()
	engine := engineWith(plan)
	engine.states["proxy"] = exited
	engine.states["api"] = paused
	undo, err := plan.Quiesce(t.Context(), engine, nothing)
	assert.NilError(t, err)
	assert.Equal(t, engine.seen(1, 1, 2), "pause agent, stop controller, stop kv, stop store")
	assert.NilError(t, undo(t.Context(), patience))
	assert.DeepEqual(t, engine.notRunning(), []string{"api", "proxy"})
}

func TestAPlanThatIsWrittenDownNeedNotNameWhatHasEnded(t *testing.T) {
	plan := threeWaves()
	engine := engineWith(plan)
	engine.states["proxy"], engine.states["agent"] = exited, paused
	now, err := plan.Running(t.Context(), engine)
	assert.NilError(t, err)
	assert.DeepEqual(t, now.IDs(), []string{"api", "controller", "kv", "store"})
	assert.Equal(t, engine.seen(), "")
	assert.Equal(t, plan.Len(), 6, "the plan itself stays")

	delete(engine.states, "store")
	_, err = plan.Running(t.Context(), engine)
	assert.ErrorIs(t, err, errGone)
}

func TestAContainerThatIsGoneEndsTheRunBeforeAnythingIsTouched(t *testing.T) {
	plan := threeWaves()
	engine := engineWith(plan)
	delete(engine.states, "store")
	undo, err := plan.Quiesce(t.Context(), engine, nothing)
	assert.ErrorIs(t, err, errGone)
	assert.ErrorContains(t, err, "ucp-store")
	assert.NilError(t, undo(t.Context(), patience))
	assert.Equal(t, engine.seen(), "")
}

func TestAPlanSurvivesBeingWrittenDown(t *testing.T) {
	timeout := 90 * time.Second
	plan := threeWaves()
	plan.StopTimeout = &timeout
	plan.Waves[2][0].Grace = time.Minute
	written, err := json.Marshal(plan)
	assert.NilError(t, err)
	var read quiesce.Plan
	assert.NilError(t, json.Unmarshal(written, &read))
	assert.DeepEqual(t, &read, plan)
}

func TestAPlanNamesItsContainersByAction(t *testing.T) {
	plan := threeWaves()
	assert.Equal(t, plan.Len(), 6)
	assert.DeepEqual(t, plan.Names(quiesce.Pause), []string{"ucp-agent", "ucp-api"})
	assert.DeepEqual(t, plan.Names(quiesce.Stop), []string{"ucp-controller", "ucp-proxy", "ucp-kv", "ucp-store"})
}
