package agent

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/docker-ucp/docker-ucp/internal/failure"
	"github.com/docker-ucp/docker-ucp/internal/ucp"
)

// How long setting the node's labels may take, how long taking them off is tried, and the pause between two tries: an
// election of a leader takes some seconds.
const (
	holdTimeout    = 5 * time.Second
	releaseTimeout = 10 * time.Second
	releasePause   = 2 * time.Second
)

// heldError says that the node's label could not be taken off.
type heldError struct{ cause error }

func (e *heldError) Error() string { return e.cause.Error() }
func (e *heldError) Unwrap() error { return e.cause }

func isHeld(err error) bool {
	var held *heldError
	return errors.As(err, &held)
}

// hold tells UCP's reconcilers to leave the node alone, and returns the node that is to be released; none where nothing
// was set. They are paused as well, so going on without is no danger. No node is to be held where the swarm had no leader
// before: a journal that names it would never be settled. Unless an earlier backup left its label there: then this one
// takes it off.
func (r *runner) hold(ctx context.Context, order *Order) (held string) {
	node := order.Instance.Node.ID
	if node == "" {
		return ""
	}
	limited, cancel := context.WithTimeout(ctx, holdTimeout)
	defer cancel()
	err := ucp.Hold(limited, r.host.Nodes, node, order.By)
	if err == nil {
		return node
	}
	r.emit(Event{Type: Warning, Message: fmt.Sprintf("%v; they are paused all the same", err)})
	if order.Held || ucp.MayHold(err) {
		return node
	}
	return ""
}

// release takes the node's label off, and tries again for a while: the swarm may have no leader just now. Its error is a
// *heldError, or a *silenceError when the engine itself gives no answer.
func (r *runner) release(ctx context.Context, node string) error {
	if node == "" {
		return nil
	}
	limited, cancel := context.WithTimeout(ctx, releaseTimeout)
	defer cancel()
	for {
		err := ucp.Release(limited, r.host.Nodes, node)
		if err == nil {
			return nil
		}
		if _, silence := r.awaitEngine(ctx); silence != nil {
			return silence
		}
		if pause(limited, releasePause) != nil {
			return failure.NeedsAttention(&heldError{err}, "when the swarm has a leader again: docker node update --label-rm "+
				ucp.LabelAgentPause+" --label-rm "+ucp.LabelHeldBy+" "+node)
		}
	}
}

func pause(ctx context.Context, length time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(length):
		return nil
	}
}
