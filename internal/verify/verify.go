package verify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/docker-ucp/docker-ucp/internal/archive"
	"github.com/docker-ucp/docker-ucp/internal/failure"
	"github.com/docker-ucp/docker-ucp/internal/progress"
	"github.com/docker-ucp/docker-ucp/internal/seal"
)

// Options say what to verify.
type Options struct {
	Path   string    // of the archive; empty reads Source
	Source io.Reader // standard input
	Keys   Keys      // asked only when the archive is sealed
	List   io.Writer // takes a line for each entry, as tar -tv prints it; nil lists nothing
	Now    time.Time // what expiry is held against
}

// Keys gives what may open a message, whose head tells for whom it is locked.
// It is asked again, with attempt counting from 1, as long as nothing it gave
// fits; an error of its own ends that.
type Keys func(ctx context.Context, m *seal.Message, attempt int) (seal.Keys, error)

// Talk is how verify speaks to the operator.
type Talk interface {
	Start(phase string, total int64, unit progress.Unit) *progress.Phase
}

// Run reads an archive to its end and says on each level what it is worth. The
// result is there whenever the archive could be read at all. An archive that is
// not what it should be is an error of the kind Damaged, beside the result; a
// key that does not fit is one of the kind Locked, a file that cannot be read
// one of the kind Failed.
func Run(ctx context.Context, talk Talk, opts Options) (*Result, error) {
	v := &verification{
		opts: opts, watch: newWatcher(opts.List),
		sealed: &level{name: LevelSealed}, tar: &level{name: LevelTar}, ucp: &level{name: LevelUCP},
	}
	result, err := v.run(ctx, talk)
	if err = errors.Join(err, v.watch.close()); err != nil {
		return nil, fmt.Errorf("%s: %w", v.name(), err)
	}
	if result.Verdict == Unsound {
		return result, v.damaged(result)
	}
	return result, nil
}

// verification is one archive on its way through the levels.
type verification struct {
	opts             Options
	watch            *watcher
	sealed, tar, ucp *level
	source           *source
	summary          *archive.Summary
	size             int64
	unsafe           bool // the tar is whole, and all that is wrong is what extraction would do
}

func (v *verification) name() string {
	if v.opts.Path == "" {
		return "standard input"
	}
	return v.opts.Path
}

func (v *verification) run(ctx context.Context, talk Talk) (_ *Result, err error) {
	file, total, err := v.file(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	in := &input{from: file}
	err = v.read(ctx, in, func() *progress.Phase { return talk.Start("verify", total, progress.Bytes) })
	v.size = in.size.Load()
	if err != nil {
		return nil, cancelled(ctx, err)
	}
	return v.result(), nil
}

// file opens what is to be verified; total is zero where nobody knows it.
func (v *verification) file(ctx context.Context) (_ io.ReadCloser, total int64, _ error) {
	if v.opts.Path == "" {
		return io.NopCloser(v.opts.Source), 0, nil
	}
	file, err := openFile(ctx, v.opts.Path)
	if err != nil {
		return nil, 0, cancelled(ctx, err)
	}
	info, err := file.Stat()
	switch {
	case err != nil:
		return nil, 0, errors.Join(err, file.Close())
	case info.IsDir():
		return nil, 0, errors.Join(errors.New("it is a folder"), file.Close())
	case info.Mode().IsRegular():
		total = info.Size()
	}
	return file, total, nil
}

// read goes through the archive once. What is wrong with it becomes a finding;
// an error is what kept it from being read. Progress begins when nobody is
// asked for a key any more.
func (v *verification) read(ctx context.Context, in *input, begin func() *progress.Phase) (err error) {
	v.source, err = open(ctx, in, v.unlock)
	defer func() { err = errors.Join(err, v.source.close()) }()
	if err != nil {
		return v.blame(err)
	}
	phase := begin()
	defer func() { phase.Done(err) }()
	phase.Set(in.size.Load())
	in.phase.Store(phase)
	v.summary, err = archive.Check(v.source.plain, v.watch)
	if err != nil && !errors.Is(err, errBroken) {
		return v.blame(err)
	}
	inner, proof := v.source.drain()
	return errors.Join(v.blame(inner), v.blame(proof))
}

// blame turns an error that is about the archive into a finding of its level.
func (v *verification) blame(err error) error {
	var packed *unzipError
	switch {
	case err == nil:
		return nil
	case failure.KindOf(err) != failure.Failed:
		return err
	case errors.As(err, &packed) && packed.outer && v.source.message != nil:
		v.sealed.fault("", "%s", packed)
	case errors.As(err, &packed):
		v.tar.fault("", "%s", packed)
	case errors.Is(err, seal.ErrPassphrase):
		return &failure.Error{Kind: failure.Locked, Cause: err}
	case errors.Is(err, seal.ErrTrailing):
		v.trailing(err)
	case errors.Is(err, seal.ErrDamaged):
		v.sealed.fault("", "%s", err)
	case errors.Is(err, seal.ErrUnsupported):
		v.sealed.fault("", "%s: damaged there, or of a kind that this release does not read", err)
	default:
		return err
	}
	return nil
}

// cancelled gives a cancel its kind.
func cancelled(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, context.Cause(ctx)) {
		return failure.Cancel(errors.New("cancelled"))
	}
	return err
}

// unlock asks for keys until one fits.
func (v *verification) unlock(ctx context.Context, m *seal.Message) (seal.SessionKey, error) {
	var wrong error
	for attempt := 1; ; attempt++ {
		keys, err := v.opts.Keys(ctx, m, attempt)
		if err != nil && wrong != nil && failure.KindOf(err) == failure.Locked {
			return seal.SessionKey{}, &failure.Error{Kind: failure.Locked, Cause: wrong, Hint: hintOf(err)}
		}
		if err != nil {
			return seal.SessionKey{}, err
		}
		key, err := m.Unlock(keys)
		clear(keys.Passphrase)
		if err == nil {
			return key, nil
		}
		wrong = err
	}
}

func hintOf(err error) string {
	for _, hint := range failure.Hints(err) {
		return hint
	}
	return ""
}
