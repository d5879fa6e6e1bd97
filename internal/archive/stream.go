package archive

import (
	"bufio"
	"bytes"
	"io"
	"strings"
)

// source is what an archive comes from. It remembers how it ended: its own
// errors are told apart from those that archive/tar makes of what it reads, and
// stay as they were when it is asked again.
type source struct {
	from io.Reader
	err  error
}

// Read implements io.Reader.
func (s *source) Read(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	n, err := s.from.Read(p)
	s.err = err
	return n, err
}

// failure is the source's error, if it was one.
func (s *source) failure() error {
	if s.err == io.EOF { //nolint:errorlint // an error that wraps it is no end
		return nil
	}
	return s.err
}

// stream is what archive/tar reads from. It counts, and while it is told to it
// keeps what it hands out: the bytes that tar.Reader.Next asks for are padding,
// headers, and maps of sparse files; those that Read asks for are content.
type stream struct {
	source   source
	buffered *bufio.Reader // for the 512 bytes that Next asks for; chunks go past it
	offset   int64         // bytes handed out
	ended    bool          // the end was handed out
	failed   bool          // the source's error was handed out
	keep     io.Writer     // takes what is handed out; nil takes nothing
	heads    *heads        // while an entry's headers are read it sees them; nil is no one
}

func newStream(r io.Reader) *stream {
	s := &stream{source: source{from: r}}
	s.buffered = bufio.NewReaderSize(&s.source, smallSize)
	return s
}

// Read implements io.Reader.
func (s *stream) Read(p []byte) (int, error) {
	n, err := s.buffered.Read(p)
	if s.heads != nil {
		s.heads.take(s.offset, p[:n])
	}
	s.offset += int64(n)
	if s.keep != nil {
		_, _ = s.keep.Write(p[:n]) // memory and hashes never fail
	}
	switch {
	case err == nil:
	case s.source.failure() != nil:
		s.failed = true
	default:
		s.ended = true
	}
	return n, err
}

// breathe reads nothing, so that a source that was cancelled can say so while
// holes are expanded, which takes nothing from it.
func (s *stream) breathe() error {
	if s.source.err == nil {
		if _, err := s.source.from.Read(nil); err != io.EOF {
			s.source.err = err
		}
	}
	err := s.source.failure()
	s.failed = s.failed || err != nil
	return err
}

// ours says whether the first header is that of our manifest, or the extended
// header before it.
func (s *stream) ours() bool {
	block, err := s.buffered.Peek(blockSize)
	if err != nil {
		return false
	}
	name, _, _ := bytes.Cut(block[:nameSize], []byte{0})
	extended := appendBeside(nil, manifestName, extendedFolder)
	return string(name) == manifestName || bytes.Equal(name, extended)
}

// heldHeader is more than padding and header of one of our own entries take.
const heldHeader = 4096

// headerSum hashes headers, but holds back what was read for the last one: of
// the report's own header the report cannot hold the digest.
type headerSum struct {
	hash  io.Writer
	bytes []byte
}

// Write implements io.Writer.
func (h *headerSum) Write(p []byte) (int, error) {
	h.bytes = append(h.bytes, p...)
	if len(h.bytes) > heldHeader { // a long header, of no entry of ours
		h.release(len(h.bytes))
	}
	return len(p), nil
}

// release gives the first n bytes that are held to the hash.
func (h *headerSum) release(n int) {
	_, _ = h.hash.Write(h.bytes[:n]) // a hash never fails
	h.bytes = append(h.bytes[:0], h.bytes[n:]...)
}

// drop forgets what is held.
func (h *headerSum) drop() { h.bytes = h.bytes[:0] }

// zero says whether nothing but zeros is in b.
func zero(b []byte) bool { return len(bytes.Trim(b, "\x00")) == 0 }

// Path is an entry's name without the "./" in front, which the vendor's
// archives have as ours do and tar does not ask for, and without the "/" behind
// a folder's.
func Path(name string) string {
	return strings.TrimSuffix(strings.TrimPrefix(name, "./"), "/")
}
