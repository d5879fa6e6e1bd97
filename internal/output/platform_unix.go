//go:build unix

package output

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// lock takes the lock of an open file or says ErrInUse; it belongs to the open file, not to the process.
func lock(file *os.File) error {
	for {
		err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EWOULDBLOCK):
			return ErrInUse
		case errors.Is(err, unix.ENOLCK), errors.Is(err, unix.ENOSYS), errors.Is(err, unix.EOPNOTSUPP):
			return errNoLocks
		default:
			return err
		}
	}
}

// duplicate returns a second descriptor of the same open file.
func duplicate(file *os.File) (*os.File, error) {
	fd, err := unix.FcntlInt(file.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), file.Name()), nil
}

// syncFolder brings a rename to the disk. Some file systems cannot, and say so: they have nothing to sync.
func syncFolder(root *os.Root) (err error) {
	folder, err := root.Open(".")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, folder.Close()) }()
	err = folder.Sync()
	if errors.Is(err, unix.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	return err
}

// mayReplace knows the rule of sticky folders such as /tmp: only the owner of a file or of the folder may rename over it.
func mayReplace(folder, old fs.FileInfo) bool {
	user := os.Geteuid()
	if folder.Mode()&fs.ModeSticky == 0 || user == 0 {
		return true
	}
	return ownedBy(folder, user) || ownedBy(old, user)
}

func ownedBy(info fs.FileInfo, user int) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == user
}
