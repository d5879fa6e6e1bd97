// Package engine holds the few calls to a container engine that this program makes: bringing containers to rest and
// back, and running an agent of our own beside them. It knows nothing of UCP.
//
// Every call works with API 1.30 (engine 17.06) and later. The package does not promise that a connection survives; a
// caller that follows an agent comes back and asks again.
package engine

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/versions"
	"github.com/docker/docker/client"

	"github.com/docker-ucp/docker-ucp/internal/failure"
	"github.com/docker-ucp/docker-ucp/internal/quiesce"
)

// OldestAPI is the oldest engine API that this program works with: 17.06, the first with swarm configs.
const OldestAPI = "1.30"

// Engine makes the calls over an API client.
type Engine struct {
	api client.APIClient
}

// New returns an Engine that talks over api.
func New(api client.APIClient) *Engine { return &Engine{api: api} }

// Open returns an Engine on the socket at path, for a program on the engine's own machine. Each call makes a connection of
// its own: over one that it has already, an engine that is ending goes on to answer, and refuses or even starts what it is
// about to end (seen with 20.10), where it takes no new one.
func Open(path string) (*Engine, error) {
	fresh := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	api, err := client.NewClientWithOpts(client.WithHTTPClient(fresh), client.WithHost("unix://"+path), client.WithAPIVersionNegotiation())
	if err != nil {
		return nil, fmt.Errorf("open the engine's socket %s: %w", path, err)
	}
	return New(api), nil
}

// API returns the client underneath, for rooms that read the engine through interfaces of their own.
func (e *Engine) API() client.APIClient { return e.api }

// Version is what the engine says of itself.
type Version struct {
	Engine string
	API    string
}

// Check asks the engine for its version, and refuses one that cannot be reached or is too old.
func (e *Engine) Check(ctx context.Context) (Version, error) {
	version, err := e.api.ServerVersion(ctx)
	if ctx.Err() != nil {
		return Version{}, fmt.Errorf("reach the engine at %s: %w", e.api.DaemonHost(), context.Cause(ctx))
	}
	if err != nil {
		return Version{}, failure.Refuse(fmt.Errorf("reach the engine at %s: %w", e.api.DaemonHost(), err),
			"look at: docker context ls; then: docker --context NAME version")
	}
	if spoken := e.api.ClientVersion(); versions.LessThan(spoken, OldestAPI) {
		hint := "upgrade the engine, or back up with the vendor's own image"
		if versions.GreaterThanOrEqualTo(version.APIVersion, OldestAPI) {
			hint = "the engine can do more: unset DOCKER_API_VERSION"
		}
		return Version{}, failure.Refuse(
			fmt.Errorf("engine %s is spoken to with API %s; this program needs %s (engine 17.06) or later", version.Version, spoken, OldestAPI), hint)
	}
	return Version{Engine: version.Version, API: version.APIVersion}, nil
}

// EngineID returns what tells this engine from every other.
func (e *Engine) EngineID(ctx context.Context) (string, error) {
	info, err := e.api.Info(ctx)
	return info.ID, err
}

// StopContainer stops a container; a nil timeout leaves it to the container and the engine. One that has stopped already
// is no error.
func (e *Engine) StopContainer(ctx context.Context, id string, timeout *time.Duration) error {
	var options container.StopOptions
	if timeout != nil {
		seconds := int(math.Ceil(timeout.Seconds())) // rounded down, a short time would be none: kill at once
		options.Timeout = &seconds
	}
	return e.api.ContainerStop(ctx, id, options)
}

// StartContainer starts a container; one that runs already is no error.
func (e *Engine) StartContainer(ctx context.Context, id string) error {
	return e.api.ContainerStart(ctx, id, container.StartOptions{})
}

// PauseContainer freezes a container; one that is frozen already is no error.
func (e *Engine) PauseContainer(ctx context.Context, id string) error {
	return unlessAlready(ctx, e, id, e.api.ContainerPause(ctx, id), func(s quiesce.State) bool { return s.Paused || !s.Running })
}

// UnpauseContainer unfreezes a container; one that is not frozen is no error.
func (e *Engine) UnpauseContainer(ctx context.Context, id string) error {
	return unlessAlready(ctx, e, id, e.api.ContainerUnpause(ctx, id), func(s quiesce.State) bool { return !s.Paused })
}

var errNoState = errors.New("the engine does not say in which state the container is")

// unlessAlready drops err when the container is in the wanted state all the same: engines of different age word and
// number that refusal differently, but all tell the state.
func unlessAlready(ctx context.Context, e *Engine, id string, err error, wanted func(quiesce.State) bool) error {
	if err == nil {
		return nil
	}
	if state, stateErr := e.ContainerState(ctx, id); stateErr == nil && wanted(state) {
		return nil
	}
	return err
}

// ContainerState returns whether a container runs. One that waits for its next start does, as the engine counts: it
// cannot be started, and may come up at any time.
func (e *Engine) ContainerState(ctx context.Context, id string) (quiesce.State, error) {
	inspected, err := e.api.ContainerInspect(ctx, id)
	if err != nil {
		return quiesce.State{}, err
	}
	if inspected.ContainerJSONBase == nil || inspected.State == nil {
		return quiesce.State{}, errNoState
	}
	return quiesce.State{Running: inspected.State.Running, Paused: inspected.State.Paused}, nil
}

// IsGone tells whether err says that a container, image or volume does not exist.
func (e *Engine) IsGone(err error) bool { return cerrdefs.IsNotFound(err) }
