package archive

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Watcher looks on while an archive is read.
type Watcher interface {
	// Entry is told of each entry in the archive's order, once it was found to
	// stand where it may; of an entry that is a Problem itself it is not told.
	// The writer takes the entry's content and is closed after its last byte,
	// but not when the pass breaks off before that; nil takes none. Sparse
	// regular files arrive as regular ones, holes as zeros.
	Entry(h *tar.Header) (io.WriteCloser, error)
}

// Onlooker is a Watcher that is told of the entries too which are a Problem
// themselves, and so are not shown to Entry.
type Onlooker interface {
	Refused(h *tar.Header) error
}

// Problem is something that is wrong with an archive, at an entry or, where
// Entry is empty, with the whole. The entry's name is as it stands there: any
// bytes, cut off where it is longer than 4 KiB.
type Problem struct {
	Entry  string
	Text   string
	Unsafe bool // the entry is as it was written, and must not be extracted
}

// Error implements error.
func (p Problem) Error() string {
	if p.Entry == "" {
		return p.Text
	}
	return Printable(p.Entry) + ": " + p.Text
}

// wrong is a Problem at an entry.
func wrong(entry, format string, args ...any) error {
	return Problem{Entry: entry, Text: fmt.Sprintf(format, args...)}
}

const (
	maxProblems = 100     // of more, nobody reads
	maxShown    = 4 << 10 // bytes of a name or a text in a Problem: names may be as long as a megabyte
)

// Summary is what Check has seen of an archive.
type Summary struct {
	Manifest *Manifest // nil when the archive is not ours, or has none that can be read
	Report   *Report   // nil as the manifest is
	Entries  int64     // all tar entries, the archive's own among them
	Files    int64     // regular files
	Bytes    int64     // their content, holes included

	Problems []Problem // what is wrong, in the order in which it was met; no more than 100
	More     int       // problems beyond those
	Complete bool      // the tar was read to its end
	// Second is the offset in the tar stream at which something follows the
	// tar's end: a second archive, if it begins with a tar header. 0 is none.
	Second int64
	// HeadersProven says that the report's digest of all headers is there and
	// right: with it not one byte of an archive of ours is without a check.
	HeadersProven bool
	// Forgotten counts the names of an archive that is not ours which came when
	// memory for names was full. If one of them comes twice, or leads through a
	// symlink that is one of them, this was not noticed; a Problem says so.
	Forgotten int64
}

// Err is nil for an archive that was read to its end with nothing wrong, and
// otherwise names what is wrong first.
func (s *Summary) Err() error {
	switch n := len(s.Problems) + s.More; {
	case n > 1:
		return fmt.Errorf("check the archive: %w (and %d more)", s.Problems[0], n-1)
	case n == 1:
		return fmt.Errorf("check the archive: %w", s.Problems[0])
	case !s.Complete:
		return errors.New("check the archive: it was not read to its end")
	}
	return nil
}

// add notes a problem.
func (s *Summary) add(p Problem) {
	if len(s.Problems) == maxProblems {
		s.More++
		return
	}
	p.Entry, p.Text = shown(p.Entry), shown(p.Text)
	s.Problems = append(s.Problems, p)
}

// shown cuts off what is too long, without holding on to the rest of it.
func shown(text string) string {
	if len(text) <= maxShown {
		return text
	}
	return strings.Clone(text[:maxShown]) + "…"
}

// Check reads a tar to its end and says what is wrong with it; watch, which may
// be nil, looks on.
//
// An archive of this package, known by its first header, is held against all
// its rules: order, names, kinds, the manifest's counts, every checksum, the
// digest of its headers, and that nothing follows. The first entry out of order
// ends the pass; every file with a wrong checksum is named.
//
// Any other tar, such as the vendor's, is held against what would escape or
// mislead at extraction: docs/archive-format.md lists it. An entry like that is
// a Problem, and the pass goes on.
//
// The error is one of reading, the source's or the watcher's own; what is wrong
// with the archive is in the Summary, which is always there. When Complete is
// false, r may stand anywhere: who wants to know of its end reads on.
//
// Check writes nothing, and its memory is bounded, whatever it is given. While
// it expands long holes it reads with an empty buffer, so that a source that
// was cancelled can say so.
func Check(r io.Reader, watch Watcher) (*Summary, error) {
	p := newPass(r, watch)
	run := newForeign(p).run
	if p.raw.ours() {
		run = newStrict(p).run
	}
	err := run()
	return &p.summary, p.verdict(err)
}

// errNotOurs is a tar that begins with something else than our manifest.
var errNotOurs = errors.New("the first entry is not " + manifestName)

// ReadManifest reads an archive's first entry and nothing after it.
func ReadManifest(r io.Reader) (*Manifest, error) {
	archive := tar.NewReader(r)
	header, err := archive.Next()
	if errors.Is(err, io.EOF) {
		err = errors.New("it is empty")
	}
	if err != nil {
		return nil, fmt.Errorf("read the archive: %w", err)
	}
	m, _, err := readManifest(archive, header)
	if err != nil {
		return nil, fmt.Errorf("read the archive: %w", err)
	}
	return m, nil
}

// readManifest reads the content of an archive's first entry.
func readManifest(archive *tar.Reader, header *tar.Header) (*Manifest, []byte, error) {
	if header.Name != manifestName || header.Typeflag != tar.TypeReg {
		return nil, nil, errNotOurs
	}
	content, err := readBounded(archive, header)
	if err != nil {
		return nil, nil, err
	}
	m, err := decodeManifest(content)
	return m, content, err
}

// readBounded reads an entry that is held in memory.
func readBounded(archive io.Reader, header *tar.Header) ([]byte, error) {
	if header.Size > maxManifest {
		return nil, wrong(header.Name, "%d bytes are more than %d", header.Size, maxManifest)
	}
	var content bytes.Buffer // grows with what is there, not with what the header claims
	_, err := io.Copy(&content, archive)
	return content.Bytes(), err
}
