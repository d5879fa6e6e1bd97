package ucp_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"testing"
	"testing/synctest"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/swarm"
	"gotest.tools/v3/assert"
	"gotest.tools/v3/assert/cmp"

	"github.com/docker-ucp/docker-ucp/internal/ucp"
)

// fakeSwarm holds one node. Its labels change as a swarm does it: against the version that was read.
type fakeSwarm struct {
	node    swarm.Node
	inspect func(context.Context) error // an error ends the call without effect; nil for none
	update  func(context.Context) error
	updates int
}

func swarmWith(labels map[string]string) *fakeSwarm {
	s := &fakeSwarm{node: swarm.Node{ID: "node1", Meta: swarm.Meta{Version: swarm.Version{Index: 7}}}}
	s.node.Spec.Labels = labels
	s.node.Spec.Role, s.node.Spec.Availability = swarm.NodeRoleManager, swarm.NodeAvailabilityDrain
	return s
}

var errSequence = errors.New("rpc error: code = Unknown desc = update out of sequence")

func (s *fakeSwarm) NodeInspectWithRaw(ctx context.Context, nodeID string) (swarm.Node, []byte, error) {
	if s.inspect != nil {
		if err := s.inspect(ctx); err != nil {
			return swarm.Node{}, nil, err
		}
	}
	if nodeID != s.node.ID {
		return swarm.Node{}, nil, fmt.Errorf("node %s not found: %w", nodeID, cerrdefs.ErrNotFound)
	}
	node := s.node
	node.Spec.Labels = maps.Clone(s.node.Spec.Labels)
	return node, nil, nil
}

func (s *fakeSwarm) NodeUpdate(ctx context.Context, _ string, version swarm.Version, spec swarm.NodeSpec) error {
	s.updates++
	if s.update != nil {
		if err := s.update(ctx); err != nil {
			return err
		}
	}
	if version != s.node.Version {
		return errSequence
	}
	s.node.Version.Index++
	s.node.Spec = spec
	return nil
}

// The labels of a node in the states that matter.
func held(by string) map[string]string {
	return map[string]string{"rack": "4", ucp.LabelAgentPause: "true", ucp.LabelHeldBy: by}
}

func TestHoldAndReleaseTouchOnlyWhatIsOurs(t *testing.T) {
	plain := map[string]string{"rack": "4"}
	operators := map[string]string{"rack": "4", ucp.LabelAgentPause: "true"}
	ours := map[string]string{ucp.LabelAgentPause: "true", ucp.LabelHeldBy: "ann"}
	against := map[string]string{ucp.LabelAgentPause: "false"}
	tests := map[string]struct {
		before, during, after map[string]string
		updates               int // until it is released
	}{
		"a node with labels":             {plain, held("ann"), plain, 2},
		"a node without labels":          {nil, ours, nil, 2},
		"an operator's pause":            {operators, operators, operators, 0},
		"an operator's word against it":  {against, against, against, 0},
		"a run of ours that died":        {held("bob"), held("ann"), plain, 2},
		"the same run, a second time":    {held("ann"), held("ann"), plain, 1},
		"half of what a run of ours set": {map[string]string{ucp.LabelHeldBy: "bob"}, ours, nil, 2},
		"ours, and not what we set":      {map[string]string{ucp.LabelAgentPause: "", ucp.LabelHeldBy: "bob"}, ours, nil, 2},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := swarmWith(maps.Clone(test.before))
			rest := s.node.Spec
			assert.NilError(t, ucp.Hold(t.Context(), s, "node1", "ann"))
			assert.Check(t, maps.Equal(s.node.Spec.Labels, test.during), "%v", s.node.Spec.Labels)
			assert.NilError(t, ucp.Release(t.Context(), s, "node1"))
			assert.Check(t, maps.Equal(s.node.Spec.Labels, test.after), "%v", s.node.Spec.Labels)
			assert.Equal(t, s.updates, test.updates)
			assert.NilError(t, ucp.Release(t.Context(), s, "node1"))
			assert.Check(t, maps.Equal(s.node.Spec.Labels, test.after), "%v", s.node.Spec.Labels)
			rest.Labels, s.node.Spec.Labels = nil, nil
			assert.DeepEqual(t, s.node.Spec, rest)
		})
	}
}

// A swarm that loses its quorum answers a change with an error, still answers questions for some seconds, and makes the
// change when the quorum is back.
func TestReleaseIsNotDoneWhileAHoldMayStillCome(t *testing.T) {
	lost := errors.New("rpc error: code = Unknown desc = raft: failed to process the request: node lost leader status")
	s := swarmWith(nil)
	var later func()
	s.update = func(context.Context) error {
		later = func() { s.node.Version.Index++; s.node.Spec.Labels = held("ann") }
		return lost
	}
	assert.Check(t, ucp.MayHold(ucp.Hold(t.Context(), s, "node1", "ann")))
	hold := later
	err := ucp.Release(t.Context(), s, "node1")
	assert.ErrorIs(t, err, lost, "the node has no label yet, and nobody knows for how long")
	assert.Check(t, ucp.IsLeaderless(err))

	s.update = func(context.Context) error { // the quorum is back, and what waited comes first
		if hold != nil {
			hold()
			hold = nil
		}
		return nil
	}
	assert.NilError(t, ucp.Release(t.Context(), s, "node1"))
	assert.DeepEqual(t, s.node.Spec.Labels, map[string]string{"rack": "4"})
}

