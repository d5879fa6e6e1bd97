package standin

import (
	"context"
	"errors"
	"fmt"

	"github.com/docker/docker/api/types/container"

	"github.com/docker-ucp/docker-ucp/e2e/standin/layout"
)

// Rest brings UCP to rest as an operator would by hand: the agent is told to hold still, plain containers are stopped,
// tasks of services are paused, since stopped ones would be replaced. The function it returns brings back what ran, and
// returns when UCP is healthy; call it after an error too.
func (u *UCP) Rest(ctx context.Context) (resume func(context.Context) error, err error) {
	undo := []func(context.Context) error{func(ctx context.Context) error { return u.PauseAgent(ctx, false) }}
	resume = func(ctx context.Context) error {
		var wrong []error
		for i := len(undo) - 1; i >= 0; i-- {
			wrong = append(wrong, undo[i](ctx))
		}
		return errors.Join(append(wrong, u.waitHealthy(ctx))...)
	}
	if err := u.PauseAgent(ctx, true); err != nil {
		return resume, err
	}
	states, err := u.Containers(ctx)
	if err != nil {
		return resume, err
	}
	for _, s := range states {
		if s.Labels[layout.LabelInstance] == "" || s.Status != "running" {
			continue
		}
		stop := func() error { return u.engine.ContainerStop(ctx, s.ID, container.StopOptions{}) }
		start := func(ctx context.Context) error { return u.engine.ContainerStart(ctx, s.ID, container.StartOptions{}) }
		if s.Labels[labelTask] != "" {
			stop = func() error { return u.engine.ContainerPause(ctx, s.ID) }
			start = func(ctx context.Context) error { return u.engine.ContainerUnpause(ctx, s.ID) }
		}
		if err := stop(); err != nil {
			return resume, fmt.Errorf("bring %s to rest: %w", s.Name, err)
		}
		undo = append(undo, start)
	}
	return resume, nil
}

// labelTask is the engine's own, on a container that is the task of a service.
const labelTask = "com.docker.swarm.task.id"
