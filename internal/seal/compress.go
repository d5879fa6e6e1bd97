package seal

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"hash/adler32"
	"io"
	"runtime"

	"github.com/klauspost/compress/flate"
	"golang.org/x/sync/errgroup"
)

const (
	zlibAlgorithm  = "\x02"     // in a compressed packet (RFC 9580, 9.4)
	zlibHeader     = "\x78\x01" // deflate with a window of 32 KiB, fastest (RFC 1950, 2.2)
	adlerOfNothing = 1
	maxDeflaters   = 8 // bounds the memory
)

// deflater is the compressed packet around the literal one, whose chunks it
// takes. Each is deflated on one of several goroutines, as if flushed at its
// end, and looks back at none before it; in a row they are one zlib stream.
type deflater struct {
	out    *framer // the compressed packet
	cur    *ticket[*block]
	free   chan *ticket[*block]
	blocks []*block
	lanes  *lanes[*block]
	closed bool
	stages *errgroup.Group
	ctx    context.Context // ends the stages
	cancel context.CancelFunc
}

// block is a chunk of the literal packet, and what it becomes.
type block struct {
	piece

	deflated bytes.Buffer
	adler    uint32
	err      error
}

func newCompressed(dst io.Writer, key SessionKey) (*framer, error) {
	out, err := newBulk(dst, key, tagCompressed, zlibAlgorithm+zlibHeader)
	if err != nil {
		return nil, err
	}
	workers := min(runtime.GOMAXPROCS(0), maxDeflaters)
	jobs := workers + 2 // one being filled, one being written
	ctx, cancel := context.WithCancel(context.Background())
	d := &deflater{out: out, free: make(chan *ticket[*block], jobs), lanes: newLanes[*block](jobs), cancel: cancel}
	d.stages, d.ctx = errgroup.WithContext(ctx)
	for range jobs {
		b := &block{piece: piece{chunk: newChunk()}}
		d.blocks = append(d.blocks, b)
		d.free <- newTicket(b)
	}
	for range workers {
		d.stages.Go(d.deflate)
	}
	d.stages.Go(d.collect)

	d.cur = <-d.free
	d.cur.job.fill([]byte(literalHead))
	return &framer{tag: tagLiteral, cur: d.cur.job.chunk, sink: d}, nil
}

func (d *deflater) put(p piece) (*chunk, error) {
	d.cur.job.piece = p
	d.lanes.put(d.cur)
	if p.last {
		return nil, nil
	}
	t, err := next(d.ctx, d.free)
	if err != nil {
		d.closeLanes()
		return nil, d.stages.Wait()
	}
	d.cur = t
	return t.job.chunk, nil
}

func (d *deflater) finish() error {
	d.closeLanes()
	if err := d.stages.Wait(); err != nil {
		return err
	}
	return d.out.Close()
}

func (d *deflater) abort() {
	d.cancel()
	d.closeLanes()
	_ = d.stages.Wait() // whoever aborts has the error already, or wants none
	d.out.Abort()
	for _, b := range d.blocks {
		clear(b.mem)
	}
}

func (d *deflater) closeLanes() {
	if !d.closed {
		d.closed = true
		d.lanes.close()
	}
}

// deflate is one worker. It starts afresh with each block, which costs little in
// size: a block is eight times as long as deflate can look back.
func (d *deflater) deflate() error {
	w, err := flate.NewWriter(io.Discard, flate.BestSpeed)
	if err != nil {
		return fmt.Errorf("compress: %w", err)
	}
	d.lanes.work(func(b *block) {
		b.deflated.Reset()
		w.Reset(&b.deflated)
		b.adler = adler32.Checksum(b.stream)
		_, b.err = w.Write(b.stream)
		switch {
		case b.err != nil:
		case b.last:
			b.err = w.Close()
		default:
			b.err = w.Flush()
		}
	})
	return nil
}

// collect writes the stream, whose header is out, and its checksum.
func (d *deflater) collect() error {
	sum := uint32(adlerOfNothing)
	for {
		t, err := d.lanes.take(d.ctx)
		if err != nil {
			return err
		}
		b := t.job
		if b.err != nil {
			return fmt.Errorf("compress: %w", b.err)
		}
		if _, err := d.out.Write(b.deflated.Bytes()); err != nil {
			return err
		}
		sum = joinAdler(sum, b.adler, uint64(len(b.stream)))
		if b.last {
			_, err := d.out.Write(binary.BigEndian.AppendUint32(nil, sum))
			return err
		}
		b.n = 0
		d.free <- t
	}
}

// joinAdler is the checksum of two pieces from that of each (RFC 1950, 8.2): the
// bytes of the first, plus one, count once more for each byte of the second.
func joinAdler(first, second uint32, length uint64) uint32 {
	const prime = 65521
	before := uint64(first&0xffff) + prime - 1
	low := before + uint64(second&0xffff)
	high := uint64(first>>16) + uint64(second>>16) + length%prime*(before%prime)
	return uint32(high%prime<<16 | low%prime) //nolint:gosec // both are below 2^16
}
