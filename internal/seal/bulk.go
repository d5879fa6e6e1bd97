package seal

import (
	"context"
	"crypto/aes"
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // the format's modification detection is SHA-1 inside the encryption
	"fmt"
	"io"

	"golang.org/x/sync/errgroup"
)

const (
	sealedVersion = 1 // of the encrypted packet: CFB and a modification detection code
	prefixSize    = aes.BlockSize + 2

	plainChunks  = 4 // one being filled, one hashed, one encrypted, one between them
	sealedChunks = 3 // one being encrypted into, one written, one between them
)

// bulk is the encrypted packet around one other packet, whose chunks it takes.
// They go from hand to hand: hash, encrypt, write, each on a goroutine.
type bulk struct {
	free   chan *chunk
	filled chan piece
	chunks []*chunk
	stages *errgroup.Group
	ctx    context.Context // ends the stages with the first error of one of them
	cancel context.CancelFunc
}

// newBulk begins the encrypted packet. The packet inside has this tag, and its
// body begins with this head.
func newBulk(dst io.Writer, key SessionKey, tag byte, head string) (*framer, error) {
	block, err := aes.NewCipher(key.bytes())
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	prefix := make([]byte, prefixSize) // random, its last two bytes twice
	if _, err := rand.Read(prefix[:aes.BlockSize]); err != nil {
		return nil, fmt.Errorf("seal: draw the random prefix: %w", err)
	}
	copy(prefix[aes.BlockSize:], prefix[aes.BlockSize-2:])

	ctx, cancel := context.WithCancel(context.Background())
	b := &bulk{free: make(chan *chunk, plainChunks), filled: make(chan piece, plainChunks), cancel: cancel}
	b.stages, b.ctx = errgroup.WithContext(ctx)
	for range plainChunks {
		b.chunks = append(b.chunks, newChunk())
	}
	for _, c := range b.chunks[1:] {
		b.free <- c
	}
	mdc := newHashStage(b.ctx, prefix, b.filled)
	seal := newCipherStage(b.ctx, newCFB(block, key.bytes()), mdc.out, b.free)
	b.stages.Go(mdc.run)
	b.stages.Go(func() error { return seal.run(prefix) })
	b.stages.Go(func() error { return seal.writeTo(dst) })

	b.chunks[0].fill([]byte(head))
	return &framer{tag: tag, cur: b.chunks[0], sink: b}, nil
}

func (b *bulk) put(p piece) (*chunk, error) {
	b.filled <- p // never blocks: there is room for every chunk
	if p.last {
		return nil, nil
	}
	c, err := next(b.ctx, b.free)
	if err != nil {
		return nil, b.stages.Wait() // the error that stopped the stages, and not that they were stopped
	}
	return c, nil
}

func (b *bulk) finish() error { return b.stages.Wait() }

// abort wipes the plaintext as well.
func (b *bulk) abort() {
	b.cancel()
	_ = b.stages.Wait() // whoever aborts has the error already, or wants none
	for _, c := range b.chunks {
		clear(c.mem)
	}
}

func newHashStage(ctx context.Context, prefix []byte, in <-chan piece) *hashStage {
	s := &hashStage{ctx: ctx, mdc: sha1.New(), in: in, out: make(chan piece, plainChunks)} //nolint:gosec // see the import
	s.mdc.Write(prefix)
	return s
}
