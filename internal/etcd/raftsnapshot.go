package etcd

import (
	"hash/crc32"
	"math"
)

const (
	// snapshotHead is how much of a raft snapshot is held: more than the fields before its store take.
	snapshotHead = 64
	// maxPlace bounds what follows the store: the members by their IDs, and the place in the log.
	maxPlace = 64 << 10
)

// RaftSnapshot reads one of etcd's raft snapshots, member/snap/TERM-INDEX.snap,
// while it is written to it: snappb.Snapshot, a checksum and what that is over,
// which is raftpb.Snapshot: the store of version 2 and its place in the log.
type RaftSnapshot struct {
	head   []byte // what came before it is parsed
	parsed bool
	offset int64  // of what comes next, once parsed
	size   int64  // that the file must have
	sum    uint32 // as the file gives it
	crc    uint32 // as it is
	place  int64  // where the store ends
	tail   []byte // what follows it

	position Position
	verdict  error
}

// NewRaftSnapshot begins with an empty file.
func NewRaftSnapshot() *RaftSnapshot { return &RaftSnapshot{} }

// Write implements io.Writer. It never fails.
func (s *RaftSnapshot) Write(p []byte) (int, error) {
	rest := p
	if !s.parsed {
		n := min(snapshotHead-len(s.head), len(p))
		s.head, rest = append(s.head, p[:n]...), p[n:]
		if len(s.head) < snapshotHead {
			return len(p), nil
		}
		s.parse()
	}
	s.take(rest)
	return len(p), nil
}

// parse reads the fields before the store.
func (s *RaftSnapshot) parse() {
	s.parsed = true
	sum, ok := parseField(s.head)
	if !ok || sum.number != 1 || sum.wire != wireVarint || sum.value > math.MaxUint32 {
		s.verdict = damaged("it does not begin with a checksum")
		return
	}
	data, ok := parseField(s.head[sum.head:])
	if !ok || data.number != 2 || data.wire != wireBytes || data.size > math.MaxInt64-snapshotHead {
		s.verdict = damaged("it has no data behind its checksum")
		return
	}
	s.sum, s.offset = uint32(sum.value), int64(sum.head+data.head)
	s.size, s.place = s.offset+data.size, s.offset
	inner := s.head[s.offset:]
	if store, ok := parseField(inner); ok && store.number == 1 && store.wire == wireBytes && store.size <= data.size {
		s.place += int64(store.head) + store.size
	}
	s.take(inner)
}

// take sums what the checksum is over, and keeps what follows the store.
func (s *RaftSnapshot) take(p []byte) {
	if s.verdict != nil {
		return
	}
	s.crc = crc32.Update(s.crc, castagnoli, p)
	before := min(max(s.place-s.offset, 0), int64(len(p)))
	s.offset += int64(len(p))
	if s.tail = append(s.tail, p[before:]...); len(s.tail) > maxPlace {
		s.verdict = damaged("more than %d bytes follow the store of version 2", maxPlace)
	}
}

// Close implements io.Closer. Its error is the verdict, and matches ErrDamaged.
func (s *RaftSnapshot) Close() error {
	if !s.parsed {
		s.parse()
	}
	switch {
	case s.verdict != nil:
	case s.offset != s.size:
		s.verdict = damaged("it should have %d bytes and has %d", s.size, s.offset)
	case s.sum != s.crc:
		s.verdict = damaged("its checksum is wrong")
	default:
		s.readPlace()
	}
	return s.verdict
}

// Position is the place in the log that the snapshot stands for, once Close has found it whole. The file is named by it.
func (s *RaftSnapshot) Position() Position { return s.position }

// readPlace reads raftpb.SnapshotMetadata: the members, the index, the term.
func (s *RaftSnapshot) readPlace() {
	metadata, ok := parseField(s.tail)
	if ok && metadata.number == 2 && metadata.wire == wireBytes && metadata.size == int64(len(s.tail)-metadata.head) {
		rest := s.tail[metadata.head:]
		members, ok := parseField(rest)
		if ok && members.number == 1 && members.wire == wireBytes && members.size <= int64(len(rest)-members.head) {
			rest = rest[members.head+int(members.size):]
			if rest, ok = numbers(rest, 2, &s.position.Index, &s.position.Term); ok && len(rest) == 0 {
				return
			}
		}
	}
	s.verdict = damaged("it does not say where in the log it stands")
}
