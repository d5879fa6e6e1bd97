package snapshot

import (
	"bufio"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"github.com/docker-ucp/docker-ucp/internal/archive"
)

// indexName is the file of a clone that holds everything but large files.
const indexName = "index"

// inlineSize is up to where a file is small: its content stands in the index,
// since a system call to share its blocks takes longer than a copy.
const inlineSize = 64 << 10

// recordSize is what a file takes in the index beyond its names and content,
// and a larger file in its folder, with room to spare.
const recordSize = 256

// Cloned is a clone of volumes: a Source that no longer changes.
type Cloned struct {
	dir     string
	made    bool // the folder is ours
	index   *os.File
	files   int64 // numbered files, from 1
	volumes map[string]section
}

// section is one volume's part of the index.
type section struct {
	from, size int64
	totals     Totals
}

// record is one file in the index. Its content is nowhere (no regular file),
// here (Inline), or in the numbered file Number.
type record struct {
	Entry  archive.Entry
	Inline []byte
	Number int64
}

// Totals returns what a cloned volume comes to in the archive.
func (c *Cloned) Totals(volume string) (Totals, bool) {
	s, ok := c.volumes[volume]
	return s.totals, ok
}

// Remove deletes the clone. It may be called again.
func (c *Cloned) Remove() error {
	if c.index == nil {
		return nil
	}
	errs := []error{c.index.Close()}
	c.index = nil
	for n := int64(1); n <= c.files; n++ {
		errs = append(errs, ignoreMissing(os.Remove(c.path(n))))
	}
	errs = append(errs, ignoreMissing(os.Remove(filepath.Join(c.dir, indexName))))
	if c.made {
		errs = append(errs, ignoreMissing(os.Remove(c.dir)))
	}
	return errors.Join(errs...)
}

func ignoreMissing(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

func (c *Cloned) path(number int64) string {
	return filepath.Join(c.dir, strconv.FormatInt(number, 10))
}

// newClone makes the clone's folder, unless it is there, and opens the index.
func newClone(dir string) (*Cloned, error) {
	c := &Cloned{dir: dir, volumes: map[string]section{}}
	err := os.Mkdir(dir, 0o700)
	c.made = err == nil
	if err != nil && !errors.Is(err, os.ErrExist) {
		return nil, fmt.Errorf("make a folder for the clone: %w", err)
	}
	c.index, err = os.OpenFile(filepath.Join(dir, indexName), os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err == nil {
		return c, nil
	}
	err = fmt.Errorf("begin the clone: %w", err)
	if c.made {
		err = errors.Join(err, os.Remove(dir))
	}
	return nil, err
}

// indexer writes one volume's section of the index.
type indexer struct {
	*gob.Encoder
	out  *bufio.Writer
	from int64
	n    int64
	file io.Writer
}

func newIndexer(file *os.File) (*indexer, error) {
	from, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, err
	}
	x := &indexer{from: from, file: file}
	x.out = bufio.NewWriterSize(x, 256<<10)
	x.Encoder = gob.NewEncoder(x.out)
	return x, nil
}

// Write counts what reaches the file.
func (x *indexer) Write(p []byte) (int, error) {
	n, err := x.file.Write(p)
	x.n += int64(n)
	return n, err
}
