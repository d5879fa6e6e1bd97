package ucp

import (
	"strconv"
	"strings"
)

// Era says which of the vendor's two ways of backing up a version has.
type Era string

const (
	// EraStopped is UCP up to 3.1: the vendor stops UCP and copies its volumes.
	EraStopped Era = "stopped"
	// EraOnline is UCP 3.2 and MKE 3.x: the vendor dumps the databases while UCP runs.
	EraOnline Era = "online"
	// EraUnknown is a version that cannot be read.
	EraUnknown Era = "unknown"
)

// EraOf returns the era of a version such as "3.1.4".
func EraOf(version string) Era {
	major, rest, _ := strings.Cut(version, ".")
	minor, _, _ := strings.Cut(rest, ".")
	x, errMajor := strconv.Atoi(major)
	y, errMinor := strconv.Atoi(minor)
	switch {
	case errMajor != nil || errMinor != nil:
		return EraUnknown
	case x > 3 || x == 3 && y >= 2:
		return EraOnline
	default:
		return EraStopped
	}
}
