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
	c := checker{id: id, last: last, writers: id.lastWriters(report.Acknowledged)}
	if err := c.data(files); err != nil {
		return Report{}, err
	}
	return report, c.index(files)
}

// checker holds what the store must look like: writers up to the last acknowledged record, and the record in flight.
type checker struct {
	id      identity
	last    slot
	writers []uint64
}

// data checks the clocks and all pages. Those of a record in flight are checked last and in its order, since each may be new only if
// those before it are.
func (c checker) data(files fs.FS) error {
	moving := c.moving()
	var ticks []uint64
	for file := range fileCount {
		b, err := readSized(files, dataName(file), fileSize)
		if err != nil {
			return err
		}
		ticks = append(ticks, readClock(b))
		for page := range pagesPerFile {
			p := place{file, page}
			if moving[p.index()] {
				continue
			}
			if err := c.page(p, b[p.offset():][:pageSize]); err != nil {
				return err
			}
		}
	}
	if err := checkClocks(ticks); err != nil {
		return err
	}
	if c.last.committed {
		return nil
	}
	return c.inFlight(files)
}

// moving is the pages that the record in flight replaces.
func (c checker) moving() map[int]bool {
	pages := map[int]bool{}
	if !c.last.committed {
		for _, p := range c.id.places(c.last.record) {
			pages[p.index()] = true
		}
	}
	return pages
}

func (c checker) page(p place, got []byte) error {
	want := c.writers[p.index()]
	if bytes.Equal(got, c.id.image(p, want)) {
		return nil
	}
	n, whole := recordOf(got)
	if !whole {
		return fmt.Errorf("%s page %d: not whole: %w", p.name(), p.page, ErrTorn)
	}
	return fmt.Errorf("%s page %d: from record %d, must be from %d: %w", p.name(), p.page, n, want, ErrTorn)
}

func (c checker) inFlight(files fs.FS) error {
	done := true
	for i, p := range c.id.places(c.last.record) {
		b, err := readSized(files, p.name(), fileSize)
		if err != nil {
			return err
		}
		got := b[p.offset():][:pageSize]
		if bytes.Equal(got, c.last.images[i]) {
			if !done {
				return fmt.Errorf("%s page %d: written ahead of its turn in record %d: %w", p.name(), p.page, c.last.record, ErrTorn)
			}
			continue
		}
		// One page may be half written, where a kill came in the middle; a whole one must be the one before.
		if _, whole := recordOf(got); whole || !done {
			if err := c.page(p, got); err != nil {
				return err
			}
		}
		done = false
	}
	return nil
}

func (c checker) index(files fs.FS) error {
	b, err := readSized(files, "index.db", pageCount*entrySize)
	if err != nil {
		return err
	}
	moving := c.moving()
	for i, want := range c.writers {
		p := place{i / pagesPerFile, i % pagesPerFile}
		got := b[i*entrySize:][:entrySize]
		old := bytes.Equal(got, entry(want, c.id.image(p, want)))
		ahead := moving[i] && bytes.Equal(got, entry(c.last.record, c.id.image(p, c.last.record)))
		if !old && !ahead {
			return fmt.Errorf("index.db: entry of %s page %d is not that of record %d: %w", p.name(), p.page, want, ErrTorn)
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
		return id, fmt.Errorf("store.json: not a store of this kind")
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
