package seal

import (
	"crypto/cipher"
	"crypto/subtle"
)

// cfb is OpenPGP's cipher feedback mode (RFC 9580, 12.9) of a packet of
// version 1, where nothing is resynchronised: plain CFB with an IV of zeros
// over the random prefix and everything behind it. Pieces may have any length.
type cfb struct {
	block cipher.Block
	fast  *accelerated
	fr    [16]byte // the ciphertext block before; inside a block, its keystream with ciphertext growing in
	used  int      // bytes of fr that are ciphertext of the block under way; 0 between blocks
}

func newCFB(block cipher.Block, key []byte) *cfb {
	c := &cfb{block: block}
	if block.BlockSize() == 16 {
		c.fast = newAccelerated(key)
	}
	return c
}

// encrypt turns src into dst, which is as long and is not the same memory.
func (c *cfb) encrypt(dst, src []byte) {
	n := c.bytes(dst, src, c.toBoundary(len(src)), true)
	n += c.fast.encrypt(&c.fr, dst[n:], src[n:])
	fr, size := c.fr[:c.block.BlockSize()], c.block.BlockSize()
	for ; len(src)-n >= size; n += size {
		c.block.Encrypt(fr, fr)
		subtle.XORBytes(fr, fr, src[n:n+size])
		copy(dst[n:], fr)
	}
	c.bytes(dst[n:], src[n:], len(src)-n, true)
}

// unCFB decrypts one piece of a message. All that it needs of the others is the
// block of ciphertext before it, so that pieces can be done in any order.
type unCFB struct {
	before, stream [16]byte
}

// decrypt turns a piece that begins with a block into plaintext where it stands.
func (u *unCFB) decrypt(block cipher.Block, fast *accelerated, b []byte) {
	for n := fast.decrypt(&u.before, b, b); n < len(b); n += 16 {
		piece := b[n:min(n+16, len(b))]
		block.Encrypt(u.stream[:], u.before[:])
		copy(u.before[:], piece)
		subtle.XORBytes(piece, piece, u.stream[:])
	}
}

// toBoundary is how many of the next n bytes belong to a block begun earlier.
func (c *cfb) toBoundary(n int) int {
	if c.used == 0 {
		return 0
	}
	return min(n, c.block.BlockSize()-c.used)
}

// bytes does n bytes that are no whole block.
func (c *cfb) bytes(dst, src []byte, n int, encrypt bool) int {
	fr := c.fr[:c.block.BlockSize()]
	for i := range n {
		if c.used == 0 {
			c.block.Encrypt(fr, fr)
		}
		in := src[i]
		dst[i] = in ^ fr[c.used]
		if encrypt {
			in = dst[i]
		}
		fr[c.used] = in
		c.used = (c.used + 1) % len(fr)
	}
	return n
}
