package seal

import "errors"

var errClosed = errors.New("seal: the message is finished or given up")

// framer cuts what is written to it into chunks of one packet's body.
type framer struct {
	tag  byte // of the packet; zero once its header is out
	cur  *chunk
	sink sink
	done bool
	err  error
}

// sink is where chunks go. It owns them, and gives an empty one for a full one.
type sink interface {
	put(p piece) (*chunk, error)
	finish() error // after the last was put: waits until all has gone the whole way
	abort()        // ends the goroutines, wherever they are; harmless after finish
}

// piece is a chunk on its way, and that part of it which is the stream.
type piece struct {
	*chunk

	stream []byte
	last   bool
}

// Write takes a copy, which costs a twentieth of what encrypting costs, and
// leaves the caller free to read on meanwhile.
func (f *framer) Write(p []byte) (int, error) {
	if f.done && f.err == nil {
		return 0, errClosed
	}
	written := 0
	for f.err == nil && len(p) > 0 {
		if f.cur.full() {
			f.cur, f.err = f.sink.put(piece{f.cur, f.cur.partial(f.tag), false})
			f.tag = 0
			continue
		}
		n := f.cur.fill(p)
		written += n
		p = p[n:]
	}
	return written, f.err
}

// Close ends the packet, and is good once all of it has gone the whole way.
func (f *framer) Close() error {
	if f.done {
		return f.err
	}
	f.done = true
	if f.err == nil {
		_, f.err = f.sink.put(piece{f.cur, f.cur.last(f.tag), true})
	}
	if f.err == nil {
		f.err = f.sink.finish()
	}
	f.sink.abort()
	return f.err
}

// Abort leaves the packet without an end. After Close it does nothing.
func (f *framer) Abort() {
	if f.done {
		return
	}
	f.done = true
	f.sink.abort()
	if f.err == nil {
		f.err = errClosed
	}
}
