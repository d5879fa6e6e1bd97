package archive

import (
	"archive/tar"
	"crypto/sha256"
	"slices"
	"strings"
)

// The archive's own entries.
const (
	ownFolder    = "docker-ucp"
	manifestName = "./" + ownFolder + "/manifest.json"
	reportName   = "./" + ownFolder + "/report.json"
	sumsName     = "./" + ownFolder + "/SHA256SUMS"
)

// maxFiles bounds the names that layout remembers: configs, services and
// containers of one UCP, of which there are some dozens.
const maxFiles = 65536

// maxFile bounds the size of one of these.
const maxFile = 64 << 20

// The parts of an archive, in the order in which they come.
type part int

const (
	partManifest part = iota
	partFiles
	partVolumes
	partReport
	partSums
	partEnd
)

// layout judges each entry's place and name, for Writer and Check alike: parts
// in their order, volumes as the manifest lists them, paths depth-first with
// names in byte order. Strict order is what makes a name that comes twice, or
// a file whose folder is a symlink, visible in constant memory.
type layout struct {
	at       part
	volumes  []Volume
	files    map[[sha256.Size]byte]bool // by digest: a stranger's names may be long
	volume   int                        // index of the current volume, -1 before the first
	last     string                     // last path, relative to its volume
	folder   string                     // last folder, relative to its volume
	counted  Volume                     // what the current volume has shown so far
	entries  int64
	regulars int64
	bytes    int64
}

func newLayout() *layout {
	return &layout{volume: -1, files: map[[sha256.Size]byte]bool{}}
}

func (l *layout) manifest(m *Manifest, size int64) error {
	if l.at != partManifest {
		return wrong(manifestName, "a second manifest")
	}
	l.at, l.volumes = partFiles, slices.Clone(m.Volumes)
	l.count(size)
	return nil
}

// file accepts one of the files between the manifest and the first volume.
func (l *layout) file(name string, size int64) error {
	if l.at != partFiles {
		return l.misplaced(name)
	}
	path, err := relative(name)
	if err != nil {
		return wrong(name, "%v", err)
	}
	digest := sha256.Sum256([]byte(path))
	first, _, nested := strings.Cut(path, "/")
	switch {
	case nested && first != ownFolder:
		return wrong(name, "in no folder of ours and in no volume of the manifest")
	case name == reportName || name == sumsName || name == manifestName || path == ownFolder:
		return l.misplaced(name)
	case l.isVolume(first):
		return wrong(name, "a file, and a volume of that name follows")
	case l.files[digest]:
		return wrong(name, "comes twice")
	case size > maxFile:
		return wrong(name, "%d bytes are more than %d", size, maxFile)
	case len(l.files) == maxFiles:
		return wrong(name, "more than %d files before the volumes", maxFiles)
	}
	l.files[digest] = true
	l.count(size)
	return nil
}

// inVolume says whether a name is a volume of the manifest, or in one.
func (l *layout) inVolume(name string) bool {
	path, found := strings.CutPrefix(name, "./")
	first, _, _ := strings.Cut(path, "/")
	return found && l.isVolume(first)
}

func (l *layout) isVolume(name string) bool {
	_, found := slices.BinarySearchFunc(l.volumes, name, func(v Volume, name string) int { return strings.Compare(v.Name, name) })
	return found
}

// entry accepts one file of a volume.
func (l *layout) entry(e *Entry) error {
	if l.at != partFiles && l.at != partVolumes {
		return l.misplaced(e.Name)
	}
	name := e.Name
	if e.Type == tar.TypeDir {
		name = strings.TrimSuffix(name, "/")
	}
	full, err := relative(name)
	if err != nil {
		return wrong(e.Name, "%v", err)
	}
	volume, path, _ := strings.Cut(full, "/")
	l.at = partVolumes
	if path == "" {
		return l.root(e, volume)
	}
	if l.volume < 0 || l.volumes[l.volume].Name != volume {
		return wrong(e.Name, "comes before the root of its volume, or after the volume's end")
	}
	if comparePaths(path, l.last) <= 0 {
		return wrong(e.Name, "comes after %q: paths are sorted, each named once", "./"+volume+"/"+l.last)
	}
	if parent := parentOf(path); !within(l.folder, parent) {
		return wrong(e.Name, "in a folder that is not in the archive")
	}
	if e.Type == tar.TypeLink {
		if err := l.link(e, volume, path); err != nil {
			return err
		}
	}
	if e.Type == tar.TypeDir {
		l.folder = path
	}
	l.last = path
	return l.countEntry(e)
}

// root accepts a volume's own folder, which must be the next of the manifest.
func (l *layout) root(e *Entry, volume string) error {
	if e.Type != tar.TypeDir {
		return wrong(e.Name, "is no folder: a volume begins with its root")
	}
	if err := l.endVolume(); err != nil {
		return err
	}
	if l.volume+1 >= len(l.volumes) || l.volumes[l.volume+1].Name != volume {
		return wrong(e.Name, "is not the next volume of the manifest")
	}
	l.volume++
	l.last, l.folder, l.counted = "", "", Volume{}
	return l.countEntry(e)
}

// link accepts a hard link to an earlier name in the same volume.
func (l *layout) link(e *Entry, volume, path string) error {
	target, err := relative(e.Linkname)
	if err != nil {
		return wrong(e.Name, "a hard link to %q: %v", e.Linkname, err)
	}
	in, first, _ := strings.Cut(target, "/")
	if in != volume || first == "" || comparePaths(first, path) >= 0 {
		return wrong(e.Name, "a hard link to %q, which is no earlier file of its volume", e.Linkname)
	}
	return nil
}

// report closes the volumes; all that the manifest names must have come.
func (l *layout) report(size int64) error {
	if l.at != partFiles && l.at != partVolumes {
		return l.misplaced(reportName)
	}
	if err := l.endVolume(); err != nil {
		return err
	}
	if l.volume+1 < len(l.volumes) {
		return wrong("./"+l.volumes[l.volume+1].Name+"/", "a volume of the manifest, is missing")
	}
	l.at = partReport
	l.count(size)
	return nil
}

func (l *layout) sums() error {
	if l.at != partReport {
		return l.misplaced(sumsName)
	}
	l.at = partSums
	l.entries++
	return nil
}

// endVolume holds the volume that has just ended against its manifest.
func (l *layout) endVolume() error {
	if l.volume < 0 {
		return nil
	}
	want := l.volumes[l.volume]
	if want.Entries != l.counted.Entries || want.Bytes != l.counted.Bytes {
		return wrong("./"+want.Name+"/", "the volume has %d entries and %d bytes, the manifest says %d and %d",
			l.counted.Entries, l.counted.Bytes, want.Entries, want.Bytes)
	}
	return nil
}

// countEntry refuses what the manifest has no room for before its content is
// read: a stranger's sparse file may claim exabytes of zeros.
func (l *layout) countEntry(e *Entry) error {
	want := l.volumes[l.volume]
	if l.counted.Entries == want.Entries || e.Size > want.Bytes-l.counted.Bytes {
		return wrong(e.Name, "is more than the %d entries and %d bytes that the manifest says of its volume",
			want.Entries, want.Bytes)
	}
	l.counted.Entries++
	if e.Type == tar.TypeReg {
		l.counted.Bytes += e.Size
		l.count(e.Size)
		return nil
	}
	l.entries++
	return nil
}

func (l *layout) count(size int64) {
	l.entries++
	l.regulars++
	l.bytes += size
}

func (l *layout) misplaced(name string) error {
	if l.at == partManifest {
		return wrong(name, "comes before the manifest")
	}
	return wrong(name, "is not where it belongs")
}
