package ucp

import (
	"context"
	"fmt"
	"slices"

	"github.com/docker/docker/api/types/container"
)

// ListEngine is what Awake reads; *client.Client of the engine satisfies it.
type ListEngine interface {
	ContainerList(ctx context.Context, options container.ListOptions) ([]container.Summary, error)
}

// Awake returns the names, sorted, of containers that run and are not frozen, and that belong to the instance or can
// write to its volumes. Those whose IDs are given are passed over. While volumes are read there must be none: what a
// copy shows of a store that somebody writes to never was.
func (i *Instance) Awake(ctx context.Context, engine ListEngine, except []string) ([]string, error) {
	list, err := engine.ContainerList(ctx, container.ListOptions{All: true})
	if err != nil {
		return nil, fmt.Errorf("list containers: %w", err)
	}
	var names []string
	for _, c := range list {
		if c.State == "running" && !slices.Contains(except, c.ID) && (c.Labels[LabelInstance] == i.ID || i.writtenBy(c)) {
			names = append(names, nameOf(c))
		}
	}
	slices.Sort(names)
	return names, nil
}
