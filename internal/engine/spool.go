package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/docker/docker/api/types/container"
)

// ReadSpool hands look a container, never started, out of which the files of a spool can be copied. Out of an agent's
// own container an engine copies nothing any more, and says that there is no such file, when a file of the machine that
// it mounts is gone. The container is removed however look ends.
func (e *Engine) ReadSpool(ctx context.Context, image, startedBy, volume string, look func(*Agent) error) (err error) {
	info, err := e.api.Info(ctx)
	if err != nil {
		return fmt.Errorf("read the engine's state: %w", err)
	}
	config := &container.Config{Image: image, User: "0:0", Labels: map[string]string{LabelStartedBy: startedBy}}
	host := e.taskHost(Task{Image: image, Spool: volume}, info.SecurityOptions)
	host.AutoRemove = false // it never ends
	id, err := e.create(ctx, config, host, "")
	if err != nil {
		return fmt.Errorf("create a container to look into volume %s: %w", volume, err)
	}
	defer func() { err = errors.Join(err, e.discard(ctx, id)) }()
	return look(&Agent{engine: e, ID: id})
}
