// Package quiesce brings containers to rest and, whatever happens, back again.
//
// A Plan names, wave by wave, the containers that run now and how each is brought to rest. Because it names only those
// that ran, undoing needs no memory of how far the way down came: Resume looks at each container and starts what is
// stopped, be it by the plan or by an engine that died meanwhile, and unfreezes what is frozen. The same plan, kept
// anywhere, lets anybody finish the work of a runner that died. Containers that somebody else looks after are unfrozen
// and otherwise left to their owners.
//
// An engine that gives no answer is asked again for as long as the caller has patience. The error then says so, and a
// later call takes up where this one ended.
//
// The package does not promise that a container is healthy after Resume, only that the engine says it runs. It does not
// promise either that what is frozen has written down all that it knows: its files are what a power cut would leave.
package quiesce

import (
	"context"
	"time"
)

// Action is how a container is brought to rest.
type Action string

const (
	// Stop ends the container's process; the container is started again afterwards.
	Stop Action = "stop"
	// Pause freezes the container's processes: where a stop would have somebody else replace or remove it, and where the
	// operator prefers a short rest to a clean end.
	Pause Action = "pause"
)

// Target is one container that runs now.
type Target struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Action Action `json:"action"`
	// Owned says that somebody else looks after the container, as the swarm after its tasks and kubelet after its pods: one
	// that is gone or down when UCP is brought back is theirs to replace.
	Owned bool `json:"owned,omitempty"`
	// Grace is how long the container itself asks to be given to end; zero for the engine's usual.
	Grace time.Duration `json:"grace,omitempty"`
}

// Plan is what to bring to rest: the waves one after the other, the targets of a wave at the same time.
type Plan struct {
	Waves [][]Target `json:"waves"`
	// StopTimeout is how long a container may take to end before the engine kills it; nil leaves it to the container.
	StopTimeout *time.Duration `json:"stop_timeout,omitempty"`
}

// State is what a plan needs to know of a container.
type State struct {
	Running bool // also while it is paused, or waits for its next start
	Paused  bool
}

// Engine is what quiesce asks of a container engine.
type Engine interface {
	StopContainer(ctx context.Context, id string, timeout *time.Duration) error
	StartContainer(ctx context.Context, id string) error
	PauseContainer(ctx context.Context, id string) error
	UnpauseContainer(ctx context.Context, id string) error
	// ContainerState returns an error for which IsGone is true when there is no such container.
	ContainerState(ctx context.Context, id string) (State, error)
	IsGone(err error) bool
}

// Len returns the number of containers in the plan.
func (p *Plan) Len() int {
	n := 0
	for _, wave := range p.Waves {
		n += len(wave)
	}
	return n
}

// engineGrace is what an engine gives a container that asks for nothing else.
const engineGrace = 10 * time.Second

// grace returns how long the engine may wait for the target to end before it kills it.
func (p *Plan) grace(target Target) time.Duration {
	switch {
	case target.Action == Pause:
		return 0
	case p.StopTimeout != nil:
		return *p.StopTimeout
	case target.Grace > 0:
		return target.Grace
	default:
		return engineGrace
	}
}

// IDs returns the IDs of the plan's containers, in the plan's order.
func (p *Plan) IDs() []string {
	var ids []string
	for _, wave := range p.Waves {
		for _, target := range wave {
			ids = append(ids, target.ID)
		}
	}
	return ids
}

// Names returns the names of the containers that the plan brings to rest by action, in the plan's order.
func (p *Plan) Names(action Action) []string {
	var names []string
	for _, wave := range p.Waves {
		for _, target := range wave {
			if target.Action == action {
				names = append(names, target.Name)
			}
		}
	}
	return names
}