func TestANodeIsNeverHeldByNobody(t *testing.T) {
	s := swarmWith(nil)
	assert.NilError(t, ucp.Hold(t.Context(), s, "node1", ""))
	assert.Check(t, s.node.Spec.Labels[ucp.LabelHeldBy] != "", "whoever looks for a forgotten label would pass it over")
}

func TestReleaseOfANodeThatIsGoneIsDone(t *testing.T) {
	s := swarmWith(nil)
	assert.NilError(t, ucp.Release(t.Context(), s, "node9"))
	err := ucp.Hold(t.Context(), s, "node9", "ann")
	assert.Error(t, err, "tell UCP's reconcilers to leave node node9 alone: node node9 not found: not found")
	assert.Check(t, !ucp.MayHold(err))
}

func TestAChangeThatSomethingElseCameBeforeIsTriedAgain(t *testing.T) {
	number := map[string]error{
		"by text":   errSequence,
		"by number": fmt.Errorf("node has changed: %w", cerrdefs.ErrConflict),
	}
	for name, conflict := range number {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := swarmWith(map[string]string{})
				s.update = func(context.Context) error {
					if s.updates <= 3 {
						s.node.Version.Index++ // the node's state has changed in between
						s.node.Spec.Labels["new"] = "label"
						return conflict
					}
					return nil
				}
				assert.NilError(t, ucp.Hold(t.Context(), s, "node1", "ann"))
				assert.Equal(t, s.updates, 4)
				assert.Equal(t, s.node.Spec.Labels["new"], "label", "what came before is kept")
			})
		})
	}
}

func TestAChangeIsNotTriedForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := swarmWith(nil)
		s.update = func(context.Context) error { return errSequence }
		err := ucp.Hold(t.Context(), s, "node1", "ann")
		assert.ErrorIs(t, err, errSequence)
		assert.Equal(t, s.updates, 5)
		assert.Check(t, !ucp.IsLeaderless(err))
		assert.Check(t, !ucp.MayHold(err))

		signal := errors.New("terminated")
		ctx, cancel := context.WithCancelCause(t.Context())
		s.update = func(context.Context) error { cancel(signal); return errSequence }
		err = ucp.Release(ctx, swarmHeld(s), "node1")
		assert.ErrorIs(t, err, signal)
		assert.Equal(t, s.updates, 6)
	})
}

func swarmHeld(s *fakeSwarm) *fakeSwarm {
	s.node.Spec.Labels = held("ann")
	return s
}

func TestASwarmThatDoesNotAnswerIsNotWaitedForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		}
		s := swarmHeld(swarmWith(nil))
		s.inspect = hang
		began := time.Now()
		err := ucp.Release(t.Context(), s, "node1")
		assert.Equal(t, time.Since(began), 10*time.Second)
		assert.Check(t, ucp.IsLeaderless(err))
		assert.Check(t, cmp.ErrorContains(err, "tell UCP's reconcilers to look after node node1 again"))

		s.inspect, s.update = nil, hang
		began = time.Now()
		err = ucp.Release(t.Context(), s, "node1")
		assert.Equal(t, time.Since(began), 10*time.Second)
		assert.Check(t, ucp.IsLeaderless(err))
	})
}

func TestAHoldThatFailedSaysWhetherItMayHoldAllTheSame(t *testing.T) {
	broken := func(err error) func(context.Context) error { return func(context.Context) error { return err } }
	tests := map[string]struct {
		inspect, update error
		mayHold         bool
	}{
		"nobody could be asked":      {errors.New("rpc error: code = Unknown desc = The swarm does not have a leader"), nil, false},
		"no answer about the node":   {errors.New("rpc error: code = DeadlineExceeded desc = context deadline exceeded"), nil, false},
		"the leader is lost by then": {nil, errors.New("rpc error: code = Unknown desc = The swarm does not have a leader"), false},
		"no answer to the change":    {nil, errors.New("rpc error: code = DeadlineExceeded desc = context deadline exceeded"), true},
		"lost while it was made":     {nil, errors.New("rpc error: code = Unknown desc = raft: failed to process the request: node lost leader status"), true},
		"the node is gone by then":   {nil, fmt.Errorf("node node1 not found: %w", cerrdefs.ErrNotFound), false},
		"the connection broke":       {nil, errors.New("unexpected EOF"), true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := swarmWith(nil)
			s.inspect, s.update = broken(test.inspect), broken(test.update)
			err := ucp.Hold(t.Context(), s, "node1", "ann")
			assert.Check(t, cmp.ErrorContains(err, "tell UCP's reconcilers to leave node node1 alone: "))
			assert.Equal(t, ucp.MayHold(err), test.mayHold)
		})
	}
}
