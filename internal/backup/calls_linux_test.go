package backup

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/volume"
	"github.com/docker/docker/client"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/docker-ucp/docker-ucp/internal/agent"
	"github.com/docker-ucp/docker-ucp/internal/engine"
)

func (m *manager) ContainerLogs(ctx context.Context, id string, options container.LogsOptions) (io.ReadCloser, error) {
	if err := m.call(ctx, "logs"); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.agent == nil || m.agent.id != id {
		return nil, fmt.Errorf("no such container: %w", cerrdefs.ErrNotFound)
	}
	m.agent.mu.Lock()
	defer m.agent.mu.Unlock()
	stream := &logStream{ctx: ctx, box: m.agent, life: m.agent.life, follow: options.Follow, cut: m.cut, broken: make(chan struct{})}
	m.streams = append(m.streams, stream)
	return stream, nil
}

func (m *manager) ImageImport(ctx context.Context, source image.ImportSource, name string, _ image.ImportOptions) (io.ReadCloser, error) {
	if err := m.call(ctx, "import"); err != nil {
		return nil, err
	}
	if _, err := io.Copy(io.Discard, source.Source); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.images = append(m.images, name)
	return io.NopCloser(strings.NewReader(`{"status":"sha256:1"}`)), nil
}

func (m *manager) ImageInspect(ctx context.Context, name string, _ ...client.ImageInspectOption) (image.InspectResponse, error) {
	if err := m.call(ctx, "inspect image"); err != nil {
		return image.InspectResponse{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if !slices.Contains(m.images, name) {
		return image.InspectResponse{}, cerrdefs.ErrNotFound
	}
	return image.InspectResponse{}, nil
}

func (m *manager) ImageRemove(ctx context.Context, name string, _ image.RemoveOptions) ([]image.DeleteResponse, error) {
	if err := m.call(ctx, "remove image"); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.images = slices.DeleteFunc(m.images, func(n string) bool { return n == name })
	return nil, nil
}

func (m *manager) VolumeCreate(ctx context.Context, options volume.CreateOptions) (volume.Volume, error) {
	if err := m.call(ctx, "create volume", options.Name); err != nil {
		return volume.Volume{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.labels[options.Name] = options.Labels
	return volume.Volume{}, os.Mkdir(filepath.Join(m.volumes, options.Name), 0o700)
}

func (m *manager) VolumeRemove(ctx context.Context, name string, _ bool) error {
	if err := m.call(ctx, "remove volume", name); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.agent != nil {
		return fmt.Errorf("volume is in use: %w", cerrdefs.ErrConflict)
	}
	delete(m.labels, name)
	return os.RemoveAll(filepath.Join(m.volumes, name))
}

func (m *manager) ContainerCreate(ctx context.Context, config *container.Config, host *container.HostConfig,
	_ *network.NetworkingConfig, _ *ocispec.Platform, name string,
) (container.CreateResponse, error) {
	if name == "" {
		return m.createTask(ctx, config, host)
	}
	if err := m.call(ctx, "create", name); err != nil {
		return container.CreateResponse{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.agent != nil {
		return container.CreateResponse{}, fmt.Errorf("the name is taken: %w", cerrdefs.ErrConflict)
	}
	if err := m.lacks(host); err != nil {
		return container.CreateResponse{}, err
	}
	m.next++
	m.agent = &box{
		id: fmt.Sprintf("agent-%d", m.next), image: config.Image, labels: config.Labels, mounts: host.Mounts,
		created: time.Now(), state: "created", grown: make(chan struct{}),
		policy: host.RestartPolicy.IsOnFailure(),
	}
	return container.CreateResponse{ID: m.agent.id}, nil
}

// lacks fails for what is to be mounted and is not on the engine's machine.
func (m *manager) lacks(host *container.HostConfig) error {
	for _, bind := range host.Mounts {
		if bind.Type == mount.TypeBind && m.binds != nil && !m.binds(bind.Source) {
			return fmt.Errorf("bind source path does not exist: %s: %w", bind.Source, cerrdefs.ErrInvalidArgument)
		}
	}
	return nil
}

func (m *manager) ContainerAttach(ctx context.Context, id string, _ container.AttachOptions) (types.HijackedResponse, error) {
	if err := m.call(ctx, "attach"); err != nil {
		return types.HijackedResponse{}, err
	}
	ours, theirs := net.Pipe()
	m.mu.Lock()
	defer m.mu.Unlock()
	if task := m.tasks[id]; task != nil {
		task.said = theirs
		return types.HijackedResponse{Conn: ours, Reader: bufio.NewReader(ours)}, nil
	}
	m.agent.mu.Lock()
	defer m.agent.mu.Unlock()
	if l := m.agent.life; m.agent.state == "running" && l.feed != nil { // an input that nobody was attached to
		ours, l.feed = l.feed, nil
	} else {
		m.agent.stdin = theirs
	}
	m.conns = append(m.conns, ours)
	if m.feed != nil {
		ours = fed{ours, m.feed(ours)}
	}
	return types.HijackedResponse{Conn: ours}, nil
}

// fed is a connection that is written to through something else.
type fed struct {
	net.Conn
	to io.Writer
}

func (f fed) Write(p []byte) (int, error) { return f.to.Write(p) }

func (m *manager) ContainerKill(ctx context.Context, id, _ string) error {
	if err := m.call(ctx, "signal"); err != nil {
		return err
	}
	box := m.ours(id)
	if box == nil {
		return cerrdefs.ErrNotFound
	}
	return box.terminate()
}

func (m *manager) ContainerUpdate(ctx context.Context, id string, config container.UpdateConfig) (container.UpdateResponse, error) {
	if err := m.call(ctx, "update"); err != nil {
		return container.UpdateResponse{}, err
	}
	box := m.ours(id)
	if box == nil {
		return container.UpdateResponse{}, cerrdefs.ErrNotFound
	}
	box.mu.Lock()
	defer box.mu.Unlock()
	box.policy = config.RestartPolicy.IsOnFailure()
	return container.UpdateResponse{}, nil
}

func (m *manager) ContainerRemove(ctx context.Context, id string, _ container.RemoveOptions) error {
	if err := m.call(ctx, "remove"); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if task := m.tasks[id]; task != nil {
		close(task.killed)
		delete(m.tasks, id)
		return nil
	}
	if m.agent == nil || m.agent.id != id {
		return cerrdefs.ErrNotFound
	}
	m.agent.mu.Lock()
	defer m.agent.mu.Unlock()
	if m.agent.state == "running" || m.agent.state == "restarting" {
		return cerrdefs.ErrConflict
	}
	m.agent = nil
	return nil
}

func (m *manager) CopyFromContainer(ctx context.Context, id, path string) (io.ReadCloser, container.PathStat, error) {
	if err := m.call(ctx, "copy", filepath.Base(path)); err != nil {
		return nil, container.PathStat{}, err
	}
	content, err := m.readSpool(id, strings.TrimPrefix(path, engine.SpoolPath))
	if errors.Is(err, os.ErrNotExist) {
		err = fmt.Errorf("could not find the file: %w", cerrdefs.ErrNotFound)
	}
	if err != nil {
		return nil, container.PathStat{}, err
	}
	if m.spoil != nil && strings.HasSuffix(path, agent.ArchiveInSpool) {
		content = m.spoil(content)
	}
	var buffer bytes.Buffer
	out := tar.NewWriter(&buffer)
	if err := out.WriteHeader(&tar.Header{Name: "archive", Mode: 0o600, Size: int64(len(content))}); err != nil {
		return nil, container.PathStat{}, err
	}
	if _, err := out.Write(content); err != nil {
		return nil, container.PathStat{}, err
	}
	return io.NopCloser(&buffer), container.PathStat{}, out.Close()
}

// readSpool reads a file out of a container that has a spool.
func (m *manager) readSpool(id, name string) ([]byte, error) {
	if task := m.taskOf(id); task != nil {
		return os.ReadFile(filepath.Join(m.volumes, task.spool, name))
	}
	box := m.ours(id)
	if box == nil {
		return nil, os.ErrNotExist
	}
	return os.ReadFile(filepath.Join(m.volumes, box.mounted(engine.SpoolPath), name))
}
