package backup

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"

	cerrdefs "github.com/containerd/errdefs"

	"github.com/docker-ucp/docker-ucp/internal/agent"
	"github.com/docker-ucp/docker-ucp/internal/engine"
	"github.com/docker-ucp/docker-ucp/internal/failure"
	"github.com/docker-ucp/docker-ucp/internal/output"
	"github.com/docker-ucp/docker-ucp/internal/ucp"
)

// exclude drops the volumes that the operator leaves out, and refuses names that are none.
func (b *backup) exclude() error {
	volumes := b.instance.Volumes
	var names []string
	for _, v := range volumes {
		names = append(names, v.Name)
	}
	for _, name := range b.opts.Exclude {
		if !slices.Contains(names, name) {
			return failure.Refuse(fmt.Errorf("leave out volume %s: UCP has no such volume on this manager", name),
				"its volumes are: "+strings.Join(names, " "))
		}
	}
	if slices.Contains(names, b.opts.Spool) {
		return failure.Refuse(fmt.Errorf("use volume %s as the spool: it is one of UCP's own", b.opts.Spool),
			"name another with: --spool-volume NAME")
	}
	b.instance.Volumes = slices.DeleteFunc(slices.Clone(volumes), func(v ucp.Volume) bool { return slices.Contains(b.opts.Exclude, v.Name) })
	if len(b.instance.Volumes) == 0 {
		return failure.Refuse(errors.New("every volume is left out; nothing remains to back up"), "")
	}
	return nil
}

// openOutput begins FILE.part. Where the engine is reached over a socket of this machine, the file may lie where the
// agent can write it; a nonce in it lets the agent prove that.
func (b *backup) openOutput() (err error) {
	if b.opts.Path == "" {
		return nil
	}
	if b.out, err = output.Create(b.opts.Path); err != nil {
		return err
	}
	b.undo.add("rm "+failure.Quote(b.out.Part()), b.discardOutput)
	if b.localSocket() == "" {
		return nil
	}
	b.nonce = "docker-ucp probe " + rand.Text()
	_, err = b.out.Write([]byte(b.nonce))
	return err
}

// discardOutput removes FILE.part, unless an agent that nobody can hear may still be writing the archive into it.
func (b *backup) discardOutput(context.Context) error {
	if b.direct && b.agent.away {
		b.talk.Warn("%s stays; it is the archive when the agent has finished, and gets its name with: docker ucp backup --resume %s",
			b.out.Part(), failure.Quote(b.out.Path()))
		return b.out.Leave()
	}
	return b.out.Discard()
}

// localSocket returns the path of the socket that the engine is reached over; empty for any other way.
func (b *backup) localSocket() string {
	path, found := strings.CutPrefix(b.engine.API().DaemonHost(), "unix://")
	if !found {
		return ""
	}
	return path
}

// startAgent makes the agent's image, its spool and its container, and sends the job.
func (b *backup) startAgent(ctx context.Context) error {
	image, err := b.engine.ImportAgent(ctx, b.opts.Program)
	b.image = image
	if image != "" {
		b.undo.add("docker image rm "+image, b.removeImage)
	}
	if err != nil {
		return err
	}
	if b.unread, err = b.isThere(ctx, b.opts.Spool); err != nil {
		return err
	}
	if b.ownSpool, err = b.engine.CreateSpool(ctx, b.opts.Spool, b.opts.StartedBy); err != nil {
		return err
	}
	b.undo.add("docker volume rm "+b.opts.Spool, b.removeSpool)
	container, err := b.createAgent(ctx, image)
	if err != nil {
		return err
	}
	b.container = container
	b.undo.steps = append(b.undo.steps, undoStep{b.endByHand, func(ctx context.Context) error { return b.removeAgent(ctx, container) }})
	stdin, err := container.Start(ctx)
	if err != nil {
		return err
	}
	b.agent = &conversation{engine: b.engine, agent: container, stdin: stdin, talk: b.talk, log: b.opts.Log}
	job := agent.Job{EngineID: b.host.engineID, Nonce: b.nonce}
	for _, volume := range b.instance.Volumes {
		job.Volumes = append(job.Volumes, volume.Name)
	}
	if err := b.agent.send(job); err != nil {
		return b.agent.gone(ctx, err)
	}
	return nil
}

// isThere tells that a volume was there before this run.
func (b *backup) isThere(ctx context.Context, volume string) (bool, error) {
	there, _, err := b.engine.FindVolume(ctx, volume)
	return there, err
}

// createAgent tries where the engine's own socket may be: the path of a socket here may be no path there.
func (b *backup) createAgent(ctx context.Context, image string) (*engine.Agent, error) {
	spec := engine.AgentSpec{
		Image: image, StartedBy: b.opts.StartedBy, Spool: b.opts.Spool, SecurityOpt: b.opts.SecurityOpt,
	}
	for _, volume := range b.instance.Volumes {
		spec.Volumes = append(spec.Volumes, volume.Name)
	}
	var failed error
	for _, socket := range b.sockets() {
		spec.Socket = socket
		container, err := b.engine.CreateAgent(ctx, spec)
		if err == nil || !cerrdefs.IsInvalidArgument(err) {
			return container, err
		}
		failed = errors.Join(failed, err)
	}
	return nil, failure.Refuse(failed, "if the engine's socket lies elsewhere on the manager: docker ucp backup --engine-socket PATH")
}

// sockets lists where the engine's own socket may be on its machine, likeliest first.
func (b *backup) sockets() []string {
	if b.opts.EngineSocket != "" {
		return []string{b.opts.EngineSocket}
	}
	local := b.localSocket()
	if local == "" || local == DefaultSocket {
		return []string{DefaultSocket}
	}
	return []string{local, DefaultSocket}
}
