package ucp

import (
	"strconv"
	"strings"
)

// PilesUpShm tells whether a version of UCP is one whose kubelet mounts /dev/shm over and over in the host's namespace:
// 3.0.0 to 3.0.7 and 3.1.0 to 3.1.2 (vendor docs, KB000934). The engine of such a host can hang when containers stop. A
// version that does not say which patch it is counts as the first.
func PilesUpShm(version string) bool {
	version, _, _ = strings.Cut(strings.TrimSpace(version), "-") // as in 3.1.2-rc1
	version, _, _ = strings.Cut(version, "+")
	parts := strings.SplitN(version, ".", 3)
	if len(parts) < 2 {
		return false
	}
	patch := 0
	if len(parts) == 3 {
		var err error
		if patch, err = strconv.Atoi(parts[2]); err != nil {
			return false
		}
	}
	switch parts[0] + "." + parts[1] {
	case "3.0":
		return patch <= 7
	case "3.1":
		return patch <= 2
	default:
		return false
	}
}
