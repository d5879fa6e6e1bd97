package snapshot

import (
	"archive/tar"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/docker-ucp/docker-ucp/internal/archive"
)

// kindSocket stands for what no archive has a kind for.
const kindSocket = 's'

// kindOf returns the tar typeflag of a file.
func kindOf(stat *unix.Stat_t) (byte, error) {
	switch format := stat.Mode & unix.S_IFMT; format {
	case unix.S_IFREG:
		return tar.TypeReg, nil
	case unix.S_IFLNK:
		return tar.TypeSymlink, nil
	case unix.S_IFIFO:
		return tar.TypeFifo, nil
	case unix.S_IFCHR:
		return tar.TypeChar, nil
	case unix.S_IFBLK:
		return tar.TypeBlock, nil
	case unix.S_IFSOCK:
		return kindSocket, nil
	default:
		return 0, fmt.Errorf("unknown kind of file %#o", format)
	}
}

// header begins the entry of the current name.
func (w *walker) header(kind byte, stat *unix.Stat_t) {
	seconds, nanos := stat.Mtim.Unix()
	w.entry = archive.Entry{
		Name: string(w.path), Type: kind, Mode: stat.Mode & 0o7777,
		UID: int(stat.Uid), GID: int(stat.Gid), ModTime: time.Unix(seconds, nanos).UTC(),
	}
	switch kind {
	case tar.TypeReg:
		w.entry.Size = stat.Size
		w.totals.AllocatedBytes += stat.Blocks * 512
	case tar.TypeChar, tar.TypeBlock:
		w.entry.DevMajor = int64(unix.Major(stat.Rdev))
		w.entry.DevMinor = int64(unix.Minor(stat.Rdev))
	}
}

// inode identifies a file, whatever its names.
type inode struct{ dev, ino uint64 }

// links is a file of several names: the first one, and how many are to come.
type links struct {
	first string
	left  uint64
}

// again makes the entry a hard link if the file has been visited under another
// name. A file whose names have all been seen is forgotten.
func (w *walker) again(stat *unix.Stat_t) bool {
	if stat.Nlink < 2 {
		return false
	}
	id := inode{uint64(stat.Dev), stat.Ino} //nolint:unconvert // Dev is narrower elsewhere
	known := w.links[id]
	if known == nil {
		w.links[id] = &links{first: string(w.path), left: uint64(stat.Nlink) - 1} //nolint:unconvert // so is Nlink
		return false
	}
	if known.left--; known.left == 0 {
		delete(w.links, id)
	}
	w.header(tar.TypeLink, stat)
	w.entry.Linkname = known.first
	return true
}

// readLink returns a symlink's text.
func (w *walker) readLink(dir int, name string) (string, error) {
	for {
		n, err := unix.Readlinkat(dir, name, w.value)
		if err != nil {
			return "", changed(err)
		}
		if n < len(w.value) {
			return string(w.value[:n]), nil
		}
		w.value = make([]byte, 2*len(w.value))
	}
}

func openAt(dir int, name string, flags int) (int, error) {
	for {
		fd, err := unix.Openat(dir, name, flags, 0)
		if !errors.Is(err, unix.EINTR) {
			return fd, err
		}
	}
}
