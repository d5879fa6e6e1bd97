package snapshot

import (
	"context"
	"errors"

	"golang.org/x/sys/unix"

	"github.com/docker-ucp/docker-ucp/internal/archive"
)

// Walk implements Source.
func (l Live) Walk(ctx context.Context, volume string, visit Visit) error {
	var reader content
	w := walker{open: true, attrs: true}
	w.take = func(e *archive.Entry, f *file) error {
		if f == nil {
			return visit(e, nil)
		}
		var err error
		if e.Extents, err = extents(f.fd, &f.stat); err != nil {
			return named("read", e.Name, err)
		}
		reader.begin(ctx, e, f)
		return visit(e, &reader)
	}
	return w.run(ctx, l.Root, volume)
}

// Survey counts what a volume comes to, without opening its files. It may run
// while UCP does: what vanishes underneath is passed over.
func Survey(ctx context.Context, live Live, volume string) (Totals, error) {
	w := walker{lenient: true}
	err := w.run(ctx, live.Root, volume)
	return w.totals, err
}

// Flush has what is still only in memory of the volumes' larger files written
// to disk. While UCP runs this costs it nothing, and a clone need not wait for
// it afterwards.
func Flush(ctx context.Context, live Live, volumes []string) error {
	w := walker{open: true, lenient: true}
	w.take = func(e *archive.Entry, f *file) error {
		if f == nil || e.Size <= inlineSize {
			return nil
		}
		if err := unix.Fdatasync(f.fd); err != nil && !errors.Is(err, unix.EINVAL) {
			return named("flush", e.Name, err)
		}
		return nil
	}
	for _, volume := range volumes {
		if err := w.run(ctx, live.Root, volume); err != nil {
			return err
		}
	}
	return nil
}
