package snapshot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"github.com/docker-ucp/docker-ucp/internal/archive"
)

// Clone takes a clone of volumes into dir, which must be on their file system,
// and tells progress after each file how many bytes are done by now. A large file
// whose blocks cannot be shared, though those of others can, is copied. When
// Clone fails it leaves nothing behind.
func Clone(ctx context.Context, live Live, volumes []string, dir string, progress func(bytes int64)) (*Cloned, error) {
	c, err := newClone(dir)
	if err != nil {
		return nil, err
	}
	if progress == nil {
		progress = func(int64) {}
	}
	done := int64(0)
	add := func(bytes int64) {
		done += bytes
		progress(done)
	}
	for _, volume := range volumes {
		if err := c.volume(ctx, live, volume, add); err != nil {
			return nil, errors.Join(err, c.Remove())
		}
	}
	return c, nil
}

// volume clones one volume and adds its section to the index.
func (c *Cloned) volume(ctx context.Context, live Live, volume string, add func(int64)) error {
	if _, twice := c.volumes[volume]; twice {
		return fmt.Errorf("clone volume %s: it is named twice", volume)
	}
	index, err := newIndexer(c.index)
	if err != nil {
		return fmt.Errorf("write the clone's index: %w", err)
	}
	var reader content
	small := make([]byte, inlineSize)
	w := walker{open: true, attrs: true}
	w.take = func(e *archive.Entry, f *file) error {
		r := record{}
		switch {
		case f == nil:
		case e.Size <= inlineSize:
			if e.Extents, err = extents(f.fd, &f.stat); err != nil {
				return named("read", e.Name, err)
			}
			reader.begin(ctx, e, f)
			n, err := readWhole(&reader, small)
			if err != nil {
				return err
			}
			r.Inline = small[:n]
		default:
			if err := c.large(ctx, e, f); err != nil {
				return named("clone", e.Name, err)
			}
			r.Number = c.files
		}
		r.Entry = *e
		if err := index.Encode(&r); err != nil {
			return fmt.Errorf("write the clone's index: %w", err)
		}
		add(e.Size)
		return nil
	}
	if err := w.run(ctx, live.Root, volume); err != nil {
		return err
	}
	if err := index.out.Flush(); err != nil {
		return fmt.Errorf("write the clone's index: %w", err)
	}
	c.volumes[volume] = section{from: index.from, size: index.n, totals: w.totals}
	return nil
}

// readWhole reads content that fits into p, to its very end.
func readWhole(r io.Reader, p []byte) (int, error) {
	n, err := io.ReadFull(r, p)
	switch {
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return n, nil
	case err != nil:
		return n, err
	}
	if _, err := r.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		return n, err
	}
	return n, nil
}

// large gives a file's blocks a second owner: the clone's next numbered file.
func (c *Cloned) large(ctx context.Context, e *archive.Entry, f *file) (err error) {
	dst, err := os.OpenFile(c.path(c.files+1), os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	c.files++
	defer func() { err = errors.Join(err, dst.Close()) }()
	if err := share(ctx, int(dst.Fd()), f); err != nil {
		return err
	}
	var stat unix.Stat_t
	if err := unix.Fstat(int(dst.Fd()), &stat); err != nil {
		return err
	}
	if stat.Size != e.Size {
		return ErrChanged
	}
	return same(f.fd, &f.stat)
}
