package snapshot

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// Walk implements Source: it replays the index.
func (c *Cloned) Walk(ctx context.Context, volume string, visit Visit) error {
	s, ok := c.volumes[volume]
	if !ok || c.index == nil {
		return fmt.Errorf("read volume %s: it is not in the clone", volume)
	}
	decoder := gob.NewDecoder(io.NewSectionReader(c.index, s.from, s.size))
	var r record
	for range s.totals.Entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		r = record{Inline: r.Inline[:0]}
		if err := decoder.Decode(&r); err != nil {
			return fmt.Errorf("read the clone's index: %w", err)
		}
		if err := c.replay(ctx, &r, visit); err != nil {
			return err
		}
	}
	return nil
}

// replay visits one file of the index.
func (c *Cloned) replay(ctx context.Context, r *record, visit Visit) error {
	switch {
	case r.Number != 0:
		return c.replayLarge(ctx, r, visit)
	case r.Entry.Type == tar.TypeReg:
		return visit(&r.Entry, bytes.NewReader(r.Inline))
	default:
		return visit(&r.Entry, nil)
	}
}

// replayLarge visits a file whose content is in a numbered file.
func (c *Cloned) replayLarge(ctx context.Context, r *record, visit Visit) (err error) {
	src, err := os.Open(c.path(r.Number))
	if err != nil {
		return named("read the clone of", r.Entry.Name, err)
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	f := file{fd: int(src.Fd())}
	if err := unix.Fstat(f.fd, &f.stat); err != nil {
		return named("read the clone of", r.Entry.Name, err)
	}
	if f.stat.Size != r.Entry.Size {
		return named("read the clone of", r.Entry.Name, ErrChanged)
	}
	if r.Entry.Extents, err = extents(f.fd, &f.stat); err != nil {
		return named("read the clone of", r.Entry.Name, err)
	}
	var reader content
	reader.begin(ctx, &r.Entry, &f)
	return visit(&r.Entry, &reader)
}
