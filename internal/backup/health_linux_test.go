package backup

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/client"
	"gotest.tools/v3/assert"
	"gotest.tools/v3/assert/cmp"

	"github.com/docker-ucp/docker-ucp/internal/agent"
	"github.com/docker-ucp/docker-ucp/internal/engine"
	"github.com/docker-ucp/docker-ucp/internal/failure"
	"github.com/docker-ucp/docker-ucp/internal/progress"
	"github.com/docker-ucp/docker-ucp/internal/quiesce"
	"github.com/docker-ucp/docker-ucp/internal/ucp"
)

// ward is an engine whose containers can be looked at, and asked for by small tasks. Any other call panics.
type ward struct {
	client.APIClient

	mu     sync.Mutex
	states map[string]func() (*container.State, error) // by ID; those that are not named run
	looks  map[string]int
	pings  int
	ping   func(ctx context.Context) error // nil for a controller that is well
	talk   words
	start  time.Time
}

func (w *ward) ContainerInspect(ctx context.Context, id string) (container.InspectResponse, error) {
	if ctx.Err() != nil {
		return container.InspectResponse{}, ctx.Err()
	}
	w.mu.Lock()
	w.looks[id]++
	state := w.states[id]
	w.mu.Unlock()
	answer := &container.State{Running: true}
	if state != nil {
		var err error
		if answer, err = state(); err != nil {
			return container.InspectResponse{}, err
		}
	}
	return container.InspectResponse{ContainerJSONBase: &container.ContainerJSONBase{ID: id, State: answer}}, nil
}

func (w *ward) RunTask(ctx context.Context, task engine.Task) ([]byte, error) {
	w.mu.Lock()
	w.pings++
	w.mu.Unlock()
	if strings.Join(task.Args, " ") != "ping 8080" || task.Network != "ucp-controller-id" || task.Image != "agent:1" {
		return nil, fmt.Errorf("an unknown task: %+v", task)
	}
	if w.ping == nil {
		return nil, nil
	}
	return nil, w.ping(ctx)
}

// since is how long the test has taken by its own clock.
func (w *ward) since() time.Duration { return time.Since(w.start) }

// after answers with a state until d has passed, and then with a container that runs and has no health check.
func (w *ward) after(d time.Duration, before container.State) func() (*container.State, error) {
	return func() (*container.State, error) {
		if w.since() < d {
			return &before, nil
		}
		return &container.State{Running: true}, nil
	}
}

func always(state container.State) func() (*container.State, error) {
	return func() (*container.State, error) { return &state, nil }
}

func fails(err error) func() (*container.State, error) {
	return func() (*container.State, error) { return nil, err }
}

func health(status string, streak int) container.State {
	return container.State{Running: true, Health: &container.Health{Status: status, FailingStreak: streak}}
}

// afterwards is a run whose agent has brought UCP back.
func afterwards() (*backup, *ward, *Plan) {
	w := &ward{looks: map[string]int{}, states: map[string]func() (*container.State, error){}, start: time.Now()}
	b := &backup{
		engine: engine.New(w), tasks: w, talk: progress.New(progress.Plain, &w.talk, false), image: "agent:1",
		instance: &ucp.Instance{ControllerPort: 8080, Containers: []ucp.Container{{ID: "another", State: "restarting"}}}, agent: &conversation{last: &agent.Event{}},
	}
	plan := &Plan{Quiesce: quiesce.Plan{Waves: [][]quiesce.Target{
		{{ID: "ucp-agent-id", Name: "ucp-agent.x1.y2", Action: quiesce.Pause, Owned: true}},
		{{ID: "ucp-controller-id", Name: "ucp-controller", Action: quiesce.Stop}},
		{{ID: "ucp-kv-id", Name: "ucp-kv", Action: quiesce.Stop}},
	}}}
	return b, w, plan
}

func TestAUCPThatIsWellIsLookedAtOnceAndCostsNoTime(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b, w, plan := afterwards()
		w.states["ucp-kv-id"] = always(health(container.Healthy, 0))
		assert.NilError(t, <-b.watchHealth(t.Context(), plan))
		assert.Equal(t, w.since(), time.Duration(0))
		assert.DeepEqual(t, w.looks, map[string]int{"ucp-agent-id": 1, "ucp-controller-id": 1, "ucp-kv-id": 1})
		assert.Equal(t, w.pings, 1)
		assert.Equal(t, w.talk.String(), "")
	})
}

