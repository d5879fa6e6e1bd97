package output

import "golang.org/x/sys/windows"

func available(folder string) (blocks, size uint64, err error) {
	name, err := windows.UTF16PtrFromString(folder)
	if err != nil {
		return 0, 0, err
	}
	var free uint64
	if err := windows.GetDiskFreeSpaceEx(name, &free, nil, nil); err != nil {
		return 0, 0, err
	}
	return free, 1, nil
}
