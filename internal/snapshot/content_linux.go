package snapshot

import (
	"context"
	"errors"
	"io"

	"golang.org/x/sys/unix"

	"github.com/docker-ucp/docker-ucp/internal/archive"
)

// content reads an open file's regions of data one after the other. It ends
// with io.EOF only if the file is still what it was.
type content struct {
	ctx     context.Context
	name    string
	file    *file
	extents []archive.Extent // still to come
	at, end int64            // the region being read
	err     error
}

// begin makes c ready to read a file.
func (c *content) begin(ctx context.Context, e *archive.Entry, f *file) {
	*c = content{ctx: ctx, name: e.Name, file: f, extents: e.Extents}
	if e.Extents == nil {
		c.end = e.Size
	}
}

// Read implements io.Reader. An empty buffer asks only whether to go on.
func (c *content) Read(p []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	if len(p) == 0 {
		return 0, nil
	}
	for c.at == c.end {
		if len(c.extents) == 0 {
			c.err = c.unchanged()
			return 0, c.err
		}
		c.at = c.extents[0].Offset
		c.end = c.at + c.extents[0].Length
		c.extents = c.extents[1:]
	}
	n, err := pread(c.file.fd, p[:min(int64(len(p)), c.end-c.at)], c.at)
	if err == nil && n == 0 {
		err = ErrChanged // it has shrunk
	}
	if err != nil {
		c.err = named("read", c.name, err)
		return 0, c.err
	}
	c.at += int64(n)
	return n, nil
}

// unchanged returns io.EOF if the file still has the size and the time that it
// had when it was opened.
func (c *content) unchanged() error {
	if err := same(c.file.fd, &c.file.stat); err != nil {
		return named("read", c.name, err)
	}
	return io.EOF
}

// same returns ErrChanged if an open file is not what it was.
func same(fd int, before *unix.Stat_t) error {
	var now unix.Stat_t
	if err := unix.Fstat(fd, &now); err != nil {
		return err
	}
	if now.Size != before.Size || now.Mtim != before.Mtim {
		return ErrChanged
	}
	return nil
}

func pread(fd int, p []byte, at int64) (int, error) {
	for {
		n, err := unix.Pread(fd, p, at)
		if !errors.Is(err, unix.EINTR) {
			return max(n, 0), err
		}
	}
}
