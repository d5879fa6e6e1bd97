package verify

import (
	"context"
	"errors"
	"io"
	"os"
	"time"
)

// openFile opens a file for reading. A pipe that has a name waits for somebody
// to write into it, when it is opened and with every read: neither outlives the
// context. The wait for an open cannot be called back and stays behind.
func openFile(ctx context.Context, path string) (*file, error) {
	type outcome struct {
		file *os.File
		err  error
	}
	done := make(chan outcome, 1)
	go func() {
		f, err := os.Open(path)
		done <- outcome{f, err}
	}()
	var opened outcome
	select {
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case opened = <-done:
	}
	if named := new(os.PathError); errors.As(opened.err, &named) {
		return nil, named.Err // whoever talks to the operator has the name already
	}
	if opened.err != nil {
		return nil, opened.err
	}
	f := &file{File: opened.file, ctx: ctx}
	f.stop = context.AfterFunc(ctx, func() { _ = f.SetReadDeadline(time.Now()) }) // a plain file has none, and needs none
	return f, nil
}

// file is an open file whose reads end with a context.
type file struct {
	*os.File
	ctx  context.Context //nolint:containedctx // a reader has no other way to hear of its end
	stop func() bool
}

// Read implements io.Reader.
func (f *file) Read(p []byte) (int, error) {
	n, err := f.File.Read(p)
	if err != nil && !errors.Is(err, io.EOF) && f.ctx.Err() != nil {
		err = context.Cause(f.ctx)
	}
	return n, err
}

// Close implements io.Closer.
func (f *file) Close() error {
	f.stop()
	return f.File.Close()
}
