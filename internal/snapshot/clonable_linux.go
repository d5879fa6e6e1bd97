package snapshot

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/docker-ucp/docker-ucp/internal/archive"
)

// errProbed ends the walk to the first file that a probe can use.
var errProbed = errors.New("probed")

// Clonable returns nil if files of root/volume can share their blocks with
// files in the folder dir, which it tries with a real file, or if there is no
// file of a block's size to try. The error says what stands in the way.
func Clonable(root, volume, dir string) error {
	w := walker{open: true, lenient: true}
	w.take = func(e *archive.Entry, f *file) error {
		if f == nil || f.stat.Size < int64(f.stat.Blksize) { //nolint:unconvert // Blksize is narrower elsewhere
			return nil
		}
		if err := probe(f.fd, dir); err != nil {
			return named("clone", e.Name, err)
		}
		return errProbed
	}
	err := w.run(context.Background(), root, volume)
	if errors.Is(err, errProbed) {
		return nil
	}
	return err
}

// probe shares one file's blocks with a file in dir that has no name for long.
func probe(fd int, dir string) (err error) {
	dst, err := os.CreateTemp(dir, ".probe-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dst.Close(), os.Remove(dst.Name())) }()
	err = unix.IoctlFileClone(int(dst.Fd()), fd)
	switch {
	case errors.Is(err, unix.EXDEV):
		return fmt.Errorf("%s is on another file system or mount: %w", dir, err)
	case unsupported(err):
		return fmt.Errorf("the file system cannot share blocks between files: %w", err)
	default:
		return err
	}
}
