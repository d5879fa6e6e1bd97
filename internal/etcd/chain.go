package etcd

import "fmt"

// Chain sees that segments, in the order of their names, are one log: no file
// between them is missing, each begins with the checksum with which the one
// before it ends, all are of one member, and raft could have written their
// entries in this order. The first file need not be the first that there ever
// was. Only the last one may be torn.
func Chain(segments []Segment) error {
	if len(segments) == 0 {
		return damaged("the log has no files")
	}
	if first := segments[0]; first.Sequence == 0 && first.FirstCRC != 0 {
		return damaged("%s: it is the first file of the log and yet begins with a checksum of others", first.Name)
	}
	var c chain
	var before *Segment
	for i := range segments {
		s := &segments[i]
		if before != nil {
			if err := follows(before, s); err != nil {
				return err
			}
		}
		if err := c.add(s); err != nil {
			return err
		}
		before = s
	}
	return nil
}

// follows sees that a file is the next one after another.
func follows(before, s *Segment) error {
	switch {
	case s.Sequence != before.Sequence+1:
		return damaged("between %s and %s a file of the log is missing", before.Name, s.Name)
	case before.Torn:
		return damaged("%s: it is not whole, and %s follows", before.Name, s.Name)
	case s.FirstCRC != before.LastCRC:
		return damaged("%s: it begins with the checksum %08x, and %s ends with %08x",
			s.Name, s.FirstCRC, before.Name, before.LastCRC)
	case s.MemberID != before.MemberID || s.ClusterID != before.ClusterID:
		return damaged("%s: it is of another member or cluster than %s", s.Name, before.Name)
	}
	return nil
}

// chain is how far the log has come.
type chain struct {
	known bool   // last is
	last  uint64 // the highest index, of entry or snapshot
	state hardState
}

func (c *chain) add(s *Segment) error {
	if s.Entries > 0 && c.known && s.FirstIndex > c.last+1 && !s.marks(s.FirstIndex-1) {
		return damaged("%s: %s", s.Name, gap(c.last, s.FirstIndex))
	}
	if s.Entries > 0 && s.FirstIndex <= c.state.commit {
		return damaged("%s: its first entry replaces one that is committed", s.Name)
	}
	if s.hasState() {
		if s.firstHard.term < c.state.term || s.firstHard.commit < c.state.commit {
			return damaged("%s: it goes back behind the state of the file before it", s.Name)
		}
		c.state = hardState{s.Term, s.Commit}
	}
	c.advance(s)
	if c.known && c.state.commit > c.last {
		return damaged("%s: %s", s.Name, beyond(c.state.commit, c.last))
	}
	return nil
}

// advance goes to the end of a segment.
func (c *chain) advance(s *Segment) {
	if s.Entries > 0 {
		c.last, c.known = s.LastIndex, true
	}
	for _, p := range s.Snapshots {
		c.last = max(c.last, p.Index)
	}
}

// marks says whether the segment has a snapshot at an index or beyond it.
func (s *Segment) marks(index uint64) bool {
	for _, p := range s.Snapshots {
		if p.Index >= index {
			return true
		}
	}
	return false
}

func (s *Segment) hasState() bool { return s.firstHard != hardState{} }

func gap(last, next uint64) string {
	return fmt.Sprintf("entry %d follows entry %d", next, last)
}

func beyond(commit, last uint64) string {
	return fmt.Sprintf("entries up to %d are committed, and the log ends with entry %d", commit, last)
}
