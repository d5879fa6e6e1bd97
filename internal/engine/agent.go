package engine

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/versions"
	"github.com/docker/docker/api/types/volume"

	"github.com/docker-ucp/docker-ucp/internal/failure"
)

// AgentName is the name of the agent's container. An engine holds a name once, and so one agent at a time: this is the
// lock against a second backup.
const AgentName = "docker-ucp-agent"

// LabelStartedBy is the label on the agent's container and spool that says who started them, for the refusal of a
// second run.
const LabelStartedBy = "io.docker-ucp.started-by"

// stopTimeout is what the engine gives the agent to end when somebody stops it: it brings UCP back first, and killed
// before that it would leave UCP at rest.
const stopTimeout = 15 * time.Minute

// Where things lie inside the agent's container.
const (
	SocketPath  = "/run/docker.sock"
	VolumesPath = "/volumes"
	SpoolPath   = "/spool"
	OutputPath  = "/output"
)

// namesCapabilitiesCAP is the API of the first engine (19.03) that takes a capability by its name with CAP_, which the
// client library writes before each. An older engine does not start such a container, so there the agent gets what
// every container gets; among that is what it needs.
const namesCapabilitiesCAP = "1.40"

// AgentSpec is what an agent gets to see of its machine.
type AgentSpec struct {
	Image       string
	StartedBy   string
	Socket      string   // the engine's socket on its machine
	Volumes     []string // mounted read-only below VolumesPath
	Spool       string   // the volume at SpoolPath
	SecurityOpt []string // added to those that the agent gets anyway
}

// Agent is a container of ours on the engine.
type Agent struct {
	engine *Engine
	ID     string
}

// CreateAgent makes the agent's container without starting it. It refuses when there is one already: see FindAgent.
func (e *Engine) CreateAgent(ctx context.Context, spec AgentSpec) (*Agent, error) {
	info, err := e.api.Info(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the engine's state: %w", err)
	}
	stopSeconds := int(stopTimeout.Seconds())
	config := &container.Config{
		Image: spec.Image, User: "0:0",
		OpenStdin: true, StdinOnce: true, AttachStdin: true,
		StopTimeout: &stopSeconds,
		Labels:      map[string]string{LabelStartedBy: spec.StartedBy},
	}
	host := hostConfig(spec, info.SecurityOptions)
	if versions.LessThan(e.api.ClientVersion(), namesCapabilitiesCAP) {
		host.CapDrop, host.CapAdd = nil, nil
	}
	id, err := e.create(ctx, config, host, AgentName)
	if cerrdefs.IsConflict(err) {
		return nil, failure.Refuse(errors.New("another backup has just been started on this manager"), "see what it does: docker logs "+AgentName)
	}
	if err != nil {
		return nil, fmt.Errorf("create container %s: %w", AgentName, err)
	}
	return &Agent{engine: e, ID: id}, nil
}

// hostConfig is the least that the agent can do its work with. It reads files of any owner with DAC_READ_SEARCH alone.
// It mounts nothing that could be gone when the engine starts it again.
func hostConfig(spec AgentSpec, engineOptions []string) *container.HostConfig {
	host := &container.HostConfig{
		NetworkMode:    "none",
		ReadonlyRootfs: true,
		CapDrop:        []string{"ALL"},
		CapAdd:         []string{"DAC_READ_SEARCH"},
		SecurityOpt:    securityOptions(spec.SecurityOpt, engineOptions),
		// The events must be readable whatever the engine's own default is, and never leave the machine. Its defaults for
		// this very driver could drop some, or rotate away the plan by which UCP is brought back.
		LogConfig: container.LogConfig{Type: "json-file", Config: map[string]string{"mode": "blocking", "max-size": "100m"}},
		// The agent ends with an error while something is at rest, and so comes back after its own death and the engine's.
		RestartPolicy: container.RestartPolicy{Name: container.RestartPolicyOnFailure},
		Mounts:        mounts(spec),
	}
	if hasOption(engineOptions, "userns") {
		host.UsernsMode = "host" // volumes and the socket belong to the machine's users, not to a mapped range
	}
	return host
}

func mounts(spec AgentSpec) []mount.Mount {
	all := []mount.Mount{
		{Type: mount.TypeBind, Source: spec.Socket, Target: SocketPath},
		{Type: mount.TypeVolume, Source: spec.Spool, Target: SpoolPath},
	}
	for _, name := range spec.Volumes {
		all = append(all, mount.Mount{
			Type: mount.TypeVolume, Source: name, Target: path.Join(VolumesPath, name), ReadOnly: true,
			VolumeOptions: &mount.VolumeOptions{NoCopy: true},
		})
	}
	return all
}

