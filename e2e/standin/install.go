package standin

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"

	"github.com/docker/docker/api/types/container"

	"github.com/docker-ucp/docker-ucp/e2e/standin/layout"
)

// installer is the name that UCP's own commands run under.
const installer = "ucp"

// install runs the installer over all volumes and fetches the admin's bundle from it.
func (u *UCP) install(ctx context.Context) (err error) {
	job, err := json.Marshal(layout.Job{
		Version: u.Version, InstanceID: u.InstanceID, NodeName: u.node.Name, Address: u.Address,
		DataBytes: u.opts.DataBytes, DataVolume: u.opts.DataVolume, SmallFiles: u.opts.SmallFiles, Plain: u.opts.Minimal,
	})
	if err != nil {
		return err
	}
	var binds []string
	for _, name := range layout.Volumes {
		source := name
		if name == boundVolume { // mounted by its path, since the engine makes that folder and not a volume's device
			source = u.boundDir()
		}
		binds = append(binds, source+":"+path.Join(layout.VolumesDir, name))
	}
	created, err := u.engine.ContainerCreate(ctx,
		&container.Config{Image: u.image("ucp"), Cmd: []string{"install", string(job)}},
		&container.HostConfig{Binds: binds, NetworkMode: "none"}, nil, nil, installer)
	if err != nil {
		return fmt.Errorf("create installer: %w", err)
	}
	defer func() {
		err = errors.Join(err, u.engine.ContainerRemove(context.WithoutCancel(ctx), created.ID, container.RemoveOptions{Force: true}))
	}()
	if err := u.engine.ContainerStart(ctx, created.ID, container.StartOptions{}); err != nil {
		return fmt.Errorf("start installer: %w", err)
	}
	if err := u.waitExit(ctx, created.ID); err != nil {
		return err
	}
	return u.fetchBundle(ctx, created.ID)
}

func (u *UCP) waitExit(ctx context.Context, id string) error {
	exited, failed := u.engine.ContainerWait(ctx, id, container.WaitConditionNotRunning)
	select {
	case err := <-failed:
		return fmt.Errorf("wait for installer: %w", err)
	case status := <-exited:
		if status.StatusCode == 0 {
			return nil
		}
		logs, err := u.logs(ctx, id)
		return errors.Join(fmt.Errorf("installer ended with status %d: %s", status.StatusCode, logs), err)
	}
}

func (u *UCP) fetchBundle(ctx context.Context, id string) (err error) {
	if err := os.MkdirAll(u.BundleDir, 0o755); err != nil {
		return fmt.Errorf("fetch bundle: %w", err)
	}
	stream, _, err := u.engine.CopyFromContainer(ctx, id, layout.BundleDir)
	if err != nil {
		return fmt.Errorf("fetch bundle: %w", err)
	}
	defer func() { err = errors.Join(err, stream.Close()) }()
	archive := tar.NewReader(stream)
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("fetch bundle: %w", err)
		}
		if header.Typeflag != tar.TypeReg {
			continue
		}
		content, err := io.ReadAll(archive)
		if err != nil {
			return fmt.Errorf("fetch bundle: %w", err)
		}
		name := filepath.Join(u.BundleDir, filepath.Base(header.Name))
		if err := os.WriteFile(name, content, header.FileInfo().Mode().Perm()); err != nil {
			return fmt.Errorf("fetch bundle: %w", err)
		}
	}
}
