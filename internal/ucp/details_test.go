package ucp_test

import (
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"gotest.tools/v3/assert"

	"github.com/docker-ucp/docker-ucp/internal/ucp"
)

func TestTheStoresMembersAreReadAsEtcdReadsThem(t *testing.T) {
	both := []string{"orca-kv-1=https://192.0.2.1:12380", "orca-kv-2=https://192.0.2.2:12380"}
	const list = "orca-kv-1=https://192.0.2.1:12380,orca-kv-2=https://192.0.2.2:12380"
	tests := map[string]struct {
		args, env []string
		want      []string
	}{
		"one argument":               {[]string{"--name", "a", "--initial-cluster=" + list}, nil, both},
		"two arguments":              {[]string{"--initial-cluster", list, "--debug"}, nil, both},
		"with one dash":              {[]string{"-initial-cluster=" + list}, nil, both},
		"two arguments, one dash":    {[]string{"-initial-cluster", list}, nil, both},
		"the environment":            {[]string{"--name", "a"}, []string{"PATH=/", "ETCD_INITIAL_CLUSTER=" + list}, both},
		"a flag before the variable": {[]string{"--initial-cluster=a=b"}, []string{"ETCD_INITIAL_CLUSTER=" + list}, []string{"a=b"}},
		"nothing":                    {nil, nil, nil},
		"an empty list":              {[]string{"--initial-cluster="}, nil, nil},
		"a flag without its value":   {[]string{"--initial-cluster"}, nil, nil},
		"flags that begin alike":     {[]string{"--initial-cluster-state=new", "--initial-cluster-token", "x"}, []string{"ETCD_INITIAL_CLUSTER_STATE=new"}, nil},
		"a value that looks alike":   {[]string{"--name", "initial-cluster=" + list}, nil, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			m := newManager()
			m.inspected["id-of-ucp-kv"] = container.InspectResponse{
				ContainerJSONBase: &container.ContainerJSONBase{Args: test.args},
				Config:            &container.Config{Env: test.env},
			}
			// The same arguments on another container are not the store's.
			m.inspected["id-of-ucp-reconcile"] = container.InspectResponse{
				ContainerJSONBase: &container.ContainerJSONBase{Args: []string{"--initial-cluster=wrong"}}, Config: &container.Config{},
			}
			assert.DeepEqual(t, m.discover(t).KVMembers, test.want)
		})
	}
}

func TestWhatTheListDoesNotSayIsAskedFor(t *testing.T) {
	seconds := func(n int) *int { return &n }
	tests := map[string]struct {
		host   *container.HostConfig
		config *container.Config
		want   ucp.Container // of which AutoRemove and Grace are looked at
	}{
		"nothing special":         {&container.HostConfig{}, &container.Config{}, ucp.Container{}},
		"nothing told":            {nil, nil, ucp.Container{}},
		"removed when it stops":   {&container.HostConfig{AutoRemove: true}, nil, ucp.Container{AutoRemove: true}},
		"asks for time to end":    {nil, &container.Config{StopTimeout: seconds(90)}, ucp.Container{Grace: 90 * time.Second}},
		"asks for none":           {nil, &container.Config{StopTimeout: seconds(0)}, ucp.Container{}},
		"asks never to be killed": {nil, &container.Config{StopTimeout: seconds(-1)}, ucp.Container{}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			m := newManager()
			m.inspected["id-of-ucp-controller"] = container.InspectResponse{
				ContainerJSONBase: &container.ContainerJSONBase{HostConfig: test.host}, Config: test.config,
			}
			got := m.discover(t).Containers[1]
			assert.Equal(t, got.AutoRemove, test.want.AutoRemove)
			assert.Equal(t, got.Grace, test.want.Grace)
		})
	}
}

func TestAContainerThatIsGoneByThenIsDropped(t *testing.T) {
	m := newManager()
	m.gone = []string{"id-of-ucp-reconcile"}
	assert.DeepEqual(t, containerNames(m.discover(t)), []string{"ucp-agent.node1.task1", "ucp-controller", "ucp-kv"})
}

func TestEraOf(t *testing.T) {
	tests := map[string]ucp.Era{
		"1.1.4": ucp.EraStopped, "2.2.4": ucp.EraStopped, "3.0.0": ucp.EraStopped, "3.1.4": ucp.EraStopped, "3.1": ucp.EraStopped,
		"3.2": ucp.EraOnline, "3.2.0": ucp.EraOnline, "3.2.0-beta4": ucp.EraOnline, "3.8.5": ucp.EraOnline, "3.10.0": ucp.EraOnline, "4.0.1": ucp.EraOnline,
		"": ucp.EraUnknown, "3": ucp.EraUnknown, "latest": ucp.EraUnknown, "3.x": ucp.EraUnknown, "v3.1.4": ucp.EraUnknown,
	}
	for version, want := range tests {
		t.Run(version, func(t *testing.T) { assert.Equal(t, ucp.EraOf(version), want) })
	}
}

func TestEveryKnownVolumeIsTaken(t *testing.T) {
	m := newManager()
	for _, name := range ucp.KnownVolumes() {
		m.volume(name)
	}
	assert.DeepEqual(t, volumeNames(m.discover(t)), ucp.KnownVolumes())
}
