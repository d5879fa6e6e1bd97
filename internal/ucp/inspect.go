package ucp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/api/types/system"
)

// readDetails asks for what the list of containers does not say: which of them the engine removes when they stop, the
// members of the key-value store, and the controller's port.
//
// A container that is gone by now, as UCP's reconciler often is, is dropped.
func (i *Instance) readDetails(ctx context.Context, engine Engine) error {
	var found []Container
	for _, c := range i.Containers {
		inspected, err := engine.ContainerInspect(ctx, c.ID)
		if cerrdefs.IsNotFound(err) {
			continue
		}
		if err == nil && inspected.ContainerJSONBase == nil {
			err = errors.New("the engine's answer is empty")
		}
		if err != nil {
			return fmt.Errorf("inspect container %s: %w", c.Name, err)
		}
		c.AutoRemove = inspected.HostConfig != nil && inspected.HostConfig.AutoRemove
		if inspected.Config != nil && inspected.Config.StopTimeout != nil {
			c.Grace = time.Duration(max(*inspected.Config.StopTimeout, 0)) * time.Second
		}
		if c.Name == "ucp-kv" && inspected.Config != nil {
			i.KVMembers = kvMembers(inspected.Args, inspected.Config.Env)
		}
		if c.Name == "ucp-controller" {
			i.ControllerPort = controllerPort(inspected)
		}
		found = append(found, c)
	}
	i.Containers = found
	return nil
}

// kvMembers reads etcd's own --initial-cluster, which may have one dash, or ETCD_INITIAL_CLUSTER: "name=url,name=url".
func kvMembers(args, env []string) []string {
	for n, arg := range args {
		flag, dashed := strings.CutPrefix(arg, "-")
		if flag = strings.TrimPrefix(flag, "-"); !dashed {
			continue
		}
		if value, found := strings.CutPrefix(flag, "initial-cluster="); found {
			return members(value)
		}
		if flag == "initial-cluster" && n+1 < len(args) {
			return members(args[n+1])
		}
	}
	for _, variable := range env {
		if value, found := strings.CutPrefix(variable, "ETCD_INITIAL_CLUSTER="); found {
			return members(value)
		}
	}
	return nil
}

func members(list string) []string {
	if list == "" {
		return nil
	}
	return strings.Split(list, ",")
}

func (i *Instance) readSwarm(ctx context.Context, engine Engine, info system.Info) error {
	if info.Swarm.Cluster != nil {
		i.Swarm.ClusterID = info.Swarm.Cluster.ID
	}
	i.Node = Node{ID: info.Swarm.NodeID, Name: info.Name, Address: info.Swarm.NodeAddr, Role: "manager"}
	nodes, err := engine.NodeList(ctx, swarm.NodeListOptions{})
	if err != nil {
		if ctx.Err() != nil || !IsLeaderless(err) {
			return fmt.Errorf("list the swarm's nodes: %w", errors.Join(context.Cause(ctx), err))
		}
		// A swarm without quorum cannot list its nodes. The backup of a survivor is then worth most, so it goes on
		// with the managers that the engine itself remembers.
		i.Swarm.Leaderless = true
		for _, peer := range info.Swarm.RemoteManagers {
			i.Swarm.Managers = append(i.Swarm.Managers, Member{ID: peer.NodeID, Address: peer.Addr})
		}
	}
	for _, node := range nodes {
		if node.ID == i.Node.ID {
			_, paused := node.Spec.Labels[LabelAgentPause]
			i.Node.HeldBy = node.Spec.Labels[LabelHeldBy]
			i.Node.Paused = paused && i.Node.HeldBy == ""
		}
		if node.Spec.Role == swarm.NodeRoleManager {
			i.Swarm.Managers = append(i.Swarm.Managers, member(node))
		}
	}
	slices.SortFunc(i.Swarm.Managers, func(a, b Member) int { return cmp.Compare(a.ID, b.ID) })
	return nil
}
