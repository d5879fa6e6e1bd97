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

var errSignal = errors.New("terminated")

func TestACancelBetweenTwoStopsStartsNoOther(t *testing.T) {
	tests := map[string]struct {
		during string // the call in which the signal comes
		want   string
	}{
		"in the first wave":  {"agent", "pause agent"},
		"in the second wave": {"controller", "pause agent, pause api, stop controller, stop proxy"},
		"in the last wave":   {"kv", "pause agent, pause api, stop controller, stop proxy, stop kv, stop store"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				plan := threeWaves()
				engine := engineWith(plan)
				ctx, cancel := context.WithCancelCause(t.Context())
				engine.before = func(_ context.Context, call, id string) error {
					if call != "look" && id == test.during {
						time.Sleep(time.Second) // the others of the wave have begun
						cancel(errSignal)
					}
					return nil
				}
				undo, err := plan.Quiesce(ctx, engine, nothing)
				assert.ErrorIs(t, err, errSignal)
				assert.Equal(t, engine.seen(1, 3, 2), test.want)

				engine.before = nil
				began := time.Now()
				assert.NilError(t, undo(context.WithoutCancel(ctx), patience))
				assert.Check(t, cmp.Len(engine.notRunning(), 0))
				assert.Equal(t, time.Since(began), time.Duration(0), "nothing failed, so nothing is waited for")
			})
		})
	}
}

func TestACancelledRunTouchesNothing(t *testing.T) {
	plan := threeWaves()
	engine := engineWith(plan)
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errSignal)
	undo, err := plan.Quiesce(ctx, engine, nothing)
	assert.ErrorIs(t, err, errSignal)
	assert.NilError(t, undo(t.Context(), patience))
	assert.Equal(t, engine.seen(), "")
}

func TestACancelDoesNotCutAStopThatIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		plan := threeWaves()
		engine := engineWith(plan)
		ctx, cancel := context.WithCancelCause(t.Context())
		engine.before = func(calling context.Context, call, id string) error {
			if call != "stop" || id != "controller" {
				return nil
			}
			time.Sleep(time.Second) // the others of the wave have begun
			cancel(errSignal)
			select {
			case <-calling.Done():
				return calling.Err()
			case <-time.After(9 * time.Second):
				return nil
			}
		}
		undo, err := plan.Quiesce(ctx, engine, nothing)
		assert.Error(t, err, errSignal.Error())
		assert.DeepEqual(t, engine.notRunning(), []string{"agent", "api", "controller", "proxy"})
		assert.NilError(t, undo(context.WithoutCancel(ctx), patience))
		assert.Check(t, cmp.Len(engine.notRunning(), 0))
	})
}

func TestAStopIsGivenTheTimeThatTheContainerMayTake(t *testing.T) {
	minute, none := time.Minute, time.Duration(0)
	tests := map[string]struct {
		timeout *time.Duration
		grace   time.Duration
		takes   time.Duration
		want    string // of the error; empty for none
	}{
		"the engine's usual":                     {nil, 0, 69 * time.Second, ""},
		"more than the engine's usual":           {nil, 0, 71 * time.Second, "stop ucp-kv: context deadline exceeded"},
		"the container's own, longer":            {nil, 10 * time.Minute, 10*time.Minute + 59*time.Second, ""},
		"more than the container's own":          {nil, 10 * time.Minute, 12 * time.Minute, "stop ucp-kv: context deadline exceeded"},
		"the operator's, before the container's": {&minute, 10 * time.Minute, 3 * time.Minute, "stop ucp-kv: context deadline exceeded"},
		"the operator's":                         {&minute, 0, 119 * time.Second, ""},
		"none":                                   {&none, 0, 59 * time.Second, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				plan := threeWaves()
				plan.StopTimeout = test.timeout
				plan.Waves[2][0].Grace = test.grace
				engine := engineWith(plan)
				engine.before = func(ctx context.Context, call, id string) error {
					if call == "look" || id != "kv" {
						return nil
					}
					select {
					case <-ctx.Done():
						return ctx.Err()
					case <-time.After(test.takes):
						return nil
					}
				}
				_, err := plan.Quiesce(t.Context(), engine, nothing)
				if test.want == "" {
					assert.NilError(t, err)
				} else {
					assert.Error(t, err, test.want)
				}
			})
		})
	}
}

func TestTheOperatorsTimeoutGoesToTheEngine(t *testing.T) {
	plan := threeWaves()
	timeout := 90 * time.Second
	plan.StopTimeout = &timeout
	engine := engineWith(plan)
	_, err := plan.Quiesce(t.Context(), engine, nothing)
	assert.NilError(t, err)
	assert.Check(t, cmp.Contains(engine.seen(1, 3, 2), "stop within 1m30s kv"))
}

func TestACallWithoutAnAnswerIsGivenUpSoonAfterACancel(t *testing.T) {
	for action, within := range map[quiesce.Action]time.Duration{quiesce.Stop: 20 * time.Second, quiesce.Pause: 10 * time.Second} {
		t.Run(string(action), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				plan := single(action)
				ctx, cancel := context.WithCancelCause(t.Context())
				engine := engineWith(plan)
				engine.before = func(calling context.Context, call, _ string) error {
					if call == "look" {
						return nil
					}
					cancel(errSignal)
					<-calling.Done()
					return calling.Err()
				}
				began := time.Now()
				_, err := plan.Quiesce(ctx, engine, nothing)
				assert.ErrorIs(t, err, context.Canceled)
				assert.Equal(t, time.Since(began), within)
			})
		})
	}
}
