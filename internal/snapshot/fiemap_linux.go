package snapshot

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// fiemap is the kernel's struct fiemap with room for one extent.
type fiemap struct {
	start, length               uint64
	flags, mapped, count, spare uint32
	extent                      struct {
		logical, physical, length uint64
		spare64                   [2]uint64
		flags                     uint32
		spare                     [3]uint32
	}
}

const (
	fiemapCall   = 0xc020660b // FS_IOC_FIEMAP
	fiemapSync   = 1          // FIEMAP_FLAG_SYNC
	fiemapShared = 0x2000     // FIEMAP_EXTENT_SHARED
)

// sharedAt says whether the block at an offset of a file is another file's as
// well.
func sharedAt(fd int, offset int64) (bool, error) {
	m := fiemap{start: uint64(max(offset, 0)), length: 1, flags: fiemapSync, count: 1}
	//nolint:gosec // the struct is the kernel's, and outlives the call
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), fiemapCall, uintptr(unsafe.Pointer(&m)))
	if errno != 0 {
		return false, errno
	}
	return m.mapped == 1 && m.extent.flags&fiemapShared != 0, nil
}
