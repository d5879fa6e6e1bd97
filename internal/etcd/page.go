package etcd

import (
	"encoding/binary"
	"io"
)

const (
	elementSize = 16
	maxKeySize  = 32768 // bbolt.MaxKeySize
	flagBucket  = 0x01  // of a leaf's element
)

// run is a page together with the pages that it runs on, or the page of a
// bucket that lies inline in the value of another one. Only its first page is
// held; the rest, which is mostly values, is read where it is asked for.
type run struct {
	file  io.ReaderAt
	start int64
	size  int64
	held  []byte
	spare []byte

	number   int64 // where it lies; inline, the page it lies in
	said     int64 // what its header says
	flags    uint16
	count    int
	overflow uint32
}

// damaged is a verdict on what the run holds.
func (r *run) damaged(format string, args ...any) error {
	where := "page %d: "
	if r.file == nil {
		where = "page %d, in an inline bucket: "
	}
	return damaged(where+format, append([]any{r.number}, args...)...)
}

// load reads the first page of a run.
func (r *run) load(file io.ReaderAt, number int64, pageSize int) error {
	r.file, r.number, r.start = file, number, number*int64(pageSize)
	if cap(r.held) < pageSize {
		r.held = make([]byte, pageSize)
	}
	r.held = r.held[:pageSize]
	if n, err := file.ReadAt(r.held, r.start); n < pageSize {
		return readError(err, r.start)
	}
	r.header()
	r.size = (int64(r.overflow) + 1) * int64(pageSize)
	return nil
}

// inline takes the page in a bucket's value, which lies in the page with a number.
func (r *run) inline(value []byte, number int64) {
	r.file, r.number, r.start, r.size = nil, number, 0, int64(len(value))
	r.held = append(r.held[:0], value...)
	r.header()
}

func (r *run) header() {
	r.said = pageNumber(r.held)
	r.flags = binary.LittleEndian.Uint16(r.held[8:])
	r.count = int(binary.LittleEndian.Uint16(r.held[10:]))
	r.overflow = binary.LittleEndian.Uint32(r.held[12:])
}

// at gives n bytes of the run, which are valid until the next call. The caller
// has seen that they are within it, and that they are not many.
func (r *run) at(offset int64, n int) ([]byte, error) {
	if offset+int64(n) <= int64(len(r.held)) {
		return r.held[offset : offset+int64(n)], nil
	}
	if cap(r.spare) < n {
		r.spare = make([]byte, max(n, 512))
	}
	b := r.spare[:n]
	if got, err := r.file.ReadAt(b, r.start+offset); got < n {
		return nil, readError(err, r.start+offset)
	}
	return b, nil
}

// element is one element of a branch or a leaf: where its key and value lie within the run.
type element struct {
	key, value, end int64
	bucket          bool
	child           int64 // of a branch
}

// element reads the element i, whose key must lie at start: bbolt writes keys and values one behind the other.
func (r *run) element(i int, start int64) (element, error) {
	at := int64(pageHeaderSize + i*elementSize)
	b, err := r.at(at, elementSize)
	if err != nil {
		return element{}, err
	}
	var flags, pos, keySize, valueSize uint32
	e := element{}
	if r.flags == flagBranch {
		pos, keySize, e.child = binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:]), pageNumber(b[8:])
	} else {
		flags, pos = binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:])
		keySize, valueSize = binary.LittleEndian.Uint32(b[8:]), binary.LittleEndian.Uint32(b[12:])
	}
	e.key, e.value = start, start+int64(keySize)
	e.end, e.bucket = e.value+int64(valueSize), flags == flagBucket
	switch {
	case flags > flagBucket:
		return e, r.damaged("element %d has the unknown flags %#x", i, flags)
	case keySize == 0 || keySize > maxKeySize:
		return e, r.damaged("element %d has a key of %d bytes", i, keySize)
	case at+int64(pos) != start:
		return e, r.damaged("element %d does not lie behind the one before it", i)
	case e.end > r.size:
		return e, r.damaged("element %d reaches beyond the page", i)
	}
	return e, nil
}

// content is a value: some bytes of a run.
type content struct {
	run         *run
	start, size int64
}

// at gives n bytes of the value from offset, or fewer where it ends; they are valid until the next call.
func (c content) at(offset int64, n int) ([]byte, error) {
	return c.run.at(c.start+offset, int(min(int64(n), c.size-offset)))
}
