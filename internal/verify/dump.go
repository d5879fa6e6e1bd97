package verify

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/klauspost/compress/gzip"
)

// dumpFile reads the auth store's dump to its end while it passes by: gzip's
// checksums, and the tar in it. The rows are the database's own affair.
type dumpFile struct {
	level *level // takes what is wrong with it
	entry string
	pipe  *io.PipeWriter
	done  chan error // takes one verdict
	ended bool
}

func newDump(l *level, entry string) *dumpFile {
	reader, writer := io.Pipe()
	d := &dumpFile{level: l, entry: entry, pipe: writer, done: make(chan error, 1)}
	go func() {
		err := readDump(reader)
		if err == nil {
			_, err = io.Copy(io.Discard, reader)
		}
		_ = reader.CloseWithError(errDumpRead) // a pipe's Close gives no error
		d.done <- err
	}()
	return d
}

// errDumpRead tells the writing end that nobody reads on.
var errDumpRead = errors.New("the dump's reader has left")

// Write implements io.Writer.
func (d *dumpFile) Write(p []byte) (int, error) {
	if _, err := d.pipe.Write(p); err != nil && !errors.Is(err, errDumpRead) {
		return 0, err
	}
	return len(p), nil // what is wrong shows at Close
}

// Close implements io.Closer.
func (d *dumpFile) Close() error {
	d.ended = true
	if err := errors.Join(d.pipe.Close(), <-d.done); err != nil {
		d.level.fault(d.entry, "%s", err)
	}
	return nil
}

// abort ends the reader of a dump that was broken off.
func (d *dumpFile) abort() {
	if !d.ended {
		_ = d.pipe.CloseWithError(io.ErrUnexpectedEOF) // a pipe's Close gives no error
		<-d.done
	}
}

func readDump(in io.Reader) error {
	unzipped, err := gzip.NewReader(in)
	if err != nil {
		return fmt.Errorf("the auth store's dump: gzip: %w", err)
	}
	tables := 0
	for dump := tar.NewReader(unzipped); ; {
		header, err := dump.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("the auth store's dump: %w", err)
		}
		if header.Typeflag == tar.TypeReg && strings.HasSuffix(header.Name, ".json") {
			tables++
		}
	}
	if _, err := io.Copy(io.Discard, unzipped); err != nil { // to gzip's own checksum
		return fmt.Errorf("the auth store's dump: gzip: %w", err)
	}
	if tables == 0 {
		return errors.New("the auth store's dump holds no table")
	}
	return nil
}
