package engine

import (
	"context"
	"fmt"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
)

// createTimeout is far beyond what an engine takes to make a container.
const createTimeout = time.Minute

// create makes a container. A cancel does not cut this short: the engine might make the container all the same, and
// nobody would know of it.
func (e *Engine) create(ctx context.Context, config *container.Config, host *container.HostConfig, name string) (id string, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), createTimeout)
	defer cancel()
	created, err := e.api.ContainerCreate(ctx, config, host, &network.NetworkingConfig{}, nil, name)
	return created.ID, err
}

// How often remove asks an engine that is still ending the container or removing it, or, as old ones do for a while,
// finds its file system busy.
const (
	removeTries = 10
	removePause = 300 * time.Millisecond
)

// remove removes a container; one that is gone is no error.
func (e *Engine) remove(ctx context.Context, id, name string, options container.RemoveOptions) error {
	var err error
	for range removeTries {
		err = e.api.ContainerRemove(ctx, id, options)
		if err == nil || cerrdefs.IsNotFound(err) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("remove container %s: %w; given up: %w", name, err, context.Cause(ctx))
		case <-time.After(removePause):
		}
	}
	return fmt.Errorf("remove container %s: %w", name, err)
}
