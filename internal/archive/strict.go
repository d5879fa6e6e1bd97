package archive

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"hash"
	"io"
	"time"
)

// strict judges an archive of ours: it is what Writer would have written, or
// something is wrong.
type strict struct {
	*pass
	layout  *layout
	lines   *sumCheck
	hash    hash.Hash
	digest  [sha256.Size]byte
	headers hash.Hash // of all headers before the report's
	held    *headerSum
	created time.Time
	render  header
	proof   string    // their digest, as it should stand in the report
	altered []Problem // what is not as written in headers and padding that no digest covers
}

func newStrict(p *pass) *strict {
	headers := sha256.New()
	return &strict{
		pass: p, layout: newLayout(), lines: newSumCheck(maxFingerprints), hash: sha256.New(),
		headers: headers, held: &headerSum{hash: headers},
	}
}

func (s *strict) run() error {
	err := s.entries()
	s.summary.Entries, s.summary.Files, s.summary.Bytes = s.layout.entries, s.layout.regulars, s.layout.bytes
	return err
}

func (s *strict) entries() error {
	for s.layout.at != partSums {
		header, err := s.header()
		if err != nil {
			return err
		}
		if header == nil {
			return wrong("", "the archive is not complete: %s is missing, it ends at %s", sumsName, s.place())
		}
		if err := s.entry(header); err != nil {
			return err
		}
		s.last = header.Name
	}
	return s.end()
}

// header goes to the next entry and keeps what was read for it.
func (s *strict) header() (*tar.Header, error) {
	s.raw.keep = s.held
	header, err := s.next()
	s.raw.keep = nil
	if header == nil {
		return nil, err
	}
	if err := s.plain(header); err != nil {
		return nil, Problem{Entry: header.Name, Text: err.Error(), Unsafe: true}
	}
	return header, nil
}

// plain says why an entry's headers are none that Writer writes and that all
// programs read in the same way. A forged archive without a seal may have them,
// for whoever forges it can make its digests too.
func (s *strict) plain(header *tar.Header) error {
	if err := s.doubt(header); err != nil {
		return err
	}
	if s.heads.helpers() > s.heads.extended || header.Typeflag == tar.TypeXGlobalHeader {
		return errors.New("has a header of a kind (L, K or g) that no archive of docker ucp backup has")
	}
	return nil
}

// entry judges one entry and reads its content.
func (s *strict) entry(header *tar.Header) error {
	if s.layout.at == partManifest {
		return s.manifest(header)
	}
	e := &Entry{Name: header.Name, Type: header.Typeflag, Linkname: header.Linkname, Size: header.Size}
	if err := e.validate(); err != nil {
		return wrong(e.Name, "%v", err)
	}
	switch {
	case e.Name == reportName:
		return s.report(header, e)
	case e.Name == sumsName:
		return s.sums(header, e)
	case s.layout.inVolume(e.Name):
		if err := s.layout.entry(e); err != nil {
			return err
		}
	case e.Type != tar.TypeReg:
		return wrong(e.Name, "in no volume of the manifest, and no regular file")
	default:
		if err := s.layout.file(e.Name, e.Size); err != nil {
			return err
		}
	}
	s.held.release(len(s.held.bytes))
	to, err := s.tell(header)
	if err != nil {
		return err
	}
	if e.Type != tar.TypeReg {
		return s.content(e.Name, s.tar, io.Discard, to)
	}
	return s.file(e.Name, s.tar, to)
}

// file reads a file and notes the line that the checksums must have for it.
func (s *strict) file(name string, from io.Reader, to io.WriteCloser) error {
	s.hash.Reset()
	if err := s.content(name, from, s.hash, to); err != nil {
		return err
	}
	s.lines.expect(s.hash.Sum(s.digest[:0]), name)
	return nil
}

