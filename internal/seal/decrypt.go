package seal

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha1" //nolint:gosec // see bulk.go
	"crypto/subtle"
	"errors"
	"hash"
	"io"
	"runtime"

	"golang.org/x/sync/errgroup"
)

const (
	mdcSize   = 2 + sha1.Size
	carrySize = 2 * aes.BlockSize // held back, so that the code is never torn apart
	maxLanes  = 4                 // beyond that the hash is what takes time
)

// decrypter reads the body of an AES-CFB packet with a modification detection
// code. Chunks go from hand to hand: read, decrypt on several goroutines, hash,
// and then to whoever calls Read. It says io.EOF after the code was right only.
type decrypter struct {
	block  cipher.Block
	fast   *accelerated
	lanes  *lanes[*sealedChunk]
	free   chan *ticket[*sealedChunk]
	plain  chan *ticket[*sealedChunk]
	stages *errgroup.Group
	ctx    context.Context // ends the stages
	cancel context.CancelFunc
	chunks []*sealedChunk
	cur    *ticket[*sealedChunk]
	rest   []byte // of cur, still to be read
	err    error
}

// sealedChunk is a piece of the body. The ciphertext in front of it is all that
// decrypting needs.
type sealedChunk struct {
	mem   []byte
	n     int
	cfb   unCFB
	plain []byte // what of it is for the caller
	last  bool
}

func newDecrypter(prefix []byte, body io.Reader, key SessionKey) (*decrypter, error) {
	block, err := aes.NewCipher(key.bytes())
	if err != nil {
		return nil, unsupported("open the message: %v", err)
	}
	workers := min(runtime.GOMAXPROCS(0), maxLanes)
	jobs := workers + 3 // one being read, one hashed, one with the caller
	ctx, cancel := context.WithCancel(context.Background())
	d := &decrypter{
		block: block, fast: newAccelerated(key.bytes()), cancel: cancel,
		lanes: newLanes[*sealedChunk](jobs), free: make(chan *ticket[*sealedChunk], jobs), plain: make(chan *ticket[*sealedChunk], jobs),
	}
	d.stages, d.ctx = errgroup.WithContext(ctx)
	for range jobs {
		c := &sealedChunk{}
		d.chunks = append(d.chunks, c)
		d.free <- newTicket(c)
	}
	d.stages.Go(func() error { return d.readBody(io.MultiReader(bytes.NewReader(prefix), body)) })
	for range workers {
		d.stages.Go(func() error {
			d.lanes.work(d.decrypt)
			return nil
		})
	}
	d.stages.Go(d.check)
	return d, nil
}

// decrypt is what the lanes do.
func (d *decrypter) decrypt(c *sealedChunk) { c.cfb.decrypt(d.block, d.fast, c.mem[:c.n]) }

// readBody fills chunks. Each but the last has chunkSize bytes, which is whole
// blocks; the last has the rest, the code with it.
func (d *decrypter) readBody(body io.Reader) error {
	defer d.lanes.close()
	var carry []byte
	var iv [aes.BlockSize]byte
	for {
		t, err := next(d.ctx, d.free)
		if err != nil {
			return err
		}
		c := t.job
		if c.mem == nil { // a small message needs no more than one
			c.mem = make([]byte, chunkSize+carrySize)
		}
		kept := copy(c.mem, carry)
		n, err := io.ReadFull(body, c.mem[kept:])
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return err
		}
		c.cfb.before, c.n, c.last = iv, kept+n, err != nil
		if !c.last {
			c.n = chunkSize
			carry = append(carry[:0], c.mem[chunkSize:]...)
			copy(iv[:], c.mem[chunkSize-aes.BlockSize:])
		}
		d.lanes.put(t)
		if c.last {
			return nil
		}
	}
}

// check hashes everything before the code, the prefix included, and compares.
func (d *decrypter) check() error {
	mdc := sha1.New() //nolint:gosec // see bulk.go
	skip := prefixSize
	for {
		t, err := d.lanes.take(d.ctx)
		if err != nil {
			return err
		}
		c := t.job
		end := c.n
		if c.last {
			end -= mdcSize
		}
		if end < skip {
			return damaged("the encrypted data is too short to be whole")
		}
		mdc.Write(c.mem[:end])
		c.plain, skip = c.mem[skip:end], 0
		if c.last {
			return d.compare(mdc, t)
		}
		d.plain <- t
	}
}

func (d *decrypter) compare(mdc hash.Hash, t *ticket[*sealedChunk]) error {
	found := t.job.mem[t.job.n-mdcSize : t.job.n]
	want := []byte{tagMDC, sha1.Size}
	mdc.Write(want)
	if subtle.ConstantTimeCompare(mdc.Sum(want), found) != 1 {
		return damaged("its modification detection code does not match")
	}
	d.plain <- t
	return nil
}

// advance gives the chunk back that was read, and waits for the next.
func (d *decrypter) advance() error {
	if d.cur != nil {
		if d.cur.job.last {
			if err := d.stages.Wait(); err != nil {
				return err
			}
			return io.EOF
		}
		d.free <- d.cur
		d.cur = nil
	}
	t, err := next(d.ctx, d.plain)
	if err != nil {
		return d.stages.Wait() // the error that stopped the stages, and not that they were stopped
	}
	d.cur, d.rest = t, t.job.plain
	return nil
}

func (d *decrypter) Read(p []byte) (int, error) {
	for len(d.rest) == 0 {
		if d.err != nil {
			return 0, d.err
		}
		d.err = d.advance()
	}
	n := copy(p, d.rest)
	d.rest = d.rest[n:]
	return n, nil
}

func (d *decrypter) ReadByte() (byte, error) {
	for len(d.rest) == 0 {
		if d.err != nil {
			return 0, d.err
		}
		d.err = d.advance()
	}
	c := d.rest[0]
	d.rest = d.rest[1:]
	return c, nil
}

// Close ends the goroutines, wherever they are, and wipes the plaintext. It says
// nothing about the message.
func (d *decrypter) Close() error {
	d.cancel()
	_ = d.stages.Wait() // what stopped them has been told, or nobody wanted to know
	if d.err == nil {
		d.err = errClosed
	}
	d.rest = nil
	for _, c := range d.chunks {
		clear(c.mem)
	}
	return nil
}
