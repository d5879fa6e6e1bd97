package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// ErrTorn is the verdict on a copy whose files do not stem from one instant.
var ErrTorn = errors.New("torn copy")

// Report is what Check found in a store that is whole.
type Report struct {
	Acknowledged uint64 // records acknowledged to writers
	InFlight     bool   // one more was begun, and the next start completes it
	Stopped      bool   // the store was stopped cleanly
}

// Check reads a store that nobody writes to, compares every page with what it must hold, and changes nothing.
func Check(dir string) (Report, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return Report{}, fmt.Errorf("check store: %w", err)
	}
	report, err := check(root.FS())
	if err = errors.Join(err, root.Close()); err != nil {
		return Report{}, fmt.Errorf("check store %s: %w", dir, err)
	}
	return report, nil
}

func check(files fs.FS) (Report, error) {
	id, err := readIdentity(files)
	if err != nil {
		return Report{}, err
	}
	journal, err := readSized(files, "journal.db", journalSize)
	if err != nil {
		return Report{}, err
	}
	last, whole := lastSlot(journal)
	if !whole {
		return Report{}, fmt.Errorf("journal.db: its two records do not follow each other: %w", ErrTorn)
	}
	report := Report{Acknowledged: last.record, InFlight: !last.committed}
	if report.InFlight {
		report.Acknowledged--
	}
	if report.Stopped, err = readStopMark(files, report); err != nil {
		return Report{}, err
	}
	c := checker{files: files, id: id, last: last, writers: id.lastWriters(report.Acknowledged)}
	return report, c.pages()
}

// checker holds what the store must look like: the last acknowledged writer of each page, and the record in flight.
type checker struct {
	files   fs.FS
	id      identity
	last    slot
	writers []uint64
}

// pages checks the clocks, all pages and their index entries.
func (c checker) pages() error {
	index, err := readSized(c.files, "index.db", pageCount*entrySize)
	if err != nil {
		return err
	}
	moving := c.moving()
	var ticks []uint64
	for file := range fileCount {
		data, err := readSized(c.files, dataName(file), fileSize)
		if err != nil {
			return err
		}
		ticks = append(ticks, readClock(data))
		for page := range pagesPerFile {
			p := place{file, page}
			if _, inFlight := moving[p]; inFlight {
				continue
			}
			if err := c.settled(p, data[p.offset():][:pageSize], index[p.index()*entrySize:][:entrySize]); err != nil {
				return err
			}
		}
	}
	if err := checkClocks(ticks); err != nil {
		return err
	}
	return c.inFlight(index)
}

// moving is the pages that the record in flight replaces, with their turn.
func (c checker) moving() map[place]int {
	pages := map[place]int{}
	if !c.last.committed {
		for turn, p := range c.id.places(c.last.record) {
			pages[p] = turn
		}
	}
	return pages
}

// settled checks a page that nothing was being written to.
func (c checker) settled(p place, got, indexed []byte) error {
	want := c.writers[p.index()]
	image := c.id.image(p, want)
	if !bytes.Equal(got, image) {
		n, whole := recordOf(got)
		if !whole {
			return fmt.Errorf("%s page %d: not whole: %w", p.name(), p.page, ErrTorn)
		}
		return fmt.Errorf("%s page %d: from record %d, must be from %d: %w", p.name(), p.page, n, want, ErrTorn)
	}
	if !bytes.Equal(indexed, entry(want, image)) {
		return fmt.Errorf("index.db: entry of %s page %d is not that of record %d: %w", p.name(), p.page, want, ErrTorn)
	}
	return nil
}

// inFlight checks the pages of the record in flight, in its order: each may be new only if those before it are, and
// entries in the index only if all are.
func (c checker) inFlight(index []byte) error {
	if c.last.committed {
		return nil
	}
	written := true
	for turn, p := range c.id.places(c.last.record) {
		data, err := readSized(c.files, p.name(), fileSize)
		if err != nil {
			return err
		}
		got, indexed := data[p.offset():][:pageSize], index[p.index()*entrySize:][:entrySize]
		if bytes.Equal(got, c.last.images[turn]) {
			if !written {
				return fmt.Errorf("%s page %d: written ahead of its turn in record %d: %w", p.name(), p.page, c.last.record, ErrTorn)
			}
			if bytes.Equal(indexed, entry(c.last.record, got)) {
				continue
			}
			got = c.id.image(p, c.writers[p.index()]) // the page is right; its entry must then be the one before
		} else {
			_, whole := recordOf(got)
			if !whole && written { // a kill may leave one page half written
				got = c.id.image(p, c.writers[p.index()])
			}
			written = false
		}
		if err := c.settled(p, got, indexed); err != nil {
			return err
		}
	}
	return nil
}

func readIdentity(files fs.FS) (identity, error) {
	var id identity
	b, err := fs.ReadFile(files, "store.json")
	if err != nil {
		return id, err
	}
	if err := json.Unmarshal(b, &id); err != nil {
		return id, fmt.Errorf("store.json: %w", err)
	}
	if id.Files != fileCount || id.Pages != pagesPerFile || id.Banner != banner {
		return id, errors.New("store.json: not a store of this kind")
	}
	return id, nil
}

// readStopMark says whether the store was stopped cleanly; a mark that disagrees with the journal is a torn copy.
func readStopMark(files fs.FS, r Report) (bool, error) {
	b, err := fs.ReadFile(files, "stopped")
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if string(b) != stopMark(r.Acknowledged) || r.InFlight {
		return false, fmt.Errorf("stopped: says %q, the journal ends at record %d: %w", b, r.Acknowledged, ErrTorn)
	}
	return true, nil
}

func stopMark(n uint64) string { return fmt.Sprintf("stopped after record %d\n", n) }

func readSized(files fs.FS, name string, size int) (b []byte, err error) {
	f, err := files.Open(filepath.ToSlash(name))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	b, err = io.ReadAll(io.LimitReader(f, int64(size)+1))
	if err == nil && len(b) != size {
		err = fmt.Errorf("%s: not %d bytes long: %w", name, size, ErrTorn)
	}
	return b, err
}
