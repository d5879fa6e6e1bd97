package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// The files that say what is in the spool; see JournalInSpool and its neighbours.
func (s spool) journal() string { return filepath.Join(s.dir, "journal") }
func (s spool) orphan() string  { return filepath.Join(s.dir, "orphan") }
func (s spool) receipt() string { return filepath.Join(s.dir, "receipt") }

// unsettled tells that something may be at rest, or a node told to hold still. A file that cannot even be looked for
// counts as one that is there.
func (s spool) unsettled() bool { return exists(s.orphan()) || exists(s.journal()) }

// finished tells that a finished archive waits.
func (s spool) finished() bool { return exists(s.receipt()) }

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil || !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR)
}

// errDamaged says that the journal is there and its content is none. Trying again does not help.
var errDamaged = errors.New("its content is damaged")

// readJournal reads what is to be put right first.
func (s spool) readJournal() (*Journal, error) {
	content, err := os.ReadFile(s.orphan())
	if errors.Is(err, fs.ErrNotExist) {
		content, err = os.ReadFile(s.journal())
	}
	if err != nil {
		return nil, fmt.Errorf("read the journal in the spool: %w", err)
	}
	journal := &Journal{}
	if err := json.Unmarshal(content, journal); err != nil {
		return nil, fmt.Errorf("read the journal in the spool: %w: %w", errDamaged, err)
	}
	if journal.EngineID == "" {
		return nil, fmt.Errorf("read the journal in the spool: %w: it names no engine", errDamaged)
	}
	return journal, nil
}

// readReceipt reads what archive waits; nil for none.
func (s spool) readReceipt() (*Receipt, error) {
	content, err := os.ReadFile(s.receipt())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	receipt := &Receipt{}
	if err == nil {
		err = json.Unmarshal(content, receipt)
	}
	if err == nil && receipt.Manifest == nil {
		err = errors.New("it names no archive")
	}
	if err != nil {
		return nil, fmt.Errorf("read the receipt in the spool: %w", err)
	}
	return receipt, nil
}

// adopt makes the journal of a dead agent an orphan. It needs no room on the disk.
func (s spool) adopt() error {
	if exists(s.orphan()) {
		return nil
	}
	if err := os.Rename(s.journal(), s.orphan()); err != nil {
		return fmt.Errorf("take over the journal in the spool: %w", err)
	}
	return nil
}

// settle removes the journal, or the orphan that was made of it. It needs no room on the disk.
func (s spool) settle() error {
	path := s.journal()
	if exists(s.orphan()) {
		path = s.orphan()
	}
	err := os.Remove(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = syncFolder(s.dir)
	}
	if err != nil {
		return fmt.Errorf("remove the journal from the spool: %w", err)
	}
	return nil
}

// write puts value into a file of the folder: whole and on the disk, or not at all. What it leaves of one that failed,
// tidy removes.
func (s spool) write(path string, value any) (err error) {
	defer func() {
		if err != nil {
			_ = os.Remove(path) // where it was renamed already
			err = fmt.Errorf("write the %s into the spool: %w", filepath.Base(path), err)
		}
	}()
	line, err := json.Marshal(value)
	if err != nil {
		return err
	}
	if err := writeSynced(path+".new", append(line, '\n')); err != nil {
		return err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return err
	}
	return errors.Join(syncFolder(s.dir), syncFolder(filepath.Dir(s.dir)))
}

func writeSynced(path string, content []byte) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

// syncFolder makes names in a folder outlive a power cut, where the file system has that.
func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	err = folder.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		err = nil
	}
	return errors.Join(err, folder.Close())
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
