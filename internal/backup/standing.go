package backup

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/docker/docker/api/types/container"

	"github.com/docker-ucp/docker-ucp/internal/engine"
)

// standing is how the engine sees an agent's container.
type standing struct {
	created    bool // never started
	restarting bool // between two lives: it ended with an error, and the engine is about to start it again
	ended      bool // for good
	status     int  // that its last life ended with
	restarts   int  // how often the engine has started it again by itself
	taken      bool // another run has ended it for good, to do its work itself
	spool      string
}

// answerLimit is how long an engine may take to say how a container stands. On a connection that is half open the answer
// never comes.
const answerLimit = 30 * time.Second

func look(ctx context.Context, eng *engine.Engine, agent *engine.Agent) (s standing, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, answerLimit, errNoAnswer)
	defer cancel()
	inspected, err := eng.API().ContainerInspect(ctx, agent.ID)
	if err != nil && errors.Is(context.Cause(ctx), errNoAnswer) {
		err = errNoAnswer
	}
	if err == nil && (inspected.ContainerJSONBase == nil || inspected.State == nil) {
		err = errors.New("the engine does not say in which state it is")
	}
	if err != nil {
		return s, fmt.Errorf("inspect container %s: %w", engine.AgentName, err)
	}
	state := inspected.State
	s = standing{
		created: state.Status == container.StateCreated, restarting: state.Restarting, status: state.ExitCode,
		restarts: inspected.RestartCount,
	}
	s.taken = inspected.HostConfig != nil && !inspected.HostConfig.RestartPolicy.IsOnFailure()
	s.ended = !state.Running && !state.Restarting && !s.created
	for _, mount := range inspected.Mounts {
		if mount.Destination == engine.SpoolPath {
			s.spool = mount.Name
		}
	}
	return s, nil
}

// died tells that the engine has had to start the agent again, or is about to.
func (s standing) died() bool { return s.restarting || s.restarts > 0 }

// lookTimeout bounds a look at an agent that is being let go of.
const lookTimeout = 45 * time.Second

// settles waits until a life of the agent is over, and reports whether nothing is left to put right; else the engine
// starts it again.
func (c *conversation) settles(ctx context.Context, before standing) bool {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	for {
		now, err := look(ctx, c.engine, c.agent)
		switch {
		case err == nil && now.ended:
			return now.status == 0
		case err == nil && (now.restarting || now.restarts > before.restarts):
			return false
		}
		if pause(ctx, endingPause) != nil {
			return false
		}
	}
}
