package backup

import (
	"context"
	"errors"
	"fmt"

	"github.com/docker-ucp/docker-ucp/internal/agent"
	"github.com/docker-ucp/docker-ucp/internal/engine"
	"github.com/docker-ucp/docker-ucp/internal/failure"
	"github.com/docker-ucp/docker-ucp/internal/output"
	"github.com/docker-ucp/docker-ucp/internal/progress"
	"github.com/docker-ucp/docker-ucp/internal/seal"
	"github.com/docker-ucp/docker-ucp/internal/ucp"
)

// Run takes a backup. A nil Result with a nil error is a dry run. A Result together with an error is an archive that is
// whole while something else needs a person.
func Run(ctx context.Context, eng *engine.Engine, talk *progress.Progress, opts Options) (result *Result, err error) {
	b := &backup{engine: eng, tasks: eng, talk: talk, opts: opts}
	b.undo.steps = []undoStep{{func() string { return releaseByHand(b.unreleased) }, b.releaseAtLast}}
	defer func() { err = errors.Join(err, b.undo.run(ctx)) }()
	if opts.Resume {
		result, err = b.resume(ctx)
		return result, b.explain(ctx, err)
	}
	if err := b.prepare(ctx); err != nil {
		return nil, b.explain(ctx, err)
	}
	plan, err := b.decide(ctx)
	if err != nil {
		return nil, b.explain(ctx, err)
	}
	if opts.DryRun {
		return nil, b.explain(ctx, b.dismiss(ctx))
	}
	result, err = b.carryOut(ctx, plan)
	return result, b.explain(ctx, err)
}

// backup is one run under way.
type backup struct {
	engine *engine.Engine
	tasks  runner // the engine, for small tasks
	talk   *progress.Progress
	opts   Options
	undo   undoing

	instance *ucp.Instance
	version  engine.Version
	host     host
	key      seal.SessionKey
	packets  []byte
	out      *output.File // nil for standard output
	image    string       // of the agent, and of small tasks beside it
	unwell   []string     // containers that were unhealthy before UCP was touched
	shm      shm          // what is known of the manager's /dev/shm
	nonce    string       // what FILE.part holds, where the agent might see it
	ownSpool bool         // the volume of the spool is one that a backup made, this one or an earlier one
	agent    *conversation
	touched  bool // the agent has its order
	tookOver bool // the plugin has tried to bring UCP back itself

	handed     agent.Handed // whether the agent has FILE.part
	direct     bool         // the archive goes straight into it
	holds      bool         // the agent tells UCP's reconcilers to leave the node alone
	kept       bool         // the archive stays on the manager
	held       bool         // the agent stays there, to take the node's label off
	unreleased string       // the node whose label no agent is going to take off

	container *engine.Agent // this run's own, from when it is made
	unread    bool          // the spool was there before, and nobody has looked for what an earlier run left in it
	inherits  bool          // that is to be put right, and the agent stays for it
	yielded   bool          // another run has UCP, the spool and the image
	wrong     bool          // an earlier run left something at rest, and it is not put right
	right     bool          // what an earlier run left at rest is put right
}

// prepare refuses what can be refused without an agent, cheapest first, and then starts one.
func (b *backup) prepare(ctx context.Context) (err error) {
	if b.version, err = b.engine.Check(ctx); err != nil {
		return err
	}
	if err := b.settleLeftover(ctx); err != nil {
		return err
	}
	if !b.right { // there was nothing to set right
		b.sweep(ctx)
	}
	if b.instance, err = ucp.Discover(ctx, b.engine.API(), b.opts.ID); err != nil {
		return err
	}
	b.logFound()
	b.releaseForgotten(ctx)
	if err := b.refuseQuorumLoss(); err != nil {
		return err
	}
	if err := b.exclude(); err != nil {
		return err
	}
	if err := b.readHost(ctx); err != nil {
		return err
	}
	if err := b.openOutput(); err != nil {
		return err
	}
	if err := b.makeKey(ctx); err != nil {
		return err
	}
	return b.startAgent(ctx)
}

// makeKey draws the session key of this archive and locks it, here, where the passphrase is.
func (b *backup) makeKey(ctx context.Context) error {
	if b.opts.Lock == nil {
		return nil
	}
	lock, err := b.opts.Lock(ctx)
	if err != nil || lock == nil {
		return err
	}
	if b.key, err = seal.NewSessionKey(); err != nil {
		return err
	}
	b.undo.add("", func(context.Context) error { b.key.Wipe(); return nil })
	if b.packets, err = lock.Packets(b.key); err != nil {
		return failure.Refuse(err, "")
	}
	return nil
}

