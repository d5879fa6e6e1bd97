package snapshot

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/docker-ucp/docker-ucp/internal/archive"
)

// named puts the act and the file in front of an error.
func named(act, name string, err error) error {
	return fmt.Errorf("%s %s: %w", act, archive.Printable(strings.TrimPrefix(name, "./")), err)
}

// changed translates what the kernel says of a name that was listed a moment
// ago and is gone, or is another kind of file now.
func changed(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ELOOP), errors.Is(err, unix.ENOTDIR),
		errors.Is(err, unix.ENXIO), errors.Is(err, unix.EINVAL), errors.Is(err, unix.ESTALE):
		return fmt.Errorf("%w (%w)", ErrChanged, err)
	default:
		return err
	}
}

// unsupported says whether a call is unknown to the file system.
func unsupported(err error) bool {
	return errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOTSUP) ||
		errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.ENOTTY)
}
