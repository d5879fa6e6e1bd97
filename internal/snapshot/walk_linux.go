package snapshot

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/docker-ucp/docker-ucp/internal/archive"
)

const (
	listWindow = 4 << 20 // bytes of names that one folder may hold in memory
	openFlags  = unix.O_RDONLY | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_NOCTTY | unix.O_CLOEXEC
	dirFlags   = unix.O_RDONLY | unix.O_NOFOLLOW | unix.O_DIRECTORY | unix.O_CLOEXEC
)

// file is an open regular file, and what it was when it was opened.
type file struct {
	fd   int
	stat unix.Stat_t
}

// walker is one walk over one volume.
type walker struct {
	open    bool // open regular files and hand them to take
	attrs   bool // read extended attributes
	lenient bool // what vanishes underneath is passed over: UCP still runs
	window  int
	take    func(e *archive.Entry, f *file) error

	ctx    context.Context
	entry  archive.Entry
	path   []byte // the current name, "./volume/…", a folder's with "/"
	links  map[inode]*links
	totals Totals
	buf    []byte // what the kernel fills: names of files
	names  []byte // names of attributes
	value  []byte // value of one, text of a symlink
}

// run walks root/volume.
func (w *walker) run(ctx context.Context, root, volume string) error {
	if volume == "" || volume == "." || volume == ".." || strings.ContainsAny(volume, "/\x00") {
		return fmt.Errorf("read volume %q: no volume name", volume)
	}
	w.ctx, w.links, w.totals = ctx, map[inode]*links{}, Totals{}
	if w.window == 0 {
		w.window = listWindow
	}
	w.buf, w.names, w.value = make([]byte, 64<<10), make([]byte, maxList), make([]byte, maxList)
	w.path = append(w.path[:0], "./"...)
	top, err := unix.Open(root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open the folder of the volumes: %s: %w", root, err)
	}
	fd, err := openAt(top, volume, dirFlags)
	closing(top, &err)
	if err != nil {
		return named("open", volume, err)
	}
	return w.folder(fd, volume)
}

// closing closes a descriptor, whose error counts if there was none before.
func closing(fd int, err *error) {
	if closed := unix.Close(fd); *err == nil {
		*err = closed
	}
}

// folder visits an open folder, then what is in it, and closes it.
func (w *walker) folder(fd int, name string) (err error) {
	defer closing(fd, &err)
	defer w.pop(w.push(name))
	w.path = append(w.path, '/')
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		return w.failed("read", err)
	}
	w.header(tar.TypeDir, &stat)
	if err := w.attributes(fd); err != nil {
		return err
	}
	if err := w.emit(nil); err != nil {
		return err
	}
	return w.content(fd)
}

// push adds a name to the path and returns where it began, for pop.
func (w *walker) push(name string) int {
	outside := len(w.path)
	w.path = append(w.path, name...)
	return outside
}

func (w *walker) pop(outside int) { w.path = w.path[:outside] }

// content visits what is in an open folder, window by window.
func (w *walker) content(fd int) error {
	var after []byte
	for {
		l, err := list(fd, after, w.window, w.buf)
		if err != nil {
			return w.failed("read", err)
		}
		for i := range l.at {
			if err := w.ctx.Err(); err != nil {
				return err
			}
			if err := w.child(fd, string(l.name(i)), l.kind(i)); err != nil {
				return err
			}
		}
		if !l.more {
			return nil
		}
		after = append(after[:0], l.name(len(l.at)-1)...)
	}
}

// child visits one name of a folder. The kind is what the folder said, which
// saves a call for most files, and is never trusted for more.
func (w *walker) child(dir int, name string, kind byte) error {
	switch {
	case kind == unix.DT_DIR:
		return w.enter(dir, name)
	case kind == unix.DT_REG && w.open:
		return w.regular(dir, name)
	}
	var stat unix.Stat_t
	err := changed(unix.Fstatat(dir, name, &stat, unix.AT_SYMLINK_NOFOLLOW))
	switch {
	case w.passedOver(err):
		return nil
	case err != nil:
		return named("read", string(w.path)+name, err)
	case stat.Mode&unix.S_IFMT == unix.S_IFDIR:
		return w.enter(dir, name)
	case stat.Mode&unix.S_IFMT == unix.S_IFREG && w.open:
		return w.regular(dir, name)
	default:
		defer w.pop(w.push(name))
		return w.closed(dir, name, &stat)
	}
}

// enter opens a folder and visits it.
func (w *walker) enter(dir int, name string) error {
	fd, err := openAt(dir, name, dirFlags)
	if err = changed(err); w.passedOver(err) {
		return nil
	}
	if err != nil {
		return named("open", string(w.path)+name, err)
	}
	return w.folder(fd, name)
}

// regular opens a regular file, visits it, and closes it.
func (w *walker) regular(dir int, name string) (err error) {
	defer w.pop(w.push(name))
	fd, err := openAt(dir, name, openFlags)
	if err = changed(err); w.passedOver(err) {
		return nil
	}
	if err != nil {
		return w.failed("open", err)
	}
	defer closing(fd, &err)
	f := file{fd: fd}
	if err := unix.Fstat(fd, &f.stat); err != nil {
		return w.failed("read", err)
	}
	if f.stat.Mode&unix.S_IFMT != unix.S_IFREG {
		if w.lenient {
			return nil
		}
		return w.failed("read", ErrChanged)
	}
	if w.again(&f.stat) {
		return w.emit(nil)
	}
	w.header(tar.TypeReg, &f.stat)
	if err := w.attributes(fd); err != nil {
		return err
	}
	return w.emit(&f)
}

// closed visits what is described without being opened.
func (w *walker) closed(dir int, name string, stat *unix.Stat_t) error {
	kind, err := kindOf(stat)
	if err != nil {
		return w.failed("read", err)
	}
	if kind == kindSocket {
		w.totals.Sockets++
		return nil
	}
	if w.again(stat) {
		return w.emit(nil)
	}
	w.header(kind, stat)
	if kind == tar.TypeSymlink {
		if w.entry.Linkname, err = w.readLink(dir, name); err != nil {
			return w.failed("read", err)
		}
	}
	if err := w.attributesAt(dir, name); err != nil {
		return err
	}
	return w.emit(nil)
}

// emit counts the entry and hands it on.
func (w *walker) emit(f *file) error {
	w.totals.Entries++
	w.totals.Bytes += w.entry.Size
	w.totals.CloneBytes += recordSize + int64(len(w.entry.Name)+len(w.entry.Linkname))
	if w.entry.Size <= inlineSize {
		w.totals.CloneBytes += w.entry.Size
	}
	if w.take == nil {
		return nil
	}
	return w.take(&w.entry, f)
}

func (w *walker) failed(act string, err error) error {
	return named(act, string(w.path), err)
}

// passedOver says whether an error is only that a file is gone or another one
// now, in a walk that is held to nothing more.
func (w *walker) passedOver(err error) bool {
	return w.lenient && errors.Is(err, ErrChanged)
}
