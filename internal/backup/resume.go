package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/docker-ucp/docker-ucp/internal/agent"
	"github.com/docker-ucp/docker-ucp/internal/failure"
	"github.com/docker-ucp/docker-ucp/internal/output"
)

// resume fetches the archive that an interrupted run left on the manager, and takes no backup. UCP is set right first, as
// in every run. Until the archive is delivered it stays where it is, whatever ends this run.
func (b *backup) resume(ctx context.Context) (_ *Result, err error) {
	if b.version, err = b.engine.Check(ctx); err != nil {
		return nil, err
	}
	left, err := b.findLeftover(ctx)
	if err != nil {
		return nil, err
	}
	if left == nil {
		return nil, failure.Refuse(errors.New("no backup left anything on this manager"), "take one with: docker ucp backup FILE")
	}
	down := b.setRight(ctx, left)
	if down != nil && (left.receipt == nil || ctx.Err() != nil) {
		return nil, down
	}
	if left.receipt == nil {
		return nil, b.nothingWaits(ctx, left)
	}
	b.takeUp(left)
	digest, err := b.bringHome(ctx, left.receipt)
	if err != nil {
		return nil, errors.Join(err, down)
	}
	b.kept = false
	return resumed(left.receipt, b.out, digest), down
}

// nothingWaits removes what an interrupted run left that had no archive yet.
func (b *backup) nothingWaits(ctx context.Context, left *leftover) error {
	err := failure.WithHint(
		fmt.Errorf("no finished archive waits on this manager: the backup that %s started was interrupted before; what it left there is removed", left.StartedBy),
		"take a new one with: docker ucp backup FILE")
	b.nameTorso(left)
	return errors.Join(err, b.removeLeftover(ctx, left))
}

// takeUp makes another run's agent, image and spool this run's own, to be removed when the archive is delivered.
func (b *backup) takeUp(left *leftover) {
	b.kept, b.direct = true, left.receipt.Output != ""
	b.image, b.opts.Spool, b.ownSpool = left.Image, left.spool, left.ownSpool
	b.agent = &conversation{
		engine: b.engine, agent: left.Agent, talk: b.talk, log: b.opts.Log, restarts: left.restarts, deaf: left.journal != nil,
	}
	b.undo.add("docker image rm "+left.Image, b.removeImage)
	b.undo.add("docker volume rm "+left.spool, b.removeSpool)
	b.undo.steps = append(b.undo.steps, undoStep{b.endByHand, func(ctx context.Context) error { return b.removeAgent(ctx, left.Agent) }})
}

// bringHome delivers a waiting archive and returns its SHA-256.
func (b *backup) bringHome(ctx context.Context, receipt *agent.Receipt) (digest string, err error) {
	if b.direct {
		return b.finishDirect(ctx, receipt)
	}
	if b.opts.Path != "" {
		if b.out, err = output.Create(b.opts.Path); err != nil {
			return "", err
		}
		b.undo.add("rm "+failure.Quote(b.out.Part()), func(context.Context) error { return b.out.Discard() })
	}
	return b.deliver(ctx, &receipt.Result)
}

// finishDirect gives an archive its name that went straight into FILE.part. It is there for the operator's taking, and
// so it is nobody else's: only the very file, and only when it holds what the agent wrote.
func (b *backup) finishDirect(ctx context.Context, receipt *agent.Receipt) (digest string, err error) {
	elsewhere := "on the machine on which that backup was started: docker ucp backup --resume " + failure.Quote(receipt.Output)
	if b.opts.Path == "" {
		return "", failure.Refuse(fmt.Errorf("the archive that waits lies in %s.part, not on the manager", receipt.Output), elsewhere)
	}
	path, err := output.Resolve(b.opts.Path)
	if err != nil {
		return "", err
	}
	if path != receipt.Output {
		return "", failure.Refuse(fmt.Errorf("the archive that waits lies in %s.part, not on the manager; it cannot become %s", receipt.Output, path), elsewhere)
	}
	b.out, err = output.Adopt(path)
	if errors.Is(err, fs.ErrNotExist) {
		return b.alreadyHome(ctx, receipt, elsewhere)
	}
	if err != nil {
		return "", err
	}
	b.undo.add("", func(context.Context) error { return b.out.Leave() })
	digest, err = b.check(ctx, &receipt.Result)
	if err != nil {
		return "", insteadOf(failure.Refuse(fmt.Errorf("%s is not the archive that waits, or not the whole of it: %w", b.out.Part(), err), elsewhere))
	}
	if err := b.placed(b.out.CommitOrLeave()); err != nil {
		return "", err
	}
	return digest, nil
}

// alreadyHome knows an archive that has its name already: the run died after its last step.
func (b *backup) alreadyHome(ctx context.Context, receipt *agent.Receipt, elsewhere string) (digest string, err error) {
	digest, err = digestOf(ctx, receipt.Output, &receipt.Result)
	if err != nil {
		return "", insteadOf(failure.Refuse(fmt.Errorf("neither %s.part nor %s is the whole of the archive that waits: %w", receipt.Output, receipt.Output, err), elsewhere))
	}
	b.talk.Say("%s is in its place already", receipt.Output)
	return digest, nil
}

// insteadOf offers the way out where nothing whole may be left anywhere, as after a power cut that tore the file.
func insteadOf(err error) error {
	return failure.WithHint(err, "or take a new one instead, which gives that archive up: docker ucp backup --yes FILE")
}

// digestOf returns the SHA-256 of a file that holds what the agent wrote.
func digestOf(ctx context.Context, name string, result *agent.Result) (digest string, err error) {
	file, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	sums := newSums()
	if _, err := io.Copy(sums, untilDone{ctx, file}); err != nil {
		return "", fmt.Errorf("read %s: %w", name, err)
	}
	return sums.digest(), sums.compare(result)
}

// untilDone is a reader that ends with its context.
type untilDone struct {
	ctx context.Context //nolint:containedctx // a reader has no other way to learn of it.
	io.Reader
}

func (r untilDone) Read(p []byte) (int, error) {
	if err := context.Cause(r.ctx); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}

// resumed is what the receipt tells of the backup that was made.
func resumed(receipt *agent.Receipt, out *output.File, digest string) *Result {
	made := &receipt.Result
	result := &Result{
		File: receipt.Output, Size: made.Size, Entries: made.Entries, SHA256: digest, Downtime: int64(made.Downtime),
		Cloned: receipt.Cloned, Sealed: receipt.Sealed, Sockets: made.Sockets, Missing: made.Missing, Resumed: true,
	}
	if out != nil {
		result.File = out.Path()
	}
	if m := receipt.Manifest; m != nil {
		result.ID, result.Version, result.Excluded = m.UCP.InstanceID, m.UCP.Version, m.ExcludedVolumes
	}
	return result
}
