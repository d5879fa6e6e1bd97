package verify

import (
	"io/fs"
	"syscall"
)

// allocated is how many bytes a file takes on its disk.
func allocated(info fs.FileInfo) int64 {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0
	}
	return stat.Blocks * 512
}
