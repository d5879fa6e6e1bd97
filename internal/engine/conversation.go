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

// stopPatience is what an agent gets to put everything back when it is ended for good; whoever stops it does that then.
const stopPatience = 30 * time.Second

// How often, and how long, Stop looks whether the engine has noticed the end.
const (
	endedTries = 20
	endedPause = 250 * time.Millisecond
)

// Stop ends an agent that runs, or that the engine is about to start again, for good: its restart policy no longer brings
// it back. It waits until the agent has ended. One that has ended is no error, nor is one that is gone.
func (a *Agent) Stop(ctx context.Context) error {
	// A stopped container that had ended with an error comes back with the engine's next start, unless it has no policy.
	// The stop alone does until then, so on an engine that cannot write this down (its disk is full) it has to be enough.
	never := container.UpdateConfig{RestartPolicy: container.RestartPolicy{Name: container.RestartPolicyDisabled}}
	if _, err := a.engine.api.ContainerUpdate(ctx, a.ID, never); cerrdefs.IsNotFound(err) {
		return nil
	}
	patience := stopPatience
	err := a.engine.StopContainer(ctx, a.ID, &patience)
	for range endedTries {
		state, stateErr := a.engine.ContainerState(ctx, a.ID)
		switch {
		case stateErr == nil && !state.Running, cerrdefs.IsNotFound(stateErr):
			return nil
		case err != nil:
			return fmt.Errorf("stop container %s: %w", AgentName, err)
		case stateErr != nil:
			return fmt.Errorf("inspect container %s: %w", AgentName, stateErr)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("stop container %s: %w", AgentName, context.Cause(ctx))
		case <-time.After(endedPause):
		}
	}
	return fmt.Errorf("stop container %s: it still runs", AgentName)
}

// Remove removes the agent's container, which must have ended; one that is gone is no error.
func (a *Agent) Remove(ctx context.Context) error {
	return a.engine.remove(ctx, a.ID, AgentName, container.RemoveOptions{})
}

// Fetch copies one regular file out of the agent's container, running or not, and returns its size.
func (a *Agent) Fetch(ctx context.Context, path string, dst io.Writer) (size int64, err error) {
	err = a.copyOut(ctx, path, func(file *tar.Reader, _ *tar.Header) error {
		size, err = io.CopyBuffer(dst, file, make([]byte, 1<<20))
		return err
	})
	return size, err
}

// ReadFile returns the content of a small regular file in the agent's container, running or not. Its error is one for
// which IsGone is true when there is no such file, or no container.
func (a *Agent) ReadFile(ctx context.Context, path string, limit int64) (content []byte, err error) {
	err = a.copyOut(ctx, path, func(file *tar.Reader, header *tar.Header) error {
		if header.Size > limit {
			return fmt.Errorf("it has %d bytes, and at most %d are expected", header.Size, limit)
		}
		content, err = io.ReadAll(file)
		return err
	})
	if err != nil {
		return nil, err
	}
	return content, nil
}

// copyOut hands one regular file in the agent's container to read.
func (a *Agent) copyOut(ctx context.Context, path string, read func(*tar.Reader, *tar.Header) error) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("copy %s out of container %s: %w", path, AgentName, err)
		}
	}()
	stream, _, err := a.engine.api.CopyFromContainer(ctx, a.ID, path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stream.Close()) }()
	archive := tar.NewReader(stream)
	header, err := archive.Next()
	if err != nil {
		return err
	}
	if header.Typeflag != tar.TypeReg {
		return errors.New("not a regular file")
	}
	return read(archive, header)
}
