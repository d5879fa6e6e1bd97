package ucp_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/api/types/system"
	"github.com/docker/docker/api/types/volume"
	"gotest.tools/v3/assert"
	"gotest.tools/v3/assert/cmp"

	"github.com/docker-ucp/docker-ucp/internal/ucp"
)

func TestDiscoverReadsAManager(t *testing.T) {
	instance := newManager().discover(t)
	assert.Equal(t, instance.ID, instanceID)
	assert.Equal(t, instance.Version, "3.1.4")
	assert.Equal(t, instance.Era, ucp.EraStopped)
	assert.DeepEqual(t, containerNames(instance), []string{"ucp-agent.node1.task1", "ucp-controller", "ucp-kv", "ucp-reconcile"})
	assert.DeepEqual(t, volumeNames(instance), []string{"ucp-controller-server-certs", "ucp-kv", "ucp-kv-certs", "ucp-node-certs"})
	assert.DeepEqual(t, instance.Node, ucp.Node{ID: "node1", Name: "manager1", Address: "192.0.2.1", Role: "manager"})
	assert.DeepEqual(t, instance.Swarm, ucp.Swarm{ClusterID: instanceID, Managers: []ucp.Member{
		{ID: "node1", Name: "manager1", Address: "192.0.2.1:2377"},
		{ID: "node2", Name: "manager2", Address: "192.0.2.2:2377"},
	}})
	agent, kv := instance.Containers[0], instance.Containers[2]
	assert.DeepEqual(t, agent, ucp.Container{ID: "id-of-ucp-agent.node1.task1", Name: "ucp-agent.node1.task1", State: "running", Ours: true, Task: true})
	assert.DeepEqual(t, kv, ucp.Container{ID: "id-of-ucp-kv", Name: "ucp-kv", State: "running", Ours: true})
}

func TestDiscoverTakesTheInstanceThatIsAskedFor(t *testing.T) {
	m := newManager()
	m.add("other-controller", "running").Labels[ucp.LabelInstance] = otherID
	instance, err := ucp.Discover(t.Context(), m.engine(), instanceID)
	assert.NilError(t, err)
	assert.Equal(t, instance.ID, instanceID)
	assert.Check(t, !strings.Contains(strings.Join(containerNames(instance), " "), "other-controller"))
}

func TestVolumesAreTakenByNameAndByMount(t *testing.T) {
	anonymous := strings.Repeat("0123456789abcdef", 4)
	tests := map[string]struct {
		change func(m *manager)
		volume string
		want   bool
	}{
		"known by name, mounted by nobody":         {func(m *manager) { m.volume("ucp-metrics-data") }, "ucp-metrics-data", true},
		"mounted by UCP under an unknown name":     {func(m *manager) { m.add("ucp-new", "running", "ucp-something-new") }, "ucp-something-new", true},
		"mounted by a container of UCP that ended": {func(m *manager) { m.add("ucp-new", "exited", "ucp-something-new") }, "ucp-something-new", true},
		"anonymous":                      {func(m *manager) { m.add("ucp-new", "running", anonymous) }, anonymous, false},
		"64 letters that somebody chose": {func(m *manager) { m.add("ucp-new", "running", strings.Repeat("u", 64)) }, strings.Repeat("u", 64), true},
		"a short name of hex digits":     {func(m *manager) { m.add("ucp-new", "running", "cafe") }, "cafe", true},
		"of a user":                      {func(m *manager) { m.volume("web-data") }, "web-data", false},
		"of another instance": {func(m *manager) {
			m.add("other", "running", "other-data").Labels[ucp.LabelInstance] = otherID
		}, "other-data", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			m := newManager()
			test.change(m)
			instance, err := ucp.Discover(t.Context(), m.engine(), instanceID)
			assert.NilError(t, err)
			found := strings.Contains(" "+strings.Join(volumeNames(instance), " ")+" ", " "+test.volume+" ")
			assert.Equal(t, found, test.want, "%v", volumeNames(instance))
		})
	}
}

