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
		if f == nil || f.stat.Size < int64(f.stat.Blksize) || f.stat.Blocks == 0 { //nolint:unconvert // Blksize is narrower elsewhere
			return nil
		}
		if err := probe(f, dir); err != nil {
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

// probe shares a file's blocks with a file in dir that has no name for long.
func probe(f *file, dir string) (err error) {
	dst, err := os.CreateTemp(dir, ".probe-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dst.Close()) }()
	if err := os.Remove(dst.Name()); err != nil {
		return err
	}
	err = unix.IoctlFileClone(int(dst.Fd()), f.fd)
	switch {
	case errors.Is(err, unix.EXDEV):
		if sharesByCopy(int(dst.Fd()), f) {
			return nil
		}
		return fmt.Errorf("%s is on another file system or mount: %w", dir, err)
	case unsupported(err):
		return fmt.Errorf("the file system cannot share blocks between files: %w", err)
	default:
		return err
	}
}

// sharesByCopy says whether share's second way comes to shared blocks: it
// copies the first of a file's regions and looks at whose blocks it has got.
func sharesByCopy(dst int, f *file) bool {
	data, err := unix.Seek(f.fd, 0, unix.SEEK_DATA)
	if err != nil {
		return false
	}
	from, to := data, data
	n, err := unix.CopyFileRange(f.fd, &from, dst, &to, int(min(f.stat.Size-data, 1<<20)), 0)
	if err != nil || n == 0 {
		return false
	}
	shared, err := sharedAt(dst, data)
	return err == nil && shared
}
