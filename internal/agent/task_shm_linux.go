package agent

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// machineShm is the pile of the machine whose processes we see. To change it takes entering the machine's mounts first.
func machineShm() shm {
	return shm{
		table: func() (string, error) {
			table, err := os.ReadFile("/proc/1/mounts")
			return string(table), err
		},
		unmount: func() error { return unix.Unmount(shmPath, unix.UMOUNT_NOFOLLOW) },
		mount: func(was shmMount) error {
			flags, data := mountFlags(was.options)
			return unix.Mount(was.source, shmPath, was.kind, flags, data)
		},
	}
}

// fixMachineShm does its work in the mount namespace of the machine's first process, and leaves the calling goroutine's
// thread there for good: nothing else may be done in it.
func fixMachineShm() (taken int, err error) {
	runtime.LockOSThread()
	if err := enterMounts("/proc/1/ns/mnt"); err != nil {
		return 0, fmt.Errorf("enter the machine's mounts: %w", err)
	}
	return machineShm().fix()
}

func enterMounts(path string) (err error) {
	namespace, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, namespace.Close()) }()
	// A thread that shares root and working directory with others cannot go where these are different.
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return os.NewSyscallError("unshare", err)
	}
	return os.NewSyscallError("setns", unix.Setns(int(namespace.Fd()), unix.CLONE_NEWNS))
}

// mountFlags splits what /proc/mounts says of a file system into what the mount call takes as flags and what it hands to
// the file system.
func mountFlags(options string) (flags uintptr, data string) {
	known := map[string]uintptr{
		"rw": 0, "ro": unix.MS_RDONLY, "nosuid": unix.MS_NOSUID, "nodev": unix.MS_NODEV, "noexec": unix.MS_NOEXEC,
		"sync": unix.MS_SYNCHRONOUS, "dirsync": unix.MS_DIRSYNC, "lazytime": unix.MS_LAZYTIME, "nosymfollow": unix.MS_NOSYMFOLLOW,
		"noatime": unix.MS_NOATIME, "nodiratime": unix.MS_NODIRATIME, "relatime": unix.MS_RELATIME,
		"seclabel": 0, // says that labels are possible, and cannot be asked for
	}
	var rest []string
	for option := range strings.SplitSeq(options, ",") {
		if flag, ok := known[option]; ok {
			flags |= flag
		} else {
			rest = append(rest, option)
		}
	}
	return flags, strings.Join(rest, ",")
}
