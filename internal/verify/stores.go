package verify

import (
	"archive/tar"
	"cmp"
	"errors"
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
		return &logFile{s, h.Name, etcd.NewWAL(path.Base(name))}
	case raftSnapEntry.MatchString(name):
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
	log := s.judgeLog(l)
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
	case era == EraStopped && len(s.segments) > 0:
		l.warn("", "no etcd database, only its log: as etcd 2 of UCP 1 kept it; nothing more is known of it")
	case era == EraStopped:
		l.fault("", "neither an etcd database nor a log of it: the volume ucp-kv holds all of UCP's configuration")
	}
}

// judgeLog chains the segments, whatever order they came in.
func (s *stores) judgeLog(l *level) *etcd.Segment {
	if len(s.segments) == 0 {
		if s.database != nil && !s.database.snapshot && len(s.torn) == 0 {
			l.fault("./"+s.folder+"/wal", "no log beside the database: etcd does not start without one")
		}
		return nil
	}
	slices.SortFunc(s.segments, func(a, b etcd.Segment) int { return cmp.Compare(a.Name, b.Name) })
	last := &s.segments[len(s.segments)-1]
	if len(s.torn) > 0 {
		return last // said already, and no chain to be had
	}
	if err := etcd.Chain(s.segments); err != nil {
		l.fault("./"+s.folder+"/wal", "%s", err)
	}
	if last.Torn {
		l.warn("./"+s.folder+"/wal/"+last.Name, "its last record was not written to its end; etcd drops it when it starts")
	}
	return last
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
	io.WriteCloser
}

// Close implements io.Closer.
func (f *raftSnapFile) Close() error {
	if err := f.WriteCloser.Close(); err != nil {
		f.stores.level.fault(f.entry, "%s", err)
	}
	return nil
}
