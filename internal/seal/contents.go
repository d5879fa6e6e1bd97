package seal

import (
	"bufio"
	"compress/bzip2"
	"compress/flate"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
)

const (
	// maxNesting of compressed packets. Nobody needs more than one and some padding
	// around it; a stranger may write a message that contains itself.
	maxNesting = 4
	// maxPassed is how much of a message may be packets that are no data. Signatures
	// have some hundred bytes, those for quantum computers up to 50 KiB; a stranger
	// may have packed 16 GiB into a few bytes.
	maxPassed = 256 << 10
)

// contents reads the data out of the decrypted packets: a literal packet, in a
// compressed one or not, with signatures around it that are passed over.
type contents struct {
	data   *packetBody
	levels []level // the outermost first
	passed int64   // bytes of packets that are no data, see maxPassed
}

// level is a stream of packets, and what of the level above it is its source.
type level struct {
	in       byteStream
	within   *packetBody // nil at the outermost
	inflated bool        // by this level or by one above it
}

// openContents reads up to the data.
func openContents(in byteStream) (*contents, error) {
	c := &contents{levels: []level{{in: in}}}
	for {
		l := c.innermost()
		kind, b, raw, err := nextPacket(l.in)
		if err != nil {
			return nil, noEOF(err)
		}
		switch kind {
		case typeLiteral:
			c.data = b
			return c, literalHeader(b)
		case typeCompressed:
			err = c.decompress(b)
		default:
			err = c.pass(l, kind, b, raw)
		}
		if err != nil {
			return nil, err
		}
	}
}

func (c *contents) innermost() level { return c.levels[len(c.levels)-1] }

// pass goes over a packet that is no data. This is done in one call of Read, so
// it has a bound, but for what pads the outermost level: that is not more than
// is read, and reading can be stopped.
func (c *contents) pass(l level, kind byte, b *packetBody, header []byte) error {
	if kind != typeOnePass && kind != typeSignature && !skippable(kind) {
		return fmt.Errorf("packet of type %d", kind)
	}
	if kind == typePadding && !l.inflated {
		_, err := io.Copy(io.Discard, b)
		return err
	}
	c.passed += int64(len(header))
	n, err := io.Copy(io.Discard, io.LimitReader(b, maxPassed+1))
	if c.passed += n; c.passed > maxPassed {
		return l.refused("signatures and other packets of more than %d KiB beside the data", maxPassed>>10)
	}
	return err
}

// refused is final where something was inflated well, as then the key is right.
func (l level) refused(format string, args ...any) error {
	if l.inflated {
		return damaged(format, args...)
	}
	return fmt.Errorf(format, args...)
}

// decompress goes a level down (RFC 9580, 5.6 and 9.4). Only one level may
// really be compressed: each next one would be a thousand times as much to go
// through, all of it perhaps for nothing and in one call of Read.
func (c *contents) decompress(b *packetBody) error {
	above := c.innermost()
	if len(c.levels) > maxNesting {
		return above.refused("more than %d compressed packets in one another", maxNesting)
	}
	algorithm, err := b.ReadByte()
	if err != nil {
		return noEOF(err)
	}
	if algorithm != 0 && above.inflated {
		return above.refused("compressed packets in one another")
	}
	in := bufio.NewReaderSize(b, readAhead) // ends with the packet, so nothing behind it is lost
	var r io.Reader
	switch algorithm {
	case 0:
		r = in
	case 1:
		r = flate.NewReader(in)
	case 2:
		r, err = zlib.NewReader(in)
	case 3:
		r = bzip2.NewReader(in)
	default:
		err = unsupported("the data is compressed by method %d, which is not known", algorithm)
	}
	if err != nil {
		return err
	}
	c.levels = append(c.levels, level{bufio.NewReaderSize(r, readAhead), b, above.inflated || algorithm != 0})
	return nil
}

// literalHeader passes over format, name and date, which say nothing of use.
func literalHeader(b *packetBody) error {
	if _, err := b.ReadByte(); err != nil {
		return noEOF(err)
	}
	name, err := b.ReadByte()
	if err != nil {
		return noEOF(err)
	}
	_, err = io.CopyN(io.Discard, b, int64(name)+4)
	return noEOF(err)
}

// Read gives io.EOF when the data and every packet around it have ended well.
func (c *contents) Read(p []byte) (int, error) {
	n, err := c.data.Read(p)
	if errors.Is(err, io.EOF) {
		if rest := c.rest(); rest != nil {
			return n, rest
		}
	}
	return n, err
}

// rest reads to the end what stands behind the data.
func (c *contents) rest() error {
	for i := len(c.levels) - 1; i >= 0; i-- {
		l := c.levels[i]
		for {
			kind, b, raw, err := nextPacket(l.in)
			if errors.Is(err, io.EOF) {
				break
			}
			if err == nil {
				err = c.pass(l, kind, b, raw)
			}
			if err != nil {
				return fmt.Errorf("behind the data: %w", err)
			}
		}
		if l.within != nil { // what follows in the packet; none of it is inflated, as the only level that is has ended
			if _, err := io.Copy(io.Discard, l.within); err != nil {
				return noEOF(err)
			}
		}
	}
	return nil
}
