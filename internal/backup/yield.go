package backup

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"github.com/docker-ucp/docker-ucp/internal/engine"
)

// otherPatience is how long another run may take to set UCP right, and from removing this run's agent to making its own.
const otherPatience = 3 * time.Minute

// takenOver waits for another run that ended the agent for good, to set UCP right itself, and reports whether it did. UCP
// may be at rest for that run's own backup soon, and nobody else may wake it then. An agent that is gone while UCP is
// down, and no other there, was taken away by somebody who set nothing right.
func (b *backup) takenOver(ctx context.Context) bool {
	seen := false
	for until := time.Now().Add(otherPatience); time.Now().Before(until); {
		now, err := look(ctx, b.engine, b.agent.agent)
		switch {
		case b.engine.IsGone(err):
			if seen || b.another(ctx) {
				return true
			}
			if b.isDown(ctx) {
				return false
			}
		case err != nil || !now.taken: // it goes on, perhaps because the other run could do no more
			return false
		default:
			seen = true
		}
		if pause(ctx, reconnectPause) != nil {
			return false
		}
	}
	return false
}

// another tells that the agent's name is now that of another run's agent.
func (b *backup) another(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	other, err := b.engine.FindAgent(ctx)
	return err == nil && other != nil && other.ID != b.agent.agent.ID
}

// isDown tells that something rests that the agent was to bring back, or that nobody says so.
func (b *backup) isDown(ctx context.Context) bool {
	if b.agent.plan == nil {
		return false
	}
	for _, target := range slices.Concat(b.agent.plan.Waves...) {
		state, err := b.engine.ContainerState(ctx, target.ID)
		switch {
		case b.engine.IsGone(err):
		case err != nil, state.Paused, !state.Running && !target.Owned:
			return true
		}
	}
	return false
}

// yield leaves UCP, the spool and the image to another run.
func (b *backup) yield() {
	b.talk.Warn("another backup on this manager took over, and sees to UCP")
	b.agent.back, b.yielded = true, true
}

var errYielded = errors.New("another backup on this manager took over")

// unlessAnother is the engine for bringing UCP back while another run may begin: what that one brought to rest is its own.
type unlessAnother struct {
	*engine.Engine
	b       *backup
	yielded atomic.Bool
}

func (e *unlessAnother) StartContainer(ctx context.Context, id string) error {
	if e.b.another(ctx) {
		e.yielded.Store(true)
		return errYielded
	}
	return e.Engine.StartContainer(ctx, id)
}

func (e *unlessAnother) UnpauseContainer(ctx context.Context, id string) error {
	if e.b.another(ctx) {
		e.yielded.Store(true)
		return errYielded
	}
	return e.Engine.UnpauseContainer(ctx, id)
}
