package lab

import (
	"context"
	"os"
)

// overlayProbe tries what dockerd will do: overlay mounts with an upper layer in its own data root.
const overlayProbe = `set -e
cd "$1"; mkdir -p lower upper work merged
mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work merged
: >merged/file
umount merged`

// storageDriver returns the best driver that works where the node keeps its data.
func (n *Node) storageDriver(ctx context.Context) (string, error) {
	probe := n.dataRoot() + "/.probe"
	if err := os.MkdirAll(n.Root()+probe, 0o700); err != nil {
		return "", err
	}
	driver := "vfs"
	if _, err := n.Run(ctx, "sh", "-c", overlayProbe, "sh", probe); err == nil {
		driver = "overlay2"
	} else if _, err := os.Stat("/dev/fuse"); err == nil && installed("fuse-overlayfs") {
		driver = "fuse-overlayfs"
	}
	return driver, os.RemoveAll(n.Root() + probe)
}