func TestAVolumeKeepsWhatARestoreNeedsToMakeItAgain(t *testing.T) {
	m := newManager()
	m.volumes.Volumes = append(m.volumes.Volumes, &volume.Volume{
		Name: "ucp-auth-store-data", Driver: "rexray", Mountpoint: "/mnt/a",
		Options: map[string]string{"size": "10"}, Labels: map[string]string{"a": "b"},
	})
	assert.DeepEqual(t, m.discover(t).Volumes[0], ucp.Volume{
		Name: "ucp-auth-store-data", Driver: "rexray", Mountpoint: "/mnt/a",
		Options: map[string]string{"size": "10"}, Labels: map[string]string{"a": "b"},
	})
}

func TestWhoeverCouldWriteToAVolumeIsTaken(t *testing.T) {
	inVolume := mountpoint("ucp-kv")
	tests := map[string]struct {
		mount container.MountPoint
		want  bool
	}{
		"by the volume's name":                 {container.MountPoint{Type: mount.TypeVolume, Name: "ucp-kv", RW: true}, true},
		"by its folder":                        {container.MountPoint{Type: mount.TypeBind, Source: inVolume, RW: true}, true},
		"by a folder inside of it":             {container.MountPoint{Type: mount.TypeBind, Source: inVolume + "/datav3", RW: true}, true},
		"by a folder that only begins so":      {container.MountPoint{Type: mount.TypeBind, Source: inVolume + "-old", RW: true}, false},
		"read-only":                            {container.MountPoint{Type: mount.TypeVolume, Name: "ucp-kv", RW: false}, false},
		"another volume":                       {container.MountPoint{Type: mount.TypeVolume, Name: "web-data", RW: true}, false},
		"no source and no name, such as tmpfs": {container.MountPoint{Type: mount.TypeTmpfs, RW: true}, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			m := newManager()
			m.volumes.Volumes = append(m.volumes.Volumes, &volume.Volume{Name: "ucp-backup", Driver: "down"}) // no mountpoint told
			m.addForeign("k8s_ucp-metrics", test.mount)
			names := containerNames(m.discover(t))
			assert.Equal(t, names[0] == "k8s_ucp-metrics", test.want, "%v", names)
		})
	}
}

func TestAContainerIsCalledByItsOwnName(t *testing.T) {
	m := newManager()
	m.add("ucp-proxy", "running").Names = []string{"/ucp-controller/proxy", "/ucp-proxy"}
	m.add("nameless", "dead").Names = nil
	assert.DeepEqual(t, containerNames(m.discover(t)), []string{
		"id-of-nameless", "ucp-agent.node1.task1", "ucp-controller", "ucp-kv", "ucp-proxy", "ucp-reconcile",
	})
}

func TestTheVersionIsTheControllersOrTheProxys(t *testing.T) {
	tests := map[string]struct {
		versions [][2]string // container and version
		want     string
		era      ucp.Era
	}{
		"the controller's, not a leftover's": {[][2]string{{"ucp-kv", "3.0.2"}, {"ucp-controller", "3.2.5"}, {"ucp-old", "2.2.4"}}, "3.2.5", ucp.EraOnline},
		"the proxy's, not a leftover's":      {[][2]string{{"ucp-kv", "3.0.2"}, {"ucp-proxy", "3.1.4"}, {"ucp-old", "2.2.4"}}, "3.1.4", ucp.EraStopped},
		"any, where neither is there":        {[][2]string{{"ucp-kv", "3.0.2"}}, "3.0.2", ucp.EraStopped},
		"none says":                          {[][2]string{{"ucp-kv", ""}}, "", ucp.EraUnknown},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			m := newManager()
			m.containers = nil
			for _, c := range test.versions {
				m.add(c[0], "running").Labels[ucp.LabelVersion] = c[1]
			}
			m.add("unrelated", "running").Labels = map[string]string{ucp.LabelVersion: "9.9.9"}
			instance := m.discover(t)
			assert.Equal(t, instance.Version, test.want)
			assert.Equal(t, instance.Era, test.era)
		})
	}
}

