package etcd

import (
	"fmt"
	"strconv"
	"strings"
)

// Segment is what one file of the log says.
type Segment struct {
	Name     string
	Sequence uint64 // of the file, from its name

	FirstCRC uint32 // with which the file begins: that of everything before it
	LastCRC  uint32 // with which the next one must begin

	Entries    int64
	FirstIndex uint64 // of its first entry, 0 without entries
	LastIndex  uint64 // of its last one. Entries that were never committed may have been replaced.
	Term       uint64 // of the newest hard state; 0 without one
	Commit     uint64 // the newest index known to be committed; 0 without a hard state
	Snapshots  []Position

	MemberID  uint64
	ClusterID uint64

	// Torn means that the last record was not written to its end, which etcd drops when it starts; or that something
	// lies behind the end, where etcd clears it.
	Torn bool

	lastTerm  uint64 // of the last entry
	firstHard hardState
}

// Position is a place in the log.
type Position struct{ Term, Index uint64 }

// String gives it as in the name of a raft snapshot: member/snap/TERM-INDEX.snap.
func (p Position) String() string { return fmt.Sprintf("%016x-%016x", p.Term, p.Index) }

// hardState is what raft must not forget: raftpb.HardState without the vote.
type hardState struct{ term, commit uint64 }

// maxSnapshots bounds the snapshots that a segment remembers. Etcd makes one in 10,000 entries or more.
const maxSnapshots = 1000

// sequenceOf reads the first number in the name of a segment, SEQUENCE-INDEX.wal.
func sequenceOf(name string) (uint64, error) {
	numbers, found := strings.CutSuffix(name, ".wal")
	if sequence, index, two := strings.Cut(numbers, "-"); found && two && len(sequence) == 16 && len(index) == 16 {
		n, err := strconv.ParseUint(sequence, 16, 64)
		if _, err2 := strconv.ParseUint(index, 16, 64); err == nil && err2 == nil {
			return n, nil
		}
	}
	return 0, damaged("%q is not the name of a file of the log", name)
}
