package backup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/api/types/system"
	"github.com/docker/docker/api/types/volume"
	"github.com/docker/docker/client"
	"gotest.tools/v3/assert"

	"github.com/docker-ucp/docker-ucp/internal/agent"
	"github.com/docker-ucp/docker-ucp/internal/engine"
)

const (
	remoteHost = "tcp://manager1:2376"
	localHost  = "unix:///var/run/docker.sock"
)

// manager is an engine with UCP on it and a place for our agent, which runs in this process. A call that it does not
// know panics.
type manager struct {
	client.APIClient

	host    string
	volumes string // a folder for each volume

	mu       sync.Mutex
	states   map[string]string // of UCP's containers, by name, which is their ID as well
	labels   map[string]map[string]string
	images   []string
	calls    []string
	before   func(call string) error        // called before each call, which its error fails
	wire     func(call string) error        // as before, but not for the agent, which has a socket of its machine
	feed     func(io.WriteCloser) io.Writer // what the plugin writes the agent's input to
	down     bool                           // the plugin has no connection
	streams  []*logStream
	agent    *box                // our container; nil for none
	program  program             // what the agent's container runs
	hear     func(agent.Event)   // called when the agent has said so
	overhear func(agent.Event)   // the same, before anybody else hears it
	cut      func(read int) bool // breaks a log stream that has been read so far
	spoil    func(content []byte) []byte
	binds    func(path string) bool // which files the engine's machine has
	next     int
	conns    []net.Conn       // the plugin's ends of what it is attached to
	tasks    map[string]*task // by ID
	perform  func(args []string) (output string, status int)
	node     swarm.Node
	leader   bool          // the swarm has one
	gone     bool          // the engine gives nobody an answer
	deaf     bool          // and none to the agent
	plugin   *run          // that has called last
	killed   *run          // the one that is dead
	over     chan struct{} // closed at the end of a test in which one is
}

func newManager(tb testing.TB) *manager {
	tb.Helper()
	volumes, err := os.MkdirTemp("", "m") //nolint:usetesting // a short name: that of a socket has at most 107 bytes
	assert.NilError(tb, err)
	tb.Cleanup(func() { assert.Check(tb, os.RemoveAll(volumes)) })
	m := &manager{
		host: remoteHost, volumes: volumes, program: realAgent,
		states: map[string]string{"ucp-agent": "running", "ucp-controller": "running", "ucp-kv": "running", "ucp-old": "exited"},
		labels: map[string]map[string]string{"ucp-kv": nil, "ucp-node-certs": nil},
		tasks:  map[string]*task{}, node: managerNode(), leader: true,
	}
	for name, content := range map[string]string{
		"ucp-kv/snap/db": strings.Repeat("etcd", 50_000), "ucp-node-certs/private/key": "secret of UCP",
	} {
		path := filepath.Join(m.volumes, name)
		assert.NilError(tb, os.MkdirAll(filepath.Dir(path), 0o700))
		assert.NilError(tb, os.WriteFile(path, []byte(content), 0o600))
	}
	return m
}

// add makes a volume.
func (m *manager) add(tb testing.TB, name string, labels map[string]string) {
	tb.Helper()
	assert.NilError(tb, os.Mkdir(filepath.Join(m.volumes, name), 0o700))
	m.mu.Lock()
	defer m.mu.Unlock()
	m.labels[name] = labels
}

// assertUntouched holds for every way out: UCP is what it was, and nothing of ours is left.
func (m *manager) assertUntouched(tb testing.TB) {
	tb.Helper()
	m.assertRuns(tb)
	m.assertClean(tb)
}

// assertRuns holds where UCP is what it was.
func (m *manager) assertRuns(tb testing.TB) {
	tb.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	assert.DeepEqual(tb, m.states, map[string]string{
		"ucp-agent": "running", "ucp-controller": "running", "ucp-kv": "running", "ucp-old": "exited",
	})
}

// assertClean holds where nothing of ours is left.
func (m *manager) assertClean(tb testing.TB) {
	tb.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	assert.Check(tb, m.agent == nil, "the agent's container is left")
	assert.Equal(tb, len(m.images), 0, "left: %v", m.images)
	assert.Equal(tb, len(m.tasks), 0, "left: %v", m.tasks)
	assert.Equal(tb, len(m.node.Spec.Labels), 0, "left: %v", m.node.Spec.Labels)
	assert.DeepEqual(tb, slices.Sorted(maps.Keys(m.labels)), []string{"ucp-kv", "ucp-node-certs"})
}

// seen lists the calls so far.
func (m *manager) seen() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.calls)
}

// moved lists the calls that stopped and started UCP's containers.
func (m *manager) moved() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(m.calls), func(call string) bool {
		verb, what, _ := strings.Cut(call, " ")
		return !slices.Contains([]string{"stop", "start", "pause", "unpause"}, verb) || !strings.HasPrefix(what, "ucp-")
	})
}

