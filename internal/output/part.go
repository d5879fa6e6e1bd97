package output

import (
	"errors"
	"io/fs"
	"os"

	"github.com/docker-ucp/docker-ucp/internal/failure"
)

var (
	// errMoved says that FILE.part became another file between two looks.
	errMoved = errors.New("it changes all the time")
	// errNoLocks says that the file system cannot lock.
	errNoLocks = errors.New("the file system has no locks")
)

// takeAttempts is how often two runs may get in each other's way before one gives up; each time one of them advances.
const takeAttempts = 10

// takePart makes FILE.part ours: new, empty, locked.
func (f *File) takePart() error {
	err := errMoved
	for range takeAttempts {
		if err = f.tryPart(); !errors.Is(err, errMoved) {
			break
		}
	}
	var refused *failure.Error
	switch {
	case err == nil || errors.As(err, &refused):
		return err
	case errors.Is(err, ErrInUse):
		return refuse("wait for it, or choose another name", "create %s: %w", f.part, err)
	default:
		return refuse("choose a folder that you can write to", "create %s: %w", f.part, cause(err))
	}
}

func (f *File) tryPart() error {
	if err := f.clearStale(); err != nil {
		return err
	}
	file, err := f.root.OpenFile(base(f.part), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return errMoved
	}
	if err != nil {
		return err
	}
	if err := f.own(file); err != nil {
		return errors.Join(err, file.Close())
	}
	return nil
}

// own locks the file that was just created and sees to its mode.
func (f *File) own(file *os.File) error {
	if err := lock(file); err != nil && !errors.Is(err, errNoLocks) {
		return err // ErrInUse: a second run took it for stale before it was locked, and goes on with its own
	}
	if err := f.stillNamed(file); err != nil {
		return err
	}
	hold, err := duplicate(file)
	if err == nil {
		f.file, f.hold = file, hold
		if err = private(file); err == nil {
			return nil
		}
		err = errors.Join(err, hold.Close())
	}
	return errors.Join(err, f.root.Remove(base(f.part)))
}

// private undoes what an unusual umask took from the mode. File systems without modes refuse, and keep theirs.
func private(file *os.File) error {
	info, err := file.Stat()
	if err != nil || info.Mode().Perm() == 0o600 {
		return err
	}
	if err := file.Chmod(0o600); err != nil && !errors.Is(err, fs.ErrPermission) && !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	return nil
}

// clearStale removes a FILE.part that nobody writes any more. It is not written over: a writer that outlived its run
// would write into ours.
func (f *File) clearStale() (err error) {
	found, err := f.root.Lstat(base(f.part))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if !found.Mode().IsRegular() {
		return refuse("rm "+failure.Quote(f.part), "create %s: something that is not a file has this name", f.part)
	}
	file, err := f.root.OpenFile(base(f.part), os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return errMoved
	}
	if err != nil {
		return f.refuseStale(err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return f.removeStale(file)
}

func (f *File) removeStale(file *os.File) error {
	err := lock(file)
	if errors.Is(err, errNoLocks) {
		return refuse("rm "+failure.Quote(f.part)+" (if no other run writes it)",
			"take over %s from an earlier run: it may still be written: %w", f.part, err)
	}
	if err != nil {
		return err
	}
	if err := f.stillNamed(file); err != nil {
		return err
	}
	if err := f.root.Remove(base(f.part)); err != nil {
		return f.refuseStale(err)
	}
	return nil
}

func (f *File) refuseStale(err error) error {
	return refuse("as its owner or as root: rm "+failure.Quote(f.part), "take over %s from an earlier run: %w", f.part, cause(err))
}

// stillNamed says errMoved when the name FILE.part no longer leads to the open file.
func (f *File) stillNamed(file *os.File) error {
	ours, err := file.Stat()
	if err != nil {
		return err
	}
	found, err := f.root.Lstat(base(f.part))
	if errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(ours, found) {
		return errMoved
	}
	return err
}
