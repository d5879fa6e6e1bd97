package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/swarm"
	"gotest.tools/v3/assert"

	"github.com/docker-ucp/docker-ucp/internal/archive"
	"github.com/docker-ucp/docker-ucp/internal/quiesce"
	"github.com/docker-ucp/docker-ucp/internal/ucp"
)

const (
	testEngine   = "ENGINE:ONE"
	testInstance = "UCP:ONE"
	testNode     = "node-one"
	testNonce    = "probe 0123456789"
)

// machine is a manager with two volumes and four containers, of which the last does not run.
type machine struct {
	*engines
	host   Host
	output string // the operator's file
}

func newMachine(tb testing.TB) *machine {
	tb.Helper()
	m := &machine{engines: &engines{states: map[string]quiesce.State{
		"c-agent": {Running: true}, "c-controller": {Running: true}, "c-kv": {Running: true}, "c-down": {},
	}}}
	root, err := os.MkdirTemp("", "m") //nolint:usetesting // the name of a socket below it has at most 107 bytes
	assert.NilError(tb, err)
	tb.Cleanup(func() { assert.Check(tb, os.RemoveAll(root)) })
	m.output = filepath.Join(root, "output")
	m.host = Host{
		Engine: m.engines, Records: m.engines, Nodes: m.engines,
		Volumes: filepath.Join(root, "volumes"), Spool: filepath.Join(root, "spool"),
	}
	for name, content := range map[string]string{
		"ucp-kv/snap/db":             strings.Repeat("etcd", 50_000),
		"ucp-kv/wal/1.wal":           "entries",
		"ucp-node-certs/ca.pem":      "certificate",
		"ucp-node-certs/private/key": "secret of UCP",
	} {
		m.write(tb, filepath.Join(m.host.Volumes, name), content)
	}
	assert.NilError(tb, os.Mkdir(m.host.Spool, 0o700))
	return m
}

func (m *machine) write(tb testing.TB, path, content string) {
	tb.Helper()
	assert.NilError(tb, os.MkdirAll(filepath.Dir(path), 0o700))
	assert.NilError(tb, os.WriteFile(path, []byte(content), 0o600))
}

func (m *machine) job() Job {
	return Job{EngineID: testEngine, Volumes: []string{"ucp-kv", "ucp-node-certs"}}
}

// order is for an archive that is not sealed, into the spool, without a clone.
func (m *machine) order() *Order {
	return &Order{
		By: "tester@there",
		Instance: ucp.Instance{ID: testInstance, Node: ucp.Node{ID: testNode}, Containers: []ucp.Container{
			{ID: "c-kv", Name: "ucp-kv", Ours: true}, {ID: "c-controller", Name: "ucp-controller", Ours: true},
		}},
		Plan: quiesce.Plan{Waves: [][]quiesce.Target{
			{{ID: "c-agent", Name: "ucp-agent", Action: quiesce.Pause}},
			{{ID: "c-controller", Name: "ucp-controller", Action: quiesce.Stop}},
			{{ID: "c-kv", Name: "ucp-kv", Action: quiesce.Stop}},
		}},
		Manifest: &archive.Manifest{
			Created: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
			UCP:     archive.UCP{InstanceID: testInstance},
			Volumes: []archive.Volume{{Name: "ucp-kv"}, {Name: "ucp-node-certs"}},
		},
	}
}

func (m *machine) archivePath() string { return filepath.Join(m.host.Spool, ArchiveInSpool) }

// assertEmptySpool holds for every way out but a finished archive.
func (m *machine) assertEmptySpool(tb testing.TB) {
	tb.Helper()
	left, err := os.ReadDir(m.host.Spool)
	assert.NilError(tb, err)
	assert.Equal(tb, len(left), 0, "left in the spool: %v", left)
}

// assertLeft holds for our folder in the spool.
func (m *machine) assertLeft(tb testing.TB, names ...string) {
	tb.Helper()
	left, err := os.ReadDir(filepath.Join(m.host.Spool, spoolFolder))
	assert.NilError(tb, err)
	var found []string
	for _, entry := range left {
		found = append(found, entry.Name())
	}
	assert.DeepEqual(tb, found, names)
}

// assertUCPRuns holds for every way out but that of a container that cannot be started.
func (m *machine) assertUCPRuns(tb testing.TB) {
	tb.Helper()
	assert.DeepEqual(tb, m.now(), map[string]quiesce.State{
		"c-agent": {Running: true}, "c-controller": {Running: true}, "c-kv": {Running: true}, "c-down": {},
	})
	m.mu.Lock()
	defer m.mu.Unlock()
	assert.Equal(tb, len(m.labels), 0, "left on the node: %v", m.labels)
}

// copied is the manager as it is now, for what happens when the agent dies at this moment.
func (m *machine) copied(tb testing.TB) *machine {
	tb.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	eng := &engines{states: maps.Clone(m.states), labels: maps.Clone(m.labels)}
	left := &machine{engines: eng, host: m.host}
	left.host.Engine, left.host.Records, left.host.Nodes = eng, eng, eng
	left.host.Spool = filepath.Join(tb.TempDir(), "spool")
	assert.NilError(tb, os.CopyFS(left.host.Spool, os.DirFS(m.host.Spool)))
	return left
}

