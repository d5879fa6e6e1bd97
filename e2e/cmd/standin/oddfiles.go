package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// oddFiles writes one file of each kind and attribute that a backup must keep.
func oddFiles(dir string) error {
	deep := filepath.Join(dir, strings.Repeat("a-rather-long-name-of-a-folder/", 8), strings.Repeat("n", 200))
	at := func(name string) string { return filepath.Join(dir, name) }
	steps := []func() error{
		func() error { return os.MkdirAll(filepath.Dir(deep), 0o755) },
		func() error { return os.WriteFile(deep, []byte("deep\n"), 0o644) },
		func() error {
			return os.WriteFile(at("name with\nnewline, ünïcödé and \xff"), []byte("name\n"), 0o644)
		},
		func() error { return os.WriteFile(at("owned"), []byte("owned\n"), 0o640) },
		func() error { return os.Chown(at("owned"), 4000000000, 12345) },
		func() error { return os.WriteFile(at("setuid"), []byte("setuid\n"), 0o755) },
		func() error { return os.Chmod(at("setuid"), 0o755|os.ModeSetuid|os.ModeSetgid) },
		func() error { return os.Link(at("setuid"), at("setuid-hard-link")) },
		func() error { return os.Symlink("nowhere/at all", at("dangling")) },
		func() error { return os.Symlink("/etc/passwd", at("absolute")) },
		func() error { return unix.Mkfifo(at("fifo"), 0o622) },
		func() error { return os.Chmod(at("fifo"), 0o622) },
		func() error { return unix.Mknod(at("null"), unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))) },
		func() error { return os.MkdirAll(at("empty"), 0o700) },
		func() error { return os.Chmod(at("empty"), 0o777|os.ModeSticky) },
		func() error { return sparse(at("sparse"), 16<<20) },
		func() error { return attributes(at("attributes")) },
		func() error { return os.Chtimes(at("owned"), time.Unix(1, 1), time.Unix(1549510183, 123456789)) },
		func() error { return os.Chtimes(at("empty"), time.Unix(1, 1), time.Unix(-5, 7)) },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// sparse writes two pages with a hole between them and one at the end.
func sparse(path string, size int64) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	page := []byte(strings.Repeat("data ", 819))
	for _, at := range []int64{0, size / 2} {
		if _, err := f.WriteAt(page, at); err != nil {
			return err
		}
	}
	return f.Truncate(size)
}

// attributes sets what the file system can hold.
func attributes(path string) error {
	if err := os.WriteFile(path, []byte("attributes\n"), 0o644); err != nil {
		return err
	}
	values := map[string]string{
		"user.standin": "\x00binary\xff value",
		// the capability to bind a port below 1024, permitted and effective
		"security.capability": "\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
		"system.posix_acl_access": "\x02\x00\x00\x00" + "\x01\x00\x06\x00\xff\xff\xff\xff" + "\x02\x00\x04\x00\xe8\x03\x00\x00" +
			"\x04\x00\x04\x00\xff\xff\xff\xff" + "\x10\x00\x04\x00\xff\xff\xff\xff" + "\x20\x00\x04\x00\xff\xff\xff\xff",
	}
	for name, value := range values {
		err := unix.Setxattr(path, name, []byte(value), 0)
		if errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.EPERM) {
			slog.Warn("not on this file system", "attribute", name)
			continue
		}
		if err != nil {
			return fmt.Errorf("set %s: %w", name, err)
		}
	}
	return nil
}
