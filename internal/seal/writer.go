package seal

import (
	"fmt"
	"io"
)

// Compression is what is done to the data before it is encrypted.
type Compression int

// The kinds of compression that are written. All that OpenPGP knows are read.
const (
	None Compression = iota
	Zlib             // fast, for data that is mostly text
)

// Options is what may be chosen about a message.
type Options struct {
	Compress Compression
}

// Writer seals what is written to it. It is for one goroutine at a time, and
// after an error every call returns that error.
type Writer struct {
	data *framer // the literal packet
}

// literalHead begins a literal-data packet: binary, no name, no date (RFC
// 9580, 5.9), so that a message tells nothing about where it was made.
const literalHead = "b\x00\x00\x00\x00\x00"

// NewWriter writes the packets that lock the key, as Lock.Packets made them,
// and seals behind them. Close finishes the message and not dst; until it has
// returned nil the message is not whole. Whoever gives up calls Abort, or the
// goroutines stay. Both wait for a call of dst's Write that is under way.
func NewWriter(dst io.Writer, packets []byte, key SessionKey, opts Options) (*Writer, error) {
	if err := sealable(key); err != nil {
		return nil, err
	}
	open := newLiteral
	switch opts.Compress {
	case None:
	case Zlib:
		open = newCompressed
	default:
		return nil, fmt.Errorf("seal: compression %d is not known", opts.Compress)
	}
	if _, err := dst.Write(packets); err != nil {
		return nil, fmt.Errorf("write the head of the sealed message: %w", err)
	}
	data, err := open(dst, key)
	if err != nil {
		return nil, err
	}
	return &Writer{data}, nil
}

func newLiteral(dst io.Writer, key SessionKey) (*framer, error) {
	return newBulk(dst, key, tagLiteral, literalHead)
}

// Write seals p. It may be used again at once.
func (w *Writer) Write(p []byte) (int, error) { return w.data.Write(p) }

// Close finishes the message, and not the writer below it.
func (w *Writer) Close() error { return w.data.Close() }

// Abort ends the goroutines without finishing the message, so that nobody can
// take what there is for a whole one. After Close it does nothing.
func (w *Writer) Abort() { w.data.Abort() }
