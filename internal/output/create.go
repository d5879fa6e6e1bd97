package output

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/docker-ucp/docker-ucp/internal/failure"
)

// Create begins the file at path. It refuses, as failure.Refused and with a hint, whatever Commit could not do later.
func Create(path string) (*File, error) {
	folder, name, err := locate(path)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, unwritable(folder, err)
	}
	f := &File{path: filepath.Join(folder, name), part: filepath.Join(folder, name+".part"), root: root}
	if err := replaceable(root, name, path); err != nil {
		return nil, errors.Join(err, root.Close())
	}
	if err := f.takePart(); err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return f, nil
}

// locate splits a path into its folder, links resolved, and the name in it.
func locate(path string) (folder, name string, err error) {
	if path == "" {
		return "", "", refuse("name a file", "create the output: no name given")
	}
	if os.IsPathSeparator(path[len(path)-1]) {
		return "", "", refuse(nameInside(path), "create %s: this names a folder", path)
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		return "", "", fmt.Errorf("create %s: %w", path, cause(err))
	}
	parent := filepath.Dir(absolute)
	folder, err = filepath.EvalSymlinks(parent)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", "", refuse("mkdir -p "+failure.Quote(parent), "create %s: the folder %s does not exist", path, parent)
	case err != nil:
		return "", "", unwritable(parent, err)
	}
	return folder, filepath.Base(absolute), nil
}

// replaceable refuses to begin what the rename at the end would refuse, or would do to something that is no file.
func replaceable(root *os.Root, name, path string) error {
	old, err := root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("create %s: %w", path, cause(err))
	}
	switch mode := old.Mode(); {
	case mode.IsDir():
		return refuse(nameInside(path), "create %s: it is a folder", path)
	case mode&fs.ModeSymlink != 0:
		return refuse("name the file that it points to", "create %s: it is a symbolic link", path)
	case !mode.IsRegular():
		return refuse("write to standard output instead: … - > "+failure.Quote(path),
			"create %s: it is not a regular file", path)
	}
	folder, err := root.Stat(".")
	if err != nil {
		return fmt.Errorf("create %s: %w", path, cause(err))
	}
	if !mayReplace(folder, old) {
		return refuse("choose another name", "replace %s: it belongs to someone else, and its folder is sticky", path)
	}
	return nil
}

func nameInside(folder string) string {
	return "name a file in it, such as " + failure.Quote(filepath.Join(folder, "ucp.tar"))
}

func unwritable(folder string, err error) error {
	return refuse("choose a folder that you can write to", "open the output folder %s: %w", folder, cause(err))
}
