package output

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/windows"
)

// lock takes the lock of an open file or says ErrInUse. What it locks lies far behind any end of a file, since a locked
// range cannot be read through another handle.
func lock(file *os.File) error {
	far := windows.Overlapped{Offset: 0xffffffff, OffsetHigh: 0x7ffffffe}
	err := windows.LockFileEx(windows.Handle(file.Fd()),
		windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &far)
	switch {
	case errors.Is(err, windows.ERROR_LOCK_VIOLATION), errors.Is(err, windows.ERROR_IO_PENDING):
		return ErrInUse
	case errors.Is(err, errors.ErrUnsupported):
		return errNoLocks
	default:
		return err
	}
}

// duplicate returns a second handle of the same open file.
func duplicate(file *os.File) (*os.File, error) {
	var handle windows.Handle
	self := windows.CurrentProcess()
	err := windows.DuplicateHandle(self, windows.Handle(file.Fd()), self, &handle, 0, false, windows.DUPLICATE_SAME_ACCESS)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(handle), file.Name()), nil
}

// syncFolder does nothing: the file system journals names, and a folder's handle cannot be flushed.
func syncFolder(*os.Root) error { return nil }

// mayReplace leaves the answer to the rename.
func mayReplace(_, _ fs.FileInfo) bool { return true }