func (m *manager) DaemonHost() string    { return m.host }
func (m *manager) ClientVersion() string { return "1.41" }

func (m *manager) ServerVersion(ctx context.Context) (types.Version, error) {
	return types.Version{Version: "20.10.24", APIVersion: "1.41", Os: "linux", Arch: "amd64"}, m.call(ctx, "version")
}

func (m *manager) Info(ctx context.Context) (system.Info, error) {
	info := system.Info{ID: "ENGINE:ONE", Name: "manager1", ServerVersion: "20.10.24", OSType: "linux", Architecture: "x86_64"}
	info.SystemTime = time.Now().UTC().Format(time.RFC3339Nano)
	info.Swarm = swarm.Info{NodeID: "node1", LocalNodeState: swarm.LocalNodeStateActive, ControlAvailable: true}
	return info, m.call(ctx, "info")
}

func (m *manager) VolumeList(ctx context.Context, _ volume.ListOptions) (volume.ListResponse, error) {
	m.mu.Lock()
	var list volume.ListResponse
	for name, labels := range m.labels {
		list.Volumes = append(list.Volumes, &volume.Volume{Name: name, Labels: labels, Options: map[string]string{"o": "password=" + volumePassword}})
	}
	m.mu.Unlock()
	return list, m.call(ctx, "volumes")
}

// volumePassword stands in the options of each volume, as that of a file server may.
const volumePassword = "hunter2hunter2"

func (m *manager) ContainerList(ctx context.Context, options container.ListOptions) ([]container.Summary, error) {
	if options.Filters.ExactMatch("label", engine.LabelStartedBy) && options.Filters.Contains("label") {
		return m.listOurs(ctx)
	}
	m.mu.Lock()
	var list []container.Summary
	for name, state := range m.states {
		summary := container.Summary{ID: name, Names: []string{"/" + name}, State: state, Labels: map[string]string{
			"com.docker.ucp.InstanceID": testInstance, "com.docker.ucp.version": "3.1.4",
		}}
		if name == "ucp-agent" {
			summary.Labels["com.docker.swarm.task.id"] = "task1"
		}
		list = append(list, summary)
	}
	m.mu.Unlock()
	return list, m.call(ctx, "containers")
}

func (m *manager) ContainerInspect(ctx context.Context, id string) (container.InspectResponse, error) {
	err := m.call(ctx, "inspect", id)
	if errors.Is(err, errDead) { // so that it soon ends
		return container.InspectResponse{ContainerJSONBase: &container.ContainerJSONBase{ID: id, State: &container.State{Running: true}}}, nil
	}
	if err != nil {
		return container.InspectResponse{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.agent != nil && (id == engine.AgentName || id == m.agent.id) {
		return m.agent.inspect(), nil
	}
	state, found := m.states[id]
	if !found {
		return container.InspectResponse{}, fmt.Errorf("no such container %s: %w", id, cerrdefs.ErrNotFound)
	}
	return container.InspectResponse{ContainerJSONBase: &container.ContainerJSONBase{
		ID: id, Name: "/" + id, State: &container.State{Running: state != "exited", Paused: state == "paused"},
	}}, nil
}

func (m *manager) ContainerInspectWithRaw(ctx context.Context, id string, _ bool) (container.InspectResponse, []byte, error) {
	raw, err := json.Marshal(map[string]string{"Id": id})
	return container.InspectResponse{}, raw, errors.Join(err, m.call(ctx, "inspect", id))
}

func (m *manager) move(ctx context.Context, verb, id, state string) error {
	if err := m.call(ctx, verb, id); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.states[id] = state
	return nil
}

func (m *manager) ContainerStop(ctx context.Context, id string, options container.StopOptions) error {
	if box := m.ours(id); box != nil {
		return m.stopAgent(ctx, box, options)
	}
	return m.move(ctx, "stop", id, "exited")
}

func (m *manager) ContainerPause(ctx context.Context, id string) error {
	return m.move(ctx, "pause", id, "paused")
}

func (m *manager) ContainerUnpause(ctx context.Context, id string) error {
	return m.move(ctx, "unpause", id, "running")
}

func (m *manager) ContainerStart(ctx context.Context, id string, _ container.StartOptions) error {
	if box := m.ours(id); box != nil {
		if err := m.call(ctx, "start", "agent"); err != nil {
			return err
		}
		return box.start(m)
	}
	if task := m.taskOf(id); task != nil {
		return m.startTask(ctx, task)
	}
	return m.move(ctx, "start", id, "running")
}

// ours returns the agent's container if it has the ID or name.
func (m *manager) ours(id string) *box {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.agent != nil && (m.agent.id == id || id == engine.AgentName) {
		return m.agent
	}
	return nil
}
