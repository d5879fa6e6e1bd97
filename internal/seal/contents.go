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

// maxNesting of compressed packets. Nobody writes more than one; a stranger
// may write a message that contains itself.
const maxNesting = 4

// contents reads the data out of the decrypted packets: a literal packet, in a
// compressed one or not, with signatures around it that are passed over.
type contents struct {
	data   *packetBody
	levels []level // the outermost first
}

// level is a stream of packets, and what of the level above it is its source.
type level struct {
	in     byteStream
	within *packetBody // nil at the outermost
}

// openContents reads up to the data.
func openContents(in byteStream) (*contents, error) {
	c := &contents{levels: []level{{in: in}}}
	for {
		kind, b, _, err := nextPacket(c.innermost())
		if err != nil {
			return nil, noEOF(err)
		}
		switch kind {
		case typeLiteral:
			c.data = b
			return c, literalHeader(b)
		case typeCompressed:
			err = c.decompress(b)
		case typeOnePass, typeSignature:
			_, err = io.Copy(io.Discard, b)
		default:
			err = skip(kind, b)
		}
		if err != nil {
			return nil, err
		}
	}
}

func (c *contents) innermost() byteStream { return c.levels[len(c.levels)-1].in }

// decompress goes a level down (RFC 9580, 5.6 and 9.4).
func (c *contents) decompress(b *packetBody) error {
	if len(c.levels) > maxNesting {
		return fmt.Errorf("more than %d compressed packets in one another", maxNesting)
	}
	algorithm, err := b.ReadByte()
	if err != nil {
		return noEOF(err)
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
	c.levels = append(c.levels, level{bufio.NewReaderSize(r, readAhead), b})
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
			kind, b, _, err := nextPacket(l.in)
			if errors.Is(err, io.EOF) {
				break
			}
			if err == nil && kind == typeSignature {
				_, err = io.Copy(io.Discard, b)
			} else if err == nil {
				err = skip(kind, b)
			}
			if err != nil {
				return fmt.Errorf("behind the data: %w", err)
			}
		}
		if l.within != nil {
			if _, err := io.Copy(io.Discard, l.within); err != nil {
				return noEOF(err)
			}
		}
	}
	return nil
}
