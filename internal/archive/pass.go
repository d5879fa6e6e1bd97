package archive

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// pass is one reading of an archive, of whatever kind.
type pass struct {
	raw     *stream
	tar     *tar.Reader
	heads   heads // of the entry that was read last
	watch   Watcher
	chunk   []byte
	last    string // name of the last entry that was read, to say where
	summary Summary
}

func newPass(r io.Reader, watch Watcher) *pass {
	raw := newStream(r)
	return &pass{raw: raw, tar: tar.NewReader(raw), watch: watch, chunk: make([]byte, chunkSize)}
}

// watchError is an error of the watcher, which is not about the archive.
type watchError struct {
	entry string
	err   error
}

func (e *watchError) Error() string { return Printable(e.entry) + ": " + e.err.Error() }

func (e *watchError) Unwrap() error { return e.err }

// verdict sorts the error that ended a pass: a Problem is kept, what others
// have to answer for is returned. If the source has failed that is returned
// too, for the Problem may only be what it did to the tar.
func (p *pass) verdict(err error) error {
	var problem Problem
	if errors.As(err, &problem) {
		p.summary.add(problem)
		err = nil
	}
	if failure := p.raw.source.failure(); failure != nil && err == nil {
		err = failure
	}
	switch {
	case err == nil:
		return nil
	case p.last == "":
		return fmt.Errorf("check the archive: %w", err)
	default:
		return fmt.Errorf("check the archive: after %s: %w", Printable(shown(p.last)), err)
	}
}

// next goes to the next entry. None without an error is the tar's end, with or
// without the blocks that belong there.
func (p *pass) next() (*tar.Header, error) {
	p.heads.begin()
	p.raw.heads = &p.heads
	header, err := p.tar.Next()
	p.raw.heads = nil
	if header != nil && errors.Is(err, tar.ErrInsecurePath) { // names are judged here
		err = nil
	}
	switch {
	case err == nil:
		if astray := p.heads.entry(header, p.raw.offset); astray != nil {
			return nil, Problem{Entry: header.Name, Text: astray.Error(), Unsafe: true}
		}
		return header, nil
	case errors.Is(err, io.EOF) && !p.raw.failed:
		if p.heads.helpers() > 0 && !p.raw.ended {
			return nil, wrong("", "the tar ends at %s with a header that says something of an entry, and none follows", p.place())
		}
		return nil, nil
	default:
		return nil, p.broken("", err)
	}
}

// doubt says why an entry is not to all programs what it is to archive/tar.
func (p *pass) doubt(header *tar.Header) error {
	if err := p.heads.doubt(); err != nil {
		return err
	}
	if header.Typeflag == tar.TypeXGlobalHeader {
		return nil
	}
	return doubtful(header, p.heads.records)
}

// place says where in the archive something is wrong.
func (p *pass) place() string {
	if p.last == "" {
		return fmt.Sprintf("byte %d of the tar, where it begins", p.raw.offset)
	}
	return fmt.Sprintf("byte %d of the tar, after %s", p.raw.offset, Printable(p.last))
}

// broken tells what archive/tar has made of damage from the source's own error.
func (p *pass) broken(entry string, err error) error {
	if p.raw.failed {
		return err
	}
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return wrong(entry, "the archive is cut off at %s", p.place())
	case p.last == "" && errors.Is(err, tar.ErrHeader):
		return wrong(entry, "it is no tar")
	case errors.Is(err, tar.ErrHeader):
		return wrong(entry, "no header can be read before %s", p.place())
	default:
		return wrong(entry, "before %s: %v", p.place(), err)
	}
}

// tell shows an entry to the watcher.
func (p *pass) tell(header *tar.Header) (io.WriteCloser, error) {
	if p.watch == nil {
		return nil, nil
	}
	to, err := p.watch.Entry(header)
	if err != nil {
		return nil, &watchError{header.Name, err}
	}
	return to, nil
}

// content reads an entry's content once, chunk by chunk, through the sum and to
// the one who looks on, if there is one.
func (p *pass) content(name string, from io.Reader, sum io.Writer, to io.WriteCloser) error {
	for breath := 0; ; {
		n, err := from.Read(p.chunk)
		_, _ = sum.Write(p.chunk[:n]) // a hash never fails
		if to != nil && n > 0 {
			if _, refused := to.Write(p.chunk[:n]); refused != nil {
				return &watchError{name, refused}
			}
		}
		if errors.Is(err, io.EOF) && !p.raw.failed {
			break
		}
		if err != nil {
			return p.broken(name, err)
		}
		if breath += n; breath >= holeBreath {
			breath = 0
			if err := p.raw.breathe(); err != nil {
				return err
			}
		}
	}
	if to == nil {
		return nil
	}
	if err := to.Close(); err != nil {
		return &watchError{name, err}
	}
	return nil
}

// end reads what follows the last entry: the blocks that end the tar, and after
// them nothing but zeros.
func (p *pass) end() error {
	if p.raw.ended {
		return wrong("", "the archive is cut off at %s: the blocks that end a tar are missing", p.place())
	}
	p.summary.Complete = true
	for {
		start := p.raw.offset
		n, err := io.ReadFull(p.raw, p.chunk)
		if rest := bytes.TrimLeft(p.chunk[:n], "\x00"); len(rest) > 0 && p.summary.Second == 0 {
			p.follows(start, n-len(rest), n)
		}
		switch {
		case err == nil:
		case p.raw.failed:
			return err
		default: // the end, in full chunks or not
			return nil
		}
	}
}

// follows notes what comes after the tar's end: the first byte of it is the
// one at i of a chunk, which begins where a block does.
func (p *pass) follows(start int64, i, n int) {
	block := i &^ (blockSize - 1)
	_, err := tar.NewReader(bytes.NewReader(p.chunk[block:min(n, block+blockSize)])).Next()
	another := !errors.Is(err, tar.ErrHeader) && n-block >= blockSize
	switch {
	case !another:
		p.summary.Second = start + int64(i)
		p.summary.add(Problem{Text: fmt.Sprintf("data follows the end of the tar, at byte %d of it", p.summary.Second)})
		return
	case p.summary.Manifest != nil:
		p.summary.Second = start + int64(block)
		p.summary.add(Problem{Text: fmt.Sprintf("a second archive begins at byte %d of the tar: these are two archives, one after the other", p.summary.Second)})
	default:
		p.summary.Second = start + int64(block)
		p.summary.add(Problem{Text: fmt.Sprintf("a second archive begins at byte %d of the tar: UCP 3.2.0 to 3.2.3 appended to a file "+
			"that was there already, and the second is the later backup", p.summary.Second)})
	}
}
