package agent

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// interruptible returns the same input as file, in a form of which closing ends a read that waits. Standard input is
// opened in one of which it does not: a signal would not reach an agent that waits for its order.
func interruptible(file *os.File) (*os.File, error) {
	fd, err := unix.FcntlInt(file.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open standard input again: %w", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		return nil, fmt.Errorf("make standard input interruptible: %w", err)
	}
	return os.NewFile(uintptr(fd), file.Name()), nil
}