// securityOptions switches SELinux labelling off where the engine has it: a labelled agent could open neither the
// engine's socket nor the volumes, and relabelling a volume of UCP would take it away from UCP.
func securityOptions(added, engineOptions []string) []string {
	options := []string{"no-new-privileges"}
	if hasOption(engineOptions, "selinux") {
		options = append(options, "label=disable")
	}
	for _, option := range added {
		if !slices.Contains(options, option) {
			options = append(options, option)
		}
	}
	return options
}

// hasOption finds "name=selinux", or "name=seccomp,profile=default", in what an engine reports.
func hasOption(engineOptions []string, name string) bool {
	return slices.ContainsFunc(engineOptions, func(option string) bool {
		first, _, _ := strings.Cut(option, ",")
		return first == "name="+name || first == name
	})
}

// HasSELinux tells whether the engine labels its containers.
func HasSELinux(engineOptions []string) bool { return hasOption(engineOptions, "selinux") }

// CreateSpool makes the volume in which sealed archives wait. It reports whether the volume is ours, made now or left by
// an earlier run, and so to be removed: one that somebody else made is used and left there.
func (e *Engine) CreateSpool(ctx context.Context, name, startedBy string) (ours bool, err error) {
	found, ours, err := e.FindVolume(ctx, name)
	if err != nil || found {
		return ours, err
	}
	if _, err := e.api.VolumeCreate(ctx, volume.CreateOptions{Name: name, Labels: map[string]string{LabelStartedBy: startedBy}}); err != nil {
		return false, fmt.Errorf("create volume %s: %w", name, err)
	}
	return true, nil
}

// FindVolume tells whether there is a volume, and whether it is one that CreateSpool made. It asks for the list of
// volumes: where there is no volume of the name, an engine that knows cluster volumes (API 1.42) looks for one in the
// swarm, and without a leader answers that it cannot tell.
func (e *Engine) FindVolume(ctx context.Context, name string) (found, ours bool, err error) {
	list, err := e.api.VolumeList(ctx, volume.ListOptions{Filters: filters.NewArgs(filters.Arg("name", name))})
	if err != nil {
		return false, false, fmt.Errorf("look for volume %s: %w", name, err)
	}
	for _, v := range list.Volumes {
		if v.Name == name { // the filter takes a part of a name as well
			_, ours = v.Labels[LabelStartedBy]
			return true, ours, nil
		}
	}
	return false, false, nil
}

// RemoveVolume removes a volume. One that is gone, or that a container still uses, is no error: the last user removes
// it.
func (e *Engine) RemoveVolume(ctx context.Context, name string) error {
	err := e.api.VolumeRemove(ctx, name, false)
	if err == nil || cerrdefs.IsNotFound(err) || cerrdefs.IsConflict(err) {
		return nil
	}
	return fmt.Errorf("remove volume %s: %w", name, err)
}

// Found is an agent's container that an earlier run left, or that a run of somebody else uses.
type Found struct {
	*Agent
	Image     string
	Running   bool
	StartedBy string
	Since     time.Time
	Ended     time.Time // by the engine's Clock; zero while it runs, and when nobody knows
}

// IsOurs tells an agent's container from somebody else's that only has its name.
func (f *Found) IsOurs() bool {
	return f.StartedBy != "" && strings.HasPrefix(f.Image, imageRepository+":")
}

// FindAgent returns the agent's container on this engine, or nil.
func (e *Engine) FindAgent(ctx context.Context) (*Found, error) {
	inspected, err := e.api.ContainerInspect(ctx, AgentName)
	if cerrdefs.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look for container %s: %w", AgentName, err)
	}
	if inspected.ContainerJSONBase == nil || inspected.State == nil {
		return nil, fmt.Errorf("look for container %s: %w", AgentName, errNoState)
	}
	found := &Found{Agent: &Agent{engine: e, ID: inspected.ID}, Running: inspected.State.Running}
	if inspected.Config != nil {
		found.Image, found.StartedBy = inspected.Config.Image, inspected.Config.Labels[LabelStartedBy]
	}
	found.Since, err = time.Parse(time.RFC3339Nano, inspected.Created)
	if err != nil {
		return nil, fmt.Errorf("read when container %s was created: %w", AgentName, err)
	}
	if !found.Running {
		found.Ended, _ = time.Parse(time.RFC3339Nano, inspected.State.FinishedAt) // the engine writes that it never ran as zero
	}
	return found, nil
}
