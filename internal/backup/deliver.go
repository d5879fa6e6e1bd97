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
	"github.com/docker-ucp/docker-ucp/internal/progress"
)

// deliver brings the finished archive to where the operator wants it, makes sure that it is the one that the agent
// wrote, and only then lets it appear. It returns the archive's SHA-256.
func (b *backup) deliver(ctx context.Context, plan *Plan, result *agent.Result) (digest string, err error) {
	switch {
	case b.out == nil:
		return b.fetch(ctx, b.opts.Stdout, result)
	case plan.Direct:
		digest, err = b.check(ctx, result)
	default:
		digest, err = b.fetchFile(ctx, result)
	}
	if err != nil {
		return "", err
	}
	return digest, b.out.Commit()
}

// How often the archive is fetched when the wire breaks, and the pause between two tries.
const (
	fetchTries = 4
	fetchPause = 5 * time.Second
)

// fetchFile fetches into FILE.part, and begins again when the wire breaks or spoils what it carries.
func (b *backup) fetchFile(ctx context.Context, result *agent.Result) (digest string, err error) {
	for try := 1; ; try++ {
		if err := b.out.Reset(); err != nil { // the nonce, or what the last try left
			return "", err
		}
		out := &watched{Writer: b.out}
		digest, err := b.fetch(ctx, out, result)
		if err == nil || out.failed || try == fetchTries || ctx.Err() != nil {
			return digest, err
		}
		b.talk.Warn("%v; fetching it again", err)
		if err := pause(ctx, fetchPause); err != nil {
			return "", err
		}
	}
}

// watched remembers that a write failed: no second try helps a disk that is full.
type watched struct {
	io.Writer
	failed bool
}

func (w *watched) Write(p []byte) (int, error) {
	n, err := w.Writer.Write(p)
	w.failed = w.failed || err != nil
	return n, err
}

// fetch copies the archive out of the spool. UCP runs all the while.
func (b *backup) fetch(ctx context.Context, dst io.Writer, result *agent.Result) (digest string, err error) {
	phase := b.talk.Start("fetch", result.Size, progress.Bytes)
	defer func() { phase.Done(err) }()
	sum, checksum := sha256.New(), newChecksum()
	from := path.Join(engine.SpoolPath, agent.ArchiveInSpool)
	size, err := b.agent.agent.Fetch(ctx, from, io.MultiWriter(dst, sum, checksum, counter{phase}))
	if err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), compare(result, size, checksum.Sum32())
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

func newChecksum() hash.Hash32 { return crc32.New(crc32.MakeTable(crc32.Castagnoli)) }

// compare holds what arrived against what the agent wrote.
func compare(result *agent.Result, size int64, checksum uint32) error {
	if size != result.Size || checksum != result.CRC32C {
		return failure.WithHint(
			fmt.Errorf("the archive changed on its way: %d bytes with checksum %08x arrived, %d bytes with %08x were written",
				size, checksum, result.Size, result.CRC32C),
			"UCP runs as before; try again")
	}
	return nil
}

// counter adds what is written to a phase.
type counter struct{ phase *progress.Phase }

func (c counter) Write(p []byte) (int, error) {
	c.phase.Add(int64(len(p)))
	return len(p), nil
}
