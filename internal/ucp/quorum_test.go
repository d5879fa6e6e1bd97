package ucp_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/swarm"
	"gotest.tools/v3/assert"

	"github.com/docker-ucp/docker-ucp/internal/ucp"
)

func TestQuorumWhileThisManagerRests(t *testing.T) {
	tests := map[string]struct {
		others       string // each of the others: u for up, d for down
		needed, up   int
		lost, breaks bool
	}{
		"alone":                       {"", 1, 0, false, false},
		"two":                         {"u", 2, 1, false, false},
		"two, the other is down":      {"d", 2, 0, true, false},
		"three":                       {"uu", 2, 2, false, false},
		"three, one is down":          {"ud", 2, 1, false, true},
		"three, both others are down": {"dd", 2, 0, true, false},
		"four":                        {"uuu", 3, 3, false, false},
		"four, one is down":           {"uud", 3, 2, false, true},
		"four, two are down":          {"udd", 3, 1, true, false},
		"five, one is down":           {"uuud", 3, 3, false, false},
		"five, two are down":          {"uudd", 3, 2, false, true},
		"five, three are down":        {"uddd", 3, 1, true, false},
		"seven, three are down":       {"uuuddd", 4, 3, false, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			instance := ucp.Instance{Node: ucp.Node{ID: "self"}}
			instance.Swarm.Managers = []ucp.Member{{ID: "self", Name: "self", Healthy: false}} // it answers, whatever the swarm believes
			for i, state := range test.others {
				id := string(rune('a' + len(test.others) - i))
				instance.Swarm.Managers = append(instance.Swarm.Managers, ucp.Member{ID: id, Name: id, Healthy: state == 'u'})
			}
			q := instance.Quorum()
			assert.Equal(t, q.Managers, len(test.others)+1)
			assert.Equal(t, q.Needed, test.needed)
			assert.Equal(t, q.Others, test.up)
			assert.Equal(t, len(q.Down), strings.Count(test.others, "d"))
			assert.Equal(t, q.Lost(), test.lost)
			assert.Equal(t, q.Breaks(), test.breaks)
		})
	}
}

func TestManagersThatAreDownAreNamedAsFarAsTheyAreKnown(t *testing.T) {
	instance := ucp.Instance{Node: ucp.Node{ID: "self"}}
	instance.Swarm.Managers = []ucp.Member{{ID: "c"}, {ID: "b", Name: "manager2", Address: "192.0.2.2:2377"}, {ID: "a", Address: "192.0.2.1:2377"}}
	assert.DeepEqual(t, instance.Quorum(), ucp.Quorum{Managers: 4, Needed: 3, Down: []string{"192.0.2.1:2377", "c", "manager2"}})
}

func TestAManagerIsUpWhenTheSwarmCallsItReadyAndReachable(t *testing.T) {
	tests := map[string]struct {
		state  swarm.NodeState
		status *swarm.ManagerStatus
		want   bool
	}{
		"ready and reachable":     {swarm.NodeStateReady, &swarm.ManagerStatus{Reachability: swarm.ReachabilityReachable}, true},
		"the leader":              {swarm.NodeStateReady, &swarm.ManagerStatus{Leader: true, Reachability: swarm.ReachabilityReachable}, true},
		"unreachable":             {swarm.NodeStateReady, &swarm.ManagerStatus{Reachability: swarm.ReachabilityUnreachable}, false},
		"down":                    {swarm.NodeStateDown, &swarm.ManagerStatus{Reachability: swarm.ReachabilityReachable}, false},
		"reachability not known":  {swarm.NodeStateReady, &swarm.ManagerStatus{Reachability: swarm.ReachabilityUnknown}, false},
		"promoted and not joined": {swarm.NodeStateReady, nil, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			m := newManager()
			m.nodes[0].Status.State, m.nodes[0].ManagerStatus = test.state, test.status
			other := m.discover(t).Swarm.Managers[1]
			assert.Equal(t, other.ID, "node2")
			assert.Equal(t, other.Healthy, test.want)
			assert.Equal(t, other.Address, "203.0.113.9", "where no manager's address is told")
		})
	}
}

func TestASwarmThatCannotBeAskedHasNobodyElseUp(t *testing.T) {
	m := newManager()
	m.info.Swarm.RemoteManagers = append(m.info.Swarm.RemoteManagers, swarm.Peer{NodeID: "node4", Addr: "192.0.2.4:2377"})
	engine := m.engine()
	engine.nodeList = func() ([]swarm.Node, error) { return nil, errors.New("the swarm does not have a leader") }
	instance, err := ucp.Discover(t.Context(), engine, "")
	assert.NilError(t, err)
	assert.Check(t, instance.Swarm.Leaderless)
	q := instance.Quorum()
	assert.DeepEqual(t, q, ucp.Quorum{Managers: 3, Needed: 2, Down: []string{"192.0.2.2:2377", "192.0.2.4:2377"}})
	assert.Check(t, q.Lost() && !q.Breaks())
}

func TestWhoHoldsThisNodeIsRead(t *testing.T) {
	m := newManager()
	assert.Check(t, !m.discover(t).Swarm.Leaderless)
	slices.Reverse(m.nodes) // the other one comes last
	m.nodes[2].Spec.Labels = map[string]string{ucp.LabelHeldBy: "bob"}
	assert.Equal(t, m.discover(t).Node.HeldBy, "")
	m.nodes[0].Spec.Labels = map[string]string{ucp.LabelHeldBy: "ann", ucp.LabelAgentPause: "true"}
	assert.Equal(t, m.discover(t).Node.HeldBy, "ann")
}
