package snapshot

import (
	"context"
	"errors"

	"golang.org/x/sys/unix"

	"github.com/docker-ucp/docker-ucp/internal/archive"
)

// share makes the empty file dst one of the same content as f, by sharing its
// blocks where that can be.
//
// Before Linux 5.18 the call for it refuses two mounts of one file system, and
// in a container each volume is a mount of its own. copy_file_range compares
// file systems and not mounts, and shares blocks where the file system can.
// What neither call can share (Btrfs without copy-on-write, another file
// system mounted within) it copies.
func share(ctx context.Context, dst int, f *file) error {
	err := unix.IoctlFileClone(dst, f.fd)
	if !errors.Is(err, unix.EXDEV) && !unsupported(err) {
		return err
	}
	regions, err := extents(f.fd, &f.stat)
	if err != nil {
		return err
	}
	if regions == nil {
		regions = []archive.Extent{wholeOf(f)}
	}
	for _, x := range regions {
		if err := copyRange(ctx, dst, f, x); err != nil {
			return err
		}
	}
	return unix.Ftruncate(dst, f.stat.Size)
}

func wholeOf(f *file) archive.Extent { return archive.Extent{Length: f.stat.Size} }

// copyStep is how much goes between two looks at the context; of blocks of any
// size it is a whole number, as sharing demands.
const copyStep = 64 << 20

// copyRange copies a region, in the kernel if it can.
func copyRange(ctx context.Context, dst int, f *file, x archive.Extent) error {
	from, to := x.Offset, x.Offset
	for end := x.Offset + x.Length; from < end; {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := unix.CopyFileRange(f.fd, &from, dst, &to, int(min(end-from, copyStep)), 0)
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EXDEV), unsupported(err):
			return copyByHand(ctx, dst, f, archive.Extent{Offset: from, Length: end - from})
		case err != nil:
			return err
		case n == 0:
			return ErrChanged // it has shrunk
		}
	}
	return nil
}

// copyByHand copies a region for kernels that do not.
func copyByHand(ctx context.Context, dst int, f *file, x archive.Extent) error {
	chunk := make([]byte, 256<<10)
	for at, end := x.Offset, x.Offset+x.Length; at < end; {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := pread(f.fd, chunk[:min(end-at, int64(len(chunk)))], at)
		if err != nil {
			return err
		}
		if n == 0 {
			return ErrChanged // it has shrunk
		}
		for rest := chunk[:n]; len(rest) > 0; {
			n, err := unix.Pwrite(dst, rest, at)
			if err != nil && !errors.Is(err, unix.EINTR) {
				return err
			}
			n = max(n, 0)
			rest, at = rest[n:], at+int64(n)
		}
	}
	return nil
}
