package verify

import (
	"archive/tar"
	"cmp"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/docker-ucp/docker-ucp/internal/etcd"
)

// Where etcd keeps what, below ucp-kv's data folder (ucp-facts 1.4), and where
// the vendor's dumps of UCP 3.2 and later are (ucp-facts 4.1).
var (
	databaseEntry = regexp.MustCompile(`^ucp-kv/(.*/)?member/snap/db$`)
	raftSnapEntry = regexp.MustCompile(`^ucp-kv/(.*/)?member/snap/[0-9a-f]{16}-[0-9a-f]{16}\.snap$`)
	walEntry      = regexp.MustCompile(`^ucp-kv/(.*/)?member/wal/[0-9a-f]{16}-[0-9a-f]{16}\.wal$`)
	snapshotEntry = regexp.MustCompile(`^ucp-backup/[0-9]+/etcd\.backup\.db$`)
	dumpEntry     = regexp.MustCompile(`^ucp-backup/[0-9]+/auth-store\.tar\.gz$`)
)

// maxSegments bounds the files of one log. Etcd keeps five of 64 MB.
const maxSegments = 4096

// stores looks at what UCP's two databases left in the archive.
type stores struct {
	level    level         // what was found on the way; judge hands it on
	database *databaseFile // the last one that came
	open     *databaseFile // whose temporary file is still there
	dump     *dumpFile
	dumped   bool
	folder   string // etcd's member folder
	segments []etcd.Segment
	torn     []string // segments with an error, which no chain is made of
	marks    []etcd.Position
	unread   []Finding // raft snapshots that are damaged: etcd starts from an older one if there is one
}

func newStores() *stores { return &stores{} }

// plainName is an entry's name in the one spelling that patterns know.
func plainName(h *tar.Header) string { return strings.TrimPrefix(h.Name, "./") }

func (s *stores) watch(h *tar.Header) io.WriteCloser {
	switch name := plainName(h); {
	case h.Typeflag != tar.TypeReg:
	case databaseEntry.MatchString(name):
		s.folder = path.Dir(path.Dir(name))
		return s.newDatabase(h, false)
	case snapshotEntry.MatchString(name):
		return s.newDatabase(h, true)
	case walEntry.MatchString(name):
		if len(s.segments)+len(s.torn) >= maxSegments {
			s.level.fault(h.Name, "more than %d files of one log", maxSegments)
			return nil
		}
		s.folder = path.Dir(path.Dir(name))
		return &logFile{s, h.Name, etcd.NewWAL(path.Base(name))}
	case raftSnapEntry.MatchString(name):
		if len(s.marks)+len(s.unread) >= maxSegments {
			s.level.fault(h.Name, "more than %d raft snapshots", maxSegments)
			return nil
		}
		return &raftSnapFile{s, h.Name, etcd.NewRaftSnapshot()}
	case dumpEntry.MatchString(name):
		s.dumped = true
		s.dump = newDump(s, h.Name)
		return s.dump
	}
	return nil
}

// close ends what was broken off.
func (s *stores) close() error {
	var err error
	if s.dump != nil {
		s.dump.abort()
	}
	if s.open != nil {
		err = s.open.release()
	}
	return err
}

// judge hands on what was found and adds what only all files together show.
func (s *stores) judge(l *level, era Era) *Etcd {
	s.level.handTo(l)
	log := s.judgeFolder(l)
	if s.database == nil {
		s.missing(l, era)
		return nil
	}
	return s.describe(l, log)
}

// missing says that there is no database where there must be one.
func (s *stores) missing(l *level, era Era) {
	switch {
	case era == EraOurs:
		l.fault("", "no etcd database: the volume ucp-kv holds all of UCP's configuration")
	case era == EraStopped && len(s.segments) > 0 && !strings.Contains(s.folder, "datav3"):
		l.warn("", "no etcd database, only its log: as etcd 2 of UCP 1 kept it; nothing more is known of it")
	case era == EraStopped:
		l.fault("", "no etcd database: the volume ucp-kv holds all of UCP's configuration")
	}
}

// judgeFolder holds the parts of etcd's data folder against each other, in
// whatever order they came. It returns the newest file of the log.
func (s *stores) judgeFolder(l *level) *etcd.Segment {
	slices.SortFunc(s.segments, func(a, b etcd.Segment) int { return cmp.Compare(a.Name, b.Name) })
	fits := s.fits(l)
	for _, f := range s.unread {
		if fits {
			l.warn(f.Entry, "%s; etcd goes on from an older one", f.Text)
		} else {
			l.fault(f.Entry, "%s", f.Text)
		}
	}
	if len(s.segments) == 0 {
		return nil
	}
	last := &s.segments[len(s.segments)-1]
	if last.Torn {
		l.warn("./"+s.folder+"/wal/"+last.Name, "its last record was not written to its end; etcd drops it when it starts")
	}
	return last
}

// fits says whether etcd would start from what is there.
func (s *stores) fits(l *level) bool {
	data := s.database != nil && !s.database.snapshot
	switch {
	case len(s.torn) > 0: // said already, and no chain to be had
		return false
	case len(s.segments) == 0 && data:
		l.fault("./"+s.folder+"/wal", "no log beside the database: etcd does not start without one")
		return false
	case len(s.segments) == 0:
		return false
	}
	if err := etcd.Chain(s.segments); err != nil {
		l.fault("./"+s.folder+"/wal", "%s", err)
		return false
	}
	if !data || s.database.found == nil {
		return false
	}
	if err := etcd.Agree(s.database.found, s.segments, s.marks); err != nil {
		l.fault("./"+s.folder, "the parts of etcd's data folder are not of one moment: %s", err)
		return false
	}
	return true
}

// logFile is one file of the log.
type logFile struct {
	stores *stores
	entry  string
	*etcd.WAL
}

// Close implements io.Closer.
func (f *logFile) Close() error {
	err := f.WAL.Close()
	segment, verdict := f.Segment()
	if err = errors.Join(err, verdict); err != nil {
		f.stores.level.fault(f.entry, "%s", err)
		f.stores.torn = append(f.stores.torn, f.entry)
		return nil
	}
	f.stores.segments = append(f.stores.segments, segment)
	return nil
}

// raftSnapFile is one of etcd's own snapshots.
type raftSnapFile struct {
	stores *stores
	entry  string
	*etcd.RaftSnapshot
}

// Close implements io.Closer.
func (f *raftSnapFile) Close() error {
	err := f.RaftSnapshot.Close()
	if place := f.Position(); err == nil && path.Base(f.entry) != place.String()+".snap" {
		err = fmt.Errorf("it stands for %s, and its name for another place in the log", place)
	}
	if err != nil {
		f.stores.unread = append(f.stores.unread, Finding{Entry: f.entry, Text: err.Error()})
		return nil
	}
	f.stores.marks = append(f.stores.marks, f.Position())
	return nil
}
