package agent

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// free is what the spool's file system has left for us, in bytes. An archive that an earlier run left counts, because an
// order takes its place.
func (s spool) free() (int64, error) {
	var stat unix.Statfs_t
	if err := unix.Statfs(filepath.Dir(s.dir), &stat); err != nil {
		return 0, fmt.Errorf("ask for the room in the spool: %w", err)
	}
	free := int64(stat.Bavail) * stat.Bsize //nolint:gosec // no disk has 2^63 blocks
	var waiting unix.Stat_t
	if unix.Stat(s.archive(), &waiting) == nil {
		free += waiting.Blocks * 512
	}
	return free, nil
}

// shares tells whether a file lies on the spool's file system, and so takes from the same room.
func (s spool) shares(file *os.File) bool {
	var ours, theirs unix.Stat_t
	return unix.Stat(s.dir, &ours) == nil && unix.Fstat(int(file.Fd()), &theirs) == nil && ours.Dev == theirs.Dev
}
