package etcd

// Agree sees that what lies in one data folder fits together, as etcd wants it
// when it starts: a raft snapshot that the log knows of and from which the log
// goes on without a gap, and a database that is neither older than that
// snapshot nor newer than the log. Parts that were copied at different times do
// not. The segments are in order, and Chain has found nothing.
func Agree(database *Database, segments []Segment, snapshots []Position) error {
	if len(segments) == 0 {
		return damaged("the log has no files")
	}
	start, found := newestKnown(segments, snapshots)
	first, last := segments[0], segments[len(segments)-1]
	if !found && first.Sequence > 0 {
		return damaged("%s: the log no longer reaches back to its beginning, and there is no raft snapshot that it knows of", first.Name)
	}
	if found && first.FirstIndex > start.Index+1 {
		return damaged("%s: the log begins with entry %d, and the newest raft snapshot that it knows of stands at %d",
			first.Name, first.FirstIndex, start.Index)
	}
	if database.ConsistentIndex < start.Index && database.ConsistentIndex > 0 { // 0: it was never noted, which etcd lets pass
		return damaged("the database has come to entry %d, and the raft snapshot it is to go on from stands at %d",
			database.ConsistentIndex, start.Index)
	}
	if end := reach(segments); database.ConsistentIndex > end {
		return damaged("the database has come to entry %d, and the log ends with entry %d in %s",
			database.ConsistentIndex, end, last.Name)
	}
	return nil
}

// newestKnown is the raft snapshot that etcd starts from: the newest one that the log knows of, and knows to be
// committed.
func newestKnown(segments []Segment, snapshots []Position) (newest Position, found bool) {
	var commit uint64
	known := map[Position]bool{}
	for i := range segments {
		commit = max(commit, segments[i].Commit)
		for _, p := range segments[i].Snapshots {
			known[p] = true
		}
	}
	for _, p := range snapshots {
		if known[p] && p.Index <= commit && (!found || p.Index > newest.Index) {
			newest, found = p, true
		}
	}
	return newest, found
}

// reach is the highest index in a log, of an entry or a snapshot.
func reach(segments []Segment) uint64 {
	c := chain{}
	for i := range segments {
		c.advance(&segments[i])
	}
	return c.last
}
