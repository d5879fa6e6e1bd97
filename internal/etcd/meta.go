package etcd

import (
	"encoding/binary"
	"hash/fnv"
	"math/bits"
)

// The layout of a bbolt file (go.etcd.io/bbolt, internal/common): pages of one
// size, each with a header of its number, flags, count of elements, and how
// many pages it runs on. The first two pages hold the two meta pages in turn;
// the valid one of the later transaction counts.
const (
	boltMagic      = 0xED0CDAED
	boltVersion    = 2
	pageHeaderSize = 16
	metaSize       = 64
	metaSummed     = 56 // of its bytes, those that the checksum is over
	minPageSize    = 512
	maxPageSize    = 64 << 10
	firstPage      = 2       // behind the meta pages
	noFreelist     = -1      // as a page number: all bits are set
	maxPages       = 1 << 27 // 512 GiB of the usual pages: two bits each are 32 MiB

	flagBranch   = 0x01
	flagLeaf     = 0x02
	flagMeta     = 0x04
	flagFreelist = 0x10
)

// meta is one meta page.
type meta struct {
	pageSize int
	root     int64 // the page of the root bucket
	freelist int64 // the page of the list of free pages, or noFreelist
	pages    int64 // the high-water mark: how many pages there are
	tx       uint64
	misnamed bool // the header before it is not a meta page's; bbolt does not look
}

// parseMeta reads the meta page with a number from its first bytes.
func parseMeta(page []byte, number int64) (meta, error) {
	if len(page) < pageHeaderSize+metaSize {
		return meta{}, damage{ErrNotBolt.Error(), ErrNotBolt}
	}
	b := page[pageHeaderSize:]
	if magic := binary.LittleEndian.Uint32(b); magic != boltMagic {
		if bits.ReverseBytes32(magic) == boltMagic {
			return meta{}, damage{"a bbolt database of a big-endian machine, which cannot be read here", ErrNotBolt}
		}
		return meta{}, damage{ErrNotBolt.Error(), ErrNotBolt}
	}
	if metaSum(b) != binary.LittleEndian.Uint64(b[metaSummed:]) {
		return meta{}, damaged("the checksum of meta page %d is wrong", number)
	}
	if version := binary.LittleEndian.Uint32(b[4:]); version != boltVersion {
		return meta{}, damaged("meta page %d has version %d of bbolt's format, not %d", number, version, boltVersion)
	}
	m := meta{
		pageSize: int(binary.LittleEndian.Uint32(b[8:])),
		root:     pageNumber(b[16:]),
		freelist: pageNumber(b[32:]),
		pages:    pageNumber(b[40:]),
		tx:       binary.LittleEndian.Uint64(b[48:]),
		misnamed: pageNumber(page) != number || binary.LittleEndian.Uint16(page[8:]) != flagMeta,
	}
	return m, m.plausible(number)
}

// pageNumber reads a page's number, or how many there are. What is beyond all numbers comes out negative, and so out of
// range as well.
func pageNumber(b []byte) int64 {
	return int64(binary.LittleEndian.Uint64(b)) //nolint:gosec // see above
}

// metaSum is what a meta page's checksum must be: FNV-1a.
func metaSum(b []byte) uint64 {
	sum := fnv.New64a()
	_, _ = sum.Write(b[:metaSummed]) // promised never to fail
	return sum.Sum64()
}

// plausible judges a meta page whose checksum is right.
func (m meta) plausible(number int64) error {
	switch {
	case m.pageSize < minPageSize || m.pageSize > maxPageSize || m.pageSize&(m.pageSize-1) != 0:
		return damaged("meta page %d gives pages of %d bytes", number, m.pageSize)
	case m.pages <= firstPage || m.pages > maxPages:
		return damaged("meta page %d counts %d pages", number, m.pages)
	}
	return nil
}

// newestMeta finds both meta pages in the beginning of a file. It is torn when
// one of them is not as bbolt wrote it: when it is not valid bbolt takes the
// other, and so one transaction less.
func newestMeta(beginning []byte) (newest meta, torn bool, err error) {
	first, err0 := parseMeta(beginning, 0)
	if err0 != nil {
		second, err1 := secondMeta(beginning)
		if err1 != nil {
			return meta{}, false, err0
		}
		return second, true, nil
	}
	second, err := parseMeta(beginning[min(first.pageSize, len(beginning)):], 1)
	if err != nil || second.pageSize != first.pageSize {
		return first, true, nil
	}
	torn = first.misnamed || second.misnamed
	if second.tx > first.tx {
		return second, torn, nil
	}
	return first, torn, nil
}

// secondMeta looks for meta page 1 without knowing how long page 0 is.
func secondMeta(beginning []byte) (meta, error) {
	for size := minPageSize; size <= maxPageSize && size < len(beginning); size *= 2 {
		if m, err := parseMeta(beginning[size:], 1); err == nil && m.pageSize == size {
			return m, nil
		}
	}
	return meta{}, damage{ErrNotBolt.Error(), ErrNotBolt}
}
