package verify

import (
	"archive/tar"
	"fmt"
	"io"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/docker-ucp/docker-ucp/internal/archive"
	"github.com/docker-ucp/docker-ucp/internal/etcd"
)

// Where etcd keeps what, in a data folder directly in ucp-kv (ucp-facts 1.4),
// and where the vendor's dumps of UCP 3.2 and later are (ucp-facts 4.1).
var (
	databaseEntry = regexp.MustCompile(`^(ucp-kv/(?:[^/]+/)?member)/snap/db$`)
	raftSnapEntry = regexp.MustCompile(`^(ucp-kv/(?:[^/]+/)?member)/snap/[0-9a-f]{16}-[0-9a-f]{16}\.snap$`)
	walEntry      = regexp.MustCompile(`^(ucp-kv/(?:[^/]+/)?member)/wal/[0-9a-f]{16}-[0-9a-f]{16}\.wal$`)
	snapshotEntry = regexp.MustCompile(`^ucp-backup/[0-9]+/etcd\.backup\.db$`)
	dumpEntry     = regexp.MustCompile(`^ucp-backup/[0-9]+/auth-store\.tar\.gz$`)
)

// usualFolder is where UCP's etcd has its data since it is etcd 3.
const usualFolder = "ucp-kv/datav3/member"

// maxDataFolders bounds the copies of etcd's data folder that are looked at.
const maxDataFolders = 16

// stores looks at what UCP's two databases left in the archive.
type stores struct {
	folders  map[string]*dataFolder
	dumps    level         // what is wrong with the vendor's dumps
	snapshot *databaseFile // the last of them that is etcd's
	open     *databaseFile // whose temporary file is still there
	dump     *dumpFile     // the last one that is the auth store's
}

func newStores() *stores { return &stores{folders: map[string]*dataFolder{}} }

func (s *stores) watch(h *tar.Header) io.WriteCloser {
	if h.Typeflag != tar.TypeReg {
		return nil
	}
	name := archive.Path(h.Name)
	for _, part := range []struct {
		pattern *regexp.Regexp
		watch   func(*dataFolder, *tar.Header) io.WriteCloser
	}{
		{databaseEntry, func(d *dataFolder, h *tar.Header) io.WriteCloser {
			d.database = s.newDatabase(h, &d.level)
			return d.database
		}},
		{walEntry, (*dataFolder).log},
		{raftSnapEntry, (*dataFolder).raftSnapshot},
	} {
		if found := part.pattern.FindStringSubmatch(name); found != nil {
			return s.inFolder(found[1], h, part.watch)
		}
	}
	switch {
	case snapshotEntry.MatchString(name):
		s.snapshot = s.newDatabase(h, &s.dumps)
		s.snapshot.trailer = etcd.NewTrailer()
		return s.snapshot
	case dumpEntry.MatchString(name):
		s.dump = newDump(&s.dumps, h.Name)
		return s.dump
	}
	return nil
}

// inFolder looks at a file of a data folder.
func (s *stores) inFolder(place string, h *tar.Header, watch func(*dataFolder, *tar.Header) io.WriteCloser) io.WriteCloser {
	d := s.folders[place]
	if d == nil {
		if len(s.folders) == maxDataFolders && place != usualFolder {
			return nil
		}
		d = &dataFolder{place: strings.Clone(place)}
		s.folders[d.place] = d
	}
	return watch(d, h)
}

// close ends what was broken off.
func (s *stores) close() error {
	if s.dump != nil {
		s.dump.abort()
	}
	if s.open == nil {
		return nil
	}
	return s.open.release()
}

// handTo gives a level what was found before the archive broke off.
func (s *stores) handTo(l *level) {
	s.dumps.handTo(l)
	for _, place := range s.places() {
		s.folders[place].level.handTo(l)
	}
}

// places are the data folders by name, the one that UCP uses first.
func (s *stores) places() []string {
	var places []string
	for place := range s.folders {
		places = append(places, place)
	}
	slices.SortFunc(places, func(a, b string) int {
		switch {
		case a == usualFolder:
			return -1
		case b == usualFolder:
			return 1
		}
		return strings.Compare(a, b)
	})
	return places
}

// judge hands on what was found of those stores that a restore of the era takes.
func (s *stores) judge(l *level, era Era) *Etcd {
	if era == EraOnline {
		s.dumps.handTo(l)
		if s.snapshot == nil {
			if l.faults == 0 {
				l.fault("", "no dump of etcd, which holds all of UCP's configuration")
			}
			return nil
		}
		return s.snapshot.describe("snapshot")
	}
	places := s.places()
	if len(places) == 0 {
		l.fault("", "no etcd database: the volume ucp-kv holds all of UCP's configuration")
		return nil
	}
	d := s.folders[places[0]]
	if d.place != usualFolder {
		l.warn("./"+d.place, "etcd's data is here, and UCP from 2.2 on looks for it in ./%s", usualFolder)
	}
	for _, place := range places[1:] {
		l.note("./"+place, "another copy of etcd's data, which no restore takes and nobody has judged")
	}
	return d.judge(l, era)
}

// describe is what a database says of itself, nil if it cannot be read.
func (f *databaseFile) describe(source string) *Etcd {
	if f.found == nil {
		return nil
	}
	d := &Etcd{Source: source, Entry: f.entry, Keys: f.found.Keys, Revision: f.found.Revision, Members: []EtcdMember{}}
	for _, m := range f.found.Members {
		d.Members = append(d.Members, EtcdMember{ID: hexID(m.ID), Name: m.Name, URLs: append([]string{}, m.PeerURLs...)})
	}
	return d
}

// raftSnapFile is one of etcd's own snapshots.
type raftSnapFile struct {
	folder *dataFolder
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
		f.folder.unread = append(f.folder.unread, Finding{Entry: f.entry, Text: err.Error()})
		return nil
	}
	f.folder.marks = append(f.folder.marks, f.Position())
	return nil
}
