package backup

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/docker-ucp/docker-ucp/internal/agent"
	"github.com/docker-ucp/docker-ucp/internal/engine"
	"github.com/docker-ucp/docker-ucp/internal/ucp"
)

// How long the manager may take to count the mounts of /dev/shm, and to take them away: there may be tens of thousands.
const (
	shmLookLimit = time.Minute
	shmFixLimit  = 5 * time.Minute
)

// shm is what was found out about the manager's /dev/shm, where UCP is of a version that piles up mounts of it.
type shm struct {
	mounts  int    // zero where nobody could count them, or need not
	unknown string // why nobody could
}

// runner runs small tasks on the manager; *engine.Engine does.
type runner interface {
	RunTask(ctx context.Context, task engine.Task) ([]byte, error)
}

// lookAtShm counts the mounts. That it cannot is no reason to do without a backup.
func (b *backup) lookAtShm(ctx context.Context) error {
	if !ucp.PilesUpShm(b.instance.Version) {
		if b.opts.FixShm {
			b.talk.Say("UCP %s is not known to pile up mounts of /dev/shm; --fix-shm has nothing to do", orUnknown(b.instance.Version))
		}
		return nil
	}
	mounts, err := number(ctx, b.tasks, b.small(agent.ShmTask(b.image, b.opts.StartedBy)), shmLookLimit)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	b.shm = shm{mounts: mounts}
	if err != nil {
		b.shm.unknown = err.Error()
	}
	return nil
}

// fixShm takes all but one of them away, where the operator wants that. UCP is not touched yet.
func (b *backup) fixShm(ctx context.Context) error {
	if !b.opts.FixShm || b.opts.DryRun || b.shm.mounts < 2 {
		return nil
	}
	taken, err := number(ctx, b.tasks, b.small(agent.FixTask(b.image, b.opts.StartedBy)), shmFixLimit)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		b.talk.Warn("take mounts of /dev/shm away on %s: %v", b.instance.Node.Name, err)
	default:
		b.talk.Say("took %d of %d mounts of /dev/shm away on %s", taken, b.shm.mounts, b.instance.Node.Name)
	}
	if err := b.lookAtShm(ctx); err != nil {
		return err
	}
	if warning := b.shm.warning(false); warning != "" {
		b.talk.Warn("%s", warning)
	}
	return nil
}

// warning says what the vendor warns of (KB000934); empty where there is nothing to warn of, or it is about to be mended.
func (s shm) warning(fix bool) string {
	switch {
	case s.unknown != "":
		return "this version of UCP piles up mounts of /dev/shm, which can hang the machine, and they could not be counted: " + s.unknown
	case s.mounts > 1 && !fix:
		return fmt.Sprintf("/dev/shm is mounted %d times on this manager, which can hang the machine after a backup or when its engine stops"+
			" (the vendor's KB000934); all but one of them are taken away with: docker ucp backup --fix-shm FILE", s.mounts)
	default:
		return ""
	}
}

// small gives a task what the operator wants for every container of ours.
func (b *backup) small(task engine.Task) engine.Task {
	task.SecurityOpt = append(task.SecurityOpt, b.opts.SecurityOpt...)
	return task
}

// number runs a task that prints one.
func number(ctx context.Context, tasks runner, task engine.Task, limit time.Duration) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	output, err := tasks.RunTask(ctx, task)
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(output)))
	if err != nil {
		return 0, fmt.Errorf("task %s on the manager: it printed no number", strings.Join(task.Args, " "))
	}
	return n, nil
}
