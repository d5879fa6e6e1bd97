//go:build linux

package snapshot

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"gotest.tools/v3/assert"
)

// needRoot skips a test that makes files which only root can make.
func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, to make devices and files of other owners")
	}
}

// tortureTree makes a volume "vol" with every kind of file and attribute. The names
// are those that break naive tools.
func tortureTree(t *testing.T, root string) {
	t.Helper()
	top := filepath.Join(root, "vol")
	assert.NilError(t, os.MkdirAll(top, 0o755))
	t.Chdir(top)
	plain := func(name, content string) {
		t.Helper()
		assert.NilError(t, os.WriteFile(name, []byte(content), 0o640))
	}
	plain("empty", "")
	plain("-rf", "leading dash")
	plain("line\nfeed", "newline")
	plain("back\\slash", "backslash")
	plain("\xff\xfe not utf-8", "bytes")
	plain("grüße", "utf-8")
	plain(" blanks ", "blanks")
	plain("tab\tand\rreturn", "controls")
	plain("100%=x", "signs")
	plain("[glob]*?", "wildcards")
	plain(strings.Repeat("n", 255), "longest name")
	assert.NilError(t, os.MkdirAll("a/b", 0o700))
	plain("a/b/deep", "deep")
	plain("a-sibling", "sorts between a and a/b for those who sort whole paths")
	assert.NilError(t, os.Mkdir("empty folder", 0o711))
	deepPath(t, 4000)

	makeOwners(t)
	makeLinks(t)
	makeAttributes(t)
	makeHoles(t)
	makeSocket(t, "socket")

	assert.NilError(t, os.Chmod(".", 0o1777))
	assert.NilError(t, os.Lchown(".", 65534, 65533))
	assert.NilError(t, os.Chtimes("a/b", time.Time{}, time.Unix(-5, 250)))
	assert.NilError(t, os.Chtimes(".", time.Time{}, time.Unix(1111111111, 222222222)))
}

// deepPath makes a file whose path in the volume has n bytes.
func deepPath(t *testing.T, n int) {
	t.Helper()
	path := "deep"
	for len(path)+202 < n {
		path += "/" + strings.Repeat("d", 200)
	}
	assert.NilError(t, os.MkdirAll(path, 0o755))
	path += "/" + strings.Repeat("f", n-len(path)-1)
	assert.NilError(t, os.WriteFile(path, []byte("deep"), 0o600))
}

func makeOwners(t *testing.T) {
	t.Helper()
	for name, mode := range map[string]uint32{"setuid": 0o4755, "setgid": 0o2755, "sticky": 0o1600, "none": 0} {
		assert.NilError(t, os.WriteFile(name, []byte(name), 0o600))
		assert.NilError(t, os.Lchown(name, 3_000_000_000, 2_500_000)) // beyond seven octal digits
		assert.NilError(t, unix.Chmod(name, mode))
	}
	assert.NilError(t, unix.Mkfifo("fifo", 0o620))
	assert.NilError(t, unix.Mknod("null", unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))))
	assert.NilError(t, unix.Mknod("block", unix.S_IFBLK|0o660, int(unix.Mkdev(259, 200000))))
	for name, when := range map[string]time.Time{
		"before 1970": time.Unix(-1, 999999999), "long before": time.Unix(-86400*365*30, 1),
		"a nanosecond": time.Unix(0, 1), "after 2038": time.Unix(1<<33+7, 123456789),
	} {
		assert.NilError(t, os.WriteFile(name, []byte(name), 0o600))
		assert.NilError(t, os.Chtimes(name, time.Time{}, when))
	}
}

func makeLinks(t *testing.T) {
	t.Helper()
	assert.NilError(t, os.Symlink("a/b/deep", "symlink"))
	assert.NilError(t, os.Symlink("/nowhere/\xff\n", "dangling"))
	assert.NilError(t, os.Symlink(strings.Repeat("x/", 500), "long symlink"))
	assert.NilError(t, os.Lchown("symlink", 12, 34))
	assert.NilError(t, unix.Lutimes("symlink", []unix.Timeval{{Sec: 5}, {Sec: 6, Usec: 7}}))
	assert.NilError(t, os.Link("a/b/deep", "hard link"))
	assert.NilError(t, os.Link("a/b/deep", "z hard link"))
	assert.NilError(t, os.Link("symlink", "z hard link to a symlink"))
	assert.NilError(t, os.Link("fifo", "z hard link to a fifo"))
}

