package ucp

import "strings"

// NeededVolumes returns the names of the volumes that UCP of a version cannot be restored without, sorted: those with
// state that nothing else holds, and those with a key that other components know. An empty version is taken for one of
// 2.2 and later.
//
// UCP 1 had seven volumes, all of which hold keys or state (vendor docs, UCP 1.1 architecture). A restore that puts
// volumes back file by file makes no certificates, so unlike the vendor's from 3.2 on it needs all of them.
func NeededVolumes(version string) []string {
	first := strings.HasPrefix(version, "1.")
	var needed []string
	for _, name := range KnownVolumes() {
		if Dispensable(name) != "" || first && strings.HasPrefix(name, "ucp-auth-") {
			continue
		}
		needed = append(needed, name)
	}
	return needed
}

// Dispensable tells what is in a volume of UCP that a restore can do without, in words for an operator. It is empty for
// every other volume.
func Dispensable(name string) string {
	switch name {
	case "ucp-metrics-data": // the vendor's documented exclusion, from 3.2 on
		return "monitoring data, which UCP gathers anew"
	case "ucp-metrics-inventory": // in no archive of 3.2 and later, and not on every manager
		return "the settings of UCP's metrics, which it writes anew"
	case "ucp-auth-worker-data": // the vendor's archives of 3.2 and later hold it neither as files nor as a dump
		return "working data of the authentication worker, which it makes anew"
	case "ucp-backup": // MKE 3.5: artifacts are removed when a backup ends
		return "what the vendor's backup needs while it runs"
	default:
		return ""
	}
}
