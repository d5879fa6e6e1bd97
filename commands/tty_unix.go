//go:build unix

package commands

import "os"

// openTerminal opens the terminal that the command was started from. It fails where there is none, as under cron.
func openTerminal() (*os.File, error) { return os.OpenFile("/dev/tty", os.O_RDWR, 0) }
