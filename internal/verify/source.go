package verify

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/klauspost/compress/gzip"

	"github.com/docker-ucp/docker-ucp/internal/progress"
	"github.com/docker-ucp/docker-ucp/internal/seal"
)

// What stands around a tar, as Result.Wrapped names it.
const (
	wrapGzip    = "gzip"
	wrapOpenPGP = "openpgp"
)

// maxWraps is how often a wrap is looked for: gzip around and inside a seal is
// the most that is known to be done.
const maxWraps = 4

// tarMagic is at tarMagicAt of a tar's first block.
const (
	tarMagic   = "ustar"
	tarMagicAt = 257
)

// unzipError is damage of a gzip stream, and not of what is in it.
type unzipError struct {
	outer bool // it stands around the seal
	err   error
}

func (e *unzipError) Error() string { return "gzip: " + e.err.Error() }
func (e *unzipError) Unwrap() error { return e.err }

// source is a backup with what stands around its tar taken off, as it is read.
type source struct {
	plain   *ending // the tar
	wraps   []string
	message *seal.Message // nil where there is no seal
	looks   string        // what it is by its first bytes, where it is neither
	sealed  *seal.Reader
	key     seal.SessionKey
}

// open takes off one wrap after the other. The session key of a seal comes from
// unlock. What it gives may be wrong until plain has said io.EOF.
func open(ctx context.Context, in io.Reader, unlock func(context.Context, *seal.Message) (seal.SessionKey, error)) (*source, error) {
	s := &source{}
	for range maxWraps {
		buffered := bufio.NewReaderSize(&asked{ctx, in}, 64<<10)
		s.plain = &ending{ctx: ctx, from: buffered}
		head, err := buffered.Peek(tarMagicAt + len(tarMagic))
		if err != nil && !errors.Is(err, io.EOF) {
			return s, err
		}
		switch {
		case isTar(head):
			return s, nil
		case isGzip(head):
			s.wraps = append(s.wraps, wrapGzip)
			in, err = gunzip(buffered, s.message == nil)
		case s.message == nil && seal.Detect(head) != seal.NotSealed:
			s.wraps = append(s.wraps, wrapOpenPGP)
			in, err = s.unseal(ctx, buffered, unlock)
		default:
			s.looks = looksLike(head)
			return s, nil
		}
		if err != nil {
			return s, err
		}
	}
	return s, nil
}

func isTar(head []byte) bool {
	return len(head) >= tarMagicAt+len(tarMagic) && string(head[tarMagicAt:tarMagicAt+len(tarMagic)]) == tarMagic
}

// isGzip knows a member that is deflated, the only kind there is (RFC 1952, 2.3).
func isGzip(head []byte) bool {
	return len(head) >= 3 && head[0] == 0x1f && head[1] == 0x8b && head[2] == 8
}

func (s *source) unseal(ctx context.Context, in io.Reader, unlock func(context.Context, *seal.Message) (seal.SessionKey, error)) (io.Reader, error) {
	message, err := seal.ReadHead(in)
	if err != nil {
		return nil, err
	}
	s.message = message
	if s.key, err = unlock(ctx, message); err != nil {
		return nil, err
	}
	if message.Protected() {
		s.sealed, err = message.Open(s.key)
	} else {
		s.sealed, err = message.OpenUnprotected(s.key)
	}
	return s.sealed, err
}

// close ends the goroutines that open the seal.
func (s *source) close() error {
	s.key.Wipe()
	if s.sealed == nil {
		return nil
	}
	return s.sealed.Close()
}

// errBroken ends the tar where a wrap around it is damaged.
var errBroken = errors.New("what stands around the tar is damaged")

// ending keeps what is wrong with a wrap from being taken for the tar's own
// fault.
type ending struct {
	ctx  context.Context //nolint:containedctx // a reader has no other way to hear of its end
	from io.Reader
	err  error // what is wrong with the wrap
}

// Read implements io.Reader.
func (e *ending) Read(p []byte) (int, error) {
	if e.err != nil {
		return 0, errBroken
	}
	if err := context.Cause(e.ctx); err != nil { // in a long hole nothing further down is asked
		return 0, err
	}
	n, err := e.from.Read(p)
	packed := new(unzipError)
	if errors.Is(err, seal.ErrDamaged) || errors.As(err, &packed) {
		e.err, err = err, errBroken
	}
	return n, err
}

// drain reads what the tar's reader has left, because the proof of the seal
// stands at its end, and returns what is wrong with the wraps: with the one that
// ended the tar, and with a seal around it.
func (s *source) drain() (inner, proof error) {
	if _, err := io.Copy(io.Discard, s.plain); err != nil && !errors.Is(err, errBroken) {
		return err, nil
	}
	packed := new(unzipError)
	if s.sealed == nil || !errors.As(s.plain.err, &packed) || packed.outer {
		return s.plain.err, nil
	}
	_, err := io.Copy(io.Discard, s.sealed)
	return s.plain.err, err
}

// unzip marks the errors of a gzip stream as its own.
type unzip struct {
	*gzip.Reader
	from  *faulty
	outer bool
}

func gunzip(in io.Reader, outer bool) (io.Reader, error) {
	from := &faulty{Reader: in}
	reader, err := gzip.NewReader(from)
	if err != nil {
		return nil, from.blame(outer, err)
	}
	return &unzip{reader, from, outer}, nil
}

// Read implements io.Reader.
func (u *unzip) Read(p []byte) (int, error) {
	n, err := u.Reader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = u.from.blame(u.outer, err)
	}
	return n, err
}

// faulty remembers its reader's error, which a parser above it may pass on as
// its own.
type faulty struct {
	io.Reader
	err error
}

// Read implements io.Reader.
func (f *faulty) Read(p []byte) (int, error) {
	n, err := f.Reader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		f.err = err
	}
	return n, err
}

// blame says whose error it is. A stream that ends where it must not is cut off.
func (f *faulty) blame(outer bool, err error) error {
	if f.err != nil {
		return f.err
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return &unzipError{outer, err}
}

// asked hears of a cancel between two layers: one may make much of little.
type asked struct {
	ctx  context.Context //nolint:containedctx // a reader has no other way to hear of its end
	from io.Reader
}

// Read implements io.Reader.
func (a *asked) Read(p []byte) (int, error) {
	if err := context.Cause(a.ctx); err != nil {
		return 0, err
	}
	return a.from.Read(p)
}

// input counts what is read. The seal reads ahead on a goroutine of its own.
type input struct {
	from  io.Reader
	size  atomic.Int64
	phase atomic.Pointer[progress.Phase] // shows it, once there is one
}

// Read implements io.Reader.
func (i *input) Read(p []byte) (int, error) {
	n, err := i.from.Read(p)
	size := i.size.Add(int64(n))
	if phase := i.phase.Load(); phase != nil {
		phase.Set(size)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = fmt.Errorf("read the archive: %w", err)
	}
	return n, err
}
