package archive

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
)

// Summary is what Check has seen of a sound archive.
type Summary struct {
	Manifest *Manifest
	Report   *Report
	Entries  int64 // all tar entries, the archive's own among them
	Files    int64 // regular files with a checksum
	Bytes    int64 // their content, holes included
}

// errNotOurs is a tar that begins with something else than our manifest.
var errNotOurs = errors.New("the first entry is not " + manifestName)

// ReadManifest reads an archive's first entry and nothing after it.
func ReadManifest(r io.Reader) (*Manifest, error) {
	m, _, err := readManifest(tar.NewReader(r))
	if err != nil {
		return nil, fmt.Errorf("read the archive: %w", err)
	}
	return m, nil
}

func readManifest(archive *tar.Reader) (*Manifest, []byte, error) {
	header, err := archive.Next()
	if errors.Is(err, io.EOF) {
		return nil, nil, errors.New("it is empty")
	}
	if err != nil {
		return nil, nil, err
	}
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
func readBounded(archive *tar.Reader, header *tar.Header) ([]byte, error) {
	if header.Size > maxManifest {
		return nil, fmt.Errorf("%s has %d bytes, more than %d", header.Name, header.Size, maxManifest)
	}
	var content bytes.Buffer // grows with what is there, not with what the header claims
	_, err := io.Copy(&content, archive)
	return content.Bytes(), err
}

// Check reads an archive of this package to its end and says what is wrong with
// it first: order, names, kinds, the manifest's counts, every checksum, and
// that nothing follows. It writes nothing and its memory is bounded, whatever
// it is given. In long holes it reads with an empty buffer, so that a reader
// that was cancelled can say so.
func Check(r io.Reader) (Summary, error) {
	raw := &tail{from: r}
	c := &checker{
		raw: raw, tar: tar.NewReader(raw), layout: newLayout(), lines: newSumCheck(),
		hash: sha256.New(), chunk: make([]byte, chunkSize),
	}
	if err := c.run(); err != nil {
		if c.last != "" {
			err = fmt.Errorf("after %s: %w", Printable(c.last), err)
		}
		return Summary{}, fmt.Errorf("check the archive: %w", err)
	}
	c.summary.Entries, c.summary.Files, c.summary.Bytes = c.layout.entries, c.layout.regulars, c.layout.bytes
	return c.summary, nil
}

type checker struct {
	raw     *tail
	tar     *tar.Reader
	layout  *layout
	lines   *sumCheck
	hash    hash.Hash
	digest  [sha256.Size]byte
	chunk   []byte
	last    string // the last entry found sound, to say where
	summary Summary
}

func (c *checker) run() error {
	if err := c.manifest(); err != nil {
		return err
	}
	for c.layout.at != partSums {
		header, err := c.tar.Next()
		if errors.Is(err, io.EOF) {
			return errors.New("the archive is not complete: SHA256SUMS is missing")
		}
		if err != nil {
			return err
		}
		if err := c.entry(header); err != nil {
			return err
		}
		c.last = header.Name
	}
	return c.end()
}

func (c *checker) manifest() error {
	m, content, err := readManifest(c.tar)
	if err != nil {
		return err
	}
	if err := c.layout.manifest(m, int64(len(content))); err != nil {
		return err
	}
	c.summary.Manifest = m
	digest := sha256.Sum256(content)
	c.lines.expect(digest[:], manifestName)
	c.last = manifestName
	return nil
}

// entry judges one entry and reads its content.
func (c *checker) entry(header *tar.Header) error {
	e := &Entry{Name: header.Name, Type: header.Typeflag, Linkname: header.Linkname, Size: header.Size}
	if err := e.validate(); err != nil {
		return named(e.Name, err)
	}
	switch {
	case e.Name == reportName:
		return c.report(header, e)
	case e.Name == sumsName:
		return c.sums(e)
	case c.layout.inVolume(e.Name):
		if err := c.layout.entry(e); err != nil {
			return err
		}
	case e.Type != tar.TypeReg:
		return fmt.Errorf("%q is in no volume of the manifest, and no regular file", e.Name)
	default:
		if err := c.layout.file(e.Name, e.Size); err != nil {
			return err
		}
	}
	if e.Type != tar.TypeReg {
		return nil
	}
	return c.content(e.Name, c.tar)
}

// content hashes a file.
func (c *checker) content(name string, content io.Reader) error {
	c.hash.Reset()
	for breath := 0; ; {
		n, err := content.Read(c.chunk)
		_, _ = c.hash.Write(c.chunk[:n]) // a hash never fails
		if errors.Is(err, io.EOF) {
			break
		}
		if breath += n; err == nil && breath >= holeBreath {
			breath = 0
			_, err = c.raw.Read(nil)
		}
		if err != nil {
			return named(name, err)
		}
	}
	c.lines.expect(c.hash.Sum(c.digest[:0]), name)
	return nil
}

func (c *checker) report(header *tar.Header, e *Entry) error {
	if e.Type != tar.TypeReg {
		return fmt.Errorf("%s is no regular file", reportName)
	}
	if err := c.layout.report(e.Size); err != nil {
		return err
	}
	content, err := readBounded(c.tar, header)
	if err != nil {
		return err
	}
	c.summary.Report = new(Report)
	if err := json.Unmarshal(content, c.summary.Report); err != nil {
		return fmt.Errorf("read the report: %w", err)
	}
	return c.content(reportName, bytes.NewReader(content))
}

func (c *checker) sums(e *Entry) error {
	if e.Type != tar.TypeReg {
		return fmt.Errorf("%s is no regular file", sumsName)
	}
	if err := c.layout.sums(); err != nil {
		return err
	}
	if _, err := io.CopyBuffer(c.lines, onlyReader{c.tar}, c.chunk); err != nil {
		return err
	}
	return c.lines.verdict()
}

// end makes sure that nothing but a tar's own padding follows.
func (c *checker) end() error {
	header, err := c.tar.Next()
	if err == nil {
		return fmt.Errorf("%q follows the checksums, which must be last", header.Name)
	}
	if !errors.Is(err, io.EOF) {
		return err
	}
	for {
		n, err := c.raw.Read(c.chunk)
		if len(bytes.Trim(c.chunk[:n], "\x00")) > 0 {
			return errors.New("data follows the end of the tar: is this two archives, one after the other?")
		}
		if errors.Is(err, io.EOF) {
			return c.raw.verdict()
		}
		if err != nil {
			return err
		}
	}
}

// onlyReader hides WriteTo, which would bring a buffer of its own.
type onlyReader struct{ io.Reader }

// tail watches how an archive ends, which tar.Reader is not strict about.
type tail struct {
	from        io.Reader
	size, zeros int64 // bytes read, and how many of the last were zero
}

// Read implements io.Reader.
func (t *tail) Read(p []byte) (int, error) {
	n, err := t.from.Read(p)
	t.size += int64(n)
	if kept := len(bytes.TrimRight(p[:n], "\x00")); kept > 0 {
		t.zeros = int64(n - kept)
	} else {
		t.zeros += int64(n)
	}
	return n, err
}

// verdict says whether the tar had its end: two blocks of zeros.
func (t *tail) verdict() error {
	if t.zeros < 2*blockSize || t.size%blockSize != 0 {
		return fmt.Errorf("the archive is cut off in its last block: %w", io.ErrUnexpectedEOF)
	}
	return nil
}
