package lab

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
)

// invoker returns the user behind sudo, or -1 when there is none.
func invoker() (uid, gid int) {
	uid, err := strconv.Atoi(os.Getenv("SUDO_UID"))
	if err != nil || os.Geteuid() != 0 {
		return -1, -1
	}
	gid, err = strconv.Atoi(os.Getenv("SUDO_GID"))
	if err != nil {
		return -1, -1
	}
	return uid, gid
}

// handOver gives the sockets, certificates and keys of clients to the user who called the lab through sudo.
func (l *Lab) handOver() error {
	uid, gid := invoker()
	if uid < 0 {
		return nil
	}
	for _, node := range l.Nodes {
		if err := os.Chown(node.Socket, uid, gid); err != nil {
			return fmt.Errorf("hand over a socket: %w", err)
		}
	}
	for _, dir := range []string{"tls", "ssh"} {
		err := filepath.WalkDir(filepath.Join(l.Dir, dir), func(path string, _ fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			return os.Lchown(path, uid, gid)
		})
		if err != nil {
			return fmt.Errorf("hand over keys: %w", err)
		}
	}
	return nil
}