// makeAttributes sets what the file system takes; a capability, an ACL and values
// of any bytes are on every one that tests use.
func makeAttributes(t *testing.T) {
	t.Helper()
	assert.NilError(t, os.WriteFile("attributes", []byte("x"), 0o640))
	assert.NilError(t, os.Mkdir("acl folder", 0o750))
	capability := "\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	// version 2; user::rw- user:1000:r-- group::r-- mask::r-- other::---
	acl := "\x02\x00\x00\x00" +
		"\x01\x00\x06\x00\xff\xff\xff\xff" + "\x02\x00\x04\x00\xe8\x03\x00\x00" + "\x04\x00\x04\x00\xff\xff\xff\xff" +
		"\x10\x00\x04\x00\xff\xff\xff\xff" + "\x20\x00\x00\x00\xff\xff\xff\xff"
	for _, x := range []struct{ file, key, value string }{
		{"attributes", "user.plain", "value"},
		{"attributes", "user.empty", ""},
		{"attributes", "user.bytes", "\x00=\n\xff"},
		{"attributes", "user.a=b%c", "escaped"},
		{"attributes", "user.long", strings.Repeat("v", 2000)},
		{"attributes", "trusted.left-out", "only root sees it"},
		{"attributes", "security.capability", capability},
		{"attributes", "security.selinux", "system_u:object_r:container_file_t:s0\x00"},
		{"attributes", "system.posix_acl_access", acl},
		{"acl folder", "system.posix_acl_default", acl},
		{"acl folder", "user.folder", "value"},
		{"symlink", "security.selinux", "system_u:object_r:container_file_t:s0\x00"},
	} {
		assert.NilError(t, unix.Lsetxattr(x.file, x.key, []byte(x.value), 0), "%s of %s", x.key, x.file)
	}
}

// makeHoles makes sparse files. What was allocated and never written is not
// among them: once somebody has read it, Linux counts it as data.
func makeHoles(t *testing.T) {
	t.Helper()
	page := []byte(strings.Repeat("data", 1024))
	for name, f := range map[string]struct {
		size int64
		data []int64
	}{
		"sparse large":     {64 << 20, []int64{4096, 32 << 20}},
		"sparse begin":     {1 << 20, []int64{1<<20 - 4096}},
		"sparse end":       {1<<20 + 77, []int64{0}},
		"sparse all":       {12345678, nil},
		"sparse small":     {40000, []int64{8192}},
		"sparse \n\xffodd": {300000, []int64{0, 131072}},
	} {
		file, err := os.Create(name)
		assert.NilError(t, err)
		for _, at := range f.data {
			_, err := file.WriteAt(page, at)
			assert.NilError(t, err)
		}
		assert.NilError(t, file.Truncate(f.size))
		assert.NilError(t, file.Close())
	}
}

func makeSocket(t *testing.T, path string) {
	t.Helper()
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	assert.NilError(t, err)
	listener.SetUnlinkOnClose(false)
	assert.NilError(t, listener.Close())
}

// describe renders all that an archive keeps of the tree in the current folder,
// file by file, by other means than the walk under test.
func describe(t *testing.T) map[string]string {
	t.Helper()
	tree, first := map[string]string{}, map[uint64]string{}
	assert.NilError(t, filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		assert.NilError(t, err)
		var stat unix.Stat_t
		assert.NilError(t, unix.Lstat(path, &stat))
		if stat.Mode&unix.S_IFMT == unix.S_IFSOCK {
			return nil
		}
		tree[path] = fmt.Sprintf("%06o %d:%d %d.%09d %s", stat.Mode, stat.Uid, stat.Gid, stat.Mtim.Sec, stat.Mtim.Nsec, xattrs(t, path))
		switch {
		case d.Type()&fs.ModeSymlink != 0:
			target, err := os.Readlink(path)
			assert.NilError(t, err)
			tree[path] += fmt.Sprintf(" -> %q", target)
		case d.Type()&fs.ModeDevice != 0:
			tree[path] += fmt.Sprintf(" device %d", stat.Rdev)
		case d.Type().IsRegular():
			tree[path] += " " + contentOf(t, path)
		}
		if !d.IsDir() && stat.Nlink > 1 {
			if first[stat.Ino] == "" {
				first[stat.Ino] = path
			}
			tree[path] += " same as " + first[stat.Ino]
		}
		return nil
	}))
	return tree
}

// contentOf says what a file reads as, and where its holes are.
func contentOf(t *testing.T, path string) string {
	t.Helper()
	file, err := os.Open(path)
	assert.NilError(t, err)
	digest := sha256.New()
	size, err := io.Copy(digest, file)
	assert.NilError(t, err)
	var regions []string
	for at := int64(0); at < size; {
		data, err := unix.Seek(int(file.Fd()), at, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) {
			break
		}
		assert.NilError(t, err)
		at, err = unix.Seek(int(file.Fd()), data, unix.SEEK_HOLE)
		assert.NilError(t, err)
		regions = append(regions, fmt.Sprintf("%d-%d", data, at))
	}
	assert.NilError(t, file.Close())
	return fmt.Sprintf("%d bytes %x in %v", size, digest.Sum(nil), regions)
}

func xattrs(t *testing.T, path string) string {
	t.Helper()
	names, value := make([]byte, 65536), make([]byte, 65536)
	n, err := unix.Llistxattr(path, names)
	assert.NilError(t, err)
	all := map[string]string{}
	for name := range strings.SplitSeq(string(names[:n]), "\x00") {
		if name == "" || strings.HasPrefix(name, "trusted.") {
			continue
		}
		n, err := unix.Lgetxattr(path, name, value)
		assert.NilError(t, err)
		all[name] = string(value[:n])
	}
	return fmt.Sprintf("%q", all)
}
