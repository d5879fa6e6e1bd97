package lab

import (
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/swarm"
	"gotest.tools/v3/assert"
)

func TestNodesFormASwarmThatRunsTasks(t *testing.T) {
	for _, version := range []string{Installed, Current} {
		t.Run(version, func(t *testing.T) {
			l := startLab(t, Options{Version: version, Nodes: 3})
			assert.ErrorContains(t, l.FormSwarm(t.Context(), 4), "3 nodes with 4 managers")
			for _, node := range l.Nodes {
				assert.NilError(t, ImportTools(t.Context(), connect(t, node)))
			}
			assert.NilError(t, l.FormSwarm(t.Context(), 2))
			leader := connect(t, l.Nodes[0])
			nodes, err := leader.NodeList(t.Context(), swarm.NodeListOptions{})
			assert.NilError(t, err)
			roles := map[string]swarm.NodeRole{}
			for _, node := range nodes {
				roles[node.Description.Hostname] = node.Spec.Role
			}
			assert.DeepEqual(t, roles, map[string]swarm.NodeRole{
				"n1": swarm.NodeRoleManager, "n2": swarm.NodeRoleManager, "n3": swarm.NodeRoleWorker,
			})
			_, err = leader.ServiceCreate(t.Context(), swarm.ServiceSpec{
				Annotations:  swarm.Annotations{Name: "sleeper"},
				Mode:         swarm.ServiceMode{Global: &swarm.GlobalService{}},
				TaskTemplate: swarm.TaskSpec{ContainerSpec: &swarm.ContainerSpec{Image: ToolsImage, Args: []string{"sleep", "1000"}}},
			}, swarm.ServiceCreateOptions{})
			assert.NilError(t, err)
			for _, node := range l.Nodes {
				awaitContainer(t, node)
			}
		})
	}
}

// awaitContainer returns when a node runs a container.
func awaitContainer(t *testing.T, node *Node) {
	t.Helper()
	engine := connect(t, node)
	for range 600 {
		found, err := engine.ContainerList(t.Context(), container.ListOptions{})
		assert.NilError(t, err)
		if len(found) > 0 {
			return
		}
		assert.NilError(t, pause(t.Context(), 50_000_000))
	}
	t.Fatalf("node %s runs no task of the service: %s", node.Name, node.Log())
}
