package agent

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// spool is our folder in the volume where sealed archives wait: the volume may be the operator's and hold other things.
type spool struct{ dir string }

// spoolFolder is a name that nothing else makes: docker-ucp is what an archive of ours leaves where it is unpacked.
const spoolFolder = ".docker-ucp-spool"

// ArchiveInSpool is where a finished archive waits, seen from the spool's root.
const ArchiveInSpool = spoolFolder + "/archive"

func newSpool(root string) spool { return spool{dir: filepath.Join(root, spoolFolder)} }

// prepare makes the folder, or tidies the one that is there.
func (s spool) prepare() error {
	if err := s.tidy(); err != nil {
		return err
	}
	if err := os.Mkdir(s.dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make a folder in the spool: %w", err)
	}
	return nil
}

// tidy removes what no journal and no receipt speaks for, and the folder when nothing remains.
func (s spool) tidy() error {
	keep := []string{s.journal(), s.orphan()}
	if s.finished() {
		keep = append(keep, s.receipt(), s.archive())
	}
	return s.empty(keep...)
}

// discard removes a finished archive as well, its receipt first, so that none ever speaks of an archive that is gone.
func (s spool) discard() error {
	if err := removeIfThere(s.receipt()); err != nil {
		return fmt.Errorf("empty the spool: %w", err)
	}
	return s.tidy()
}

func (s spool) empty(keep ...string) error {
	entries, err := os.ReadDir(s.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	left := 0
	for _, entry := range entries {
		path := filepath.Join(s.dir, entry.Name())
		if slices.Contains(keep, path) {
			left++
			continue
		}
		err = errors.Join(err, os.RemoveAll(path))
	}
	if err == nil && left == 0 {
		err = os.Remove(s.dir)
	}
	if err != nil {
		return fmt.Errorf("empty the spool: %w", err)
	}
	return nil
}

// remove removes the folder with all that is in it.
func (s spool) remove() error {
	if err := os.RemoveAll(s.dir); err != nil {
		return fmt.Errorf("empty the spool: %w", err)
	}
	return nil
}

func (s spool) archive() string { return filepath.Join(s.dir, "archive") }
func (s spool) clones() string  { return filepath.Join(s.dir, "clones") }
func (s spool) hand() string    { return filepath.Join(s.dir, "hand") } // the socket through which the operator's file comes

// create opens the spooled archive for writing.
func (s spool) create() (*os.File, error) {
	file, err := os.OpenFile(s.archive(), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("create the archive in the spool: %w", err)
	}
	return file, nil
}

func closeFile(file *os.File) error {
	if file == nil {
		return nil
	}
	err := file.Close()
	if errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}
