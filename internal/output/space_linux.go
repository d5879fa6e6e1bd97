package output

import "golang.org/x/sys/unix"

func available(folder string) (blocks, size uint64, err error) {
	var stat unix.Statfs_t
	if err := unix.Statfs(folder, &stat); err != nil {
		return 0, 0, err
	}
	return stat.Bavail, uint64(max(stat.Frsize, 0)), nil
}
