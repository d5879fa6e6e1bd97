package quiesce_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/docker-ucp/docker-ucp/internal/quiesce"
)

var errGone = errors.New("no such container")

// fakeEngine keeps containers in memory. A container that it does not know is gone.
type fakeEngine struct {
	// before runs inside a call, ahead of its effect; an error ends the call without effect. Nil for neither.
	before func(ctx context.Context, call, id string) error

	mu     sync.Mutex
	states map[string]quiesce.State
	calls  []string // "stop a", in the order in which they begin; looking at a state is no call here
	looks  int
}

var (
	running = quiesce.State{Running: true}
	paused  = quiesce.State{Running: true, Paused: true}
	exited  = quiesce.State{}
)

// engineWith returns an engine with the plan's containers, all of them running.
func engineWith(plan *quiesce.Plan) *fakeEngine {
	engine := &fakeEngine{states: map[string]quiesce.State{}}
	for _, wave := range plan.Waves {
		for _, target := range wave {
			engine.states[target.ID] = running
		}
	}
	return engine
}

func (e *fakeEngine) StopContainer(ctx context.Context, id string, timeout *time.Duration) error {
	call := "stop"
	if timeout != nil {
		call = fmt.Sprintf("stop within %s", *timeout)
	}
	return e.change(ctx, call, id, exited)
}

func (e *fakeEngine) StartContainer(ctx context.Context, id string) error {
	return e.change(ctx, "start", id, running)
}

func (e *fakeEngine) PauseContainer(ctx context.Context, id string) error {
	return e.change(ctx, "pause", id, paused)
}

func (e *fakeEngine) UnpauseContainer(ctx context.Context, id string) error {
	return e.change(ctx, "unpause", id, running)
}

func (e *fakeEngine) change(ctx context.Context, call, id string, to quiesce.State) error {
	e.mu.Lock()
	e.calls = append(e.calls, call+" "+id)
	e.mu.Unlock()
	if e.before != nil {
		if err := e.before(ctx, call, id); err != nil {
			return err
		}
	}
	return e.put(id, to)
}

func (e *fakeEngine) put(id string, to quiesce.State) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, known := e.states[id]; !known {
		return errGone
	}
	e.states[id] = to
	return nil
}

func (e *fakeEngine) ContainerState(ctx context.Context, id string) (quiesce.State, error) {
	if e.before != nil {
		if err := e.before(ctx, "look", id); err != nil {
			return quiesce.State{}, err
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.looks++
	state, known := e.states[id]
	if !known {
		return quiesce.State{}, errGone
	}
	return state, nil
}

func (e *fakeEngine) IsGone(err error) bool { return errors.Is(err, errGone) }

// seen returns the calls so far; those of one wave have no order of their own, so each group of n is sorted.
func (e *fakeEngine) seen(sizes ...int) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	calls := slices.Clone(e.calls)
	at := 0
	for _, size := range sizes {
		if at+size <= len(calls) {
			slices.Sort(calls[at : at+size])
		}
		at += size
	}
	return strings.Join(calls, ", ")
}

// notRunning returns the IDs of containers that do not run, or are frozen, sorted.
func (e *fakeEngine) notRunning() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var ids []string
	for id, state := range e.states {
		if state != running {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// threeWaves is the shape of a real plan: reconcilers, components, stores.
func threeWaves() *quiesce.Plan {
	target := func(id string, action quiesce.Action) quiesce.Target {
		return quiesce.Target{ID: id, Name: "ucp-" + id, Action: action}
	}
	return &quiesce.Plan{Waves: [][]quiesce.Target{
		{target("agent", quiesce.Pause)},
		{target("api", quiesce.Pause), target("controller", quiesce.Stop), target("proxy", quiesce.Stop)},
		{target("kv", quiesce.Stop), target("store", quiesce.Stop)},
	}}
}
