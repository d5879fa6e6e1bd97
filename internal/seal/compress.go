package seal

import (
	"compress/flate"
	"compress/zlib"
	"io"
)

// zlibAlgorithm in a compressed packet (RFC 9580, 9.4).
const zlibAlgorithm = 2

// compressed is a literal packet inside a compressed one.
type compressed struct {
	bulk    *bulk
	deflate *zlib.Writer
	tag     byte
	cur     *chunk
	err     error
}

func newCompressed(dst io.Writer, key SessionKey) (body, error) {
	b, err := newBulk(dst, key, tagCompressed)
	if err != nil {
		return nil, err
	}
	b.cur.fill([]byte{zlibAlgorithm})
	deflate, err := zlib.NewWriterLevel(b, flate.BestSpeed)
	if err != nil {
		b.Abort()
		return nil, err
	}
	c := &compressed{bulk: b, deflate: deflate, tag: tagLiteral, cur: newChunk()}
	c.cur.fill([]byte(literalHead))
	return c, nil
}

func (c *compressed) Write(p []byte) (int, error) {
	written := 0
	for c.err == nil && len(p) > 0 {
		if c.cur.full() {
			_, c.err = c.deflate.Write(c.cur.partial(c.tag))
			c.tag, c.cur.n = 0, 0
			continue
		}
		n := c.cur.fill(p)
		written += n
		p = p[n:]
	}
	return written, c.err
}

func (c *compressed) Close() error {
	if c.err == nil {
		_, c.err = c.deflate.Write(c.cur.last(c.tag))
	}
	if c.err == nil {
		c.err = c.deflate.Close()
	}
	if c.err != nil {
		c.Abort()
		return c.err
	}
	c.err = c.bulk.Close()
	return c.err
}

func (c *compressed) Abort() { c.bulk.Abort() }
