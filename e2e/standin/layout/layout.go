// Package layout is what the stand-in and its programs agree on: the names, labels, ports and paths under which UCP 3.1 is
// publicly known, and the job of the installer.
package layout

import (
	"os"
	"path/filepath"
)

// Labels and names of UCP.
const (
	LabelInstance = "com.docker.ucp.InstanceID"
	LabelVersion  = "com.docker.ucp.version"
	LabelPause    = "com.docker.ucp.agent-pause" // on a node: the agent leaves it alone
	LabelStandin  = "com.example.ucp-standin"    // on all that belongs to the stand-in, so that nobody takes it for the product
	Network       = "ucp-bridge"
	Reconcile     = "ucp-reconcile"
	Secret        = "ucp-auth-key"
	ConfigFirst   = "com.docker.ucp.config-1"
	ConfigCurrent = "com.docker.ucp.config-2"
	License       = "com.docker.license-1"
	Banner        = "stand-in for UCP, for tests; not the product"
)

// Nobody is the user and group that the certificates of servers belong to.
const Nobody = 65534

// Ports published on the node.
const (
	PortController = 443
	PortSwarm      = 2376
	PortProxy      = 12376
	PortKV         = 12379
	PortKVPeer     = 12380
	PortClusterCA  = 12381
	PortClientCA   = 12382
	PortStore      = 12383
	PortStorePeer  = 12384
	PortAuthAPI    = 12385
	PortAuthWorker = 12386
)

// Where the programs find things in their containers.
const (
	Program       = "/standin"
	Socket        = "/var/run/docker.sock"
	CertDir       = "/etc/docker/ssl"
	ClientCertDir = "/etc/docker/ssl-client"
	KVDir         = "/data/datav3"
	StoreDir      = "/data/store"
	WorkerDir     = "/work"
	CADir         = "/etc/cfssl"
	VolumesDir    = "/volumes"
	BundleDir     = "/bundle"
	WitnessFile   = "witness.json"
)

// Inside returns the folder in an extracted volume that was at path in the container, or dir where it has none: then it
// is that folder itself.
func Inside(dir, path string) string {
	inner := filepath.Join(dir, filepath.Base(path))
	if info, err := os.Stat(inner); err == nil && info.IsDir() {
		return inner
	}
	return dir
}

// Volumes is the fourteen volumes of UCP 2.2 to 3.2.
var Volumes = []string{
	"ucp-auth-api-certs", "ucp-auth-store-certs", "ucp-auth-store-data", "ucp-auth-worker-certs", "ucp-auth-worker-data",
	"ucp-client-root-ca", "ucp-cluster-root-ca", "ucp-controller-client-certs", "ucp-controller-server-certs",
	"ucp-kv", "ucp-kv-certs", "ucp-metrics-data", "ucp-metrics-inventory", "ucp-node-certs",
}

// What a test asks of etcd, in the environment of ucp-kv; see Options of package standin.
const (
	EnvLogSegment    = "STANDIN_LOG_SEGMENT"
	EnvSnapshotCount = "STANDIN_SNAPSHOT_COUNT"
)

// Job is what the installer is told, as JSON in its only argument.
type Job struct {
	Version    string
	InstanceID string
	NodeName   string
	Address    string
	DataBytes  int64
	DataVolume string
	SmallFiles int
	Plain      bool // no odd files
}

// StoreStatus is what the auth store answers on its client port.
type StoreStatus struct {
	Opened       uint64 // records acknowledged when this process opened the store
	Acknowledged uint64 // records acknowledged now
}

// Witness is what the auth worker keeps in its own volume: the most it ever heard from the auth store.
type Witness struct{ Acknowledged uint64 }

// Keys is the content of the key-value store.
type Keys struct {
	Revision int64             // grows on its own: the controller renews its node's key every second
	Values   map[string]string // SHA-256 of the value, by key
	Digest   string            // of Values
}

// Cluster is what the key-value store says of itself, IDs in hexadecimal as etcdctl prints them.
type Cluster struct {
	ClusterID string
	MemberID  string // of the member that was asked
	Revision  int64
	Members   []Member
}

// Member is one member of the key-value store.
type Member struct {
	ID, Name string
	PeerURLs []string
}
