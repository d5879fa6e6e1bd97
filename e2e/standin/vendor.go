package standin

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"

	"github.com/docker-ucp/docker-ucp/e2e/standin/layout"
)

// VendorStopped writes into file an archive of the shape of the vendor's backups up to UCP 3.1: while UCP rests, the files
// of all its volumes, a folder for each and nothing else, as GNU tar writes them. root is where the file system of the
// node appears on this machine.
//
// What is not publicly known of these archives is guessed: the tar program, and the order of the volumes.
func (u *UCP) VendorStopped(ctx context.Context, root, file string) (err error) {
	resume, err := u.Rest(ctx)
	defer func() { err = errors.Join(err, resume(context.WithoutCancel(ctx))) }()
	if err != nil {
		return err
	}
	return u.TarVolumes(ctx, root, file)
}

// TarVolumes is VendorStopped of a UCP that is at rest, and stays so.
func (u *UCP) TarVolumes(ctx context.Context, root, file string) error {
	for i, name := range layout.Volumes {
		dir, err := u.mountpoint(ctx, root, name)
		if err != nil {
			return err
		}
		act := "--append"
		if i == 0 {
			act = "--create"
		}
		// The stand-in's odd files stay out: no volume of UCP is known to hold devices, or symlinks that lead out of it.
		tar := exec.CommandContext(ctx, "tar", act, "--file", file, "--directory", dir, "--exclude=./odd", `--transform=s,^\.,./`+name+`,`, ".")
		if out, err := tar.CombinedOutput(); err != nil {
			return fmt.Errorf("tar of volume %s: %w: %s", name, err, out)
		}
	}
	return nil
}

// mountpoint is a volume's folder as this machine sees it.
func (u *UCP) mountpoint(ctx context.Context, root, name string) (string, error) {
	if name == boundVolume { // the engine mounts it only while somebody uses it
		return filepath.Join(root, u.boundDir()), nil
	}
	v, err := u.engine.VolumeInspect(ctx, name)
	if err != nil {
		return "", fmt.Errorf("find volume %s: %w", name, err)
	}
	return filepath.Join(root, v.Mountpoint), nil
}
