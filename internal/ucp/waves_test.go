package ucp_test

import (
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"gotest.tools/v3/assert"

	"github.com/docker-ucp/docker-ucp/internal/quiesce"
	"github.com/docker-ucp/docker-ucp/internal/ucp"
)

func TestWhoStartsOthersRestsFirstAndTheStoresLast(t *testing.T) {
	tests := map[string]int{
		"ucp-agent": 0, "ucp-agent.node1.task1": 0, "ucp-agent-s390x.node1.task1": 0, "ucp-manager-agent.node1.task1": 0,
		"ucp-cluster-agent.1.task1": 0, "ucp-worker-agent-x.node1.task1": 0, "ucp-reconcile": 0,
		"ucp-controller": 1, "ucp-proxy": 1, "ucp-auth-api.node1.task1": 1, "ucp-auth-worker.node1.task1": 1, "ucp-kubelet": 1,
		"k8s_ucp-metrics-prometheus": 1, "ucp-kv-metrics": 1, "something-new": 1,
		"ucp-kv": 2, "ucp-kv.node1.task1": 2, "ucp-auth-store": 2,
	}
	for name, want := range tests {
		t.Run(name, func(t *testing.T) {
			instance := ucp.Instance{Containers: []ucp.Container{
				{Name: "ucp-agent.z", State: "running", Ours: true},
				{Name: "ucp-controller", State: "running", Ours: true},
				{Name: "ucp-kv", State: "running", Ours: true},
				{ID: "it", Name: name, State: "running", Ours: true},
			}}
			plan := instance.QuiescePlan(quiesce.Stop)
			assert.Equal(t, len(plan.Waves), 3)
			wave := plan.Waves[want]
			assert.Equal(t, wave[len(wave)-1].ID, "it", "%v", plan.Waves)
		})
	}
}

func TestOnlyWhatRunsIsBroughtToRest(t *testing.T) {
	const none = quiesce.Action("")
	const owned = true
	tests := map[string]struct {
		container  ucp.Container
		stop       quiesce.Action // in a plan that stops UCP's own
		pause      quiesce.Action // in one that freezes them
		leftToThem bool
	}{
		"running":                          {ucp.Container{State: "running", Ours: true}, quiesce.Stop, quiesce.Pause, false},
		"between two starts":               {ucp.Container{State: "restarting", Ours: true}, quiesce.Stop, quiesce.Stop, false},
		"exited stays":                     {ucp.Container{State: "exited", Ours: true}, none, none, false},
		"created stays":                    {ucp.Container{State: "created", Ours: true}, none, none, false},
		"paused stays":                     {ucp.Container{State: "paused", Ours: true}, none, none, false},
		"dead stays":                       {ucp.Container{State: "dead", Ours: true}, none, none, false},
		"being removed stays":              {ucp.Container{State: "removing", Ours: true}, none, none, false},
		"a task":                           {ucp.Container{State: "running", Ours: true, Task: true}, quiesce.Pause, quiesce.Pause, owned},
		"a task between two starts":        {ucp.Container{State: "restarting", Ours: true, Task: true}, none, none, owned},
		"a pod, labelled or not":           {ucp.Container{State: "running", Pod: true}, quiesce.Pause, quiesce.Pause, owned},
		"one with --rm":                    {ucp.Container{State: "running", Ours: true, AutoRemove: true}, quiesce.Pause, quiesce.Pause, owned},
		"one that is not UCP's":            {ucp.Container{State: "running"}, quiesce.Pause, quiesce.Pause, false},
		"one that is not, between starts":  {ucp.Container{State: "restarting"}, none, none, false},
		"one that is not UCP's and exited": {ucp.Container{State: "exited"}, none, none, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			test.container.ID, test.container.Name, test.container.Grace = "it", "ucp-it", time.Minute
			instance := ucp.Instance{Containers: []ucp.Container{test.container}}
			for own, want := range map[quiesce.Action]quiesce.Action{quiesce.Stop: test.stop, quiesce.Pause: test.pause} {
				plan := instance.QuiescePlan(own)
				if want == none {
					assert.Equal(t, plan.Len(), 0)
					continue
				}
				assert.DeepEqual(t, plan.Waves, [][]quiesce.Target{
					{{ID: "it", Name: "ucp-it", Action: want, Owned: test.leftToThem, Grace: time.Minute}},
				})
			}
		})
	}
}

func TestThePlanOfAManager(t *testing.T) {
	m := newManager()
	m.add("ucp-auth-store", "running", "ucp-auth-store-data")
	m.add("ucp-auth-api.node1.task2", "running", "ucp-auth-api-certs").Labels["com.docker.swarm.task.id"] = "task2"
	m.add("ucp-once", "running")
	m.inspected["id-of-ucp-once"] = container.InspectResponse{
		ContainerJSONBase: &container.ContainerJSONBase{HostConfig: &container.HostConfig{AutoRemove: true}},
	}
	m.volume("ucp-metrics-data")
	m.addForeign("k8s_ucp-metrics", container.MountPoint{Type: mount.TypeBind, Source: mountpoint("ucp-metrics-data"), RW: true})
	m.add("k8s_calico-node", "running").Labels["io.kubernetes.pod.name"] = "calico-node-x"
	m.addForeign("web", container.MountPoint{Type: mount.TypeVolume, Name: "web-data", RW: true})

	m.add("ucp-kube-proxy", "restarting")

	for own, want := range map[quiesce.Action][][]string{
		quiesce.Stop: {
			{"pause ucp-agent.node1.task1"},
			{
				"pause k8s_calico-node", "pause k8s_ucp-metrics", "pause ucp-auth-api.node1.task2", "stop ucp-controller",
				"stop ucp-kube-proxy", "pause ucp-once",
			},
			{"stop ucp-auth-store", "stop ucp-kv"},
		},
		quiesce.Pause: {
			{"pause ucp-agent.node1.task1"},
			{
				"pause k8s_calico-node", "pause k8s_ucp-metrics", "pause ucp-auth-api.node1.task2", "pause ucp-controller",
				"stop ucp-kube-proxy", "pause ucp-once",
			},
			{"pause ucp-auth-store", "pause ucp-kv"},
		},
	} {
		plan := m.discover(t).QuiescePlan(own)
		assert.DeepEqual(t, actions(&plan), want)
	}
}

// actions returns what the plan does, wave by wave.
func actions(plan *quiesce.Plan) (got [][]string) {
	for _, wave := range plan.Waves {
		var names []string
		for _, target := range wave {
			names = append(names, string(target.Action)+" "+target.Name)
		}
		got = append(got, names)
	}
	return got
}
