package etcd

import "io"

// Database is what a sound database of etcd's says of itself.
type Database struct {
	PageSize        int
	Pages           int64  // below the high-water mark, free ones among them
	MetaTorn        bool   // one of the two meta pages is not as it was written: bbolt goes on from a valid one
	Keys            int64  // revisions of keys, deletions among them
	Revision        int64  // the newest
	ConsistentIndex uint64 // the newest entry of the log that is in the database
	Term            uint64 // of that entry; 0 before etcd 3.5, which does not say
	ClusterVersion  string // empty before etcd 3.5
	Members         []Member
}

// Member is one member of the cluster that a database belonged to.
type Member struct {
	ID       uint64
	Name     string // empty until the member has started for the first time
	PeerURLs []string
}

// CheckDatabase reads a database of etcd's from its first page to its last and
// sees that it is whole: bbolt's pages, and what etcd keeps in them. What lies
// behind the high-water mark, the hash of a v3 snapshot for one, is not looked
// at. An error that matches ErrDamaged is a verdict; any other is of reading.
func CheckDatabase(f io.ReaderAt, size int64) (*Database, error) {
	beginning, err := readBeginning(f, size)
	if err != nil {
		return nil, err
	}
	m, torn, err := newestMeta(beginning)
	if err != nil {
		return nil, err
	}
	if m.bytes() > size {
		return nil, damaged("the database has %d bytes, and the file ends after %d", m.bytes(), size)
	}
	found := &records{}
	if err := checkTree(f, m, found); err != nil {
		return nil, err
	}
	if err := found.complete(); err != nil {
		return nil, err
	}
	found.PageSize, found.Pages, found.MetaTorn = m.pageSize, m.pages, torn
	return &found.Database, nil
}
