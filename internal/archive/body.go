package archive

import (
	"errors"
	"fmt"
	"io"
)

// holeBreath is how many bytes of a hole go between two looks at the reader.
const holeBreath = 64 << 20

// What content can be, for the size in its header.
var (
	errNoContent = errors.New("no content is given")
	errLong      = errors.New("content goes on after its end")
	errShort     = fmt.Errorf("content ends before its size: %w", io.ErrUnexpectedEOF)
)

// zeros is what a hole reads as.
var zeros [64 << 10]byte

// body writes an entry's content and hashes what it expands to.
func (w *Writer) body(e *Entry, content io.Reader) error {
	if content == nil {
		if e.Size > 0 {
			return errNoContent
		}
		return nil
	}
	if e.Extents == nil {
		if err := w.data(content, e.Size); err != nil {
			return err
		}
		return w.end(content)
	}
	at := int64(0)
	for _, x := range e.Extents {
		if err := w.hole(content, x.Offset-at); err != nil {
			return err
		}
		if err := w.data(content, x.Length); err != nil {
			return err
		}
		at = x.Offset + x.Length
	}
	if err := w.hole(content, e.Size-at); err != nil {
		return err
	}
	return w.end(content)
}

// data copies n bytes in chunks, through the hash.
func (w *Writer) data(content io.Reader, n int64) error {
	for left := n; left > 0; {
		chunk := w.chunk[:min(left, chunkSize)]
		if _, err := io.ReadFull(content, chunk); err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				return errShort
			}
			return err
		}
		if _, err := w.hash.Write(chunk); err != nil {
			return err
		}
		if _, err := w.out.Write(chunk); err != nil {
			return err
		}
		left -= int64(len(chunk))
	}
	return nil
}

// hole hashes n zeros.
func (w *Writer) hole(content io.Reader, n int64) error {
	breath := int64(holeBreath)
	for n > 0 {
		step := min(n, int64(len(zeros)))
		if _, err := w.hash.Write(zeros[:step]); err != nil {
			return err
		}
		n -= step
		if breath -= step; breath > 0 {
			continue
		}
		breath = holeBreath
		if _, err := content.Read(w.chunk[:0]); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
	}
	return nil
}

// end makes sure that the content is at its end.
func (w *Writer) end(content io.Reader) error {
	for range 100 { // as often as bufio asks a reader that returns nothing
		n, err := content.Read(w.chunk[:1])
		switch {
		case n > 0:
			return errLong
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
	return io.ErrNoProgress
}
