// Package standin puts a stand-in for a UCP manager on a Docker engine, and tells whether it is well.
//
// It has the names, labels, volumes, ports, configs and services that are publicly known of UCP 3.1, a real etcd, real
// certificates, and an auth store that writes all the time. All its programs are one static binary (cmd/standin) under
// the names of UCP's images. A backup that loses a key of etcd, copies the auth store while it writes, or gives a
// certificate to the wrong owner is found out by the stand-in itself: by its programs when they start on the restored
// volumes, and by the Check functions on an extracted copy.
//
// It is not the product and says so wherever it shows: image labels, logs, the certificates' unit. It stands on one
// manager; where the swarm has more nodes, they get nothing of it.
package standin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"

	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/api/types/system"
	"github.com/docker/docker/client"

	"github.com/docker-ucp/docker-ucp/e2e/standin/layout"
)

// Options says which UCP to put up. The zero value is a small one of version 3.1.4.
type Options struct {
	Version    string // 3.1.4
	Address    string // of the node, as its swarm knows it
	BundleDir  string // where the admin's client bundle goes; a temporary folder
	Program    string // the static program; built when empty
	DataBytes  int64  // random bytes to put into DataVolume
	DataVolume string // ucp-auth-store-data
	SmallFiles int    // small files to put into DataVolume
	ExternalCA bool   // names UCP's CA in the swarm, where docker info shows it; it signs nothing, so no node can join
	Minimal    bool   // only what a backup cannot do without: no idle containers, users' workloads and odd files

	// etcd's log in segments of this many bytes, and a snapshot after this many entries: so it soon looks as if it had run
	// for years. Zero is what UCP has, 64 MB and 20000.
	LogSegment, SnapshotCount int64
}

// UCP is a stand-in on its engine.
type UCP struct {
	Version    string
	InstanceID string // the swarm's cluster ID
	Address    string
	BundleDir  string
	Program    string

	node   system.Info
	engine *client.Client
	opts   Options
}

// Deploy puts a stand-in on the engine, on a swarm of its own when there is none, and returns when it is healthy.
// After an error, Remove takes away what there is.
func Deploy(ctx context.Context, engine *client.Client, opts Options) (*UCP, error) {
	u, err := begin(ctx, engine, opts)
	if err != nil {
		return u, fmt.Errorf("deploy stand-in: %w", err)
	}
	steps := []func(context.Context) error{u.loadImages, u.createObjects, u.install, u.startAll, u.waitHealthy}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return u, fmt.Errorf("deploy stand-in: %w", err)
		}
	}
	return u, nil
}

// Attach finds the stand-in that Deploy left on the engine.
func Attach(ctx context.Context, engine *client.Client, opts Options) (*UCP, error) {
	controller, err := engine.ContainerInspect(ctx, "ucp-controller")
	if err != nil {
		return nil, fmt.Errorf("attach to stand-in: %w", err)
	}
	opts.Version = controller.Config.Labels[layout.LabelVersion]
	return begin(ctx, engine, opts)
}

func begin(ctx context.Context, engine *client.Client, opts Options) (_ *UCP, err error) {
	opts.Version = cmp.Or(opts.Version, "3.1.4")
	opts.DataVolume = cmp.Or(opts.DataVolume, "ucp-auth-store-data")
	u := &UCP{Version: opts.Version, BundleDir: opts.BundleDir, Program: opts.Program, engine: engine, opts: opts}
	if u.Program == "" {
		if u.Program, err = Build(ctx, ""); err != nil {
			return u, err
		}
	}
	if u.BundleDir == "" {
		if u.BundleDir, err = os.MkdirTemp("", "ucp-bundle-admin-"); err != nil {
			return u, err
		}
	}
	err = u.joinSwarm(ctx)
	return u, err
}

// joinSwarm reads who and where the node is, after it made a swarm where there was none.
func (u *UCP) joinSwarm(ctx context.Context) error {
	info, err := u.engine.Info(ctx)
	if err != nil {
		return err
	}
	if info.Swarm.LocalNodeState == swarm.LocalNodeStateInactive {
		if _, err := u.engine.SwarmInit(ctx, swarm.InitRequest{ListenAddr: "0.0.0.0:2377", AdvertiseAddr: u.opts.Address}); err != nil {
			return err
		}
		if info, err = u.engine.Info(ctx); err != nil {
			return err
		}
	}
	if info.Swarm.Cluster == nil {
		return errors.New("the node is not a manager of its swarm")
	}
	u.node, u.InstanceID = info, info.Swarm.Cluster.ID
	u.Address = cmp.Or(u.opts.Address, info.Swarm.NodeAddr)
	return nil
}

// labels is what every container and service of UCP carries.
func (u *UCP) labels() map[string]string {
	return map[string]string{
		layout.LabelInstance: u.InstanceID,
		layout.LabelVersion:  u.Version,
		layout.LabelStandin:  layout.Banner,
	}
}

func (u *UCP) environment() []string {
	all := []string{
		"IMAGE_VERSION=" + u.Version,
		"UCP_VERSION=" + u.Version,
		"UCP_INSTANCE_ID=" + u.InstanceID,
		"UCP_HOST_ADDRESS=" + u.Address,
		"UCP_NODE_ID=" + u.node.Swarm.NodeID,
		"UCP_NODE_NAME=" + u.node.Name,
		"ENGINE_API_VERSION=" + u.engine.ClientVersion(),
	}
	for name, value := range map[string]int64{layout.EnvLogSegment: u.opts.LogSegment, layout.EnvSnapshotCount: u.opts.SnapshotCount} {
		if value != 0 {
			all = append(all, name+"="+strconv.FormatInt(value, 10))
		}
	}
	slices.Sort(all)
	return all
}
