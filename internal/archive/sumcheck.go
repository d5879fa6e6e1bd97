package archive

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"hash/maphash"
)

// maxFingerprints bounds the memory that goes into naming a damaged file to
// 32 MiB; beyond it damage is found all the same.
const maxFingerprints = 4 << 20

// sumCheck compares SHA256SUMS with what the archive really holds. The list
// has the archive's order, so one hash over all lines decides; a fingerprint of
// each line is kept only to say which file it is.
type sumCheck struct {
	want, got    hash.Hash
	fingerprints []uint64
	files, lines int
	line         []byte // rendered line, reused
	print        maphash.Hash
	start        []byte // of the line being read, to name it
	wrong        string // first line that differs
	wrongAt      int
	open         bool // a line has begun
}

func newSumCheck() *sumCheck {
	return &sumCheck{want: sha256.New(), got: sha256.New()}
}

// expect notes the line that the list must have next.
func (s *sumCheck) expect(digest []byte, name string) {
	s.line = appendSumLine(s.line[:0], digest, name)
	_, _ = s.want.Write(s.line) // a hash never fails
	if len(s.fingerprints) < maxFingerprints {
		s.fingerprints = append(s.fingerprints, maphash.Bytes(s.print.Seed(), s.line))
	}
	s.files++
}

// Write takes the next piece of the list as it stands in the archive.
func (s *sumCheck) Write(p []byte) (int, error) {
	_, _ = s.got.Write(p) // a hash never fails
	for rest := p; len(rest) > 0; {
		piece := rest
		if i := bytes.IndexByte(rest, '\n'); i >= 0 {
			piece = rest[:i+1]
		}
		rest = rest[len(piece):]
		s.open = true
		_, _ = s.print.Write(piece) // a hash never fails
		if room := 4096 - len(s.start); room > 0 {
			s.start = append(s.start, piece[:min(room, len(piece))]...)
		}
		if piece[len(piece)-1] == '\n' {
			s.endLine()
		}
	}
	return len(p), nil
}

func (s *sumCheck) endLine() {
	i := s.lines
	s.lines++
	if s.wrongAt == 0 && i < len(s.fingerprints) && s.fingerprints[i] != s.print.Sum64() {
		s.wrong, s.wrongAt = string(bytes.TrimSpace(s.start)), s.lines
	}
	s.print.Reset()
	s.start, s.open = s.start[:0], false
}

// verdict says whether the list was the right one.
func (s *sumCheck) verdict() error {
	switch {
	case bytes.Equal(s.want.Sum(nil), s.got.Sum(nil)):
		return nil
	case s.wrongAt != 0:
		_, name, _ := bytes.Cut([]byte(s.wrong), []byte("  "))
		return fmt.Errorf("line %d of SHA256SUMS (%q) does not match the archive's content", s.wrongAt, name)
	case s.lines != s.files || s.open:
		return fmt.Errorf("SHA256SUMS has %d lines, the archive %d files", s.lines, s.files)
	default:
		return errors.New("SHA256SUMS does not match the archive's content")
	}
}
