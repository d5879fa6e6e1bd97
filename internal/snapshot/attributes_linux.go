package snapshot

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// maxList is the kernel's limit for the list of a file's attributes, and for
// the value of one.
const maxList = 64 << 10

// attributes reads the extended attributes of an open file into the entry.
func (w *walker) attributes(fd int) error {
	if !w.attrs {
		return nil
	}
	return w.readAttributes(
		func(dst []byte) (int, error) { return unix.Flistxattr(fd, dst) },
		func(name string, dst []byte) (int, error) { return unix.Fgetxattr(fd, name, dst) },
	)
}

// attributesAt does so for what cannot be opened. There is no such call
// relative to a folder; its descriptor's name in /proc serves as one.
func (w *walker) attributesAt(dir int, name string) error {
	if !w.attrs {
		return nil
	}
	path := fmt.Sprintf("/proc/self/fd/%d/%s", dir, name)
	return w.readAttributes(
		func(dst []byte) (int, error) { return unix.Llistxattr(path, dst) },
		func(name string, dst []byte) (int, error) { return unix.Lgetxattr(path, name, dst) },
	)
}

func (w *walker) readAttributes(list func([]byte) (int, error), get func(string, []byte) (int, error)) error {
	n, err := list(w.names)
	if errors.Is(err, unix.ENOTSUP) {
		return nil
	}
	if err != nil {
		return w.failed("list the attributes of", err)
	}
	for names := string(w.names[:n]); names != ""; {
		var name string
		name, names, _ = strings.Cut(names, "\x00")
		if name == "" || strings.HasPrefix(name, "trusted.") { // seen by root only, of no use elsewhere
			continue
		}
		n, err := get(name, w.value)
		if errors.Is(err, unix.ENODATA) {
			err = ErrChanged
		}
		if err != nil {
			return w.failed("read attribute "+name+" of", err)
		}
		if w.entry.Xattrs == nil {
			w.entry.Xattrs = map[string]string{}
		}
		w.entry.Xattrs[name] = string(w.value[:n])
	}
	return nil
}
