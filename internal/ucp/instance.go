// Package ucp knows what Universal Control Plane is on an engine: its containers, volumes, configs and services, the
// order in which they depend on each other, and the eras of its versions. Discover reads an Instance off a manager and
// changes nothing.
//
// What it knows comes from published documentation and public notes; each list names its source. It does not promise
// that a version it has never heard of looks alike: what carries UCP's labels is taken, known by name or not.
package ucp

import (
	"cmp"
	"time"

	"github.com/docker/docker/api/types/swarm"
)

// Labels that UCP puts on its containers and services (vendor docs UCP 1.1 release notes; public guides for 2.2).
const (
	LabelInstance = "com.docker.ucp.InstanceID"
	LabelVersion  = "com.docker.ucp.version"
)

// labelTask is the engine's own label on a container that belongs to a task of a swarm service.
const labelTask = "com.docker.swarm.task.id"

// labelPod is kubelet's label on a container of a pod.
const labelPod = "io.kubernetes.pod.name"

// Instance is UCP as it stands on one manager.
type Instance struct {
	ID      string
	Version string // as in "3.1.4"; empty when no container says it
	Era     Era

	Containers []Container // sorted by name
	Volumes    []Volume    // sorted by name
	Node       Node
	Swarm      Swarm
	KVMembers  []string // as ucp-kv's command line names them; empty when it does not
	// ControllerPort is the TCP port inside ucp-controller's network at which it answers /_ping over TLS; zero when there is
	// no controller or it publishes no port.
	ControllerPort int
}

// Container is one container of UCP, or one that writes to a volume of UCP.
type Container struct {
	ID         string
	Name       string
	State      string        // the engine's word: "running", "paused", "exited", …
	Ours       bool          // carries UCP's label for this instance
	Task       bool          // belongs to a task of a swarm service
	Pod        bool          // belongs to a Kubernetes pod
	AutoRemove bool          // the engine removes it when it stops
	Grace      time.Duration // how long it asks to be given to end; zero for the engine's usual
}

// Volume is one named volume of UCP.
type Volume struct {
	Name       string
	Driver     string
	Mountpoint string
	Options    map[string]string
	Labels     map[string]string
}

// Node is the swarm node of this engine.
type Node struct {
	ID      string
	Name    string
	Address string
	Role    string
	HeldBy  string // who told UCP's reconcilers through us to leave it alone; empty for nobody
	Paused  bool   // somebody else has told them so; a backup leaves that as it is
}

// Swarm is the cluster that the node belongs to.
type Swarm struct {
	ClusterID  string
	Managers   []Member
	Leaderless bool // the swarm could not list its nodes: it has lost its quorum, or is electing
}

// Member is one manager of the swarm.
type Member struct {
	ID      string
	Name    string
	Address string
	Healthy bool // the swarm calls it ready and reachable; false where it could not be asked
}

func member(node swarm.Node) Member {
	m := Member{ID: node.ID, Name: node.Description.Hostname, Address: node.Status.Addr}
	if node.ManagerStatus != nil {
		m.Address = cmp.Or(node.ManagerStatus.Addr, m.Address)
		m.Healthy = node.Status.State == swarm.NodeStateReady && node.ManagerStatus.Reachability == swarm.ReachabilityReachable
	}
	return m
}
