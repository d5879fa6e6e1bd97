package engine

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/pkg/stdcopy"
)

// Start starts the agent and returns its standard input. What is written there is kept nowhere: not in the container's
// log, not in what inspecting it shows.
func (a *Agent) Start(ctx context.Context) (stdin io.WriteCloser, err error) {
	attached, err := a.engine.api.ContainerAttach(ctx, a.ID, container.AttachOptions{Stream: true, Stdin: true})
	if err != nil {
		return nil, fmt.Errorf("attach to container %s: %w", AgentName, err)
	}
	if err := a.engine.api.ContainerStart(ctx, a.ID, container.StartOptions{}); err != nil {
		attached.Close()
		return nil, fmt.Errorf("start container %s: %w", AgentName, err)
	}
	return attachedInput{attached}, nil
}

type attachedInput struct{ types.HijackedResponse }

func (in attachedInput) Write(p []byte) (int, error) { return in.Conn.Write(p) }

func (in attachedInput) Close() error {
	in.HijackedResponse.Close()
	return nil
}

// Log copies what the agent says on its standard output since it was created, until it ends. A connection that breaks is
// an error. A stream that the engine ends early is none, and may end inside a line: only Exited tells that the agent has
// ended.
func (a *Agent) Log(ctx context.Context, stdout, stderr io.Writer, follow bool) error {
	stream, err := a.engine.api.ContainerLogs(ctx, a.ID, container.LogsOptions{ShowStdout: true, ShowStderr: true, Follow: follow})
	if err != nil {
		return fmt.Errorf("read the log of container %s: %w", AgentName, err)
	}
	_, err = stdcopy.StdCopy(stdout, stderr, stream)
	return errors.Join(err, stream.Close())
}

// Exited returns the agent's exit status, or false while it runs.
func (a *Agent) Exited(ctx context.Context) (status int, exited bool, err error) {
	inspected, err := a.engine.api.ContainerInspect(ctx, a.ID)
	if err != nil {
		return 0, false, fmt.Errorf("inspect container %s: %w", AgentName, err)
	}
	if inspected.ContainerJSONBase == nil || inspected.State == nil {
		return 0, false, fmt.Errorf("inspect container %s: %w", AgentName, errNoState)
	}
	if inspected.State.Running || inspected.State.Status == container.StateCreated {
		return 0, false, nil
	}
	return inspected.State.ExitCode, true, nil
}

// Terminate tells a running agent to put everything back and end, and does not wait for it. One that has ended is no
// error.
func (a *Agent) Terminate(ctx context.Context) error {
	err := a.engine.api.ContainerKill(ctx, a.ID, "SIGTERM")
	if err == nil || cerrdefs.IsNotFound(err) {
		return nil
	}
	// Engines of different age number the refusal for a container that has ended differently.
	if _, exited, exitedErr := a.Exited(ctx); exited || cerrdefs.IsNotFound(exitedErr) {
		return nil
	}
	return fmt.Errorf("signal container %s: %w", AgentName, err)
}

// How often Remove asks an engine that is still ending the container or removing it, or, as old ones do for a while,
// finds its file system busy.
const (
	removeTries = 10
	removePause = 300 * time.Millisecond
)

// Remove removes the agent's container, which must have ended; one that is gone is no error.
func (a *Agent) Remove(ctx context.Context) error {
	var err error
	for range removeTries {
		err = a.engine.api.ContainerRemove(ctx, a.ID, container.RemoveOptions{})
		if err == nil || cerrdefs.IsNotFound(err) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("remove container %s: %w; given up: %w", AgentName, err, context.Cause(ctx))
		case <-time.After(removePause):
		}
	}
	return fmt.Errorf("remove container %s: %w", AgentName, err)
}

// Fetch copies one regular file out of the agent's container, running or not, and returns its size.
func (a *Agent) Fetch(ctx context.Context, path string, dst io.Writer) (size int64, err error) {
	stream, _, err := a.engine.api.CopyFromContainer(ctx, a.ID, path)
	if err != nil {
		return 0, fmt.Errorf("copy %s out of container %s: %w", path, AgentName, err)
	}
	defer func() { err = errors.Join(err, stream.Close()) }()
	archive := tar.NewReader(stream)
	header, err := archive.Next()
	if err != nil {
		return 0, fmt.Errorf("copy %s out of container %s: %w", path, AgentName, err)
	}
	if header.Typeflag != tar.TypeReg {
		return 0, fmt.Errorf("copy %s out of container %s: not a regular file", path, AgentName)
	}
	size, err = io.CopyBuffer(dst, archive, make([]byte, 1<<20)) //nolint:gosec // no compression: it is as long as what was sent.
	if err != nil {
		return size, fmt.Errorf("copy %s out of container %s: %w", path, AgentName, err)
	}
	return size, nil
}
