package progress

import "fmt"

// Mode says how a run is shown.
type Mode string

// The modes, named as the --progress flag names them.
const (
	Auto  Mode = "auto"  // bars on a terminal, plain lines anywhere else
	Plain Mode = "plain" // lines without control characters
	JSON  Mode = "json"  // one object a line
	Quiet Mode = "quiet" // warnings only
)

// Modes lists every mode, for completion and help.
func Modes() []string {
	return []string{string(Auto), string(Plain), string(JSON), string(Quiet)}
}

// ParseMode reads a mode as an operator types it. Nothing typed means Auto.
func ParseMode(s string) (Mode, error) {
	switch m := Mode(s); m {
	case "":
		return Auto, nil
	case Auto, Plain, JSON, Quiet:
		return m, nil
	default:
		return "", fmt.Errorf("unknown progress mode %q: use auto, plain, json or quiet", s)
	}
}

// Unit is what a phase counts.
type Unit int

// The units.
const (
	Bytes Unit = iota
	Items
)

// String names the unit as the JSON lines do.
func (u Unit) String() string {
	if u == Items {
		return "items"
	}
	return "bytes"
}
