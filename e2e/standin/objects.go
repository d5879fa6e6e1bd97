package standin

import (
	"context"
	"crypto/rand"
	"fmt"
	"path/filepath"

	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/api/types/volume"

	"github.com/docker-ucp/docker-ucp/e2e/standin/layout"
)

// boundVolume is created as an admin may do before the installation: with options of his own, on a folder elsewhere.
const boundVolume = "ucp-metrics-inventory"

// userVolume belongs to a workload and not to UCP.
const userVolume = "shop-data"

// boundDir is where boundVolume lies, inside the engine's own data so that it goes with it.
func (u *UCP) boundDir() string {
	return filepath.Join(u.node.DockerRootDir, "standin-volumes", boundVolume)
}

// nodeLabels is what UCP puts on its nodes.
var nodeLabels = map[string]string{
	"com.docker.ucp.collection":         "shared",
	"com.docker.ucp.collection.shared":  "true",
	"com.docker.ucp.orchestrator.swarm": "true",
	"com.docker.ucp.access.label":       "/Shared",
	"com.docker.ucp.collection.root":    "true",
	"com.docker.ucp.collection.swarm":   "true",
	"com.docker.ucp.SANs":               "localhost",
}

func (u *UCP) createObjects(ctx context.Context) error {
	if _, err := u.engine.NetworkCreate(ctx, layout.Network, network.CreateOptions{Driver: "bridge"}); err != nil {
		return fmt.Errorf("create network %s: %w", layout.Network, err)
	}
	for _, v := range u.volumes() {
		if _, err := u.engine.VolumeCreate(ctx, v); err != nil {
			return fmt.Errorf("create volume %s: %w", v.Name, err)
		}
	}
	for name, data := range u.configs() {
		spec := swarm.ConfigSpec{Annotations: swarm.Annotations{Name: name, Labels: u.labels()}, Data: []byte(data)}
		if _, err := u.engine.ConfigCreate(ctx, spec); err != nil {
			return fmt.Errorf("create config %s: %w", name, err)
		}
	}
	secret := swarm.SecretSpec{Annotations: swarm.Annotations{Name: layout.Secret, Labels: u.labels()}, Data: []byte(rand.Text())}
	if _, err := u.engine.SecretCreate(ctx, secret); err != nil {
		return fmt.Errorf("create secret %s: %w", layout.Secret, err)
	}
	if u.opts.ExternalCA {
		if err := u.setExternalCAs(ctx, []*swarm.ExternalCA{u.externalCA()}); err != nil {
			return err
		}
	}
	return u.labelNode(ctx, func(labels map[string]string) {
		for name, value := range nodeLabels {
			labels[name] = value
		}
	})
}

func (u *UCP) externalCA() *swarm.ExternalCA {
	url := fmt.Sprintf("https://%s:%d/api/v1/cfssl/sign", u.Address, layout.PortClusterCA)
	return &swarm.ExternalCA{Protocol: swarm.ExternalCAProtocolCFSSL, URL: url}
}

func (u *UCP) setExternalCAs(ctx context.Context, all []*swarm.ExternalCA) error {
	found, err := u.engine.SwarmInspect(ctx)
	if err != nil {
		return fmt.Errorf("name the swarm's CA: %w", err)
	}
	found.Spec.CAConfig.ExternalCAs = all
	if err := u.engine.SwarmUpdate(ctx, found.Version, found.Spec, swarm.UpdateFlags{}); err != nil {
		return fmt.Errorf("name the swarm's CA: %w", err)
	}
	return nil
}

func (u *UCP) volumes() []volume.CreateOptions {
	var all []volume.CreateOptions
	for _, name := range layout.Volumes {
		options := volume.CreateOptions{Name: name}
		switch name {
		case boundVolume:
			options.DriverOpts = map[string]string{"type": "none", "o": "bind", "device": u.boundDir()}
		case "ucp-metrics-data":
			options.Labels = map[string]string{"com.example.owner": "storage team", "com.example.tier": "1"}
		}
		all = append(all, options)
	}
	if !u.opts.Minimal {
		all = append(all, volume.CreateOptions{Name: userVolume})
	}
	return all
}

func (u *UCP) configs() map[string]string {
	return map[string]string{
		layout.ConfigFirst:   u.toml(60),
		layout.ConfigCurrent: u.toml(4320),
		layout.License:       `{"key_id":"stand-in","private_key":"none","authorization":"none"}`,
	}
}

// toml is a configuration file of UCP, version after version the same but for the lifetime of a session.
func (u *UCP) toml(minutes int) string {
	return fmt.Sprintf(`# %s
[auth]
  default_new_user_role = "restrictedcontrol"
  backend = "managed"
  [auth.sessions]
    lifetime_minutes = %d
[scheduling_configuration]
  default_node_orchestrator = "swarm"
[cluster_config]
  controller_port = %d
  swarm_port = %d
  kv_snapshot_count = 20000
  kv_timeout = 5000
  profiling_enabled = false
`, layout.Banner, minutes, layout.PortController, layout.PortSwarm)
}

// PauseAgent sets or removes the label that keeps the agent from starting what was stopped.
func (u *UCP) PauseAgent(ctx context.Context, pause bool) error {
	return u.labelNode(ctx, func(labels map[string]string) {
		delete(labels, layout.LabelPause)
		if pause {
			labels[layout.LabelPause] = "true"
		}
	})
}

func (u *UCP) labelNode(ctx context.Context, change func(map[string]string)) error {
	node, _, err := u.engine.NodeInspectWithRaw(ctx, u.node.Swarm.NodeID)
	if err != nil {
		return fmt.Errorf("label node: %w", err)
	}
	if node.Spec.Labels == nil {
		node.Spec.Labels = map[string]string{}
	}
	change(node.Spec.Labels)
	if err := u.engine.NodeUpdate(ctx, node.ID, node.Version, node.Spec); err != nil {
		return fmt.Errorf("label node: %w", err)
	}
	return nil
}
