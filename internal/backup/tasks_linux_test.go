package backup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/pkg/stdcopy"

	"github.com/docker-ucp/docker-ucp/internal/agent"
	"github.com/docker-ucp/docker-ucp/internal/engine"
)

// task is a container of the agent's image that does one small thing and is removed.
type task struct {
	id, image string
	args      []string
	spool     string
	output    string // the operator's file
	said      net.Conn
	removed   chan container.WaitResponse
	killed    chan struct{} // closed by whoever removes it
}

func (m *manager) createTask(ctx context.Context, config *container.Config, host *container.HostConfig) (container.CreateResponse, error) {
	if err := m.call(ctx, append([]string{"create task"}, config.Cmd...)...); err != nil {
		return container.CreateResponse{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.lacks(host); err != nil {
		return container.CreateResponse{}, err
	}
	m.next++
	made := &task{
		id: fmt.Sprintf("task-%d", m.next), image: config.Image, args: config.Cmd,
		removed: make(chan container.WaitResponse, 1), killed: make(chan struct{}),
	}
	for _, mount := range host.Mounts {
		switch mount.Target {
		case engine.SpoolPath:
			made.spool = mount.Source
		case engine.OutputPath:
			made.output = mount.Source
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
		return nil, failed
	}
	context.AfterFunc(ctx, func() { failed <- ctx.Err() })
	return m.taskOf(id).removed, failed
}

// startTask lets the task do what it is for.
func (m *manager) startTask(ctx context.Context, t *task) error {
	if err := m.call(ctx, "start task", t.args[0]); err != nil {
		return err
	}
	go func() {
		output, err := m.do(t)
		_, _ = stdcopy.NewStdWriter(t.said, stdcopy.Stdout).Write(output) // whoever asked may have left
		status := int64(0)
		if err != nil {
			status = 1
			_, _ = fmt.Fprintln(stdcopy.NewStdWriter(t.said, stdcopy.Stderr), err)
		}
		_ = t.said.Close()
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.tasks, t.id)
		t.removed <- container.WaitResponse{StatusCode: status}
	}()
	return nil
}

func (m *manager) do(t *task) (output []byte, err error) {
	spool := filepath.Join(m.volumes, t.spool)
	switch {
	case t.args[0] == agent.TaskClean:
		return nil, os.RemoveAll(filepath.Dir(filepath.Join(spool, agent.JournalInSpool)))
	case t.args[0] == agent.TaskHand:
		if !m.listens(spool, t.killed) {
			return nil, errors.New("the agent has ended")
		}
		handed, err := agent.HandOver(context.Background(), spool, t.output, t.args[1])
		if err != nil {
			return nil, err
		}
		return json.Marshal(handed)
	case m.perform != nil:
		said, status := m.perform(t.args)
		if status != 0 {
			return nil, errors.New(said)
		}
		return []byte(said), nil
	default:
		return nil, nil
	}
}

// listens waits until the agent listens for the operator's file. In a bubble the task cannot do that itself: the clock,
// and so its pause, stands still while somebody waits for a connection. Of an agent that has ended it hopes for another
// until it is removed or tired.
func (m *manager) listens(spool string, killed <-chan struct{}) bool {
	for began := time.Now(); time.Since(began) < 10*time.Second; {
		conn, err := (&net.Dialer{}).DialContext(context.Background(), "unix", filepath.Join(spool, filepath.Dir(agent.JournalInSpool), "hand"))
		if err == nil {
			return conn.Close() == nil
		}
		if m.agentRuns() {
			continue
		}
		select {
		case <-killed:
			return false
		case <-time.After(50 * time.Millisecond):
		}
	}
	return false
}

func (m *manager) agentRuns() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.agent == nil {
		return false
	}
	m.agent.mu.Lock()
	defer m.agent.mu.Unlock()
	return m.agent.state == "running"
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
