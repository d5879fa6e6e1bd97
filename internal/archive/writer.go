package archive

import (
	"archive/tar"
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"
)

const (
	chunkSize = 256 << 10 // fits the second-level cache, where hash and write find it again
	smallSize = 64 << 10  // content up to here is gathered with the headers around it
)

// errDiscarded answers calls on a writer that is done.
var errDiscarded = errors.New("the archive is closed")

// Writer writes one archive: WriteManifest, WriteFile for what describes UCP,
// WriteEntry for each file of each volume in the manifest's order, WriteReport,
// Close. An error ends it; every later call returns the same error. It is for
// one goroutine.
type Writer struct {
	out     *bufio.Writer
	header  header
	layout  *layout
	sums    *sumList
	hash    hash.Hash
	headers hash.Hash // of all that is no content
	digest  [sha256.Size]byte
	chunk   []byte
	created time.Time
	err     error
}

// NewWriter returns a Writer of an archive to dst. The list of checksums waits
// in an unlinked file in the folder scratch. Close or Discard releases it.
func NewWriter(dst io.Writer, scratch string) (*Writer, error) {
	sums, err := newSumList(scratch)
	if err != nil {
		return nil, err
	}
	out := bufio.NewWriterSize(dst, smallSize)
	return &Writer{
		out: out, layout: newLayout(), sums: sums,
		hash: sha256.New(), headers: sha256.New(), chunk: make([]byte, chunkSize),
	}, nil
}

// Entries is the number of entries written so far.
func (w *Writer) Entries() int64 { return w.layout.entries }

// WriteManifest writes the first entry, with the format version set. What the
// manifest says of its volumes is what WriteEntry must then bring.
func (w *Writer) WriteManifest(m *Manifest) error {
	return w.do(func() error {
		content, err := encodeManifest(m)
		if err != nil {
			return err
		}
		if err := w.layout.manifest(m, int64(len(content))); err != nil {
			return err
		}
		w.created = m.Created.Truncate(time.Second)
		return w.small(manifestName, content)
	})
}

// WriteFile writes a file that describes UCP: "./ucp-kv.json" or something in
// "./docker-ucp/". They come between the manifest and the first volume.
func (w *Writer) WriteFile(name string, content []byte) error {
	return w.do(func() error {
		if err := w.layout.file(name, int64(len(content))); err != nil {
			return err
		}
		return w.small(name, content)
	})
}

// WriteReport writes the entry that follows the last volume, with the digest of
// all headers before it set. A volume that is missing, or has other counts than
// the manifest says, is an error here.
func (w *Writer) WriteReport(r *Report) error {
	return w.do(func() error {
		stamped := *r
		stamped.HeadersSHA256 = hex.EncodeToString(w.headers.Sum(nil))
		content, err := encodeJSON("report", &stamped)
		if err != nil {
			return err
		}
		if err := w.layout.report(int64(len(content))); err != nil {
			return err
		}
		return w.small(reportName, content)
	})
}

// WriteEntry writes one file of a volume. The content is that of the entry's
// extents one after the other, and must end where they end; its errors are
// expected to name the file. In long holes it is read with an empty buffer, so
// that a reader that was cancelled can say so.
func (w *Writer) WriteEntry(e *Entry, content io.Reader) error {
	return w.do(func() error {
		if err := e.validate(); err != nil {
			return named(e.Name, err)
		}
		if err := w.layout.entry(e); err != nil {
			return err
		}
		if e.Type != tar.TypeReg {
			return w.writeHeader(e)
		}
		return w.regular(e, content)
	})
}

// Close writes the checksums and the tar's end and releases the scratch file.
// It does not close what the archive was written to.
func (w *Writer) Close() error {
	err := w.do(func() error {
		if err := w.layout.sums(); err != nil {
			return err
		}
		size, lines, err := w.sums.content()
		if err != nil {
			return err
		}
		if err := w.writeHeader(own(sumsName, size, w.created)); err != nil {
			return err
		}
		if _, err := io.CopyBuffer(onlyWriter{w.out}, onlyReader{lines}, w.chunk); err != nil {
			return err
		}
		if err := w.pad(size); err != nil {
			return err
		}
		if _, err := w.out.Write(zeros[:2*blockSize]); err != nil { // the tar's end
			return err
		}
		return w.out.Flush()
	})
	return errors.Join(err, w.Discard())
}

// Discard releases the scratch file of an archive that will not be finished.
// After Close it does nothing.
func (w *Writer) Discard() error {
	if w.err == nil {
		w.err = errDiscarded
	}
	return w.sums.discard()
}

// do runs one call, unless one before it has failed.
func (w *Writer) do(call func() error) error {
	if w.err != nil {
		return w.err
	}
	if err := call(); err != nil {
		w.err = fmt.Errorf("write the archive: %w", err)
	}
	return w.err
}

// own is the header of a file that is not from a volume. Its time is the
// manifest's, so that an archive has no clock but that one; its mode keeps
// configs, which hold secrets, to root.
func own(name string, size int64, created time.Time) *Entry {
	return &Entry{Name: name, Type: tar.TypeReg, Mode: 0o600, ModTime: created, Size: size}
}

func (w *Writer) small(name string, content []byte) error {
	return w.regular(own(name, int64(len(content)), w.created), bytes.NewReader(content))
}

// regular writes header and content of a regular file and notes its checksum.
func (w *Writer) regular(e *Entry, content io.Reader) error {
	if err := w.writeHeader(e); err != nil {
		return err
	}
	stored := e.Stored()
	if stored > smallSize { // nothing gathered: chunks go through without a copy
		if err := w.out.Flush(); err != nil {
			return err
		}
	}
	w.hash.Reset()
	switch err := w.body(e, content); {
	case errors.Is(err, errNoContent), errors.Is(err, errLong), errors.Is(err, errShort):
		return named(e.Name, err)
	case err != nil: // of the reader, which names its file, or of the archive's own file
		return err
	}
	if err := w.pad(stored); err != nil {
		return err
	}
	return w.sums.add(w.hash.Sum(w.digest[:0]), e.Name)
}

func (w *Writer) writeHeader(e *Entry) error {
	rendered, err := w.header.render(e)
	if err != nil {
		return named(e.Name, err)
	}
	_, _ = w.headers.Write(rendered) // a hash never fails
	_, err = w.out.Write(rendered)
	return err
}

// pad fills up the last block of an entry.
func (w *Writer) pad(size int64) error {
	gap := zeros[:-size&(blockSize-1)]
	_, _ = w.headers.Write(gap) // a hash never fails
	_, err := w.out.Write(gap)
	return err
}

// onlyWriter hides ReadFrom, and onlyReader WriteTo, which would bring buffers
// of their own.
type (
	onlyWriter struct{ io.Writer }
	onlyReader struct{ io.Reader }
)

func hexDigest(dst, digest []byte) []byte { return hex.AppendEncode(dst, digest) }
