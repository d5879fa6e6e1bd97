package ucp

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/api/types/system"
	"github.com/docker/docker/api/types/volume"

	"github.com/docker-ucp/docker-ucp/internal/failure"
)

// Engine is what Discover reads; *client.Client of the engine satisfies it.
type Engine interface {
	Info(ctx context.Context) (system.Info, error)
	ContainerList(ctx context.Context, options container.ListOptions) ([]container.Summary, error)
	ContainerInspect(ctx context.Context, id string) (container.InspectResponse, error)
	VolumeList(ctx context.Context, options volume.ListOptions) (volume.ListResponse, error)
	NodeList(ctx context.Context, options swarm.NodeListOptions) ([]swarm.Node, error)
}

// Discover reads the UCP instance off the engine. With an id it takes that instance alone. It refuses an engine that is
// no manager of a swarm, one without UCP, one that holds another instance than id, and one that holds several.
func Discover(ctx context.Context, engine Engine, id string) (*Instance, error) {
	info, err := engine.Info(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the engine's state: %w", err)
	}
	if err := refuseNonManager(info); err != nil {
		return nil, err
	}
	all, err := engine.ContainerList(ctx, container.ListOptions{All: true})
	if err != nil {
		return nil, fmt.Errorf("list containers: %w", err)
	}
	if id, err = chooseID(all, id); err != nil {
		return nil, err
	}
	instance := &Instance{ID: id}
	if err := instance.readVolumes(ctx, engine, all); err != nil {
		return nil, err
	}
	instance.takeContainers(all)
	instance.Version = versionOf(all, id)
	instance.Era = EraOf(instance.Version)
	if err := instance.readDetails(ctx, engine); err != nil {
		return nil, err
	}
	return instance, instance.readSwarm(ctx, engine, info)
}

// refuseNonManager lets a manager through that waits for its swarm: one whose engine was started anew without a quorum
// stays pending for as long as there is none.
func refuseNonManager(info system.Info) error {
	if strings.HasPrefix(info.ServerVersion, "ucp/") {
		return failure.Refuse(
			fmt.Errorf("this endpoint leads through UCP's own controller (server version %s), which a backup stops", info.ServerVersion),
			"talk to the manager's engine itself, for example: docker -H ssh://root@MANAGER ucp backup FILE")
	}
	pending := info.Swarm.LocalNodeState == swarm.LocalNodeStatePending && !info.Swarm.ControlAvailable
	switch {
	case info.Swarm.LocalNodeState == swarm.LocalNodeStateLocked:
		return failure.Refuse(fmt.Errorf("the swarm on %s is locked", info.Name), "unlock it with: docker swarm unlock")
	case info.Swarm.LocalNodeState == swarm.LocalNodeStateError, pending:
		return failure.Refuse(fmt.Errorf("the swarm on %s is in state %s: %s",
			info.Name, info.Swarm.LocalNodeState, cmp.Or(info.Swarm.Error, "the engine gives no reason")), "look at: docker info")
	case info.Swarm.NodeID == "":
		return failure.Refuse(fmt.Errorf("engine %s is in no swarm, so UCP cannot run on it", info.Name),
			"choose a UCP manager with: docker --context NAME ucp backup FILE")
	case !info.Swarm.ControlAvailable:
		return failure.Refuse(fmt.Errorf("engine %s is a worker; UCP keeps its state on managers", info.Name),
			"choose a UCP manager with: docker --context NAME ucp backup FILE"+managerAddresses(info))
	}
	return nil
}

func managerAddresses(info system.Info) string {
	var addresses []string
	for _, peer := range info.Swarm.RemoteManagers {
		addresses = append(addresses, peer.Addr)
	}
	if len(addresses) == 0 {
		return ""
	}
	slices.Sort(addresses)
	return "\nits swarm's managers: " + strings.Join(addresses, ", ")
}

