package ucp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/swarm"
)

// Labels on a swarm node. UCP's reconcilers leave a node alone that carries the first (release notes of UCP 3.2); the
// second is ours, and says who set the first.
const (
	LabelAgentPause = "com.docker.ucp.agent-pause"
	LabelHeldBy     = "io.docker-ucp.held-by"
)

// How often a change of labels is tried that something else came before, the pause between two tries, and how long one
// may take. A swarm that has lost its quorum says so at once, but for the half minute after it lost it: then an engine
// answers a change after 11 s and a question after 20 (measured with 20.10 and 28.5).
const (
	labelTries   = 5
	labelPause   = 200 * time.Millisecond
	labelTimeout = 10 * time.Second
)

// NodeEngine is what Hold and Release call; *client.Client of a manager's engine satisfies it.
type NodeEngine interface {
	NodeInspectWithRaw(ctx context.Context, nodeID string) (swarm.Node, []byte, error)
	NodeUpdate(ctx context.Context, nodeID string, version swarm.Version, node swarm.NodeSpec) error
}

// Hold tells UCP's reconcilers to leave the node alone, and writes beside it who wants that. A node that somebody else
// has told so is left as it is, and Release will leave it too; one that an earlier run of ours has told so is taken over.
// MayHold tells of its error whether the node may be held all the same.
func Hold(ctx context.Context, engine NodeEngine, nodeID, by string) error {
	by = cmp.Or(by, "somebody") // an empty name would look like a node that nobody holds
	err := relabel(ctx, engine, nodeID, func(labels map[string]string) bool {
		if isHeld(labels) || !isPaused(labels) {
			labels[LabelAgentPause], labels[LabelHeldBy] = "true", by
		}
		return false
	})
	if err != nil {
		return fmt.Errorf("tell UCP's reconcilers to leave node %s alone: %w", nodeID, err)
	}
	return nil
}

// Release takes off what Hold set, and nothing that somebody else did. It may be called at any time and more than once; a
// node that is gone is no error. IsLeaderless tells of its error whether a later try may help.
//
// A node without the labels may be about to get them, see MayHold. So it is written back as it is: when a swarm has done
// that, it has done or dropped all that it was asked for before.
func Release(ctx context.Context, engine NodeEngine, nodeID string) error {
	err := relabel(ctx, engine, nodeID, func(labels map[string]string) bool {
		if isHeld(labels) {
			delete(labels, LabelAgentPause)
			delete(labels, LabelHeldBy)
		}
		return !isPaused(labels)
	})
	if err != nil && !cerrdefs.IsNotFound(err) {
		return fmt.Errorf("tell UCP's reconcilers to look after node %s again: %w", nodeID, err)
	}
	return nil
}

func isPaused(labels map[string]string) bool {
	_, found := labels[LabelAgentPause]
	return found
}

func isHeld(labels map[string]string) bool {
	_, found := labels[LabelHeldBy]
	return found
}

// MayHold tells of an error of Hold whether the labels may be there all the same, now or later: what a swarm was asked for
// while it lost its quorum, and answered with an error, it did when the quorum was back (measured with 20.10 and 28.5).
// Where it is false, nothing is to release.
func MayHold(err error) bool {
	var unsure *unsureError
	return errors.As(err, &unsure)
}

// unsureError is the error of a change that the swarm was asked for and did not say no to.
type unsureError struct{ error }

func (e *unsureError) Unwrap() error { return e.error }

// relabel changes the node's labels; where change returns true it writes the node back even if they stay. Whatever else
// changes the node meanwhile, if only its state, makes the swarm refuse what was built on the node before; then it is
// read again.
func relabel(ctx context.Context, engine NodeEngine, nodeID string, change func(labels map[string]string) bool) error {
	for try := 1; ; try++ {
		err := relabelOnce(ctx, engine, nodeID, change)
		if !isOutOfSequence(err) || try == labelTries {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), err)
		case <-time.After(labelPause):
		}
	}
}

func relabelOnce(ctx context.Context, engine NodeEngine, nodeID string, change func(labels map[string]string) bool) error {
	ctx, cancel := context.WithTimeout(ctx, labelTimeout)
	defer cancel()
	node, _, err := engine.NodeInspectWithRaw(ctx, nodeID)
	if err != nil {
		return err
	}
	labels := map[string]string{}
	maps.Copy(labels, node.Spec.Labels)
	if always := change(labels); !always && maps.Equal(labels, node.Spec.Labels) {
		return nil
	}
	node.Spec.Labels = labels
	err = engine.NodeUpdate(ctx, nodeID, node.Version, node.Spec)
	if err == nil || isOutOfSequence(err) || isWithoutLeader(err) || cerrdefs.IsNotFound(err) {
		return err
	}
	return &unsureError{err}
}

// isOutOfSequence knows the error by its text: engines give it no number of its own.
func isOutOfSequence(err error) bool {
	return err != nil && (cerrdefs.IsConflict(err) || strings.Contains(err.Error(), "update out of sequence"))
}
