package lab

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const (
	// tempRoot, because /tmp is often kept in memory and an engine's data is large.
	tempRoot   = "/var/tmp"
	tempPrefix = "ucplab-"
)

// Close ends the lab's processes and removes all that it made. A second call does nothing.
func (l *Lab) Close() error {
	if l.closed {
		return nil
	}
	if l.lock == nil {
		if os.Geteuid() != 0 {
			return fmt.Errorf("close the lab in %s: only root can, who started it", l.Dir)
		}
		lock, err := hold(l.Dir)
		if errors.Is(err, fs.ErrNotExist) { // another process has closed it
			l.closed = true
			return nil
		}
		if err != nil {
			return err
		}
		l.lock = lock
	}
	var errs []error
	for _, node := range l.Nodes {
		errs = append(errs, node.powerOff())
	}
	if l.state.ID != "" {
		errs = append(errs, l.removeNetwork(), removeControlGroup("/"+l.state.ID))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close the lab in %s: %w", l.Dir, err) // the state stays, for another try
	}
	if err := os.RemoveAll(l.Dir); err != nil {
		return err
	}
	l.closed = true
	return l.release()
}

// release lets go of the folder without touching what runs.
func (l *Lab) release() error {
	if l.lock == nil {
		return nil
	}
	err := l.lock.Close()
	l.lock = nil
	return err
}

// errRunning says that a detached lab is alive.
var errRunning = errors.New("a lab is running there: end it first (lab down)")

// sweep removes the lab in dir if whoever started it is dead.
func sweep(dir string) error {
	dead, err := Open(dir)
	if err != nil {
		return err
	}
	if dead.lock, err = hold(dir); err != nil {
		return err
	}
	if dead.state.Detached && dead.Running() {
		return errors.Join(fmt.Errorf("%s: %w", dir, errRunning), dead.release())
	}
	if err := dead.Close(); err != nil {
		return errors.Join(err, dead.release())
	}
	return os.MkdirAll(dir, 0o755)
}

// sweepAbandoned removes the labs that dead processes left in the default place. What cannot be removed is left for the
// next one who tries: it is in nobody's way.
func sweepAbandoned() {
	entries, err := os.ReadDir(tempRoot)
	if err != nil {
		return
	}
	for _, entry := range entries {
		if !strings.HasPrefix(entry.Name(), tempPrefix) {
			continue
		}
		dir := filepath.Join(tempRoot, entry.Name())
		if err := sweep(dir); err == nil {
			_ = os.Remove(dir) // only when it is empty, as sweep leaves it
		}
	}
}

// Running tells whether a node of the lab is alive.
func (l *Lab) Running() bool {
	for _, node := range l.Nodes {
		if node.kept.First.alive() {
			return true
		}
	}
	return false
}
