package output

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Resolve returns the path at which Create would make a file: absolute, links of its folder resolved.
func Resolve(path string) (string, error) {
	folder, name, err := locate(path)
	if err != nil {
		return "", err
	}
	return filepath.Join(folder, name), nil
}

// Adopt takes over the FILE.part that an earlier run left for path, with what is in it. It refuses one that another run
// writes. Its error is an fs.ErrNotExist when there is none. Whoever finds that it is not what was looked for leaves it
// there with Leave.
func Adopt(path string) (*File, error) {
	folder, name, err := locate(path)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, unwritable(folder, err)
	}
	f := &File{path: filepath.Join(folder, name), part: filepath.Join(folder, name+".part"), root: root}
	if err = replaceable(root, name, path); err == nil {
		err = f.adoptPart()
	}
	if err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return f, nil
}

func (f *File) adoptPart() error {
	found, err := f.root.Lstat(base(f.part))
	if err != nil {
		return fmt.Errorf("take over %s: %w", f.part, cause(err))
	}
	if !found.Mode().IsRegular() {
		return refuse("", "take over %s: it is not a regular file", f.part)
	}
	file, err := f.root.OpenFile(base(f.part), os.O_RDWR, 0)
	if errors.Is(err, fs.ErrPermission) {
		return refuse("as its owner or as root, try again", "take over %s: %w", f.part, cause(err))
	}
	if err != nil {
		return fmt.Errorf("take over %s: %w", f.part, cause(err))
	}
	if err := f.adoptFile(file); err != nil {
		return errors.Join(err, file.Close())
	}
	return nil
}

func (f *File) adoptFile(file *os.File) error {
	err := lock(file)
	if errors.Is(err, ErrInUse) {
		return refuse("wait for it", "take over %s: %w", f.part, err)
	}
	if err == nil || errors.Is(err, errNoLocks) {
		err = f.stillNamed(file)
	}
	if err != nil {
		return fmt.Errorf("take over %s: %w", f.part, cause(err))
	}
	f.hold, err = duplicate(file)
	if err != nil {
		return fmt.Errorf("take over %s: %w", f.part, cause(err))
	}
	f.file = file
	return nil
}

// Leave lets go of FILE.part and leaves it where it is. After Commit, Discard or Leave it does nothing.
func (f *File) Leave() error {
	if f.ended {
		return nil
	}
	f.ended = true
	return f.release()
}