func (s *strict) manifest(header *tar.Header) error {
	m, content, err := readManifest(s.tar, header)
	if err != nil {
		return s.about(manifestName, err)
	}
	if err := s.layout.manifest(m, int64(len(content))); err != nil {
		return wrong(manifestName, "%v", err)
	}
	s.summary.Manifest, s.created = m, m.Created.Truncate(time.Second)
	s.held.release(len(s.held.bytes))
	to, err := s.tell(header)
	if err != nil {
		return err
	}
	return s.file(manifestName, bytes.NewReader(content), to)
}

// about makes a Problem of what is wrong with an entry that was read as a
// whole, unless it is the source that failed.
func (s *strict) about(entry string, err error) error {
	var problem Problem
	switch {
	case s.raw.failed || errors.As(err, &problem):
		return err
	case errors.Is(err, io.ErrUnexpectedEOF) && s.raw.ended:
		return s.broken(entry, err)
	default:
		return wrong(entry, "%v", err)
	}
}

func (s *strict) report(header *tar.Header, e *Entry) error {
	if e.Type != tar.TypeReg {
		return wrong(reportName, "no regular file")
	}
	if err := s.layout.report(e.Size); err != nil {
		return err
	}
	if err := s.own(reportName, e.Size); err != nil {
		return err
	}
	content, err := readBounded(s.tar, header)
	if err != nil {
		return s.about(reportName, err)
	}
	report := new(Report)
	if err := json.Unmarshal(content, report); err != nil {
		return wrong(reportName, "read the report: %v", err)
	}
	s.summary.Report = report
	to, err := s.tell(header)
	if err != nil {
		return err
	}
	return s.file(reportName, bytes.NewReader(content), to)
}

func (s *strict) sums(header *tar.Header, e *Entry) error {
	if e.Type != tar.TypeReg {
		return wrong(sumsName, "no regular file")
	}
	if err := s.layout.sums(); err != nil {
		return err
	}
	if err := s.own(sumsName, e.Size); err != nil {
		return err
	}
	to, err := s.tell(header)
	if err != nil {
		return err
	}
	return s.content(sumsName, s.tar, s.lines, to)
}

// own holds the header of one of the last two entries, which no digest covers,
// against the one that Writer renders for it.
func (s *strict) own(name string, size int64) error {
	want, err := s.render.render(own(name, size, s.created))
	if err != nil {
		return wrong(name, "%v", err)
	}
	split := max(len(s.held.bytes)-len(want), 0)
	before, found := s.held.bytes[:split], bytes.Equal(s.held.bytes[split:], want)
	if name == reportName {
		s.held.release(len(before))
		s.proof = hex.EncodeToString(s.headers.Sum(nil))
	} else {
		found = found && zero(before)
	}
	if !found {
		s.altered = append(s.altered, Problem{Entry: name, Text: "its header, or what stands between it and the entry before, is not as it was written"})
	}
	s.held.drop()
	return nil
}

// end judges what can only be judged at the archive's end.
func (s *strict) end() error {
	header, err := s.header()
	if err != nil {
		return err
	}
	if header != nil {
		return wrong(header.Name, "follows the checksums, which must be last")
	}
	s.proven()
	problems, more := s.lines.verdict()
	for _, problem := range problems {
		s.summary.add(problem)
	}
	s.summary.More += more
	return s.pass.end()
}

// proven says what is wrong with headers and padding, if the report has the
// digest; archives of earlier releases have none.
func (s *strict) proven() {
	digest := s.summary.Report.HeadersSHA256
	if digest == "" {
		return
	}
	if digest != s.proof {
		s.altered = append(s.altered, Problem{Entry: "", Text: "the headers are not those that were written: a name, link, owner, mode, time or attribute has changed"})
	}
	if !zero(s.held.bytes) {
		s.altered = append(s.altered, Problem{Entry: sumsName, Text: "what follows it is not as it was written"})
	}
	for _, problem := range s.altered {
		s.summary.add(problem)
	}
	s.summary.HeadersProven = len(s.altered) == 0
}
