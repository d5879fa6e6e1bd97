package lab

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// controlGroup is where the node's containers are counted, apart from those of the host's engine.
func (n *Node) controlGroup() string { return "/" + n.lab.state.ID + "/" + n.Name }

// removeControlGroup removes a group, and those below it, from every hierarchy. The kernel takes a moment to see that the
// processes in them are gone.
func removeControlGroup(group string) error {
	roots, err := filepath.Glob("/sys/fs/cgroup/*" + group)
	if err != nil {
		return err
	}
	for _, root := range append(roots, "/sys/fs/cgroup"+group) {
		deadline := time.Now().Add(10 * time.Second)
		for err = removeFolders(root); err != nil; err = removeFolders(root) {
			if time.Now().After(deadline) {
				return fmt.Errorf("remove a control group: %w", err)
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	return nil
}

// removeFolders removes a tree that has folders alone to be removed, the innermost first.
func removeFolders(root string) error {
	var folders []string
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			folders = append(folders, path)
		}
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, folder := range slices.Backward(folders) {
		if err := os.Remove(folder); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return err
}

// thaw lets everything in a group run that is paused.
func thaw(group string) error {
	err := filepath.WalkDir("/sys/fs/cgroup/freezer"+group, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.Name() != "freezer.state" || filepath.Base(filepath.Dir(path)) == filepath.Base(group) {
			return err
		}
		return os.WriteFile(path, []byte("THAWED"), 0)
	})
	if errors.Is(err, fs.ErrNotExist) { // the group has just gone, or the machine has the second version alone
		return nil
	}
	return err
}
