package tap

import (
	"fmt"
	"sync"
	"time"
)

// Gate holds one call.
type Gate struct {
	reached  chan struct{}
	decided  chan struct{}
	left     chan struct{}
	once     sync.Once
	forward  bool
	reaching sync.Once
	leaving  sync.Once
}

func newGate() *Gate {
	return &Gate{reached: make(chan struct{}), decided: make(chan struct{}), left: make(chan struct{})}
}

// Reached is closed when the call has come.
func (g *Gate) Reached() <-chan struct{} { return g.reached }

// Left is closed when the call is no longer held, whatever became of it.
func (g *Gate) Left() <-chan struct{} { return g.left }

// Await returns when the call has come, or an error when the time is over.
func (g *Gate) Await(limit time.Duration) error {
	select {
	case <-g.reached:
		return nil
	case <-time.After(limit):
		return fmt.Errorf("the call did not come within %s", limit)
	}
}

// Release lets the call through, the one that is held or the one that will come.
func (g *Gate) Release() { g.decide(true) }

// Drop closes the call's connection in its place.
func (g *Gate) Drop() { g.decide(false) }

func (g *Gate) decide(forward bool) {
	g.once.Do(func() {
		g.forward = forward
		close(g.decided)
	})
}

// pass waits for the decision; false when the call is not to go on, or its connection is gone meanwhile.
func (g *Gate) pass(gone <-chan struct{}) bool {
	g.reaching.Do(func() { close(g.reached) })
	defer g.leaving.Do(func() { close(g.left) })
	select {
	case <-gone:
		return false
	case <-g.decided:
	}
	select {
	case <-gone: // both: who went away before the decision was not asked
		return false
	default:
		return g.forward
	}
}