func TestWhatIsNotWellInTimeNeedsAPersonAndACommand(t *testing.T) {
	const kv, controllerID, owned = "ucp-kv-id", "ucp-controller-id", "ucp-agent-id"
	tests := map[string]struct {
		id    string
		state func() (*container.State, error)
		want  string
		hint  string
	}{
		"it does not run": {
			kv, always(container.State{ExitCode: 137}), "ucp-kv does not run: it ended with status 137",
			"docker logs --tail 50 ucp-kv; docker start ucp-kv",
		},
		"it ends again and again": {
			kv, always(container.State{Running: true, Restarting: true, ExitCode: 2}), "ucp-kv ends again and again, with status 2",
			"docker logs --tail 50 ucp-kv",
		},
		"it is unhealthy": {kv, always(health(container.Unhealthy, 5)), "ucp-kv is unhealthy", "docker logs --tail 50 ucp-kv"},
		"its check has failed so far": {
			kv, always(health(container.Starting, 2)), "ucp-kv is not healthy yet: its health check has failed 2 times", "docker logs --tail 50 ucp-kv",
		},
		"somebody froze it":            {kv, always(container.State{Running: true, Paused: true}), "ucp-kv is frozen", "docker unpause ucp-kv"},
		"one of somebody's, frozen":    {owned, always(container.State{Running: true, Paused: true}), "ucp-agent.x1.y2 is frozen", "docker unpause ucp-agent.x1.y2"},
		"somebody removed it":          {kv, fails(cerrdefs.ErrNotFound), "ucp-kv is gone since", "look at: docker ps --all --filter name=ucp-kv"},
		"the engine says no state":     {kv, func() (*container.State, error) { return nil, nil }, "ucp-kv: the engine gives no answer", "look at: docker ps --all --filter name=ucp-kv"},
		"the connection is gone":       {kv, fails(errors.New("connection refused")), "ucp-kv: connection refused", "look at: docker ps --all --filter name=ucp-kv"},
		"the controller does not run":  {controllerID, always(container.State{}), "ucp-controller does not run: it ended with status 0", "docker logs --tail 50 ucp-controller; docker start ucp-controller"},
		"the controller is not well":   {"", nil, "UCP's controller does not say that UCP is healthy: 500 Internal Server Error", "docker logs --tail 50 ucp-controller"},
		"the controller never answers": {"silent", nil, "UCP's controller does not say that UCP is healthy: no answer within 20s", "docker logs --tail 50 ucp-controller"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				b, w, plan := afterwards()
				switch test.id {
				case "":
					w.ping = func(context.Context) error { return errors.New("500 Internal Server Error") }
				case "silent":
					w.ping = func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
				}
				w.states[test.id] = test.state
				err := <-b.watchHealth(t.Context(), plan)
				assert.Error(t, err, test.want)
				assert.Equal(t, failure.KindOf(err), failure.Attention)
				assert.DeepEqual(t, failure.Hints(err), []string{test.hint})
				assert.Equal(t, w.since(), healthLimit)
				assert.Check(t, cmp.Contains(w.talk.String(), "waiting until UCP is healthy: "))
				if test.id == controllerID {
					assert.Equal(t, w.pings, 0, "one that does not run is not asked")
				}
			})
		})
	}
}

func TestEachThingThatIsNotWellHasALine(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b, w, plan := afterwards()
		w.states["ucp-kv-id"] = always(health(container.Unhealthy, 3))
		w.ping = func(context.Context) error { return errors.New("500 Internal Server Error") }
		err := <-b.watchHealth(t.Context(), plan)
		assert.Error(t, err, "ucp-kv is unhealthy\nUCP's controller does not say that UCP is healthy: 500 Internal Server Error")
		assert.DeepEqual(t, failure.Hints(err), []string{"docker logs --tail 50 ucp-kv", "docker logs --tail 50 ucp-controller"})
	})
}

func TestWhatBecomesWellInTimeIsWaitedForAndNamedOnce(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b, w, plan := afterwards()
		w.states["ucp-kv-id"] = w.after(40*time.Second, health(container.Starting, 1))
		w.states["ucp-agent-id"] = w.after(2*time.Second, container.State{Running: true, Restarting: true})
		w.ping = func(context.Context) error {
			if w.since() < 10*time.Second {
				return errors.New("connection refused")
			}
			return nil
		}
		assert.NilError(t, <-b.watchHealth(t.Context(), plan))
		assert.Equal(t, w.since(), 40*time.Second)
		assert.Equal(t, strings.Count(w.talk.String(), "waiting"), 1)
		assert.Check(t, cmp.Contains(w.talk.String(), "waiting until UCP is healthy: ucp-kv, ucp-controller\n"))
		assert.Check(t, w.pings > 2 && w.pings < 8, "each question is a container's life: %d", w.pings)
		assert.Check(t, w.looks["ucp-kv-id"] > 70, "%d", w.looks["ucp-kv-id"])
	})
}

