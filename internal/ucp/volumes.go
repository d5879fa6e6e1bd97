package ucp

import (
	"slices"
	"strings"
)

// KnownVolumes returns the names of the volumes that UCP uses on a manager, sorted: the 14 of UCP 2.2 to 3.2 (vendor
// docs, UCP architecture), and ucp-backup of MKE 3.5 and later (MKE 3.8 reference architecture, volumes).
func KnownVolumes() []string {
	return []string{
		"ucp-auth-api-certs",
		"ucp-auth-store-certs",
		"ucp-auth-store-data",
		"ucp-auth-worker-certs",
		"ucp-auth-worker-data",
		"ucp-backup",
		"ucp-client-root-ca",
		"ucp-cluster-root-ca",
		"ucp-controller-client-certs",
		"ucp-controller-server-certs",
		"ucp-kv",
		"ucp-kv-certs",
		"ucp-metrics-data",
		"ucp-metrics-inventory",
		"ucp-node-certs",
	}
}

func isKnownVolume(name string) bool {
	_, found := slices.BinarySearch(KnownVolumes(), name)
	return found
}

// isAnonymous tells a volume that the engine named itself, 64 hex digits, from one that somebody gave a name.
func isAnonymous(name string) bool {
	return len(name) == 64 && strings.Trim(name, "0123456789abcdef") == ""
}
