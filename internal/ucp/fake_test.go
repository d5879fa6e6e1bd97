package ucp_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/api/types/system"
	"github.com/docker/docker/api/types/volume"
	"gotest.tools/v3/assert"

	"github.com/docker-ucp/docker-ucp/internal/ucp"
)

const (
	instanceID = "isf0dbkbykcrvkiu96yshx1eg"
	otherID    = "6bidr7qs5ysuq1aofc2vxdyoz"
)

// fakeEngine is an engine as Discover sees it. A call whose field is nil panics.
type fakeEngine struct {
	ucp.Engine
	info             func() (system.Info, error)
	containerList    func(container.ListOptions) ([]container.Summary, error)
	containerInspect func(id string) (container.InspectResponse, error)
	volumeList       func() (volume.ListResponse, error)
	nodeList         func() ([]swarm.Node, error)
}

func (e *fakeEngine) Info(context.Context) (system.Info, error) { return e.info() }

func (e *fakeEngine) ContainerList(_ context.Context, options container.ListOptions) ([]container.Summary, error) {
	return e.containerList(options)
}

func (e *fakeEngine) ContainerInspect(_ context.Context, id string) (container.InspectResponse, error) {
	return e.containerInspect(id)
}

func (e *fakeEngine) VolumeList(context.Context, volume.ListOptions) (volume.ListResponse, error) {
	return e.volumeList()
}

func (e *fakeEngine) NodeList(context.Context, swarm.NodeListOptions) ([]swarm.Node, error) {
	return e.nodeList()
}

// manager is a UCP manager whose parts a test changes before it asks for the engine.
type manager struct {
	info       system.Info
	containers []container.Summary
	inspected  map[string]container.InspectResponse // by ID; one that is not here runs with nothing special
	gone       []string                             // IDs that are listed and cannot be inspected any more
	volumes    volume.ListResponse
	nodes      []swarm.Node
}

// newManager returns a manager of UCP 3.1.4, small but whole.
func newManager() *manager {
	m := &manager{
		info: system.Info{Name: "manager1", ServerVersion: "18.09.2", Swarm: swarm.Info{
			NodeID: "node1", NodeAddr: "192.0.2.1", LocalNodeState: swarm.LocalNodeStateActive, ControlAvailable: true,
			Cluster:        &swarm.ClusterInfo{ID: instanceID},
			RemoteManagers: []swarm.Peer{{NodeID: "node2", Addr: "192.0.2.2:2377"}, {NodeID: "node1", Addr: "192.0.2.1:2377"}},
		}},
		inspected: map[string]container.InspectResponse{},
		nodes: []swarm.Node{
			swarmNode("node2", "manager2", "192.0.2.2:2377"), swarmNode("node3", "worker1", ""), swarmNode("node1", "manager1", "192.0.2.1:2377"),
		},
	}
	controller := m.add("ucp-controller", "running", "ucp-controller-server-certs", "ucp-node-certs")
	controller.Mounts = append(controller.Mounts, container.MountPoint{Type: mount.TypeBind, Source: "/var/run/docker.sock", RW: true})
	m.add("ucp-kv", "running", "ucp-kv", "ucp-kv-certs")
	m.add("ucp-agent.node1.task1", "running").Labels["com.docker.swarm.task.id"] = "task1"
	m.add("ucp-reconcile", "exited")
	return m
}

func swarmNode(id, name, managerAddress string) swarm.Node {
	node := swarm.Node{ID: id, Description: swarm.NodeDescription{Hostname: name}, Status: swarm.NodeStatus{Addr: "203.0.113.9"}}
	node.Spec.Role = swarm.NodeRoleWorker
	if managerAddress != "" {
		node.Spec.Role = swarm.NodeRoleManager
		node.ManagerStatus = &swarm.ManagerStatus{Addr: managerAddress}
	}
	return node
}

// add puts a container of UCP onto the manager, and the volumes that it mounts.
func (m *manager) add(name, state string, volumes ...string) *container.Summary {
	c := container.Summary{
		ID: "id-of-" + name, Names: []string{"/" + name}, State: state,
		Labels: map[string]string{ucp.LabelInstance: instanceID, ucp.LabelVersion: "3.1.4"},
	}
	for _, v := range volumes {
		m.volume(v)
		c.Mounts = append(c.Mounts, container.MountPoint{Type: mount.TypeVolume, Name: v, Source: mountpoint(v), RW: true})
	}
	m.containers = append(m.containers, c)
	return &m.containers[len(m.containers)-1]
}

// addForeign puts a running container that is not UCP's onto the manager.
func (m *manager) addForeign(name string, mounts ...container.MountPoint) {
	c := m.add(name, "running")
	c.Labels, c.Mounts = map[string]string{}, mounts
}

func (m *manager) volume(name string) {
	if !slices.ContainsFunc(m.volumes.Volumes, func(v *volume.Volume) bool { return v.Name == name }) {
		m.volumes.Volumes = append(m.volumes.Volumes, &volume.Volume{Name: name, Driver: "local", Mountpoint: mountpoint(name)})
	}
}

func mountpoint(volume string) string { return "/var/lib/docker/volumes/" + volume + "/_data" }

func (m *manager) engine() *fakeEngine {
	return &fakeEngine{
		info: func() (system.Info, error) { return m.info, nil },
		containerList: func(options container.ListOptions) ([]container.Summary, error) {
			if !options.All {
				return nil, errors.New("asked for running containers alone")
			}
			return m.containers, nil
		},
		containerInspect: func(id string) (container.InspectResponse, error) {
			if slices.Contains(m.gone, id) {
				return container.InspectResponse{}, fmt.Errorf("no such container: %s: %w", id, cerrdefs.ErrNotFound)
			}
			inspected := m.inspected[id]
			if inspected.ContainerJSONBase == nil {
				inspected.ContainerJSONBase = &container.ContainerJSONBase{HostConfig: &container.HostConfig{}}
			}
			return inspected, nil
		},
		volumeList: func() (volume.ListResponse, error) { return m.volumes, nil },
		nodeList:   func() ([]swarm.Node, error) { return m.nodes, nil },
	}
}

func (m *manager) discover(t *testing.T) *ucp.Instance {
	t.Helper()
	instance, err := ucp.Discover(t.Context(), m.engine(), "")
	assert.NilError(t, err)
	return instance
}

func containerNames(instance *ucp.Instance) []string {
	var names []string
	for _, c := range instance.Containers {
		names = append(names, c.Name)
	}
	return names
}

func volumeNames(instance *ucp.Instance) []string {
	var names []string
	for _, v := range instance.Volumes {
		names = append(names, v.Name)
	}
	return names
}
