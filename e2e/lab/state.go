package lab

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// state is what a lab must know to end itself, kept in a file so that another process can do it as well. Each thing is
// written down before it is made.
type state struct {
	ID       string      `json:"id"`       // names the bridge, the cables and the control group
	Detached bool        `json:"detached"` // the nodes live on without the process that started them
	Version  string      `json:"version"`
	FS       string      `json:"fs"`
	Nodes    []nodeState `json:"nodes"`
}

type nodeState struct {
	Name    string  `json:"name"`
	Address string  `json:"address"`
	First   process `json:"first"`  // the first process of the node: all others end with it
	Engine  int     `json:"engine"` // dockerd's number inside of the node
}

const (
	stateFile = "state.json"
	lockFile  = "lock"
)

// record changes the state and saves it; nodes may be worked on at the same time.
func (l *Lab) record(change func()) error {
	l.saving.Lock()
	defer l.saving.Unlock()
	change()
	return l.save()
}

// save replaces the state file as a whole.
func (l *Lab) save() error {
	raw, err := json.MarshalIndent(l.state, "", "  ")
	if err != nil {
		return err
	}
	path := filepath.Join(l.Dir, stateFile)
	if err := os.WriteFile(path+".new", append(raw, '\n'), 0o644); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// readState returns fs.ErrNotExist where no lab is. What it reads is acted upon as root, so it believes only a folder that
// root or the caller has made: /var/tmp is open to everybody.
func readState(dir string) (state, error) {
	info, err := os.Lstat(dir)
	if err != nil {
		return state{}, err
	}
	if owner := ownerOf(info); !info.IsDir() || owner != 0 && owner != os.Geteuid() {
		return state{}, fmt.Errorf("%s: not a folder of ours (owner %d)", dir, owner)
	}
	raw, err := os.ReadFile(filepath.Join(dir, stateFile))
	if err != nil {
		return state{}, err
	}
	var found state
	if err := json.Unmarshal(raw, &found); err != nil {
		return state{}, fmt.Errorf("read %s: %w", filepath.Join(dir, stateFile), err)
	}
	if !validID(found.ID) {
		return state{}, fmt.Errorf("read %s: no lab has the name %q", filepath.Join(dir, stateFile), found.ID)
	}
	return found, nil
}

// errHeld says that another process works on this lab.
var errHeld = errors.New("another process holds this lab")

// hold locks a lab's folder for as long as the process lives: who can take the lock knows that the owner is dead.
func hold(dir string) (*os.File, error) {
	file, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		if errors.Is(err, unix.EWOULDBLOCK) {
			err = errHeld
		}
		return nil, errors.Join(fmt.Errorf("lock %s: %w", dir, err), file.Close())
	}
	return file, nil
}

// prepareFolder makes the folder of a new lab, or clears what a dead one left in it.
func prepareFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	_, err := readState(dir)
	if err == nil {
		return sweep(dir)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if entry.Name() != lockFile {
			return fmt.Errorf("%s is no folder of a lab and not empty (%s): Close would delete it", dir, entry.Name())
		}
	}
	return nil
}