func chooseID(all []container.Summary, wanted string) (string, error) {
	var ids []string
	for _, c := range all {
		if id := c.Labels[LabelInstance]; id != "" && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	switch {
	case len(ids) == 0:
		return "", failure.Refuse(fmt.Errorf("no UCP on this engine: no container carries the label %s", LabelInstance),
			"choose a UCP manager with: docker --context NAME ucp backup FILE")
	case wanted != "" && !slices.Contains(ids, wanted):
		return "", failure.Refuse(fmt.Errorf("this manager holds UCP instance %s, not %s", strings.Join(ids, " and "), wanted),
			"if that is the one you mean: docker ucp backup --id "+failure.Quote(ids[0])+" FILE")
	case wanted != "":
		return wanted, nil
	case len(ids) > 1:
		return "", failure.Refuse(fmt.Errorf("this manager holds %d UCP instances: %s", len(ids), strings.Join(ids, ", ")),
			"name one with: docker ucp backup --id "+failure.Quote(ids[0])+" FILE")
	}
	return ids[0], nil
}

// readVolumes takes the volumes that UCP is known to use, and every named volume that one of its containers mounts: a
// version this program has never heard of may have more.
func (i *Instance) readVolumes(ctx context.Context, engine Engine, all []container.Summary) error {
	list, err := engine.VolumeList(ctx, volume.ListOptions{})
	if err != nil {
		return fmt.Errorf("list volumes: %w", err)
	}
	mounted := i.mountedBy(all)
	for _, v := range list.Volumes {
		if _, found := mounted[v.Name]; found || isKnownVolume(v.Name) {
			delete(mounted, v.Name)
			i.Volumes = append(i.Volumes, Volume{
				Name: v.Name, Driver: v.Driver, Mountpoint: v.Mountpoint, Options: v.Options, Labels: v.Labels,
			})
		}
	}
	slices.SortFunc(i.Volumes, func(a, b Volume) int { return cmp.Compare(a.Name, b.Name) })
	if unlisted := slices.Sorted(maps.Keys(mounted)); len(unlisted) > 0 {
		return failure.Refuse(fmt.Errorf("UCP mounts volumes that the engine does not list: %s", strings.Join(append(unlisted, list.Warnings...), ", ")),
			"see whether their drivers work: docker volume ls; docker plugin ls")
	}
	if len(i.Volumes) == 0 {
		return failure.Refuse(fmt.Errorf("UCP %s has containers on this engine but no volumes", i.ID), "look at: docker volume ls")
	}
	return nil
}

// mountedBy returns the names of the volumes that somebody named and that UCP's containers mount.
func (i *Instance) mountedBy(all []container.Summary) map[string]struct{} {
	names := map[string]struct{}{}
	for _, c := range all {
		if c.Labels[LabelInstance] != i.ID {
			continue
		}
		for _, m := range c.Mounts {
			if m.Name != "" && !isAnonymous(m.Name) {
				names[m.Name] = struct{}{}
			}
		}
	}
	return names
}

// takeContainers keeps UCP's containers and those of others that could write to its volumes while they are read, such
// as the pod of its metrics.
func (i *Instance) takeContainers(all []container.Summary) {
	for _, c := range all {
		ours := c.Labels[LabelInstance] == i.ID
		if !ours && !i.writtenBy(c) {
			continue
		}
		i.Containers = append(i.Containers, Container{
			ID: c.ID, Name: nameOf(c), State: c.State, Ours: ours, Task: c.Labels[labelTask] != "", Pod: c.Labels[labelPod] != "",
		})
	}
	slices.SortFunc(i.Containers, func(a, b Container) int { return cmp.Compare(a.Name, b.Name) })
}

func (i *Instance) writtenBy(c container.Summary) bool {
	return slices.ContainsFunc(c.Mounts, func(m container.MountPoint) bool {
		return m.RW && slices.ContainsFunc(i.Volumes, func(v Volume) bool {
			return m.Name == v.Name || v.Mountpoint != "" && strings.HasPrefix(m.Source+"/", v.Mountpoint+"/")
		})
	})
}

// nameOf returns the container's own name, which has no slash; those that others link it by have one, and may come
// first.
func nameOf(c container.Summary) string {
	for _, name := range c.Names {
		if name = strings.TrimPrefix(name, "/"); !strings.Contains(name, "/") {
			return name
		}
	}
	return c.ID
}

// versionOf takes the label of ucp-controller or ucp-proxy, as public backup scripts do, and else of any container.
func versionOf(all []container.Summary, id string) string {
	version := ""
	for _, c := range all {
		if v := c.Labels[LabelVersion]; v != "" && c.Labels[LabelInstance] == id {
			version = v
			if name := nameOf(c); name == "ucp-controller" || name == "ucp-proxy" {
				return v
			}
		}
	}
	return version
}
