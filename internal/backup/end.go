package backup

import (
	"context"
	"errors"
	"fmt"

	cerrdefs "github.com/containerd/errdefs"

	"github.com/docker-ucp/docker-ucp/internal/agent"
	"github.com/docker-ucp/docker-ucp/internal/engine"
)

// endByHand gives an agent that may still be bringing UCP back the time for it: killing it would leave UCP at rest.
const endByHand = "docker stop --time 900 " + engine.AgentName + "; docker rm " + engine.AgentName

// removeAgent removes the agent's container; out of a spool that is the operator's own volume it first takes what is
// ours.
func (b *backup) removeAgent(ctx context.Context, container *engine.Agent) error {
	if b.agent != nil {
		if err := b.endAgent(ctx); err != nil {
			return err
		}
		if !b.ownSpool {
			if err := b.cleanSpool(ctx, container); err != nil {
				return err
			}
		}
	}
	return container.Remove(ctx)
}

// removeSpool removes the spool's volume, unless it is the operator's.
func (b *backup) removeSpool(ctx context.Context) error {
	if !b.ownSpool {
		return nil
	}
	return b.engine.RemoveVolume(ctx, b.opts.Spool)
}

// endAgent makes sure that the agent has ended: one that waits ends with its input, one at work is told to.
func (b *backup) endAgent(ctx context.Context) error {
	told := errors.Join(b.agent.stdin.Close(), b.agent.agent.Terminate(ctx))
	if _, err := awaitEnd(ctx, b.agent.agent); err != nil {
		return errors.Join(told, err)
	}
	return nil
}

// awaitEnd returns the exit status of an agent that is about to end.
func awaitEnd(ctx context.Context, agent *engine.Agent) (status int, err error) {
	for {
		status, ended, err := agent.Exited(ctx)
		switch {
		case ended || cerrdefs.IsNotFound(err):
			return status, nil
		case err != nil:
			return 0, err
		}
		if err := pause(ctx, endingPause); err != nil {
			return 0, fmt.Errorf("wait for the end of container %s: %w", engine.AgentName, err)
		}
	}
}

// cleanSpool runs an agent that has ended once more, with nothing to do but to empty our folder in the spool.
func (b *backup) cleanSpool(ctx context.Context, container *engine.Agent) error {
	stdin, err := container.Start(ctx)
	if err != nil {
		return err
	}
	c := &conversation{agent: container, stdin: stdin, talk: b.talk, log: b.opts.Log}
	sent := c.send(agent.Job{Clean: true})
	status, err := awaitEnd(ctx, container)
	if status != 0 {
		err = errors.Join(err, fmt.Errorf("the agent on the manager ended with status %d", status))
	}
	if err = errors.Join(sent, err, stdin.Close()); err != nil {
		return fmt.Errorf("empty the spool: %w", err)
	}
	return nil
}
