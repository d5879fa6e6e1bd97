package ucp

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/swarm"
)

// Record is one JSON document that belongs into a backup beside the volumes.
type Record struct {
	Name    string // its name in the archive
	Content []byte
}

// RecordEngine is what Records reads; *client.Client of the engine satisfies it.
type RecordEngine interface {
	ContainerInspectWithRaw(ctx context.Context, id string, size bool) (container.InspectResponse, []byte, error)
	ConfigList(ctx context.Context, options swarm.ConfigListOptions) ([]swarm.Config, error)
	ServiceList(ctx context.Context, options swarm.ServiceListOptions) ([]swarm.Service, error)
}

// Records reads UCP's swarm configs, its services and its containers' inspect data, in the order of the archive.
//
// Configs hold the license and UCP's settings, so this runs where the archive is sealed. When the swarm gives no configs
// and services, swarmErr says why, and the containers are returned all the same; see IsLeaderless.
func Records(ctx context.Context, engine RecordEngine, id string, containers []Container) (records []Record, swarmErr, err error) {
	configs, swarmErr := configRecords(ctx, engine)
	if swarmErr == nil {
		var services []Record
		services, swarmErr = serviceRecords(ctx, engine, id)
		configs = append(configs, services...)
	}
	inspected, err := containerRecords(ctx, engine, containers)
	return append(configs, inspected...), swarmErr, err
}

func configRecords(ctx context.Context, engine RecordEngine) ([]Record, error) {
	configs, err := engine.ConfigList(ctx, swarm.ConfigListOptions{})
	if err != nil {
		return nil, fmt.Errorf("list swarm configs: %w", err)
	}
	var records []Record
	for _, config := range configs {
		if isUCPConfig(config.Spec.Name) {
			if records, err = appendRecord(records, "./docker-ucp/configs/"+config.Spec.Name+".json", config); err != nil {
				return nil, err
			}
		}
	}
	sortRecords(records)
	return records, nil
}

// isUCPConfig knows the names of ucp-facts section 5.
func isUCPConfig(name string) bool {
	return slices.ContainsFunc(
		[]string{"com.docker.ucp.", "com.docker.license-", "com.docker.interlock."},
		func(prefix string) bool { return strings.HasPrefix(name, prefix) })
}

func serviceRecords(ctx context.Context, engine RecordEngine, id string) ([]Record, error) {
	services, err := engine.ServiceList(ctx, swarm.ServiceListOptions{})
	if err != nil {
		return nil, fmt.Errorf("list swarm services: %w", err)
	}
	var records []Record
	for _, service := range services {
		if service.Spec.Labels[LabelInstance] == id || strings.HasPrefix(service.Spec.Name, "ucp-") {
			if records, err = appendRecord(records, "./docker-ucp/services/"+service.Spec.Name+".json", service); err != nil {
				return nil, err
			}
		}
	}
	sortRecords(records)
	return records, nil
}

func containerRecords(ctx context.Context, engine RecordEngine, containers []Container) ([]Record, error) {
	var records []Record
	for _, c := range containers {
		if !c.Ours {
			continue
		}
		_, raw, err := engine.ContainerInspectWithRaw(ctx, c.ID, false)
		if cerrdefs.IsNotFound(err) {
			continue // it ended and went since it was found, as UCP's reconciler does
		}
		if err != nil {
			return nil, fmt.Errorf("inspect container %s: %w", c.Name, err)
		}
		var pretty bytes.Buffer
		if err := json.Indent(&pretty, raw, "", "  "); err != nil {
			return nil, fmt.Errorf("read the engine's data of container %s: %w", c.Name, err)
		}
		records = append(records, Record{Name: "./" + c.Name + ".json", Content: pretty.Bytes()})
	}
	sortRecords(records)
	return records, nil
}

func appendRecord(records []Record, name string, value any) ([]Record, error) {
	content, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write %s as JSON: %w", name, err)
	}
	return append(records, Record{Name: name, Content: append(content, '\n')}), nil
}

func sortRecords(records []Record) {
	slices.SortFunc(records, func(a, b Record) int { return strings.Compare(a.Name, b.Name) })
}

// IsLeaderless tells whether err says that the swarm has no leader to answer: for a moment, while it elects one, or for
// good, when its quorum is lost. Engines number and word it differently (moby's swarm errors; vendor docs, admin guide).
func IsLeaderless(err error) bool {
	return err != nil && (cerrdefs.IsUnavailable(err) || isWithoutLeader(err) || containsAny(err.Error(),
		"deadline exceeded", "DeadlineExceeded", "raft: failed to process the request", "redirect to leader"))
}

// isWithoutLeader knows the answer of a swarm that had nobody to pass the question on to.
func isWithoutLeader(err error) bool {
	return containsAny(err.Error(), "does not have a leader", "no elected cluster leader")
}

func containsAny(text string, parts ...string) bool {
	return slices.ContainsFunc(parts, func(part string) bool { return strings.Contains(text, part) })
}
