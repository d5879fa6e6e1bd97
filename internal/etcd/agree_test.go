package etcd

import (
	"slices"
	"testing"

	"gotest.tools/v3/assert"
)

func TestPartsOfADataFolderAgree(t *testing.T) {
	names, files := logFiles(t)
	whole := readLog(t, names, files)
	places := []Position{{2, 0x1c5}, {2, 0x25c}, {2, 0x2f3}} // 453, 604, 755
	none := []Position{}
	for name, test := range map[string]struct {
		index     uint64 // of the database
		segments  []Segment
		snapshots []Position
		want      string // empty when they do
	}{
		"as etcd left them":                          {759, whole, places, ""},
		"the database is a little older":             {756, whole, places, ""},
		"its index was never noted":                  {0, whole, places, ""},
		"an older raft snapshot is enough":           {759, whole, places[:1], ""},
		"a raft snapshot that the log does not know": {759, whole, append(slices.Clone(places), Position{3, 0x2f5}), ""},
		"a new etcd has no raft snapshot":            {2, []Segment{{Sequence: 0, Entries: 3, FirstIndex: 1, LastIndex: 3}}, none, ""},
		"the log has no files":                       {759, nil, places, "the log has no files"},
		"all raft snapshots are missing":             {759, whole, none, names[0] + ": the log no longer reaches back to its beginning"},
		"only one that is not known":                 {759, whole, []Position{{9, 9}}, "there is no raft snapshot that it knows of"},
		"only one that is not known to be committed": {759, uncommitted(whole), places[2:], "there is no raft snapshot that it knows of"},
		"the log begins too late":                    {759, whole[3:], []Position{{2, 0x25c}}, names[3] + ": the log begins with entry 607, and the newest raft snapshot that it knows of stands at 604"},
		"the database is older than the snapshot":    {754, whole, places, "the raft snapshot it is to go on from stands at 755"},
		"the database is newer than the log":         {760, whole, places, "the log ends with entry 759 in " + names[4]},
	} {
		t.Run(name, func(t *testing.T) {
			err := Agree(&Database{ConsistentIndex: test.index}, test.segments, test.snapshots)
			if test.want == "" {
				assert.NilError(t, err)
				return
			}
			assert.ErrorContains(t, err, test.want)
			assert.ErrorIs(t, err, ErrDamaged)
		})
	}
}

// uncommitted is a log of which little is known to be committed.
func uncommitted(segments []Segment) []Segment {
	segments = slices.Clone(segments)
	for i := range segments {
		segments[i].Commit = 10
	}
	return segments
}
