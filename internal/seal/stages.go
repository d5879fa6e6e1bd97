package seal

import (
	"context"
	"crypto/sha1" //nolint:gosec // see bulk.go
	"fmt"
	"hash"
	"io"
)

// next waits for a value, or for the end of the stages.
func next[T any](ctx context.Context, from <-chan T) (v T, err error) {
	select {
	case v = <-from:
		return v, nil
	case <-ctx.Done():
		return v, ctx.Err()
	}
}

// hashStage feeds the modification detection code and puts it behind the last
// chunk (RFC 9580, 5.13.1).
type hashStage struct {
	ctx context.Context // that of the stages
	mdc hash.Hash
	in  <-chan piece
	out chan piece
}

func (s *hashStage) run() error {
	for {
		p, err := next(s.ctx, s.in)
		if err != nil {
			return err
		}
		if p.last {
			p.stream = append(p.stream, tagMDC, sha1.Size)
		}
		s.mdc.Write(p.stream)
		if p.last {
			p.stream = s.mdc.Sum(p.stream)
		}
		s.out <- p // never blocks: there is room for every chunk
		if p.last {
			return nil
		}
	}
}

// cipherStage encrypts the stream into the chunks of the encrypted packet,
// whose borders lie elsewhere: a plain chunk has its header inside the stream.
type cipherStage struct {
	ctx   context.Context // that of the stages
	cfb   *cfb
	in    <-chan piece
	spent chan<- *chunk // plain chunks, back to the caller
	tag   byte
	cur   *chunk
	free  chan *chunk
	out   chan piece
}

func newCipherStage(ctx context.Context, c *cfb, in <-chan piece, spent chan<- *chunk) *cipherStage {
	s := &cipherStage{ctx: ctx, cfb: c, in: in, spent: spent, tag: tagSealed, cur: newChunk()}
	s.free, s.out = make(chan *chunk, sealedChunks), make(chan piece, sealedChunks)
	for range sealedChunks - 1 {
		s.free <- newChunk()
	}
	return s
}

func (s *cipherStage) run(prefix []byte) error {
	s.cur.fill([]byte{sealedVersion})
	if err := s.encrypt(prefix); err != nil {
		return err
	}
	for {
		p, err := next(s.ctx, s.in)
		if err != nil {
			return err
		}
		if err := s.encrypt(p.stream); err != nil {
			return err
		}
		if p.last {
			s.out <- piece{s.cur, s.cur.last(s.tag), true}
			return nil
		}
		p.n = 0
		s.spent <- p.chunk
	}
}

// encrypt hands every full chunk on when there is more for the next one.
func (s *cipherStage) encrypt(stream []byte) error {
	for len(stream) > 0 {
		if s.cur.full() {
			s.out <- piece{s.cur, s.cur.partial(s.tag), false} // never blocks: there is room for every chunk
			s.tag = 0
			c, err := next(s.ctx, s.free)
			if err != nil {
				return err
			}
			s.cur = c
		}
		room := s.cur.room()
		n := min(len(stream), len(room))
		s.cfb.encrypt(room[:n], stream[:n])
		s.cur.n += n
		stream = stream[n:]
	}
	return nil
}

// writeTo writes what run encrypts.
func (s *cipherStage) writeTo(dst io.Writer) error {
	for {
		p, err := next(s.ctx, s.out)
		if err != nil {
			return err
		}
		n, err := dst.Write(p.stream)
		if err == nil && n < len(p.stream) {
			err = io.ErrShortWrite
		}
		if err != nil {
			return fmt.Errorf("write the sealed message: %w", err)
		}
		if p.last {
			return nil
		}
		p.n = 0
		s.free <- p.chunk
	}
}
