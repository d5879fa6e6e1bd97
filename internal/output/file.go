package output

import (
	"errors"
	"fmt"
	"os"
)

// File is an output that is not there yet. Either Commit or Discard ends it; a Discard may be deferred in any case.
// It is not safe for use by several goroutines.
type File struct {
	path string // as it will be found: absolute, links of its folder resolved
	part string

	root   *os.Root // the folder, held so that it cannot be exchanged on the way
	file   *os.File
	hold   *os.File // a second descriptor of the same open file: keeps the lock from close to rename
	ended  bool
	failed error // the first write that failed

	syncFolder func(*os.Root) error // nil for that of the platform
}

// ErrInPlace is in the error of a Commit or CommitOrLeave after which the file is in place and whole all the same, but may not
// outlive a power cut.
var ErrInPlace = errors.New("it may not survive a power cut")

// Path returns where the file will be, absolute and with the links of its folder resolved.
func (f *File) Path() string { return f.path }

// Part returns where the bytes wait until Commit, in the same form as Path. Whoever else writes the file opens this
// one and must not replace it.
func (f *File) Part() string { return f.part }

// File returns the open FILE.part, for what needs more than Write. Closing it is for Commit and Discard.
func (f *File) File() *os.File { return f.file }

// Write implements io.Writer. After an error the file can no longer be committed.
func (f *File) Write(p []byte) (int, error) {
	n, err := f.file.Write(p)
	if err != nil {
		err = fmt.Errorf("write %s: %w", f.part, cause(err))
		f.failed = errors.Join(f.failed, err)
	}
	return n, err
}

// Commit makes the file appear, whole and on the disk. After an error nothing of it is left, with one exception that
// the error tells: when only the folder could not be brought to the disk, the file is in place and whole.
func (f *File) Commit() error { return f.commit(f.Discard) }

// CommitOrLeave is Commit, but for that after an error FILE.part stays: of an archive that nobody can write again.
func (f *File) CommitOrLeave() error { return f.commit(f.Leave) }

func (f *File) commit(giveUp func() error) error {
	if f.ended {
		return fmt.Errorf("commit %s: %w", f.path, os.ErrClosed)
	}
	if err := f.publish(); err != nil {
		return errors.Join(err, giveUp())
	}
	f.ended = true
	sync := f.syncFolder
	if sync == nil {
		sync = syncFolder
	}
	err := sync(f.root)
	if err != nil {
		err = fmt.Errorf("sync its folder: %w", cause(err))
	}
	if err = errors.Join(err, f.release()); err != nil {
		return fmt.Errorf("%s is in place, but %w: %w", f.path, ErrInPlace, err)
	}
	return nil
}

// publish does what can still fail without a trace, and renames last.
func (f *File) publish() error {
	if f.failed != nil {
		return fmt.Errorf("commit %s: an earlier write failed: %w", f.path, f.failed)
	}
	if err := f.file.Sync(); err != nil {
		return fmt.Errorf("sync %s: %w", f.part, cause(err))
	}
	if err := f.inPlace(); err != nil {
		return err
	}
	if err := f.file.Close(); err != nil {
		return fmt.Errorf("close %s: %w", f.part, cause(err))
	}
	if err := f.root.Rename(base(f.part), base(f.path)); err != nil {
		return fmt.Errorf("rename %s to %s: %w", f.part, base(f.path), cause(err))
	}
	return nil
}

// inPlace notices that somebody removed or exchanged FILE.part, or moved its folder, while it was written.
func (f *File) inPlace() error {
	ours, err := f.file.Stat()
	if err != nil {
		return fmt.Errorf("stat %s: %w", f.part, cause(err))
	}
	found, err := os.Lstat(f.part)
	if err != nil {
		return fmt.Errorf("find %s again: %w", f.part, cause(err))
	}
	if !os.SameFile(ours, found) {
		return fmt.Errorf("find %s again: another file has taken its place", f.part)
	}
	return nil
}

// Discard removes FILE.part. After Commit, and when called again, it does nothing.
func (f *File) Discard() error {
	if f.ended {
		return nil
	}
	f.ended = true
	return errors.Join(f.remove(), f.release())
}

// remove takes FILE.part away, unless it is no longer ours to take.
func (f *File) remove() error {
	ours, err := f.hold.Stat()
	if err != nil {
		return fmt.Errorf("stat %s: %w", f.part, cause(err))
	}
	found, err := f.root.Lstat(base(f.part))
	if errors.Is(err, os.ErrNotExist) || err == nil && !os.SameFile(ours, found) {
		return nil
	}
	if err == nil {
		err = f.root.Remove(base(f.part))
	}
	if err != nil {
		return fmt.Errorf("remove %s: %w", f.part, cause(err))
	}
	return nil
}

// release closes what is still open; the lock goes with the last descriptor.
func (f *File) release() error {
	err := f.file.Close()
	if errors.Is(err, os.ErrClosed) { // by publish
		err = nil
	}
	if err = errors.Join(err, f.hold.Close(), f.root.Close()); err != nil {
		return fmt.Errorf("close %s: %w", f.part, err)
	}
	return nil
}