// decide asks the agent what it sees, makes the plan, and has it approved. Nothing is touched yet.
func (b *backup) decide(ctx context.Context) (*Plan, error) {
	survey, err := b.survey(ctx)
	if err != nil {
		return nil, err
	}
	b.unread = false // an agent that surveys has found nothing to put right
	if err := b.refuseForgotten(survey); err != nil {
		return nil, err
	}
	if err := errors.Join(b.lookAtShm(ctx), b.noteHealth(ctx)); err != nil {
		return nil, err
	}
	plan, err := b.plan(survey)
	if err != nil {
		return nil, err
	}
	if b.opts.Approve != nil {
		if err := b.opts.Approve(ctx, plan); err != nil {
			return nil, err
		}
	}
	if err := b.fixShm(ctx); err != nil {
		return nil, err
	}
	return plan, context.Cause(ctx)
}

// dismiss ends an agent that gets no order.
func (b *backup) dismiss(ctx context.Context) error {
	if err := b.agent.stdin.Close(); err != nil {
		return fmt.Errorf("dismiss the agent: %w", err)
	}
	return b.agent.ended(ctx)
}

// carryOut gives the order and delivers what comes of it.
func (b *backup) carryOut(ctx context.Context, plan *Plan) (*Result, error) {
	b.touched = true
	b.agent.plan = &plan.Quiesce // until it is heard that UCP is back
	b.direct, b.holds = plan.Direct, plan.Hold
	done, err := b.agent.carryOut(ctx, b.order(plan))
	if b.agent.last != nil {
		b.unreleased = "" // it has taken an earlier run's label off, or says that it still tries
	}
	if err != nil {
		settled := b.settleDead(ctx)
		if b.tookOver && settled == nil {
			err = failure.WithHint(err, "UCP runs as before; try again")
		}
		return nil, errors.Join(err, settled, b.letGo(ctx))
	}
	healthy := b.watchHealth(ctx, plan)
	digest, err := b.deliver(ctx, done.Result)
	left := errors.Join(notResumed(&plan.Quiesce, done.NotResumed), <-healthy, b.letGo(ctx))
	if err != nil {
		return nil, errors.Join(err, left)
	}
	result := &Result{
		Size: done.Result.Size, Entries: done.Result.Entries, SHA256: digest,
		ID: b.instance.ID, Version: b.instance.Version, Downtime: int64(done.Result.Downtime),
		Cloned: plan.Clone, Sealed: b.packets != nil, Sockets: done.Result.Sockets, Excluded: plan.Excluded, Missing: done.Result.Missing,
	}
	if b.out != nil {
		result.File = b.out.Path()
	}
	return result, left
}

// explain makes a cancelled run say so, and in which state it left UCP, or that nobody knows. What needs a person says so
// itself, and so does a question that was not answered with yes.
func (b *backup) explain(ctx context.Context, err error) error {
	if err != nil {
		err = errors.Join(err, b.inherit(ctx))
	}
	kind := failure.KindOf(err)
	switch {
	case err == nil, ctx.Err() == nil, kind == failure.Attention, kind == failure.Cancelled:
		return err
	case b.opts.Resume && b.right:
		return failure.Cancel(errors.New("fetching cancelled; UCP runs as before, and what waits on the manager still does"))
	case b.opts.Resume:
		return failure.NeedsAttention(fmt.Errorf("fetching cancelled; it is not known whether UCP runs: %w", err), lookByHand())
	case b.wrong, !b.settled():
		return failure.NeedsAttention(fmt.Errorf("backup cancelled; it is not known whether UCP runs: %w", err), lookByHand())
	case b.touched:
		return failure.Cancel(errors.New("backup cancelled; UCP runs as before"))
	default:
		return failure.Cancel(errors.New("backup cancelled before anything was touched"))
	}
}

// logFound tells names and no more: the options of a volume may hold a password.
func (b *backup) logFound() {
	var containers, volumes []string
	for _, c := range b.instance.Containers {
		containers = append(containers, c.Name+" "+c.State)
	}
	for _, v := range b.instance.Volumes {
		volumes = append(volumes, v.Name)
	}
	b.opts.Log.Debug("found", "engine", b.version.Engine, "api", b.version.API, "id", b.instance.ID,
		"version", b.instance.Version, "containers", containers, "volumes", volumes)
}

func (b *backup) order(plan *Plan) *agent.Order {
	order := &agent.Order{
		Key: b.key.Reveal(), Packets: b.packets, Compress: b.opts.Compress,
		Direct: plan.Direct, Clone: plan.Clone, By: b.opts.StartedBy, Held: b.unreleased != "",
		Instance: *b.instance, Plan: plan.Quiesce, Manifest: b.manifest(plan),
	}
	if plan.Direct {
		order.Output = plan.Output
	}
	if !plan.Hold && !order.Held {
		order.Instance.Node.ID = ""
	}
	return order
}
