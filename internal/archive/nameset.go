package archive

import "hash/maphash"

// maxNames is how many names of an archive that is not ours are remembered, in
// 16 MiB.
const maxNames = 1 << 20

// kind is what is remembered of an entry, the more telling for what comes after
// it the greater.
type kind uint64

const (
	impliedFolder kind = iota // something is in it, but it is no entry itself
	folder
	regularFile
	other // a symlink above all
)

// nameSet remembers names by a hash of 62 bits, of a seed that nobody can know
// beforehand, and what they are in the two others.
type nameSet struct {
	seed      maphash.Seed
	slots     []uint64 // open addressing, a power of two of them; zero is free
	count     int
	limit     int
	forgotten int64 // names that came when it was full
}

const kindBits = 3

func newNameSet(limit int) *nameSet {
	return &nameSet{seed: maphash.MakeSeed(), slots: make([]uint64, 1<<10), limit: limit}
}

func (s *nameSet) full() bool { return s.count == s.limit }

// get says what a name is, if it is remembered.
func (s *nameSet) get(name string) (k kind, found bool) {
	slot := s.find(s.hash(name))
	return kind(*slot & kindBits), *slot != 0
}

// put remembers a name, or a new kind for one that it remembers.
func (s *nameSet) put(name string, k kind) {
	hash := s.hash(name)
	slot := s.find(hash)
	if *slot == 0 {
		if s.full() {
			s.forgotten++
			return
		}
		s.count++
	}
	*slot = hash | uint64(k)
	if s.count > len(s.slots)/2 {
		s.grow()
	}
}

// hash is never zero, and has room for a kind.
func (s *nameSet) hash(name string) uint64 {
	if hash := maphash.String(s.seed, name) &^ kindBits; hash != 0 {
		return hash
	}
	return kindBits + 1
}

// find returns the slot of a hash, or the free one where it belongs.
func (s *nameSet) find(hash uint64) *uint64 {
	mask := uint64(len(s.slots) - 1) //nolint:gosec // never empty
	for i := hash >> 2 & mask; ; i = (i + 1) & mask {
		if slot := &s.slots[i]; *slot == 0 || *slot&^kindBits == hash {
			return slot
		}
	}
}

func (s *nameSet) grow() {
	old := s.slots
	s.slots = make([]uint64, 2*len(old))
	for _, entry := range old {
		if entry != 0 {
			*s.find(entry &^ kindBits) = entry
		}
	}
}
