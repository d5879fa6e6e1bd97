package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/versions"
	"github.com/docker/docker/pkg/stdcopy"
)

// Task is a small piece of work in a container of the agent's image, beside the agent. The container has no name, no
// network of its own but that of Network, every capability dropped but Capabilities, a read-only root, and the engine
// removes it when it ends.
type Task struct {
	Image        string
	StartedBy    string
	Args         []string // no secrets: every process of the machine can read them
	Network      string   // the ID of a container whose network it joins; empty for none
	Spool        string   // the volume mounted at SpoolPath; empty for none
	Output       string   // a file on the engine's machine, mounted at OutputPath; empty for none
	HostPID      bool     // it sees the machine's processes
	Capabilities []string // without CAP_
	SecurityOpt  []string // added to those that it gets anyway
}

// Bounds of what a task may say: a result, and why there is none.
const (
	taskOutput = 64 << 10
	taskWords  = 4 << 10
)

// discardTimeout is what the engine gets to remove a task that nobody waits for any more.
const discardTimeout = 30 * time.Second

// RunTask runs a task to its end and returns what it wrote to its standard output. A status other than zero is an error
// that ends with what the task wrote to its standard error. When ctx ends the task is killed. However RunTask ends, the
// container is gone, or the error says that it could not be removed.
func (e *Engine) RunTask(ctx context.Context, task Task) (output []byte, err error) {
	info, err := e.api.Info(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the engine's state: %w", err)
	}
	config := &container.Config{
		Image: task.Image, User: "0:0", Cmd: task.Args, AttachStdout: true, AttachStderr: true,
		Labels: map[string]string{LabelStartedBy: task.StartedBy},
	}
	id, err := e.create(ctx, config, e.taskHost(task, info.SecurityOptions), "")
	if err != nil {
		return nil, fmt.Errorf("create a container for %s: %w", task, err)
	}
	stdout, stderr := &bounded{limit: taskOutput}, &bounded{limit: taskWords}
	status, err := e.runToEnd(ctx, id, stdout, stderr)
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx) // and not what the cancel made of the call that it met
		}
		return nil, errors.Join(fmt.Errorf("run %s: %w", task, err), e.discard(ctx, id))
	}
	switch {
	case status != 0:
		return nil, fmt.Errorf("%s: status %d: %s", task, status, strings.TrimSpace(string(stderr.kept)))
	case stdout.over:
		return nil, fmt.Errorf("%s: it says more than %d bytes", task, taskOutput)
	}
	return stdout.kept, nil
}

// String names the task.
func (t Task) String() string { return "task " + strings.Join(t.Args, " ") }

// taskHost is the least that a task can do its work with. Its output is read while it runs and kept nowhere.
func (e *Engine) taskHost(task Task, engineOptions []string) *container.HostConfig {
	host := &container.HostConfig{
		AutoRemove:     true,
		NetworkMode:    "none",
		ReadonlyRootfs: true,
		CapDrop:        []string{"ALL"},
		CapAdd:         task.Capabilities,
		SecurityOpt:    securityOptions(task.SecurityOpt, engineOptions),
		LogConfig:      container.LogConfig{Type: "none"},
	}
	if versions.LessThan(e.api.ClientVersion(), namesCapabilitiesCAP) && len(task.Capabilities) > 0 {
		host.CapDrop, host.CapAdd = nil, beforeNames(task.Capabilities)
	}
	if task.Network != "" {
		host.NetworkMode = container.NetworkMode("container:" + task.Network)
	}
	if task.Spool != "" {
		host.Mounts = append(host.Mounts, mount.Mount{Type: mount.TypeVolume, Source: task.Spool, Target: SpoolPath})
	}
	if task.Output != "" {
		host.Mounts = append(host.Mounts, mount.Mount{Type: mount.TypeBind, Source: task.Output, Target: OutputPath})
	}
	if task.HostPID {
		host.PidMode = "host"
	}
	if hasOption(engineOptions, "userns") {
		host.UsernsMode = "host" // as for the agent; and nobody else may look at the machine's own processes
	}
	return host
}

// beforeNames is what to add on an engine that cannot be told single capabilities (see namesCapabilitiesCAP): nothing
// to what every container gets where that is enough, or else the one word that it knows.
func beforeNames(capabilities []string) []string {
	const everybodys = "AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE NET_RAW SETFCAP SETGID SETPCAP SETUID SYS_CHROOT"
	usual := strings.Fields(everybodys)
	if slices.ContainsFunc(capabilities, func(name string) bool { return !slices.Contains(usual, name) }) {
		return []string{"ALL"}
	}
	return nil
}

// runToEnd starts a container that the engine removes when it ends, and returns its status once it is gone. Both its
// streams and the news of its end are asked for before it starts: a moment later there might be nothing left to ask.
func (e *Engine) runToEnd(ctx context.Context, id string, stdout, stderr io.Writer) (status int64, err error) {
	attached, err := e.api.ContainerAttach(ctx, id, container.AttachOptions{Stream: true, Stdout: true, Stderr: true})
	if err != nil {
		return 0, fmt.Errorf("attach to its container: %w", err)
	}
	defer attached.Close()
	stop := context.AfterFunc(ctx, attached.Close)
	defer stop()
	waiting, cancel := context.WithCancel(ctx)
	defer cancel()
	removed, failed := e.api.ContainerWait(waiting, id, container.WaitConditionRemoved)
	copied := make(chan error, 1)
	go func() {
		_, copyErr := stdcopy.StdCopy(stdout, stderr, attached.Reader)
		copied <- copyErr
	}()
	if err = e.api.ContainerStart(ctx, id, container.StartOptions{}); err != nil {
		err = fmt.Errorf("start its container: %w", err)
	} else {
		status, err = awaitRemoval(removed, failed)
	}
	if err != nil {
		attached.Close() // nobody wants the copy any more, and it might wait for ever
	}
	if copyErr := <-copied; err == nil && copyErr != nil {
		err = fmt.Errorf("read what it says: %w", copyErr)
	}
	return status, err
}

func awaitRemoval(removed <-chan container.WaitResponse, failed <-chan error) (status int64, err error) {
	select {
	case err = <-failed:
	case end := <-removed:
		if end.Error == nil {
			return end.StatusCode, nil
		}
		err = errors.New(end.Error.Message)
	}
	return 0, fmt.Errorf("wait for the end of its container: %w", err)
}

// discard removes a task's container whatever it does at the time. Whoever has cancelled wants it gone all the same.
func (e *Engine) discard(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), discardTimeout)
	defer cancel()
	return e.remove(ctx, id, id, container.RemoveOptions{Force: true})
}

// bounded keeps the beginning of what is written to it.
type bounded struct {
	limit int
	kept  []byte
	over  bool
}

func (b *bounded) Write(p []byte) (int, error) {
	room := min(b.limit-len(b.kept), len(p))
	b.kept = append(b.kept, p[:room]...)
	b.over = b.over || room < len(p)
	return len(p), nil
}
