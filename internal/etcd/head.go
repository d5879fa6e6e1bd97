package etcd

import (
	"errors"
	"fmt"
	"io"
)

// HeadSize is how many bytes of a file's beginning ReadHead wants; a shorter file is given whole.
const HeadSize = maxPageSize + pageHeaderSize + metaSize

// Head is what a database's first two pages tell.
type Head struct {
	PageSize int
	Bytes    int64 // of the file, those that count: bbolt makes room ahead, and what lies behind means nothing
	Torn     bool  // one of the two meta pages is not as it was written; the valid one counts
}

// ReadHead tells from the first HeadSize bytes of a file whether it is a bbolt
// database, and how much of it counts. The error matches ErrNotBolt when it is
// none.
func ReadHead(beginning []byte) (Head, error) {
	m, torn, err := newestMeta(beginning)
	if err != nil {
		return Head{}, err
	}
	return Head{PageSize: m.pageSize, Bytes: m.bytes(), Torn: torn}, nil
}

func (m meta) bytes() int64 { return m.pages * int64(m.pageSize) }

// readBeginning reads what ReadHead wants.
func readBeginning(f io.ReaderAt, size int64) ([]byte, error) {
	b := make([]byte, min(HeadSize, max(size, 0)))
	if n, err := f.ReadAt(b, 0); n < len(b) {
		return nil, readError(err, 0)
	}
	return b, nil
}

// readError says where reading failed. A file that is shorter than it was said to be has not been read either.
func readError(err error, offset int64) error {
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("read the database at offset %d: %w", offset, err)
}
