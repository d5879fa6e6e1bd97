package archive

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// sumList is the text of SHA256SUMS while the archive is being written. Its
// file has no name any more once it is open, so that nothing can be left.
type sumList struct {
	file  *os.File
	lines *bufio.Writer
	line  []byte
	size  int64
}

func newSumList(scratch string) (*sumList, error) {
	file, err := os.CreateTemp(scratch, ".sums-")
	if err != nil {
		return nil, fmt.Errorf("make room for the checksums: %w", err)
	}
	if err := os.Remove(file.Name()); err != nil {
		return nil, errors.Join(fmt.Errorf("make room for the checksums: %w", err), file.Close())
	}
	return &sumList{file: file, lines: bufio.NewWriterSize(file, smallSize)}, nil
}

func (s *sumList) add(digest []byte, name string) error {
	s.line = appendSumLine(s.line[:0], digest, name)
	s.size += int64(len(s.line))
	if _, err := s.lines.Write(s.line); err != nil {
		return fmt.Errorf("note a checksum: %w", err)
	}
	return nil
}

// content returns the list for reading, from its beginning.
func (s *sumList) content() (int64, io.Reader, error) {
	if err := s.lines.Flush(); err != nil {
		return 0, nil, fmt.Errorf("note a checksum: %w", err)
	}
	return s.size, io.NewSectionReader(s.file, 0, s.size), nil
}

func (s *sumList) discard() error {
	if s.file == nil {
		return nil
	}
	err := s.file.Close()
	s.file = nil
	return err
}

// appendSumLine renders a line as sha256sum does: a name with a backslash or a
// line feed is escaped, and a backslash in front of the line says so.
func appendSumLine(dst, digest []byte, name string) []byte {
	escaped := strings.ContainsAny(name, "\\\n")
	if escaped {
		dst = append(dst, '\\')
		name = sumEscaper.Replace(name)
	}
	dst = hexDigest(dst, digest)
	dst = append(dst, "  "...)
	dst = append(dst, name...)
	return append(dst, '\n')
}

// sumEscaper escapes what would break a line or be taken for an escape, and
// sumUnescaper reads that again.
var (
	sumEscaper   = strings.NewReplacer("\\", "\\\\", "\n", "\\n")
	sumUnescaper = strings.NewReplacer("\\\\", "\\", "\\n", "\n")
)
