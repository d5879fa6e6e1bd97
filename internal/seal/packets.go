package seal

import (
	"errors"
	"fmt"
	"io"
)

// Packet types (RFC 9580, 5) of the reading half.
const (
	typePublicKeyed   = 1
	typeSignature     = 2
	typePassphrased   = 3
	typeOnePass       = 4
	typeCompressed    = 8
	typeUnprotected   = 9
	typeMarker        = 10
	typeLiteral       = 11
	typeProtected     = 18
	typeAEAD          = 20 // GnuPG's own, never in an RFC
	typePadding       = 21
	firstUncriticalID = 40 // unknown types from here on are to be skipped
)

// byteStream is where packets come from: headers by the byte, bodies in bulk.
type byteStream interface {
	io.Reader
	io.ByteReader
}

// packetBody is what a packet holds, without the lengths between its parts.
type packetBody struct {
	in      byteStream
	left    int64 // of this part
	more    bool  // another length follows
	endless bool  // to the end of in: old format, indeterminate length
	scratch [5]byte
}

// nextPacket reads a header of the old or the new format. The error is io.EOF
// where the stream ends before a packet. raw is the header as it stood.
func nextPacket(in byteStream) (kind byte, b *packetBody, raw []byte, err error) {
	first, err := in.ReadByte()
	if err != nil {
		return 0, nil, nil, err
	}
	raw = append(raw, first)
	b = &packetBody{in: in}
	switch {
	case first&0x80 == 0:
		return 0, nil, raw, fmt.Errorf("byte %#02x where a packet should begin", first)
	case first&0x40 != 0:
		kind = first & 0x3f
		raw, err = b.newLength(raw)
	case first&3 == 3:
		kind, b.endless = first&0x3f>>2, true
	default:
		kind = first & 0x3f >> 2
		b.left, raw, err = bigEndian(in, 1<<(first&3), raw)
	}
	return kind, b, raw, noEOF(err)
}

// newLength reads a length of the new format (RFC 9580, 4.2.1).
func (b *packetBody) newLength(raw []byte) ([]byte, error) {
	first, err := b.in.ReadByte()
	if err != nil {
		return raw, noEOF(err)
	}
	raw = append(raw, first)
	b.more = false
	switch {
	case first < 192:
		b.left = int64(first)
	case first < 224:
		b.left, raw, err = bigEndian(b.in, 1, raw)
		b.left += (int64(first)-192)<<8 + 192
	case first < 255:
		b.left, b.more = 1<<(first&0x1f), true
	default:
		b.left, raw, err = bigEndian(b.in, 4, raw)
	}
	return raw, err
}

func bigEndian(in io.ByteReader, n int, raw []byte) (v int64, _ []byte, err error) {
	for range n {
		c, err := in.ReadByte()
		if err != nil {
			return 0, raw, noEOF(err)
		}
		v, raw = v<<8|int64(c), append(raw, c)
	}
	return v, raw, nil
}

// part goes to the next length while this one is used up; io.EOF at the end of
// the packet.
func (b *packetBody) part() error {
	for b.left == 0 && !b.endless {
		if !b.more {
			return io.EOF
		}
		if _, err := b.newLength(b.scratch[:0]); err != nil {
			return err
		}
	}
	return nil
}

func (b *packetBody) Read(p []byte) (int, error) {
	if err := b.part(); err != nil || len(p) == 0 {
		return 0, err
	}
	if b.endless {
		return b.in.Read(p)
	}
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.in.Read(p)
	b.left -= int64(n)
	if b.left == 0 && errors.Is(err, io.EOF) {
		err = nil // the packet ends here, and part will say so
	}
	return n, noEOF(err)
}

// ReadByte is for the fields at the beginning.
func (b *packetBody) ReadByte() (byte, error) {
	if err := b.part(); err != nil {
		return 0, err
	}
	c, err := b.in.ReadByte()
	if b.endless {
		return c, err
	}
	b.left--
	return c, noEOF(err)
}

// noEOF is for places where the end of the stream is not the end of anything.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