// engines is an engine of which each call can fail.
type engines struct {
	mu     sync.Mutex
	states map[string]quiesce.State
	labels map[string]string // of the node
	calls  []string
	before func(call string) error         // called before each call, which its error fails
	answer func(ctx context.Context) error // instead of any answer
}

var errGone = errors.New("no such container")

func (e *engines) now() map[string]quiesce.State {
	e.mu.Lock()
	defer e.mu.Unlock()
	return maps.Clone(e.states)
}

// moved lists the calls that change something.
func (e *engines) moved() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(e.calls), func(call string) bool {
		return !strings.HasPrefix(call, "stop") && !strings.HasPrefix(call, "start") && !strings.Contains(call, "pause")
	})
}

func (e *engines) ContainerList(ctx context.Context, _ container.ListOptions) ([]container.Summary, error) {
	var list []container.Summary
	for id, state := range e.now() {
		summary := container.Summary{ID: id, Names: []string{"/u" + id}, State: "exited", Labels: map[string]string{ucp.LabelInstance: testInstance}}
		switch {
		case state.Paused:
			summary.State = "paused"
		case state.Running:
			summary.State = "running"
		}
		list = append(list, summary)
	}
	return list, e.call(ctx, "containers")
}

func (e *engines) call(ctx context.Context, words ...string) error {
	call := strings.Join(words, " ")
	e.mu.Lock()
	e.calls = append(e.calls, call)
	before, answer := e.before, e.answer
	e.mu.Unlock()
	if answer != nil {
		return answer(ctx)
	}
	if before != nil {
		if err := before(call); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (e *engines) move(ctx context.Context, call, id string, change func(*quiesce.State)) error {
	if err := e.call(ctx, call, id); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	state, found := e.states[id]
	if !found {
		return errGone
	}
	change(&state)
	e.states[id] = state
	return nil
}

func (e *engines) StopContainer(ctx context.Context, id string, _ *time.Duration) error {
	return e.move(ctx, "stop", id, func(s *quiesce.State) { s.Running = false })
}

func (e *engines) StartContainer(ctx context.Context, id string) error {
	return e.move(ctx, "start", id, func(s *quiesce.State) { s.Running = true })
}

func (e *engines) PauseContainer(ctx context.Context, id string) error {
	return e.move(ctx, "pause", id, func(s *quiesce.State) { s.Paused = true })
}

func (e *engines) UnpauseContainer(ctx context.Context, id string) error {
	return e.move(ctx, "unpause", id, func(s *quiesce.State) { s.Paused = false })
}

func (e *engines) ContainerState(ctx context.Context, id string) (quiesce.State, error) {
	if err := e.call(ctx, "look", id); err != nil {
		return quiesce.State{}, err
	}
	state, found := e.now()[id]
	if !found {
		return state, errGone
	}
	return state, nil
}

func (e *engines) IsGone(err error) bool { return errors.Is(err, errGone) }

func (e *engines) EngineID(ctx context.Context) (string, error) {
	return testEngine, e.call(ctx, "who")
}

func (e *engines) NodeInspectWithRaw(ctx context.Context, id string) (swarm.Node, []byte, error) {
	if err := e.call(ctx, "node", id); err != nil {
		return swarm.Node{}, nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	node := swarm.Node{ID: id}
	node.Spec.Labels = maps.Clone(e.labels)
	return node, nil, nil
}

func (e *engines) NodeUpdate(ctx context.Context, id string, _ swarm.Version, spec swarm.NodeSpec) error {
	if err := e.call(ctx, "label", id); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.labels = spec.Labels
	return nil
}

func (e *engines) ContainerInspectWithRaw(ctx context.Context, id string, _ bool) (container.InspectResponse, []byte, error) {
	raw, err := json.Marshal(map[string]string{"Id": id})
	return container.InspectResponse{}, raw, errors.Join(err, e.call(ctx, "inspect", id))
}

func (e *engines) ConfigList(ctx context.Context, _ swarm.ConfigListOptions) ([]swarm.Config, error) {
	config := swarm.Config{ID: "1"}
	config.Spec.Name = "com.docker.ucp.config-1"
	return []swarm.Config{config}, e.call(ctx, "configs")
}

func (e *engines) ServiceList(ctx context.Context, _ swarm.ServiceListOptions) ([]swarm.Service, error) {
	service := swarm.Service{ID: "1"}
	service.Spec.Name = "ucp-agent"
	return []swarm.Service{service}, e.call(ctx, "services")
}

// failNth fails the nth call, from 1, and no other.
func failNth(n int) func(call string) error {
	var mu sync.Mutex
	seen := 0
	return func(call string) error {
		mu.Lock()
		defer mu.Unlock()
		seen++
		if seen == n {
			return fmt.Errorf("call %d (%s) failed", n, call)
		}
		return nil
	}
}
