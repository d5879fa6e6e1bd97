package lab

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// invoker returns the user behind sudo, or nil when there is none.
func invoker() *user.User {
	if os.Geteuid() != 0 || os.Getenv("SUDO_UID") == "" || os.Getenv("SUDO_UID") == "0" {
		return nil
	}
	found, err := user.LookupId(os.Getenv("SUDO_UID"))
	if err != nil {
		return nil
	}
	return found
}

// numbers returns what the kernel calls a user.
func numbers(of *user.User) (uid, gid int) {
	uid, err := strconv.Atoi(of.Uid)
	if err != nil {
		return 0, 0
	}
	gid, err = strconv.Atoi(of.Gid)
	if err != nil {
		return 0, 0
	}
	return uid, gid
}

// CacheDir returns the folder, made if need be, for programs that are built once: in the home of the user behind sudo,
// since Go builds as that user.
func CacheDir() (string, error) {
	cache, err := os.UserCacheDir()
	if user := invoker(); user != nil {
		cache, err = filepath.Join(user.HomeDir, ".cache"), nil
	}
	if err != nil {
		return "", fmt.Errorf("find a folder for built programs: %w", err)
	}
	dir := filepath.Join(cache, "docker-ucp-lab")
	return dir, makeOwned(dir)
}

// asInvoker has a program run by the user behind sudo.
func asInvoker(command *exec.Cmd) {
	user := invoker()
	if user == nil {
		return
	}
	uid, gid := numbers(user)
	command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	ofRoot := func(entry string) bool { return strings.HasPrefix(entry, "HOME=") || strings.HasPrefix(entry, "XDG_") }
	command.Env = append(slices.DeleteFunc(command.Environ(), ofRoot), "HOME="+user.HomeDir)
}

// makeOwned makes a folder as the user behind sudo, so that parents which are missing belong to that user too.
func makeOwned(dir string) error {
	command := exec.CommandContext(context.Background(), program("mkdir"), "-p", dir)
	asInvoker(command)
	if said, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("make %s: %w: %s", dir, err, said)
	}
	return nil
}

// HandOver gives a file, or a folder with all that is in it, to the user behind sudo. Without one it does nothing.
func HandOver(path string) error {
	user := invoker()
	if user == nil {
		return nil
	}
	uid, gid := numbers(user)
	return filepath.WalkDir(path, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, uid, gid)
	})
}

// handOverKeys gives the user behind sudo the certificates and keys that clients need.
func (l *Lab) handOverKeys() error {
	for _, dir := range []string{"tls", "ssh"} {
		if err := HandOver(filepath.Join(l.Dir, dir)); err != nil {
			return fmt.Errorf("hand over to the user who called sudo: %w", err)
		}
	}
	return nil
}
