package backup

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"path"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/docker-ucp/docker-ucp/internal/agent"
	"github.com/docker-ucp/docker-ucp/internal/engine"
	"github.com/docker-ucp/docker-ucp/internal/failure"
	"github.com/docker-ucp/docker-ucp/internal/output"
	"github.com/docker-ucp/docker-ucp/internal/progress"
)

// deliver brings the finished archive to where the operator wants it, makes sure that it is the one that the agent
// wrote, and only then lets it appear. It returns the archive's SHA-256. An archive that cannot be delivered stays on
// the manager, unless it is the operator who cancels, or FILE.part was the only place that it ever was in.
func (b *backup) deliver(ctx context.Context, result *agent.Result) (digest string, err error) {
	if b.direct {
		if digest, err = b.check(ctx, result); err != nil {
			return "", failure.WithHint(err, "UCP runs as before; try again")
		}
		return digest, b.placed(b.out.Commit())
	}
	digest, err = b.fetchAll(ctx, result)
	if err == nil && b.out != nil {
		err = b.placed(b.out.Commit())
	}
	if err == nil || ctx.Err() != nil || errors.Is(err, errTaken) {
		return digest, err
	}
	b.kept = true
	return "", failure.NeedsAttention(fmt.Errorf("%w; the archive is whole, and waits on the manager", err),
		"fetch it with: docker ucp backup --resume FILE")
}

// placed takes a file for delivered that has its name, and warns where that may not outlive a power cut.
func (b *backup) placed(err error) error {
	if errors.Is(err, output.ErrInPlace) {
		b.talk.Warn("%v", err)
		return nil
	}
	return err
}

// How often the archive is fetched when the wire breaks, and the pause between two tries.
const (
	fetchTries = 4
	fetchPause = 5 * time.Second
)

// fetchAll begins again when the wire breaks or spoils what it carries. What has gone to standard output cannot be taken
// back.
func (b *backup) fetchAll(ctx context.Context, result *agent.Result) (digest string, err error) {
	for try := 1; ; try++ {
		out := &watched{Writer: b.opts.Stdout}
		if b.out != nil {
			out.Writer = b.out
			if err := b.out.Reset(); err != nil { // the nonce, or what the last try left
				return "", err
			}
		}
		err := b.hold(ctx)
		if err == nil {
			digest, err = b.fetch(ctx, out, result)
		}
		used := b.out == nil && out.used
		if err == nil || out.failed || used || try == fetchTries || ctx.Err() != nil || errors.Is(err, errTaken) {
			return digest, err
		}
		b.talk.Warn("%v; fetching it again", err)
		if err := pause(ctx, fetchPause); err != nil {
			return "", err
		}
	}
}

// errTaken says that there is nothing to fetch any more.
var errTaken = errors.New("somebody removed the agent's container from the manager, and the finished archive with it")

// hold starts an agent that has ended, because its connection broke or it died, once more to hold its name: while its
// container runs no other backup begins, which would take the spool away.
func (b *backup) hold(ctx context.Context) error {
	c := b.agent
	now, err := look(ctx, b.engine, c.agent)
	if b.engine.IsGone(err) {
		return errTaken
	}
	if err != nil || c.deaf || !now.ended && now.restarts == c.restarts {
		return err
	}
	stdin, err := c.agent.Start(ctx)
	if err != nil {
		return err
	}
	_ = c.hangUp() // what it was told over has ended before
	c.stdin, c.restarts, c.waits = stdin, now.restarts, true
	if now.ended {
		c.restarts = 0
	}
	return c.send(agent.Job{Hold: true})
}

// watched remembers that something was written, and that a write failed: no second try helps a disk that is full.
type watched struct {
	io.Writer
	used, failed bool
}

func (w *watched) Write(p []byte) (int, error) {
	n, err := w.Writer.Write(p)
	w.used = true
	w.failed = w.failed || err != nil
	return n, err
}

// stallLimit is how long a fetch may bring nothing. On a connection that is half open nothing comes for ever.
const stallLimit = 2 * time.Minute

var errStalled = fmt.Errorf("fetch the archive: nothing came for %s", stallLimit)

// flow winds up the clock of a fetch. It stands still while a piece is written: whoever reads standard output may take
// all the time that he wants.
type flow struct {
	io.Writer
	stalled *time.Timer
}

func (f flow) Write(p []byte) (int, error) {
	f.stalled.Stop()
	defer f.stalled.Reset(stallLimit)
	return f.Writer.Write(p)
}

// fetch copies the archive out of the spool. UCP runs all the while.
func (b *backup) fetch(ctx context.Context, dst io.Writer, result *agent.Result) (digest string, err error) {
	phase := b.talk.Start("fetch", result.Size, progress.Bytes)
	defer func() { phase.Done(err) }()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stalled := time.AfterFunc(stallLimit, func() { cancel(errStalled) })
	defer stalled.Stop()
	sums := newSums()
	from := path.Join(engine.SpoolPath, agent.ArchiveInSpool)
	_, err = b.agent.agent.Fetch(ctx, from, flow{io.MultiWriter(dst, sums, counter{phase}), stalled})
	switch {
	case err != nil && errors.Is(context.Cause(ctx), errStalled):
		return "", errStalled
	case err != nil:
		return "", err
	}
	return sums.digest(), sums.compare(result)
}

// check reads what the agent wrote into FILE.part, while the disk takes it in.
func (b *backup) check(ctx context.Context, result *agent.Result) (digest string, err error) {
	phase := b.talk.Start("check", result.Size, progress.Bytes)
	defer func() { phase.Done(err) }()
	var group errgroup.Group
	group.Go(b.out.File().Sync)
	checksum := newChecksum()
	digest, size, err := b.out.Rehash(ctx, io.MultiWriter(checksum, counter{phase}))
	err = errors.Join(err, group.Wait())
	if err != nil {
		return "", err
	}
	return digest, compare(result, size, checksum.Sum32())
}

// sums is what is computed over an archive that passes.
type sums struct {
	sha256   hash.Hash
	checksum hash.Hash32
	size     int64
}

func newSums() *sums { return &sums{sha256: sha256.New(), checksum: newChecksum()} }

func (s *sums) Write(p []byte) (int, error) {
	_, _ = s.sha256.Write(p) // never fails: package hash promises it
	_, _ = s.checksum.Write(p)
	s.size += int64(len(p))
	return len(p), nil
}

func (s *sums) digest() string { return hex.EncodeToString(s.sha256.Sum(nil)) }

func (s *sums) compare(result *agent.Result) error {
	return compare(result, s.size, s.checksum.Sum32())
}

func newChecksum() hash.Hash32 { return crc32.New(crc32.MakeTable(crc32.Castagnoli)) }

// compare holds what arrived against what the agent wrote.
func compare(result *agent.Result, size int64, checksum uint32) error {
	if size != result.Size || checksum != result.CRC32C {
		return fmt.Errorf("the archive changed on its way: %d bytes with checksum %08x arrived, %d bytes with %08x were written",
			size, checksum, result.Size, result.CRC32C)
	}
	return nil
}

// counter adds what is written to a phase.
type counter struct{ phase *progress.Phase }

func (c counter) Write(p []byte) (int, error) {
	c.phase.Add(int64(len(p)))
	return len(p), nil
}
