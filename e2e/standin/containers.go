package standin

import (
	"context"
	"fmt"
	"strconv"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/go-connections/nat"
	"golang.org/x/sync/errgroup"

	"github.com/docker-ucp/docker-ucp/e2e/standin/layout"
)

// part is a plain container of UCP.
type part struct {
	name     string
	image    string
	role     string
	nobody   bool        // runs as nobody, so that a key of another owner is out of its reach
	mounts   []string    // volumes and the socket, as binds
	ports    map[int]int // of the node, to those of the container
	restart  string      // restart policy
	bridge   bool        // on ucp-bridge, and with an anonymous volume
	env      []string
	optional bool // left out of a minimal UCP
}

const socketMount = layout.Socket + ":" + layout.Socket

// parts is UCP's containers in the order of their dependence.
var parts = []part{
	{
		name: "ucp-kv", image: "ucp-etcd", role: "kv", nobody: true, restart: "unless-stopped",
		mounts: []string{"ucp-kv:/data", "ucp-kv-certs:" + layout.CertDir},
		ports:  map[int]int{layout.PortKV: 2379, layout.PortKVPeer: layout.PortKVPeer},
	},
	{
		name: "ucp-auth-store", image: "ucp-auth-store", role: "auth-store", nobody: true, restart: "unless-stopped",
		mounts: []string{"ucp-auth-store-data:/data", "ucp-auth-store-certs:" + layout.CertDir},
		ports:  map[int]int{layout.PortStore: layout.PortStore, layout.PortStorePeer: layout.PortStorePeer},
	},
	{
		name: "ucp-proxy", image: "ucp-agent", role: "proxy", restart: "always",
		mounts: []string{"ucp-node-certs:" + layout.CertDir, socketMount},
		ports:  map[int]int{layout.PortProxy: 2376},
	},
	{
		name: "ucp-swarm-manager", image: "ucp-swarm", role: "swarm-manager", restart: "always", bridge: true, optional: true,
		mounts: []string{"ucp-node-certs:" + layout.CertDir},
		ports:  map[int]int{layout.PortSwarm: 2375},
	},
	{
		name: "ucp-cluster-root-ca", image: "ucp-cfssl", role: "cluster-root-ca", restart: "always", env: []string{"UCP_ROOT=ucp-cluster-root-ca"},
		mounts: []string{"ucp-cluster-root-ca:" + layout.CADir, "ucp-node-certs:" + layout.CertDir},
		ports:  map[int]int{layout.PortClusterCA: 12381},
	},
	{
		name: "ucp-client-root-ca", image: "ucp-cfssl", role: "client-root-ca", restart: "always", env: []string{"UCP_ROOT=ucp-client-root-ca"},
		mounts: []string{"ucp-client-root-ca:" + layout.CADir, "ucp-node-certs:" + layout.CertDir},
		ports:  map[int]int{layout.PortClientCA: 12381},
	},
	{
		name: "ucp-controller", image: "ucp-controller", role: "controller", restart: "unless-stopped",
		mounts: []string{"ucp-controller-server-certs:" + layout.CertDir, "ucp-controller-client-certs:" + layout.ClientCertDir, socketMount},
		ports:  map[int]int{layout.PortController: 8080},
	},
	{
		name: "ucp-metrics", image: "ucp-metrics", role: "idle", restart: "unless-stopped", nobody: true, optional: true,
		mounts: []string{"ucp-metrics-data:/data", "ucp-metrics-inventory:/inventory"},
	},
	{name: "ucp-dsinfo", image: "ucp-dsinfo", role: "idle", restart: "on-failure", bridge: true, optional: true},
	{
		name: layout.Reconcile, image: "ucp-agent", role: "reconcile", restart: "no",
		mounts: []string{"ucp-node-certs:" + layout.CertDir, socketMount},
	},
}

// startAll starts containers and services side by side: the programs wait for each other.
func (u *UCP) startAll(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(4)
	group.Go(func() error { return u.startServices(ctx) })
	for _, p := range parts {
		if p.optional && u.opts.Minimal {
			continue
		}
		group.Go(func() error { return u.start(ctx, p) })
	}
	if !u.opts.Minimal {
		group.Go(func() error { return u.startWorkload(ctx) })
	}
	return group.Wait()
}

func (u *UCP) start(ctx context.Context, p part) error {
	config := &container.Config{
		Image:  u.image(p.image),
		Cmd:    []string{p.role},
		Env:    append(u.environment(), p.env...),
		Labels: u.labels(),
	}
	host := &container.HostConfig{
		Binds:         p.mounts,
		PortBindings:  nat.PortMap{},
		RestartPolicy: container.RestartPolicy{Name: container.RestartPolicyMode(p.restart)},
	}
	if p.nobody {
		config.User = fmt.Sprintf("%d:%d", layout.Nobody, layout.Nobody)
	}
	config.ExposedPorts = nat.PortSet{}
	for outside, inside := range p.ports {
		port := nat.Port(fmt.Sprintf("%d/tcp", inside))
		config.ExposedPorts[port] = struct{}{}
		host.PortBindings[port] = []nat.PortBinding{{HostPort: strconv.Itoa(outside)}}
	}
	networks := &network.NetworkingConfig{}
	if p.bridge {
		host.NetworkMode = layout.Network
		config.Volumes = map[string]struct{}{"/scratch": {}}
	}
	return u.run(ctx, p.name, config, host, networks)
}

// startWorkload starts a user's container, which is none of UCP's business.
func (u *UCP) startWorkload(ctx context.Context) error {
	return u.run(ctx, "shop-db",
		&container.Config{Image: dbImage, Cmd: []string{"idle"}, Labels: map[string]string{"com.example.shop": "db"}},
		&container.HostConfig{Binds: []string{userVolume + ":/var/lib/shop"}, RestartPolicy: container.RestartPolicy{Name: "always"}},
		nil)
}

func (u *UCP) run(ctx context.Context, name string, c *container.Config, h *container.HostConfig, n *network.NetworkingConfig) error {
	created, err := u.engine.ContainerCreate(ctx, c, h, n, nil, name)
	if err != nil {
		return fmt.Errorf("create %s: %w", name, err)
	}
	if err := u.engine.ContainerStart(ctx, created.ID, container.StartOptions{}); err != nil {
		return fmt.Errorf("start %s: %w", name, err)
	}
	return nil
}
