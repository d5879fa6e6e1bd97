package output

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/docker-ucp/docker-ucp/internal/failure"
)

// ErrInUse says that another run is writing the same file at this moment.
var ErrInUse = errors.New("another run is writing it")

// RefuseTerminal refuses to send an archive to a terminal, which would show noise and might obey it.
func RefuseTerminal(terminal bool) error {
	if !terminal {
		return nil
	}
	return refuse("name a file, or redirect the output: > ucp.tar", "write the archive to standard output: it is a terminal")
}

// refuse makes an error of the kind failure.Refused.
func refuse(hint, format string, args ...any) error {
	return failure.Refuse(fmt.Errorf(format, args...), hint)
}

// cause strips what package os says about act and object, which our own messages say better.
func cause(err error) error {
	var path *fs.PathError
	var link *os.LinkError
	var call *os.SyscallError
	switch {
	case errors.As(err, &path):
		return path.Err
	case errors.As(err, &link):
		return link.Err
	case errors.As(err, &call):
		return call.Err
	default:
		return err
	}
}

func base(path string) string { return filepath.Base(path) }
