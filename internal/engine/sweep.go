package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
)

// taskStarts is what lies at most between a task's creation and its start; one that is older was left.
const taskStarts = time.Minute

// SweepTasks removes containers of tasks that were created and never started, because their plugin died between, or
// that the engine did not remove when they ended.
func (e *Engine) SweepTasks(ctx context.Context) error {
	found, err := e.api.ContainerList(ctx, container.ListOptions{All: true, Filters: filters.NewArgs(
		filters.Arg("label", LabelStartedBy),
		filters.Arg("status", container.StateCreated), filters.Arg("status", container.StateExited),
	)})
	if err != nil {
		return fmt.Errorf("look for tasks that were left: %w", err)
	}
	found = slices.DeleteFunc(found, func(c container.Summary) bool {
		return !strings.HasPrefix(c.Image, imageRepository+":") || slices.Contains(c.Names, "/"+AgentName)
	})
	if len(found) == 0 {
		return nil
	}
	now, err := e.Clock(ctx)
	if err != nil {
		return err
	}
	var failed []error
	for _, c := range found {
		if now.Sub(time.Unix(c.Created, 0)) > taskStarts {
			failed = append(failed, e.remove(ctx, c.ID, c.ID, container.RemoveOptions{}))
		}
	}
	return errors.Join(failed...)
}

// Clock returns the time on the engine's machine, which is what the times that it tells are to be held against.
func (e *Engine) Clock(ctx context.Context) (time.Time, error) {
	info, err := e.api.Info(ctx)
	if err != nil {
		return time.Time{}, fmt.Errorf("read the engine's clock: %w", err)
	}
	now, err := time.Parse(time.RFC3339Nano, info.SystemTime)
	if err != nil {
		return time.Time{}, fmt.Errorf("read the engine's clock: %w", err)
	}
	return now, nil
}
