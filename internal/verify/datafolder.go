package verify

import (
	"archive/tar"
	"cmp"
	"errors"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/docker-ucp/docker-ucp/internal/etcd"
)

// maxSegments bounds the files of one log. Etcd keeps five of 64 MB.
const maxSegments = 4096

// dataFolder is what was seen of one data folder of etcd's.
type dataFolder struct {
	place    string // its member folder
	level    level  // what was found on the way; judge hands it on
	database *databaseFile
	segments []etcd.Segment
	torn     int // segments with an error, of which no chain is made
	marks    []etcd.Position
	unread   []Finding // raft snapshots that are damaged: etcd starts from an older one if there is one
}

func (d *dataFolder) log(h *tar.Header) io.WriteCloser {
	if len(d.segments)+d.torn >= maxSegments {
		d.level.fault(h.Name, "more than %d files of one log", maxSegments)
		return nil
	}
	return &logFile{d, h.Name, etcd.NewWAL(path.Base(h.Name))}
}

func (d *dataFolder) raftSnapshot(h *tar.Header) io.WriteCloser {
	if len(d.marks)+len(d.unread) >= maxSegments {
		d.level.fault(h.Name, "more than %d raft snapshots", maxSegments)
		return nil
	}
	return &raftSnapFile{d, h.Name, etcd.NewRaftSnapshot()}
}

// judge hands on what was found and adds what only all files together show, in
// whatever order they came.
func (d *dataFolder) judge(l *level, era Era) *Etcd {
	d.level.handTo(l)
	slices.SortFunc(d.segments, func(a, b etcd.Segment) int { return cmp.Compare(a.Name, b.Name) })
	fits := d.fits(l)
	for _, f := range d.unread {
		if fits {
			l.warn(f.Entry, "%s; etcd goes on from an older one", f.Text)
		} else {
			l.fault(f.Entry, "%s", f.Text)
		}
	}
	if d.database == nil {
		d.missing(l, era)
		return nil
	}
	described := d.database.describe("data folder")
	if described == nil {
		return nil
	}
	if d.database.found.MetaTorn {
		l.warn(d.database.entry, "one of the database's two meta pages is not valid; etcd goes on from the other, which may be a transaction older")
	}
	if len(d.segments) > 0 {
		last := &d.segments[len(d.segments)-1]
		described.MemberID, described.ClusterID = hexID(last.MemberID), hexID(last.ClusterID)
		if last.Torn {
			l.warn("./"+d.place+"/wal/"+last.Name, "its last record was not written to its end; etcd drops it when it starts")
		}
	}
	return described
}

// missing says that there is no database where there must be one.
func (d *dataFolder) missing(l *level, era Era) {
	if era == EraStopped && d.place != usualFolder && len(d.segments) > 0 && !strings.HasPrefix(d.place, "ucp-kv/datav3") {
		l.warn("./"+d.place, "no etcd database, only its log: as etcd 2 of UCP 1 kept it; nothing more is known of it")
		return
	}
	l.fault("./"+d.place, "no etcd database: it holds all of UCP's configuration")
}

// fits says whether etcd would start from what is there.
func (d *dataFolder) fits(l *level) bool {
	switch {
	case d.torn > 0: // said already, and no chain to be had
		return false
	case len(d.segments) == 0 && d.database == nil:
		return false
	case len(d.segments) == 0:
		l.fault("./"+d.place+"/wal", "no log beside the database: etcd does not start without one")
		return false
	}
	if err := etcd.Chain(d.segments); err != nil {
		l.fault("./"+d.place+"/wal", "%s", err)
		return false
	}
	if d.database == nil || d.database.found == nil {
		return false
	}
	if err := etcd.Agree(d.database.found, d.segments, d.marks); err != nil {
		l.fault("./"+d.place, "the parts of etcd's data folder are not of one moment: %s", err)
		return false
	}
	return true
}

// logFile is one file of the log.
type logFile struct {
	folder *dataFolder
	entry  string
	*etcd.WAL
}

// Close implements io.Closer.
func (f *logFile) Close() error {
	err := f.WAL.Close()
	segment, verdict := f.Segment()
	if err = errors.Join(err, verdict); err != nil {
		f.folder.level.fault(f.entry, "%s", err)
		f.folder.torn++
		return nil
	}
	f.folder.segments = append(f.folder.segments, segment)
	return nil
}
