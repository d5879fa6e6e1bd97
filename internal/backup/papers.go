package backup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	"github.com/docker-ucp/docker-ucp/internal/agent"
	"github.com/docker-ucp/docker-ucp/internal/engine"
	"github.com/docker-ucp/docker-ucp/internal/failure"
	"github.com/docker-ucp/docker-ucp/internal/quiesce"
	"github.com/docker-ucp/docker-ucp/internal/ucp"
)

const (
	// maxPaper bounds a file that an agent left: a plan or a manifest has some dozens of entries.
	maxPaper = 16 << 20
	// paperLimit is how long an engine may take to hand one over.
	paperLimit = time.Minute
)

// errDamaged says that a paper is there and its content is none. The agent writes each whole, so the disk damaged it.
var errDamaged = errors.New("its content is damaged")

// readPapers reads the journal first: the next life of a dead agent may be renaming it to the orphan right now. Where the
// disk damaged what they say, the plan comes out of the agent's log, and a receipt counts as none.
func (l *leftover) readPapers(ctx context.Context, eng *engine.Engine) error {
	journal, damaged := readPaper[agent.Journal](ctx, eng, l.Agent, agent.JournalInSpool)
	if damaged != nil && !errors.Is(damaged, errDamaged) {
		return damaged
	}
	orphan, err := readPaper[agent.Journal](ctx, eng, l.Agent, agent.OrphanInSpool)
	if err != nil && !errors.Is(err, errDamaged) {
		return err
	}
	l.receipt, l.spoilt = nil, false
	receipt, receiptErr := readPaper[agent.Receipt](ctx, eng, l.Agent, agent.ReceiptInSpool)
	switch {
	case errors.Is(receiptErr, errDamaged):
		l.spoilt = true
	case receiptErr != nil:
		return receiptErr
	default:
		l.receipt = receipt
	}
	l.journal, l.orphan = journal, orphan != nil || err != nil
	if l.orphan {
		l.journal, damaged = orphan, err
	}
	if damaged != nil {
		l.journal, err = l.recall(ctx, eng, damaged)
		return err
	}
	return nil
}

// readPaper reads one of the files that an agent left; nil when there is none.
func readPaper[T any](ctx context.Context, eng *engine.Engine, from *engine.Agent, name string) (*T, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, paperLimit, errNoAnswer)
	defer cancel()
	content, err := from.ReadFile(ctx, path.Join(engine.SpoolPath, name), maxPaper)
	if eng.IsGone(err) {
		return nil, nil
	}
	if err != nil && errors.Is(context.Cause(ctx), errNoAnswer) {
		err = errNoAnswer
	}
	if err != nil {
		return nil, failure.WithHint(fmt.Errorf("read the %s that an earlier backup left: %w", path.Base(name), err),
			"try again; what that backup did is in: docker logs "+engine.AgentName)
	}
	paper := new(T)
	if err := json.Unmarshal(content, paper); err != nil {
		return nil, fmt.Errorf("read the %s that an earlier backup left: %w: %w", path.Base(name), errDamaged, err)
	}
	if isBlank(paper) {
		return nil, fmt.Errorf("read the %s that an earlier backup left: %w", path.Base(name), errDamaged)
	}
	return paper, nil
}

// isBlank knows a paper that says nothing: a journal always names its engine, and an archive has some bytes.
func isBlank(paper any) bool {
	switch p := paper.(type) {
	case *agent.Journal:
		return p.EngineID == ""
	case *agent.Receipt:
		return p.Result.Size <= 0
	default:
		return false
	}
}

// recall makes a journal that is damaged anew, out of what its agent said when it brought UCP to rest.
func (l *leftover) recall(ctx context.Context, eng *engine.Engine, damaged error) (*agent.Journal, error) {
	ctx, cancel := context.WithTimeout(ctx, paperLimit)
	defer cancel()
	var plan *quiesce.Plan
	reading := l.Log(ctx, &lineWriter{line: func(line []byte) {
		if event, ok := agent.ParseEvent(line); ok && event.Type == agent.Quiescing {
			plan = event.Plan
		}
	}}, io.Discard, false)
	if reading != nil || plan == nil {
		return nil, l.unknown(errors.Join(damaged, reading))
	}
	info, err := eng.API().Info(ctx)
	if err != nil {
		return nil, failure.WithHint(fmt.Errorf("read the engine's state: %w", err), "try again")
	}
	return &agent.Journal{EngineID: info.ID, Node: info.Swarm.NodeID, By: l.StartedBy, Since: l.Since, Plan: *plan}, nil
}

// unknown asks a person for what no paper tells any more. Until the damaged one is gone no backup can begin: it may be all
// that says that UCP is at rest.
func (l *leftover) unknown(err error) error {
	remove := "docker rm --force " + engine.AgentName + "; "
	if l.ownSpool {
		remove += "docker volume rm " + l.spool
	} else {
		task := agent.CleanTask(l.Image, "", l.spool, true)
		remove += "docker run --rm --volume " + failure.Quote(l.spool+":"+engine.SpoolPath) + " " + l.Image + " " + strings.Join(task.Args, " ")
	}
	err = failure.NeedsAttention(fmt.Errorf("%w; which containers of UCP an earlier backup, started by %s, left at rest is not known", err, l.StartedBy),
		"start what does not run of: docker ps --all --filter label="+ucp.LabelInstance)
	return failure.WithHint(err, "when UCP runs, remove the damaged file, and with it an archive that may wait: "+remove)
}
