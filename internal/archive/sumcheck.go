package archive

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"hash"
	"hash/maphash"
	"strings"
)

const (
	// maxFingerprints bounds the memory that goes into naming damaged files to
	// 16 MiB; beyond it damage is found all the same.
	maxFingerprints = 2 << 20
	// fingerprintRow is how many are allocated at a time: what is there already
	// is never copied.
	fingerprintRow = 8 << 10
)

// sumCheck compares SHA256SUMS with what the archive really holds. The list
// has the archive's order, so one hash over all lines decides; a fingerprint of
// each line is kept only to say which files they are.
type sumCheck struct {
	want, got    hash.Hash
	limit        int // of fingerprints
	fingerprints [][]uint64
	files, lines int
	line         []byte       // rendered line, reused
	digest, name maphash.Hash // of the line being read
	start        []byte       // of that line, to name it
	length       int          // of it, as far as it was read
	found        []Problem    // files whose digests differ
	more         int
	astray       string // the first line that names another file than stands there
}

func newSumCheck(limit int) *sumCheck {
	s := &sumCheck{want: sha256.New(), got: sha256.New(), limit: limit}
	s.name.SetSeed(s.digest.Seed())
	return s
}

// expect notes the line that the list must have next.
func (s *sumCheck) expect(digest []byte, name string) {
	s.line = appendSumLine(s.line[:0], digest, name)
	_, _ = s.want.Write(s.line) // a hash never fails
	if s.files < s.limit {
		if s.files%fingerprintRow == 0 {
			s.fingerprints = append(s.fingerprints, make([]uint64, 0, fingerprintRow))
		}
		at := min(digestLength(s.line[0]), len(s.line))
		row := &s.fingerprints[len(s.fingerprints)-1]
		*row = append(*row, fingerprint(maphash.Bytes(s.digest.Seed(), s.line[:at]), maphash.Bytes(s.name.Seed(), s.line[at:])))
	}
	s.files++
}

// fingerprint is half a line's digest and half its name.
func fingerprint(digest, name uint64) uint64 { return digest<<32 | name&0xffffffff }

// digestLength is how much of a line comes before its name, blanks not counted.
func digestLength(first byte) int {
	if first == '\\' { // says that the name is escaped
		return 1 + 2*sha256.Size
	}
	return 2 * sha256.Size
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
		s.piece(piece)
		if piece[len(piece)-1] == '\n' {
			s.endLine()
		}
	}
	return len(p), nil
}

// piece takes a piece of a line.
func (s *sumCheck) piece(p []byte) {
	if room := maxShown - len(s.start); room > 0 {
		s.start = append(s.start, p[:min(room, len(p))]...)
	}
	before := max(min(digestLength(s.start[0])-s.length, len(p)), 0)
	_, _ = s.digest.Write(p[:before]) // a hash never fails
	_, _ = s.name.Write(p[before:])
	s.length += len(p)
}

func (s *sumCheck) endLine() {
	if want, found := s.fingerprint(s.lines); found && s.astray == "" {
		s.compare(want)
	}
	s.lines++
	s.digest.Reset()
	s.name.Reset()
	s.start, s.length = s.start[:0], 0
}

// fingerprint returns that of a line, if it was kept.
func (s *sumCheck) fingerprint(line int) (want uint64, found bool) {
	if line >= min(s.files, s.limit) {
		return 0, false
	}
	return s.fingerprints[line/fingerprintRow][line%fingerprintRow], true
}

// compare holds the line that was read against what it should be.
func (s *sumCheck) compare(want uint64) {
	got := fingerprint(s.digest.Sum64(), s.name.Sum64())
	switch line := s.lines + 1; {
	case got == want:
	case uint32(got) != uint32(want): //nolint:gosec // the half that is the name
		s.astray = fmt.Sprintf("line %d names %s, and another file stands there in the archive", line, Printable(s.named()))
	case len(s.found) < maxProblems:
		s.found = append(s.found, Problem{Entry: s.named(), Text: fmt.Sprintf("its content is not what line %d of SHA256SUMS says", line)})
	default:
		s.more++
	}
}

// named is the name in the line that was read, as it stands in the archive.
func (s *sumCheck) named() string {
	at := min(digestLength(s.start[0])+len("  "), len(s.start))
	name := strings.TrimSuffix(string(s.start[at:]), "\n")
	if s.length > len(s.start) {
		name += "…"
	}
	if s.start[0] == '\\' {
		name = sumUnescaper.Replace(name)
	}
	return name
}

// verdict gives out what is wrong with the list, or with the files in it, and
// how many files more.
func (s *sumCheck) verdict() (problems []Problem, more int) {
	problems = s.found
	switch {
	case bytes.Equal(s.want.Sum(nil), s.got.Sum(nil)):
	case s.astray != "":
		problems = append(problems, Problem{Entry: sumsName, Text: s.astray})
	case s.lines != s.files || s.length > 0:
		problems = append(problems, Problem{Entry: sumsName, Text: fmt.Sprintf("has %d lines, the archive %d files", s.lines, s.files)})
	case len(problems) == 0:
		problems = append(problems, Problem{Entry: sumsName, Text: "does not match the archive's content"})
	}
	return problems, s.more
}
