package store

import (
	"encoding/binary"
	"hash/crc32"
	"io"
)

// The journal holds the last two records, each in a slot of its own: header, then the pages it writes. A record counts
// as begun once its slot is whole, and as acknowledged once the slot carries the commit mark.
const (
	slotSize    = (1 + spread) * pageSize
	journalSize = 2 * slotSize
	slotMagic   = 0x6a726e6c
	commitMark  = 0x636f6d6d
	commitAt    = 24
)

type slot struct {
	record    uint64
	committed bool
	images    [spread][]byte
}

func slotOffset(n uint64) int64 { return int64(n%2) * slotSize }

// beginSlot writes all of record n in one call.
func beginSlot(w io.WriterAt, n uint64, images [spread][]byte) error {
	b := make([]byte, slotSize)
	for i, image := range images {
		copy(b[(1+i)*pageSize:], image)
	}
	binary.LittleEndian.PutUint32(b[0:], slotMagic)
	binary.LittleEndian.PutUint64(b[8:], n)
	binary.LittleEndian.PutUint32(b[16:], crc32.Checksum(b[pageSize:], castagnoli))
	binary.LittleEndian.PutUint32(b[20:], crc32.Checksum(b[:20], castagnoli))
	_, err := w.WriteAt(b, slotOffset(n))
	return err
}

// commitSlot marks record n as acknowledged.
func commitSlot(w io.WriterAt, n uint64) error {
	var b [4]byte
	binary.LittleEndian.PutUint32(b[:], commitMark)
	_, err := w.WriteAt(b[:], slotOffset(n)+commitAt)
	return err
}

// readSlot returns false for a slot that was never written, or not to its end.
func readSlot(journal []byte, i int) (slot, bool) {
	b := journal[i*slotSize : (i+1)*slotSize]
	whole := binary.LittleEndian.Uint32(b[0:]) == slotMagic &&
		binary.LittleEndian.Uint32(b[16:]) == crc32.Checksum(b[pageSize:], castagnoli) &&
		binary.LittleEndian.Uint32(b[20:]) == crc32.Checksum(b[:20], castagnoli)
	if !whole {
		return slot{}, false
	}
	s := slot{record: binary.LittleEndian.Uint64(b[8:]), committed: binary.LittleEndian.Uint32(b[commitAt:]) == commitMark}
	for k := range s.images {
		s.images[k] = b[(1+k)*pageSize : (2+k)*pageSize]
	}
	return s, int(s.record%2) == i
}

// lastSlot finds the newest whole slot. A new store has none: record 0, acknowledged.
// whole is false when the journal cannot stem from one instant: the older slot is whole and not acknowledged, or not
// the record before.
func lastSlot(journal []byte) (last slot, whole bool) {
	even, haveEven := readSlot(journal, 0)
	odd, haveOdd := readSlot(journal, 1)
	older, haveOlder := even, haveEven
	switch {
	case !haveEven && !haveOdd:
		return slot{committed: true}, true
	case haveOdd && (!haveEven || odd.record > even.record):
		last = odd
	default:
		last, older, haveOlder = even, odd, haveOdd
	}
	if !haveOlder {
		// The next record was being written over the older slot, or there was only one record yet.
		return last, last.committed || last.record == 1
	}
	return last, older.committed && older.record == last.record-1
}
