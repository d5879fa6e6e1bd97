package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/client"

	"github.com/docker-ucp/docker-ucp/e2e/standin/layout"
)

// runAgent is the task of ucp-agent: it starts again what somebody stopped, unless the node says to leave it alone.
func runAgent(ctx context.Context) (err error) {
	engine, err := client.NewClientWithOpts(client.WithHost("unix://"+layout.Socket), client.WithAPIVersionNegotiation())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(1500 * time.Millisecond):
		}
		if err := reconcile(ctx, engine); err != nil && ctx.Err() == nil {
			slog.Warn("reconcile", "error", err)
		}
	}
}

// reconcile leaves alone what the swarm looks after, and ucp-reconcile, whose normal state is to have ended.
func reconcile(ctx context.Context, engine *client.Client) error {
	stopped, err := engine.ContainerList(ctx, container.ListOptions{All: true, Filters: filters.NewArgs(
		filters.Arg("label", layout.LabelInstance+"="+os.Getenv("UCP_INSTANCE_ID")),
		filters.Arg("status", "exited"), filters.Arg("status", "created"))})
	if err != nil {
		return err
	}
	var wrong []error
	for _, c := range stopped {
		if c.Labels["com.docker.swarm.task.id"] != "" || c.Names[0] == "/"+layout.Reconcile {
			continue
		}
		// Asked right before each start: a label set meanwhile counts.
		paused, err := nodePaused(ctx, engine)
		if err != nil {
			return err
		}
		if paused {
			slog.Info("leave alone what was stopped", "container", c.Names[0])
			return nil
		}
		slog.Info("start what was stopped", "container", c.Names[0])
		wrong = append(wrong, engine.ContainerStart(ctx, c.ID, container.StartOptions{}))
	}
	return errors.Join(wrong...)
}

func nodePaused(ctx context.Context, engine *client.Client) (bool, error) {
	info, err := engine.Info(ctx)
	if err != nil {
		return false, err
	}
	node, _, err := engine.NodeInspectWithRaw(ctx, info.Swarm.NodeID)
	if err != nil {
		return false, err
	}
	return node.Spec.Labels[layout.LabelPause] == "true", nil
}
