//go:build !linux

package snapshot

import (
	"context"
	"errors"
	"fmt"
	"runtime"
)

// errNotHere says that volumes are only ever read where the engine runs.
var errNotHere = fmt.Errorf("volumes cannot be read on %s: %w", runtime.GOOS, errors.ErrUnsupported)

// Walk implements Source.
func (Live) Walk(context.Context, string, Visit) error { return errNotHere }

// Cloned is a clone of volumes; there is none here.
type Cloned struct{}

// Totals returns what a cloned volume comes to.
func (*Cloned) Totals(string) (Totals, bool) { return Totals{}, false }

// Remove deletes the clone.
func (*Cloned) Remove() error { return errNotHere }

// Walk implements Source.
func (*Cloned) Walk(context.Context, string, Visit) error { return errNotHere }

// Survey counts what a volume comes to.
func Survey(context.Context, Live, string) (Totals, error) { return Totals{}, errNotHere }

// Flush has the volumes' larger files written to disk.
func Flush(context.Context, Live, []string) error { return errNotHere }

// Clonable says whether files of a volume can share their blocks with dir.
func Clonable(_, _, _ string) error { return errNotHere }

// Clone takes a clone of volumes into dir.
func Clone(context.Context, Live, []string, string, func(int64)) (*Cloned, error) {
	return nil, errNotHere
}
