package seal

import (
	"context"
	"crypto/aes"
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // the format's modification detection is SHA-1 inside the encryption
	"errors"
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

var errClosed = errors.New("seal: the message is finished")

// bulk is the encrypted packet around one other packet, whose body is written
// to it. Chunks go from hand to hand: hash, encrypt, write, each on a goroutine.
type bulk struct {
	tag    byte // of the packet inside; zero once its header is out
	cur    *chunk
	free   chan *chunk
	filled chan piece
	chunks []*chunk
	stages *errgroup.Group
	ctx    context.Context //nolint:containedctx // ends the stages with the first error of one of them
	cancel context.CancelFunc
	done   bool
	err    error
}

// piece is a chunk on its way, and that part of it which is the stream.
type piece struct {
	*chunk

	stream []byte
	last   bool
}

// newBulk begins the encrypted packet. The packet inside has this tag.
func newBulk(dst io.Writer, key SessionKey, tag byte) (*bulk, error) {
	block, err := aes.NewCipher(key.secret.key)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	prefix := make([]byte, prefixSize) // random, its last two bytes twice
	if _, err := rand.Read(prefix[:aes.BlockSize]); err != nil {
		return nil, fmt.Errorf("seal: draw the random prefix: %w", err)
	}
	copy(prefix[aes.BlockSize:], prefix[aes.BlockSize-2:])

	ctx, cancel := context.WithCancel(context.Background())
	b := &bulk{tag: tag, free: make(chan *chunk, plainChunks), filled: make(chan piece, plainChunks), cancel: cancel}
	b.stages, b.ctx = errgroup.WithContext(ctx)
	for range plainChunks {
		c := newChunk()
		b.chunks = append(b.chunks, c)
		b.free <- c
	}
	b.cur = <-b.free

	mdc := &hashStage{ctx: b.ctx, mdc: sha1.New(), in: b.filled, out: make(chan piece, plainChunks)} //nolint:gosec // see the import
	mdc.mdc.Write(prefix)
	seal := newCipherStage(b.ctx, newCFB(block, key.secret.key), mdc.out, b.free)
	b.stages.Go(mdc.run)
	b.stages.Go(func() error { return seal.run(prefix) })
	b.stages.Go(func() error { return seal.writeTo(dst) })
	return b, nil
}

// Write takes a copy, which costs a twentieth of what encrypting costs, and
// leaves the caller free to read on meanwhile.
func (b *bulk) Write(p []byte) (int, error) {
	if b.done && b.err == nil {
		return 0, errClosed
	}
	written := 0
	for b.err == nil && len(p) > 0 {
		if b.cur.full() {
			b.advance()
			continue
		}
		n := b.cur.fill(p)
		written += n
		p = p[n:]
	}
	return written, b.err
}

// advance hands a full chunk on and waits for an empty one.
func (b *bulk) advance() {
	b.filled <- piece{b.cur, b.cur.partial(b.tag), false} // never blocks: there is room for every chunk
	b.tag = 0
	c, err := next(b.ctx, b.free)
	if err != nil {
		b.err = b.stages.Wait() // the error that stopped the stages, and not that they were stopped
		return
	}
	b.cur = c
}

// Close ends the packet, and is good once dst has taken all of it.
func (b *bulk) Close() error {
	if b.err == nil && !b.done {
		b.filled <- piece{b.cur, b.cur.last(b.tag), true}
		b.err = b.stages.Wait()
	}
	b.end()
	return b.err
}

// Abort ends the goroutines and leaves the message unfinished. After Close it
// does nothing.
func (b *bulk) Abort() {
	if b.done {
		return
	}
	b.cancel()
	if err := b.stages.Wait(); b.err == nil {
		b.err = err
	}
	b.end()
}

// end wipes the plaintext.
func (b *bulk) end() {
	b.cancel()
	b.done = true
	for _, c := range b.chunks {
		clear(c.mem)
	}
}
