package lab

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// diskSize is what a disk of a node's own may grow to. Its image is sparse and takes what is written to it.
const diskSize = 64 << 30

// disk returns the image of the node's own disk, or nothing.
func (n *Node) disk() string {
	if n.lab.state.FS == "" {
		return ""
	}
	return filepath.Join(n.Dir, "disk.img")
}

// makeDisk formats the node's disk, once. The node's first process mounts it; with that process both mount and loop
// device go.
func (n *Node) makeDisk(ctx context.Context) error {
	path := n.disk()
	if path == "" {
		return nil
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := errors.Join(file.Truncate(diskSize), file.Close()); err != nil {
		return err
	}
	if n.lab.state.FS == "btrfs" {
		return run(ctx, "mkfs.btrfs", "--quiet", "--nodiscard", path)
	}
	return run(ctx, "mkfs.xfs", "-q", "-K", "-m", "reflink=1", path)
}
