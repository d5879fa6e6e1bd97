package ucp_test

import (
	"strings"
	"testing"

	"github.com/docker/docker/api/types/swarm"
	"gotest.tools/v3/assert"

	"github.com/docker-ucp/docker-ucp/internal/failure"
	"github.com/docker-ucp/docker-ucp/internal/ucp"
)

func TestDiscoverRefusesWithWhatToTypeInstead(t *testing.T) {
	tests := map[string]struct {
		change func(m *manager)
		id     string
		words  string
		hint   string
	}{
		"no UCP": {
			change: func(m *manager) { m.containers = nil; m.addForeign("web") },
			words:  "no UCP on this engine: no container carries the label com.docker.ucp.InstanceID",
			hint:   "choose a UCP manager with: docker --context NAME ucp backup FILE",
		},
		"a worker": {
			change: func(m *manager) { m.info.Swarm.ControlAvailable = false },
			words:  "engine manager1 is a worker; UCP keeps its state on managers",
			hint:   "choose a UCP manager with: docker --context NAME ucp backup FILE\nits swarm's managers: 192.0.2.1:2377, 192.0.2.2:2377",
		},
		"a worker that knows no manager": {
			change: func(m *manager) { m.info.Swarm.ControlAvailable, m.info.Swarm.RemoteManagers = false, nil },
			words:  "engine manager1 is a worker; UCP keeps its state on managers",
			hint:   "choose a UCP manager with: docker --context NAME ucp backup FILE",
		},
		"a locked swarm": {
			change: func(m *manager) { m.info.Swarm = swarm.Info{LocalNodeState: swarm.LocalNodeStateLocked} },
			words:  "the swarm on manager1 is locked",
			hint:   "unlock it with: docker swarm unlock",
		},
		"a swarm in error": {
			change: func(m *manager) {
				m.info.Swarm = swarm.Info{LocalNodeState: swarm.LocalNodeStateError, Error: "certificate has expired"}
			},
			words: "the swarm on manager1 is in state error: certificate has expired",
			hint:  "look at: docker info",
		},
		"a manager that still joins": {
			change: func(m *manager) {
				m.info.Swarm.LocalNodeState, m.info.Swarm.ControlAvailable = swarm.LocalNodeStatePending, false
			},
			words: "the swarm on manager1 is in state pending: the engine gives no reason",
			hint:  "look at: docker info",
		},
		"no swarm": {
			change: func(m *manager) { m.info.Swarm = swarm.Info{LocalNodeState: swarm.LocalNodeStateInactive} },
			words:  "engine manager1 is in no swarm, so UCP cannot run on it",
			hint:   "choose a UCP manager with: docker --context NAME ucp backup FILE",
		},
		"an endpoint through UCP's own controller": {
			change: func(m *manager) { m.info.ServerVersion = "ucp/3.1.4" },
			words:  "this endpoint leads through UCP's own controller (server version ucp/3.1.4), which a backup stops",
			hint:   "talk to the manager's engine itself, for example: docker -H ssh://root@MANAGER ucp backup FILE",
		},
		"another instance than asked for": {
			change: func(*manager) {},
			id:     otherID,
			words:  "this manager holds UCP instance " + instanceID + ", not " + otherID,
			hint:   "if that is the one you mean: docker ucp backup --id " + instanceID + " FILE",
		},
		"two instances": {
			change: func(m *manager) { m.add("other", "exited").Labels[ucp.LabelInstance] = otherID },
			words:  "this manager holds 2 UCP instances: " + otherID + ", " + instanceID,
			hint:   "name one with: docker ucp backup --id " + otherID + " FILE",
		},
		"containers without volumes": {
			change: func(m *manager) { m.containers, m.volumes.Volumes = nil, nil; m.add("ucp-controller", "running") },
			words:  "UCP " + instanceID + " has containers on this engine but no volumes",
			hint:   "look at: docker volume ls",
		},
		"a volume whose driver does not answer": {
			change: func(m *manager) {
				m.volumes.Volumes = m.volumes.Volumes[1:]
				m.volumes.Warnings = []string{"driver rexray: timeout"}
			},
			words: "UCP mounts volumes that the engine does not list: ucp-controller-server-certs, driver rexray: timeout",
			hint:  "see whether their drivers work: docker volume ls; docker plugin ls",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			m := newManager()
			test.change(m)
			_, err := ucp.Discover(t.Context(), m.engine(), test.id)
			assert.Error(t, err, test.words)
			assert.Equal(t, failure.KindOf(err), failure.Refused)
			assert.Equal(t, strings.Join(failure.Hints(err), "\n"), test.hint)
		})
	}
}
