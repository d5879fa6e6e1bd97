package seal

import "encoding/binary"

const (
	// chunkBits is the size of a partial body chunk as its header says it.
	chunkBits = 18
	chunkSize = 1 << chunkBits

	headroom = 6  // a packet's tag and the longest body length
	tailroom = 22 // the modification detection packet behind the last chunk
)

// Packet tags with both high bits: a header of the new format.
const (
	tagCompressed = 0xC0 | 8
	tagLiteral    = 0xC0 | 11
	tagSealed     = 0xC0 | 18
	tagMDC        = 0xC0 | 19
)

// chunk is a piece of a packet's body with room for its header in front, so
// that both go on as one slice: partial body lengths, RFC 9580, 4.2.1.4.
type chunk struct {
	mem []byte
	n   int // bytes of body
}

func newChunk() *chunk { return &chunk{mem: make([]byte, headroom+chunkSize+tailroom)} }

// room is what the body can still take.
func (c *chunk) room() []byte { return c.mem[headroom+c.n : headroom+chunkSize] }

// fill takes as much of p as there is room for.
func (c *chunk) fill(p []byte) int {
	n := copy(c.room(), p)
	c.n += n
	return n
}

func (c *chunk) full() bool { return c.n == chunkSize }

// partial is a full chunk behind the header which says that more follows. The
// tag is zero when the packet began with an earlier chunk.
func (c *chunk) partial(tag byte) []byte {
	c.mem[headroom-1] = 0xE0 | chunkBits
	return c.framed(tag, headroom-1)
}

// last is the chunk that ends the packet, with a length of its own (4.2.1.1-3).
func (c *chunk) last(tag byte) []byte {
	start := headroom
	switch {
	case c.n < 192:
		start--
		c.mem[start] = byte(c.n) //nolint:gosec // below 192
	case c.n < 8384:
		start -= 2
		binary.BigEndian.PutUint16(c.mem[start:], uint16(0xC000+c.n-192))
	default:
		start -= 5
		c.mem[start] = 0xFF
		binary.BigEndian.PutUint32(c.mem[start+1:], uint32(c.n)) //nolint:gosec // at most chunkSize
	}
	return c.framed(tag, start)
}

// framed leaves the tail of mem in capacity, for what is appended.
func (c *chunk) framed(tag byte, start int) []byte {
	if tag != 0 {
		start--
		c.mem[start] = tag
	}
	return c.mem[start : headroom+c.n]
}
