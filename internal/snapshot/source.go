package snapshot

import (
	"context"
	"errors"
	"io"

	"github.com/docker-ucp/docker-ucp/internal/archive"
)

// ErrChanged is a file that was not the same at the end of reading it as it
// was at the beginning: something still writes to the volume.
var ErrChanged = errors.New("changed while it was read")

// Visit takes one file: a header as the archive wants it, and for a regular
// file its data regions one after the other. Both are the walk's own again
// when Visit returns.
type Visit func(e *archive.Entry, content io.Reader) error

// Source is what volumes can be read from.
type Source interface {
	// Walk visits a volume's root and everything below it, folders before what
	// is in them, names in byte order, and leaves out sockets. It ends with the
	// first error, be it its own, visit's or the context's.
	Walk(ctx context.Context, volume string, visit Visit) error
}

// Live reads volumes as they stand in Root/<volume>, without ever writing.
type Live struct {
	Root string
}

// Totals is what a volume comes to in the archive.
type Totals struct {
	Entries        int64 // tar entries, the volume's root among them
	Bytes          int64 // logical size of regular files, hard links once
	AllocatedBytes int64 // what they take on disk, hard links once
	Sockets        int64 // left out
	CloneBytes     int64 // about what a clone takes on disk beyond shared blocks
}