func TestNobodyWaitsForWhatAnotherLooksAfterOrKnewBefore(t *testing.T) {
	tests := map[string]func(*backup, *ward){
		"a task that the swarm replaced": func(_ *backup, w *ward) { w.states["ucp-agent-id"] = fails(cerrdefs.ErrNotFound) },
		"a task that has ended":          func(_ *backup, w *ward) { w.states["ucp-agent-id"] = always(container.State{}) },
		"what was unhealthy before": func(b *backup, w *ward) {
			b.unwell = []string{"ucp-kv"}
			w.states["ucp-kv-id"] = always(health(container.Starting, 1))
		},
		"what ended again and again before": func(b *backup, w *ward) {
			b.instance.Containers = []ucp.Container{{ID: "ucp-kv-id", Name: "ucp-kv", State: "restarting"}}
			w.states["ucp-kv-id"] = always(container.State{Running: true, Restarting: true})
		},
		"what the agent named as not running": func(b *backup, w *ward) {
			b.agent.last.NotResumed = []string{"ucp-kv", "ucp-controller"}
			w.states["ucp-kv-id"], w.states["ucp-controller-id"] = always(container.State{}), always(container.State{})
			w.ping = func(context.Context) error { return errors.New("nobody is there") }
		},
		"a controller without a port": func(b *backup, w *ward) {
			b.instance.ControllerPort = 0
			w.ping = func(context.Context) error { return errors.New("nobody is there") }
		},
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				b, w, plan := afterwards()
				change(b, w)
				assert.NilError(t, <-b.watchHealth(t.Context(), plan))
				assert.Equal(t, w.since(), time.Duration(0))
			})
		})
	}
}

func TestWhatWasUnhealthyBeforeMustStillRun(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b, w, plan := afterwards()
		b.unwell = []string{"ucp-kv"}
		w.states["ucp-kv-id"] = always(container.State{})
		assert.ErrorContains(t, <-b.watchHealth(t.Context(), plan), "ucp-kv does not run")
	})
}

func TestACheckThatRunsSeldomIsAWarning(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b, w, plan := afterwards()
		w.states["ucp-kv-id"] = always(health(container.Starting, 0))
		assert.NilError(t, <-b.watchHealth(t.Context(), plan))
		assert.Equal(t, w.since(), healthLimit)
		assert.Check(t, cmp.Contains(w.talk.String(), "warning: ucp-kv: its health check has not run yet"))
	})
}

func TestACancelEndsTheWaitForHealthAndSaysForWhat(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b, w, plan := afterwards()
		w.states["ucp-kv-id"] = always(container.State{})
		w.ping = func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(7*time.Second, cancel)
		assert.NilError(t, <-b.watchHealth(ctx, plan))
		assert.Equal(t, w.since(), 7*time.Second)
		assert.Check(t, cmp.Contains(w.talk.String(), "warning: cancelled before these were seen to be healthy: ucp-kv, ucp-controller\n"))
	})
}

func TestWhatIsUnhealthyBeforeIsRememberedAndWarnedOf(t *testing.T) {
	b, w, _ := afterwards()
	b.instance.Containers = []ucp.Container{
		{ID: "gone", Name: "ucp-reconcile", State: "running", Ours: true},
		{ID: "kv", Name: "ucp-kv", State: "running", Ours: true},
		{ID: "well", Name: "ucp-controller", State: "running", Ours: true},
		{ID: "down", Name: "ucp-old", State: "exited", Ours: true},
	}
	w.states["gone"], w.states["kv"] = fails(cerrdefs.ErrNotFound), always(health(container.Unhealthy, 9))
	assert.NilError(t, b.noteHealth(t.Context()))
	assert.DeepEqual(t, b.unwell, []string{"ucp-kv"})
	assert.Equal(t, w.looks["down"], 0)
	quiet := b.instance.QuiescePlan(quiesce.Stop)
	assert.DeepEqual(t, b.warnings(&quiet), []string{"unhealthy already, so nobody waits for their health afterwards: ucp-kv"})

	w.states["kv"] = fails(errors.New("connection refused"))
	assert.Error(t, b.noteHealth(t.Context()), "look at the health of ucp-kv: connection refused")
}
