package backup

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"path"
	"time"

	"github.com/docker-ucp/docker-ucp/internal/agent"
	"github.com/docker-ucp/docker-ucp/internal/engine"
	"github.com/docker-ucp/docker-ucp/internal/failure"
	"github.com/docker-ucp/docker-ucp/internal/progress"
)

// deliver brings the finished archive to where the operator wants it, makes sure that it is the one that the agent
// wrote, and only then lets it appear.
func (b *backup) deliver(ctx context.Context, plan *Plan, result *agent.Result) error {
	if b.out == nil {
		return b.fetch(ctx, b.opts.Stdout, result)
	}
	if plan.Direct {
		if err := b.check(ctx, result); err != nil {
			return err
		}
		return b.out.Commit()
	}
	if err := b.fetchFile(ctx, result); err != nil {
		return err
	}
	return b.out.Commit()
}

// How often the archive is fetched when the wire breaks, and the pause between two tries.
const (
	fetchTries = 4
	fetchPause = 5 * time.Second
)

// fetchFile fetches into FILE.part, and begins again when the wire breaks or spoils what it carries.
func (b *backup) fetchFile(ctx context.Context, result *agent.Result) error {
	for try := 1; ; try++ {
		if err := b.out.Reset(); err != nil { // the nonce, or what the last try left
			return err
		}
		out := &watched{Writer: b.out}
		err := b.fetch(ctx, out, result)
		if err == nil || out.failed || try == fetchTries || ctx.Err() != nil {
			return err
		}
		b.talk.Warn("%v; fetching it again", err)
		if err := pause(ctx, fetchPause); err != nil {
			return err
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
func (b *backup) fetch(ctx context.Context, dst io.Writer, result *agent.Result) (err error) {
	phase := b.talk.Start("fetch", result.Size, progress.Bytes)
	defer func() { phase.Done(err) }()
	digest := sha256.New()
	from := path.Join(engine.SpoolPath, agent.ArchiveInSpool)
	size, err := b.agent.agent.Fetch(ctx, from, io.MultiWriter(dst, digest, counter{phase}))
	if err != nil {
		return err
	}
	return compare(result, size, hex.EncodeToString(digest.Sum(nil)))
}

// check reads what the agent wrote into FILE.part.
func (b *backup) check(ctx context.Context, result *agent.Result) (err error) {
	phase := b.talk.Start("check", result.Size, progress.Bytes)
	defer func() { phase.Done(err) }()
	digest, size, err := b.out.Rehash(ctx, phase.Add)
	if err != nil {
		return err
	}
	return compare(result, size, digest)
}

func compare(result *agent.Result, size int64, digest string) error {
	if size != result.Size || digest != result.SHA256 {
		return failure.WithHint(
			fmt.Errorf("the archive changed on its way: %d bytes with SHA-256 %s arrived, %d bytes with %s were written",
				size, digest, result.Size, result.SHA256),
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
