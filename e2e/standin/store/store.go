package store

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// Store is an open store. One goroutine calls Run; anybody may ask Acknowledged.
type Store struct {
	id     identity
	dir    string
	files  [fileCount]*os.File
	index  *os.File
	log    *os.File
	clocks *clocks
	opened uint64
	acked  atomic.Uint64
	step   func() // called between two writes to disk
}

// Create lays out a new store in dir.
func Create(dir string) error {
	var seed [8]byte
	// crypto/rand.Read never fails.
	_, _ = rand.Read(seed[:])
	id := identity{Banner: banner, Seed: binary.LittleEndian.Uint64(seed[:]), Files: fileCount, Pages: pagesPerFile}
	if err := layOut(dir, id); err != nil {
		return fmt.Errorf("create store: %w", err)
	}
	return nil
}

func layOut(dir string, id identity) error {
	if err := os.MkdirAll(filepath.Join(dir, "data"), 0o700); err != nil {
		return err
	}
	var index []byte
	for file := range fileCount {
		data := make([]byte, clockSize, fileSize)
		for page := range pagesPerFile {
			image := id.image(place{file, page}, 0)
			data, index = append(data, image...), append(index, entry(0, image)...)
		}
		if err := os.WriteFile(filepath.Join(dir, dataName(file)), data, 0o600); err != nil {
			return err
		}
	}
	about, err := json.MarshalIndent(id, "", "  ")
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(filepath.Join(dir, "index.db"), index, 0o600),
		os.WriteFile(filepath.Join(dir, "journal.db"), make([]byte, journalSize), 0o600),
		os.WriteFile(filepath.Join(dir, "store.json"), about, 0o600))
}

// Open checks the store in dir, completes the record that was in flight when it was killed, and opens it for writing.
// It refuses a torn copy.
func Open(dir string) (_ *Store, err error) {
	report, err := Check(dir)
	if err != nil {
		return nil, err
	}
	s := &Store{dir: dir, step: func() { time.Sleep(time.Millisecond) }}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("open store: %w", err), s.closeFiles())
		}
	}()
	if s.id, err = readIdentity(os.DirFS(dir)); err != nil {
		return nil, err
	}
	if err := s.openFiles(); err != nil {
		return nil, err
	}
	if s.clocks, err = openClocks(s.files[:]); err != nil {
		return nil, err
	}
	if err := os.Remove(filepath.Join(dir, "stopped")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if report.InFlight {
		report.Acknowledged++
		if err := s.redo(report.Acknowledged); err != nil {
			return nil, err
		}
	}
	s.opened = report.Acknowledged
	s.acked.Store(report.Acknowledged)
	return s, nil
}

// Opened is the number of records acknowledged when the store was opened.
func (s *Store) Opened() uint64 { return s.opened }

// Acknowledged is the number of records acknowledged since the store was created.
func (s *Store) Acknowledged() uint64 { return s.acked.Load() }

// Run writes records until the context ends. It never leaves a record half done.
func (s *Store) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return s.clocks.run(ctx) })
	group.Go(func() error {
		for ctx.Err() == nil {
			if err := s.write(s.acked.Load() + 1); err != nil {
				return fmt.Errorf("write record %d: %w", s.acked.Load()+1, err)
			}
		}
		return nil
	})
	return group.Wait()
}

// Close syncs every file, leaves the mark of a clean stop and closes the store.
func (s *Store) Close() error {
	err := s.sync()
	if err == nil {
		err = os.WriteFile(filepath.Join(s.dir, "stopped"), []byte(stopMark(s.acked.Load())), 0o600)
	}
	if err = errors.Join(err, s.closeFiles()); err != nil {
		return fmt.Errorf("close store: %w", err)
	}
	return nil
}

// write takes a record through all its steps, spread over time so that at any instant one is under way.
func (s *Store) write(n uint64) error {
	var images [spread][]byte
	for i, p := range s.id.places(n) {
		images[i] = s.id.image(p, n)
	}
	if err := beginSlot(s.log, n, images); err != nil {
		return err
	}
	return s.apply(n, images)
}

// redo completes a record that its journal slot holds in full.
func (s *Store) redo(n uint64) error {
	journal := make([]byte, journalSize)
	if _, err := s.log.ReadAt(journal, 0); err != nil {
		return err
	}
	last, _ := lastSlot(journal)
	return s.apply(n, last.images)
}

func (s *Store) apply(n uint64, images [spread][]byte) error {
	places := s.id.places(n)
	for i, p := range places {
		s.step()
		if _, err := s.files[p.file].WriteAt(images[i], p.offset()); err != nil {
			return err
		}
	}
	for i, p := range places {
		if _, err := s.index.WriteAt(entry(n, images[i]), int64(p.index())*entrySize); err != nil {
			return err
		}
	}
	if err := commitSlot(s.log, n); err != nil {
		return err
	}
	s.acked.Store(n)
	return nil
}

func (s *Store) openFiles() (err error) {
	open := func(name string) (f *os.File) {
		if err == nil {
			f, err = os.OpenFile(filepath.Join(s.dir, name), os.O_RDWR, 0)
		}
		return f
	}
	for i := range s.files {
		s.files[i] = open(dataName(i))
	}
	s.index, s.log = open("index.db"), open("journal.db")
	return err
}

func (s *Store) sync() error {
	for _, f := range s.all() {
		if err := f.Sync(); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) closeFiles() (err error) {
	if s.clocks != nil {
		err = s.clocks.close()
	}
	for _, f := range s.all() {
		if f != nil {
			err = errors.Join(err, f.Close())
		}
	}
	return err
}

func (s *Store) all() []*os.File { return append(s.files[:], s.index, s.log) }
