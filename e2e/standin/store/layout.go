// Package store is the database of the stand-in's ucp-auth-store: many files, records that span several of them, and
// writes all the time. It exists to be backed up, and to notice when that was done badly.
//
// Record n replaces one page in each of four files, then four index entries. What a record holds and where it goes follow
// from the store's seed and n alone, so Check knows every byte the store must hold after n records. A copy taken from a
// stopped store fits. A copy taken in one instant (the process paused, or killed) fits up to the record in flight, whose
// pages the journal brings to an end at the next start. A copy taken file by file from a running store does not fit:
// some file is older or newer than the journal and the other files say, and Check calls it torn.
//
// It does not promise to survive a power cut: only a clean stop syncs.
package store

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
)

const (
	pageSize     = 4096
	fileCount    = 128
	pagesPerFile = 32
	pageCount    = fileCount * pagesPerFile
	spread       = 4 // pages of one record, each in another file
	fileSize     = clockSize + pagesPerFile*pageSize
	headerSize   = 24
	entrySize    = 16
	pageMagic    = 0x73756370
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// identity is what store.json holds: whose store this is, and what its content is derived from.
type identity struct {
	Banner string `json:"banner"`
	Seed   uint64 `json:"seed"`
	Files  int    `json:"files"`
	Pages  int    `json:"pages"`
}

const banner = "auth store of a stand-in for UCP; not the product"

// place is one page of the store.
type place struct{ file, page int }

func (p place) index() int    { return p.file*pagesPerFile + p.page }
func (p place) offset() int64 { return clockSize + int64(p.page)*pageSize }
func (p place) name() string  { return dataName(p.file) }

func dataName(file int) string { return fmt.Sprintf("data/%03d.db", file) }

// places says which pages record n replaces, in the order in which they are written.
func (id identity) places(n uint64) [spread]place {
	var out [spread]place
	random := rand.New(rand.NewPCG(id.Seed, n))
	for i := range out {
		out[i] = place{random.IntN(fileCount), random.IntN(pagesPerFile)}
		for holdsFile(out[:i], out[i].file) {
			out[i].file = (out[i].file + 1) % fileCount
		}
	}
	return out
}

func holdsFile(places []place, file int) bool {
	for _, p := range places {
		if p.file == file {
			return true
		}
	}
	return false
}

// image is the content of a page as record n leaves it; record 0 is the state of a new store.
func (id identity) image(p place, n uint64) []byte {
	b := make([]byte, pageSize)
	var seed [32]byte
	binary.LittleEndian.PutUint64(seed[0:], id.Seed)
	binary.LittleEndian.PutUint64(seed[8:], n)
	binary.LittleEndian.PutUint64(seed[16:], uint64(p.index()))
	// ChaCha8.Read has no error to give.
	_, _ = rand.NewChaCha8(seed).Read(b[headerSize:])
	binary.LittleEndian.PutUint32(b[0:], pageMagic)
	binary.LittleEndian.PutUint32(b[4:], uint32(p.index()))
	binary.LittleEndian.PutUint64(b[8:], n)
	binary.LittleEndian.PutUint32(b[16:], crc32.Checksum(b[headerSize:], castagnoli))
	binary.LittleEndian.PutUint32(b[20:], crc32.Checksum(b[:20], castagnoli))
	return b
}

// recordOf reads from a page which record wrote it; false when the page is not whole.
func recordOf(page []byte) (uint64, bool) {
	whole := binary.LittleEndian.Uint32(page[0:]) == pageMagic &&
		binary.LittleEndian.Uint32(page[16:]) == crc32.Checksum(page[headerSize:], castagnoli) &&
		binary.LittleEndian.Uint32(page[20:]) == crc32.Checksum(page[:20], castagnoli)
	return binary.LittleEndian.Uint64(page[8:]), whole
}

// entry is the index entry of a page: the record that wrote it, and the checksum of what it wrote.
func entry(n uint64, image []byte) []byte {
	b := make([]byte, entrySize)
	binary.LittleEndian.PutUint64(b[0:], n)
	binary.LittleEndian.PutUint32(b[8:], crc32.Checksum(image, castagnoli))
	binary.LittleEndian.PutUint32(b[12:], crc32.Checksum(b[:12], castagnoli))
	return b
}

// lastWriters says for every page which record, n at the latest, wrote it last. It walks back from n until every page
// is accounted for, some ten thousand records, however many there were.
func (id identity) lastWriters(n uint64) []uint64 {
	last := make([]uint64, pageCount)
	for missing := pageCount; n > 0 && missing > 0; n-- {
		for _, p := range id.places(n) {
			if last[p.index()] == 0 {
				last[p.index()] = n
				missing--
			}
		}
	}
	return last
}
