package etcd

import "bytes"

// recordReader reads what the records of a segment say, and sees that they may follow each other.
type recordReader struct {
	segment  *Segment
	begun    bool
	metadata []byte
	entry    bool   // an entry came
	hard     bool   // a hard state came
	last     uint64 // the highest index up to here, of entry or snapshot; 0 before the first
}

// read takes in a record whose checksum is right, and says what is wrong with it all the same.
func (s *recordReader) read(r *record) string {
	if !s.begun {
		if r.kind != kindCRC {
			return "the file does not begin with the checksum of the one before it"
		}
		s.begun, s.segment.FirstCRC, s.segment.LastCRC = true, r.sum, r.sum
	}
	data := r.head[r.data:]
	if r.kind == kindCRC {
		if len(data) > 0 || r.sum != s.segment.LastCRC {
			return "it gives another checksum for what lies before it"
		}
		return ""
	}
	if whole := r.size-r.data == int64(len(data)); !whole && r.kind != kindEntry && r.kind != kindSnapshot {
		return "it has too much data for its kind"
	}
	s.segment.LastCRC = r.crc
	switch r.kind {
	case kindMetadata:
		return s.readMetadata(data)
	case kindEntry:
		return s.readEntry(data, r.size-r.data)
	case kindState:
		return s.readState(data)
	case kindSnapshot:
		return s.readSnapshot(data)
	}
	return "its kind is unknown"
}

// numbers reads fields that hold numbers and follow each other from first on, as etcd writes them, and gives what is
// behind them.
func numbers(data []byte, first uint64, into ...*uint64) (rest []byte, ok bool) {
	for i, number := range into {
		f, ok := parseField(data)
		if !ok || f.wire != wireVarint || f.number != first+uint64(i) {
			return data, false
		}
		*number, data = f.value, data[f.head:]
	}
	return data, true
}

// readMetadata reads etcdserverpb.Metadata: whose log this is.
func (s *recordReader) readMetadata(data []byte) string {
	if s.metadata != nil && !bytes.Equal(s.metadata, data) {
		return "it names another member or cluster than the one before"
	}
	s.metadata = append([]byte{}, data...)
	rest, ok := numbers(data, 1, &s.segment.MemberID, &s.segment.ClusterID)
	if !ok || len(rest) > 0 {
		return "it does not say whose log this is"
	}
	return ""
}

// maxEntryType is raftpb.EntryConfChangeV2.
const maxEntryType = 2

// readEntry reads raftpb.Entry up to its data. An index may be one that was
// there already: a new leader replaces what was never committed. None is left
// out, except behind a snapshot that was received.
func (s *recordReader) readEntry(data []byte, size int64) string {
	var kind, term, index uint64
	rest, ok := numbers(data, 1, &kind, &term, &index)
	if !ok || kind > maxEntryType {
		return "it is not an entry"
	}
	if behind := size - int64(len(data)-len(rest)); behind > 0 {
		f, ok := parseField(rest)
		if !ok || f.number != 4 || f.wire != wireBytes || f.size != behind-int64(f.head) {
			return "it is not an entry"
		}
	}
	if s.entry && index > s.last+1 {
		return gap(s.last, index)
	}
	if s.entry && index == s.segment.LastIndex+1 && term < s.segment.lastTerm {
		return "its term is older than that of the entry before it"
	}
	if s.hard && index <= s.segment.Commit {
		return "it replaces an entry that is committed"
	}
	if !s.entry {
		s.entry, s.segment.FirstIndex = true, index
	}
	s.segment.Entries++
	s.segment.LastIndex, s.segment.lastTerm = index, term
	s.last = index
	return ""
}

// readState reads raftpb.HardState: the term, the vote, and how far entries are committed.
func (s *recordReader) readState(data []byte) string {
	var now hardState
	var vote uint64
	rest, ok := numbers(data, 1, &now.term, &vote, &now.commit)
	if !ok || len(rest) > 0 {
		return "it is not a state of raft"
	}
	if now.term < s.segment.Term || now.commit < s.segment.Commit {
		return "it goes back behind the state before it"
	}
	if s.entry && now.commit > s.last {
		return beyond(now.commit, s.last)
	}
	if !s.hard {
		s.hard, s.segment.firstHard = true, now
	}
	s.segment.Term, s.segment.Commit = now.term, now.commit
	return ""
}

// readSnapshot reads walpb.Snapshot without the members in it: a raft snapshot was made here, or received.
func (s *recordReader) readSnapshot(data []byte) string {
	var p Position
	if _, ok := numbers(data, 1, &p.Index, &p.Term); !ok {
		return "it is not the mark of a snapshot"
	}
	if len(s.segment.Snapshots) == maxSnapshots {
		s.segment.Snapshots = s.segment.Snapshots[1:]
	}
	s.segment.Snapshots = append(s.segment.Snapshots, p)
	s.last = max(s.last, p.Index)
	return ""
}

// complete sees that what every file has was there.
func (s *recordReader) complete() error {
	if !s.begun {
		return damaged("it holds no record")
	}
	if s.metadata == nil {
		return damaged("it does not say whose log it is")
	}
	return nil
}
