package standin

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/pkg/stdcopy"
)

// State is what can be seen of a container from outside.
type State struct {
	Name      string
	ID        string
	Status    string // running, paused, exited, …
	StartedAt string
	Restarts  int
	Labels    map[string]string
}

// Containers lists all containers of the engine, users' included, by name: for a comparison of before and after.
func (u *UCP) Containers(ctx context.Context) ([]State, error) {
	list, err := u.engine.ContainerList(ctx, container.ListOptions{All: true})
	if err != nil {
		return nil, fmt.Errorf("list containers: %w", err)
	}
	var states []State
	for _, c := range list {
		all, err := u.engine.ContainerInspect(ctx, c.ID)
		if errdefs.IsNotFound(err) {
			continue // gone since it was listed, as a replaced task is
		}
		if err != nil {
			return nil, fmt.Errorf("inspect %s: %w", c.Names[0], err)
		}
		states = append(states, State{
			Name: strings.TrimPrefix(all.Name, "/"), ID: all.ID, Status: all.State.Status,
			StartedAt: all.State.StartedAt, Restarts: all.RestartCount, Labels: all.Config.Labels,
		})
	}
	slices.SortFunc(states, func(a, b State) int { return cmp.Compare(a.Name, b.Name) })
	return states, nil
}

// logs is the end of what a container said.
func (u *UCP) logs(ctx context.Context, name string) (text string, err error) {
	stream, err := u.engine.ContainerLogs(ctx, name, container.LogsOptions{ShowStdout: true, ShowStderr: true, Tail: "5"})
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, stream.Close()) }()
	var said bytes.Buffer
	_, err = stdcopy.StdCopy(&said, &said, stream)
	return strings.TrimSpace(said.String()), err
}