func TestASwarmWithoutALeaderIsBackedUpWithTheManagersItRemembers(t *testing.T) {
	m := newManager()
	m.info.Swarm.Cluster = nil
	engine := m.engine()
	engine.nodeList = func() ([]swarm.Node, error) { return nil, errors.New("the swarm does not have a leader") }
	instance, err := ucp.Discover(t.Context(), engine, "")
	assert.NilError(t, err)
	assert.DeepEqual(t, instance.Swarm.Managers, []ucp.Member{{ID: "node1", Address: "192.0.2.1:2377"}, {ID: "node2", Address: "192.0.2.2:2377"}})
	assert.Equal(t, instance.Swarm.ClusterID, "")
}

func TestAManagerWhoseEngineWasStartedAnewWithoutAQuorumIsBackedUp(t *testing.T) {
	const lost = "rpc error: code = Unknown desc = The swarm does not have a leader. It's possible that too few managers are online."
	m := newManager()
	m.info.Swarm.LocalNodeState, m.info.Swarm.Error = swarm.LocalNodeStatePending, lost
	m.info.Swarm.Cluster = &swarm.ClusterInfo{}
	engine := m.engine()
	engine.nodeList = func() ([]swarm.Node, error) { return nil, errors.New(lost) }
	instance, err := ucp.Discover(t.Context(), engine, "")
	assert.NilError(t, err)
	assert.Check(t, instance.Swarm.Leaderless)
}

func TestACancelWhileNodesAreListedIsNoLostQuorum(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	signal := errors.New("interrupted")
	engine := newManager().engine()
	engine.nodeList = func() ([]swarm.Node, error) {
		cancel(signal)
		return nil, ctx.Err()
	}
	_, err := ucp.Discover(ctx, engine, "")
	assert.ErrorIs(t, err, signal)
}

func TestEachCallThatFailsIsNamed(t *testing.T) {
	broken := errors.New("connection reset by peer")
	tests := map[string]struct {
		breakIt func(e *fakeEngine)
		act     string
	}{
		"info": {func(e *fakeEngine) { e.info = func() (system.Info, error) { return system.Info{}, broken } }, "read the engine's state"},
		"containers": {func(e *fakeEngine) {
			e.containerList = func(container.ListOptions) ([]container.Summary, error) { return nil, broken }
		}, "list containers"},
		"volumes": {func(e *fakeEngine) {
			e.volumeList = func() (volume.ListResponse, error) { return volume.ListResponse{}, broken }
		}, "list volumes"},
		"inspect": {func(e *fakeEngine) {
			e.containerInspect = func(string) (container.InspectResponse, error) { return container.InspectResponse{}, broken }
		}, "inspect container ucp-agent.node1.task1"},
		"an empty answer": {func(e *fakeEngine) {
			e.containerInspect = func(string) (container.InspectResponse, error) { return container.InspectResponse{}, nil }
		}, "inspect container ucp-agent.node1.task1: the engine's answer is empty"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			engine := newManager().engine()
			test.breakIt(engine)
			_, err := ucp.Discover(t.Context(), engine, "")
			assert.Check(t, cmp.ErrorContains(err, test.act))
			assert.Check(t, errors.Is(err, broken) || name == "an empty answer")
		})
	}
}

func TestTheNodeSaysWhoToldUCPsReconcilersToLeaveItAlone(t *testing.T) {
	tests := map[string]struct {
		labels map[string]string
		heldBy string
		paused bool
	}{
		"nobody":   {map[string]string{"rack": "4"}, "", false},
		"we":       {map[string]string{ucp.LabelAgentPause: "true", ucp.LabelHeldBy: "ann"}, "ann", false},
		"somebody": {map[string]string{ucp.LabelAgentPause: "true"}, "", true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			m := newManager()
			m.nodes[0].Spec.Labels = map[string]string{ucp.LabelAgentPause: "true"} // another node's
			m.nodes[2].Spec.Labels = test.labels
			node := m.discover(t).Node
			assert.Equal(t, node.HeldBy, test.heldBy)
			assert.Equal(t, node.Paused, test.paused)
		})
	}
}
