package backup

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/pkg/stdcopy"

	"github.com/docker-ucp/docker-ucp/internal/agent"
	"github.com/docker-ucp/docker-ucp/internal/engine"
)

// task is a container of the agent's image that does one small thing and is removed.
type task struct {
	id, image string
	args      []string
	spool     string
	said      net.Conn
	removed   chan container.WaitResponse
}

func (m *manager) createTask(ctx context.Context, config *container.Config, host *container.HostConfig) (container.CreateResponse, error) {
	if err := m.call(ctx, append([]string{"create task"}, config.Cmd...)...); err != nil {
		return container.CreateResponse{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.next++
	made := &task{
		id: fmt.Sprintf("task-%d", m.next), image: config.Image, args: config.Cmd,
		removed: make(chan container.WaitResponse, 1),
	}
	for _, mount := range host.Mounts {
		if mount.Target == engine.SpoolPath {
			made.spool = mount.Source
		}
	}
	m.tasks[made.id] = made
	return container.CreateResponse{ID: made.id}, nil
}

func (m *manager) taskOf(id string) *task {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.tasks[id]
}

func (m *manager) ContainerWait(ctx context.Context, id string, _ container.WaitCondition) (<-chan container.WaitResponse, <-chan error) {
	failed := make(chan error, 1)
	if err := m.call(ctx, "wait"); err != nil {
		failed <- err
	}
	return m.taskOf(id).removed, failed
}

// startTask does at once what the task is for.
func (m *manager) startTask(ctx context.Context, t *task) error {
	if err := m.call(ctx, "start task", t.args[0]); err != nil {
		return err
	}
	output, status := "", 0
	switch {
	case t.args[0] == agent.TaskClean:
		if err := os.RemoveAll(filepath.Dir(filepath.Join(m.volumes, t.spool, agent.JournalInSpool))); err != nil {
			return err
		}
	case m.perform != nil:
		output, status = m.perform(t.args)
	}
	go func() {
		_, _ = fmt.Fprint(stdcopy.NewStdWriter(t.said, stdcopy.Stdout), output) // whoever asked may have left
		_ = t.said.Close()
	}()
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.tasks, t.id)
	t.removed <- container.WaitResponse{StatusCode: int64(status)}
	return nil
}

// listOurs lists the containers that bear our label.
func (m *manager) listOurs(ctx context.Context) ([]container.Summary, error) {
	if err := m.call(ctx, "containers of ours"); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var list []container.Summary
	for _, t := range m.tasks {
		list = append(list, container.Summary{ID: t.id, Image: t.image, Names: []string{"/bold_name"}, State: "created"})
	}
	if m.agent != nil {
		list = append(list, container.Summary{ID: m.agent.id, Image: m.agent.image, Names: []string{"/" + engine.AgentName}})
	}
	return list, nil
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
