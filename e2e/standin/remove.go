package standin

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"

	"github.com/docker-ucp/docker-ucp/e2e/standin/layout"
)

// Remove takes away everything that Deploy put on the engine; the swarm and the client bundle stay.
func (u *UCP) Remove(ctx context.Context) error {
	var wrong []error
	note := func(what string, err error) {
		if err != nil && !errdefs.IsNotFound(err) {
			wrong = append(wrong, fmt.Errorf("remove %s: %w", what, err))
		}
	}
	for _, name := range u.serviceNames() {
		note(name, u.engine.ServiceRemove(ctx, name))
	}
	note("containers", u.removeContainers(ctx))
	note("tasks", u.waitTasksGone(ctx))
	for _, v := range u.volumes() {
		note(v.Name, u.engine.VolumeRemove(ctx, v.Name, false))
	}
	for name := range u.configs() {
		note(name, u.engine.ConfigRemove(ctx, name))
	}
	note(layout.Secret, u.engine.SecretRemove(ctx, layout.Secret))
	note(layout.Network, u.engine.NetworkRemove(ctx, layout.Network))
	for _, name := range u.imageNames() {
		_, err := u.engine.ImageRemove(ctx, name, image.RemoveOptions{})
		note(name, err)
	}
	if u.opts.ExternalCA {
		note("external CA", u.setExternalCAs(ctx, nil))
	}
	note("node labels", u.labelNode(ctx, func(labels map[string]string) {
		delete(labels, layout.LabelPause)
		for name := range nodeLabels {
			delete(labels, name)
		}
	}))
	return errors.Join(wrong...)
}

func (u *UCP) removeContainers(ctx context.Context) error {
	names := []string{installer, "shop-db"}
	for _, p := range parts {
		names = append(names, p.name)
	}
	var wrong []error
	for _, name := range names {
		err := u.engine.ContainerRemove(ctx, name, container.RemoveOptions{Force: true, RemoveVolumes: true})
		if err != nil && !errdefs.IsNotFound(err) {
			wrong = append(wrong, err)
		}
	}
	return errors.Join(wrong...)
}

// waitTasksGone waits for the containers of removed services, which hold volumes and images.
func (u *UCP) waitTasksGone(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, healthyWithin)
	defer cancel()
	for {
		var left int
		for _, name := range u.serviceNames() {
			list, err := u.engine.ContainerList(ctx, container.ListOptions{All: true, Filters: filters.NewArgs(
				filters.Arg("label", "com.docker.swarm.service.name="+name))})
			if err != nil {
				return err
			}
			left += len(list)
		}
		if left == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d still there: %w", left, ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}
