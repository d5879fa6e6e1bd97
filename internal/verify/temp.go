package verify

import (
	"bytes"
	"errors"
	"fmt"
	"os"

	"github.com/docker-ucp/docker-ucp/internal/failure"
)

// spool is a file for a database while it is looked at. Where a file can lose
// its name while it is open it has none, so that nothing is left whatever dies;
// elsewhere close removes it.
type spool struct {
	file  *os.File
	named bool
}

func newSpool() (*spool, error) {
	file, err := os.CreateTemp("", "docker-ucp-verify-") // mode 0600
	if err != nil {
		return nil, roomError(err)
	}
	return &spool{file: file, named: os.Remove(file.Name()) != nil}, nil
}

// put writes a piece at its place. Zeros take no room, so that a hole which a
// stranger's header claims takes none here either.
func (s *spool) put(p []byte, at int64) error {
	if len(bytes.TrimLeft(p, "\x00")) == 0 {
		if err := s.file.Truncate(at + int64(len(p))); err != nil {
			return roomError(err)
		}
		return nil
	}
	if _, err := s.file.WriteAt(p, at); err != nil {
		return roomError(err)
	}
	return nil
}

func (s *spool) close() error {
	name := s.file.Name()
	err := s.file.Close()
	if s.named {
		err = errors.Join(err, os.Remove(name))
	}
	return err
}

func roomError(err error) error {
	return failure.WithHint(fmt.Errorf("make a temporary copy of a database in %s: %w", os.TempDir(), err),
		"name a folder with room, such as: TMPDIR=/var/tmp")
}
