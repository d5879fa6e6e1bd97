package backup

import (
	"context"
	"fmt"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/swarm"

	"github.com/docker-ucp/docker-ucp/internal/ucp"
)

func managerNode() swarm.Node {
	return swarm.Node{
		ID: "node1", Spec: swarm.NodeSpec{Role: swarm.NodeRoleManager}, Description: swarm.NodeDescription{Hostname: "manager1"},
		Status:        swarm.NodeStatus{State: swarm.NodeStateReady},
		ManagerStatus: &swarm.ManagerStatus{Leader: true, Reachability: swarm.ReachabilityReachable, Addr: "192.0.2.1:2377"},
	}
}

func (m *manager) NodeList(ctx context.Context, _ swarm.NodeListOptions) ([]swarm.Node, error) {
	if err := m.call(ctx, "nodes"); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return []swarm.Node{m.node}, m.led()
}

func (m *manager) ConfigList(ctx context.Context, _ swarm.ConfigListOptions) ([]swarm.Config, error) {
	return nil, m.call(ctx, "configs")
}

func (m *manager) ServiceList(ctx context.Context, _ swarm.ServiceListOptions) ([]swarm.Service, error) {
	return nil, m.call(ctx, "services")
}

func (m *manager) NodeInspectWithRaw(ctx context.Context, id string) (swarm.Node, []byte, error) {
	if err := m.call(ctx, "inspect node", id); err != nil {
		return swarm.Node{}, nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.node, nil, m.led()
}

func (m *manager) NodeUpdate(ctx context.Context, id string, _ swarm.Version, spec swarm.NodeSpec) error {
	if err := m.call(ctx, "update node", id); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.led(); err != nil {
		return err
	}
	m.node.Spec = spec
	m.node.Version.Index++
	return nil
}

// led fails as an engine does whose swarm has no leader.
func (m *manager) led() error {
	if m.leader {
		return nil
	}
	return fmt.Errorf("rpc error: code = Unknown desc = The swarm does not have a leader: %w", cerrdefs.ErrUnavailable)
}

func (m *manager) setLeader(leader bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.leader = leader
}

// heldByCron sets the labels by which a run of root@cron tells UCP's reconcilers to leave the node alone.
func (m *manager) heldByCron() {
	m.node.Spec.Labels = map[string]string{ucp.LabelAgentPause: "true", ucp.LabelHeldBy: "root@cron"}
}
