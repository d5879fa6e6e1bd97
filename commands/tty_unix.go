//go:build unix

package commands

import (
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// openTerminal opens the terminal that the command was started from. It fails where there is none, as under cron.
func openTerminal() (*os.File, error) { return os.OpenFile("/dev/tty", os.O_RDWR, 0) }

// readSecret reads a line that is not shown. Ctrl-D on an empty line is io.EOF, and so is a terminal that is gone;
// term.ReadPassword takes neither for an end and reads again.
func readSecret(fd int) (_ []byte, err error) {
	before, err := unix.IoctlGetTermios(fd, getTermios)
	if err != nil {
		return nil, err
	}
	silent := *before
	silent.Lflag = silent.Lflag&^unix.ECHO | unix.ICANON | unix.ISIG
	silent.Iflag |= unix.ICRNL
	if err := unix.IoctlSetTermios(fd, setTermios, &silent); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, unix.IoctlSetTermios(fd, setTermios, before)) }()
	var line []byte
	for {
		var key [1]byte // what is typed ahead belongs to the next question
		n, err := unix.Read(fd, key[:])
		switch {
		case err != nil:
			return nil, err
		case n == 0 && len(line) == 0:
			return nil, io.EOF
		case n == 0 || key[0] == '\n':
			return line, nil
		}
		line = append(line, key[0])
	}
}
