package agent

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/docker-ucp/docker-ucp/internal/engine"
	"github.com/docker-ucp/docker-ucp/internal/failure"
	"github.com/docker-ucp/docker-ucp/internal/quiesce"
	"github.com/docker-ucp/docker-ucp/internal/ucp"
)

// memoryLimit keeps the agent small on a manager that has other things to do.
const memoryLimit = 64 << 20

// maxLine bounds one line of input. An Order grows with the number of containers and volumes, some dozens of each.
const maxLine = 16 << 20

// Engine is what the agent does with the engine.
type Engine interface {
	quiesce.Engine
	EngineID(ctx context.Context) (string, error)
}

// Records is what the agent reads of UCP off the engine.
type Records interface {
	ucp.RecordEngine
	ucp.ListEngine
}

// Host is what the agent finds on its machine.
type Host struct {
	Engine  Engine
	Records Records
	Nodes   ucp.NodeEngine
	Volumes string // a folder that holds one for each volume
	Spool   string // a folder on a disk with room
}

// Main is the agent's whole program: it runs until the work is done and returns the exit status. With arguments it does
// a small task instead.
func Main() int {
	debug.SetMemoryLimit(memoryLimit)
	if len(os.Args) > 1 {
		return runTask(os.Args[1:], os.Stdout, os.Stderr)
	}
	signal.Ignore(syscall.SIGPIPE) // an engine that no longer takes the log must not end the one who brings UCP back
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	stdin, err := interruptible(os.Stdin)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		stdin = os.Stdin // a journal needs none
	}
	eng, err := engine.Open(engine.SocketPath)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	host := Host{
		Engine: eng, Records: eng.API(), Nodes: eng.API(),
		Volumes: engine.VolumesPath, Spool: engine.SpoolPath,
	}
	if err := Run(ctx, host, stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// Run is one life of the agent. Where the spool holds the journal of a life before, it finishes what that one had begun.
// It reads a Job and an Order from stdin and does them where it found no journal, or where an archive waits beside it, for
// which somebody may want the name held. It writes Events to stdout, the last word among them. Whatever it returns, what it brought to rest runs again, or the last event names what does not, or the
// journal is in the spool for the next life. It returns an error exactly when that next life is needed. A read of stdin
// must end when stdin is closed: that is how a cancelled ctx reaches one that waits.
func Run(ctx context.Context, host Host, stdin io.ReadCloser, stdout io.Writer) error {
	r := &runner{host: host, emitter: &emitter{out: stdout}, spool: newSpool(host.Spool)}
	if r.spool.unsettled() {
		err := r.replay(ctx)
		if err != nil || ctx.Err() != nil || r.spool.unsettled() || !r.spool.finished() {
			return err
		}
		r.replayed = true
	}
	stop := context.AfterFunc(ctx, func() { _ = stdin.Close() })
	defer stop()
	in := bufio.NewReaderSize(stdin, 64<<10)
	finished, err := r.serve(ctx, in, stdin)
	r.lastWord(ctx, finished, err)
	if finished != nil || r.spool.unsettled() && !isSilence(err) {
		r.awaitDismissal(ctx, in)
	}
	return r.promise()
}

type runner struct {
	*emitter
	host     Host
	spool    spool
	engineID string
	replayed bool         // this life has said already what became of the one before
	held     string       // the node whose label could not be taken off
	moved    atomic.Int64 // grows while a capture goes on
}

// serve does what its input says, and returns the last word of a backup that went well.
func (r *runner) serve(ctx context.Context, in *bufio.Reader, input io.Closer) (finished *Event, err error) {
	job, err := r.firstLine(ctx, in, input)
	switch {
	case err != nil || job == nil:
		return nil, err
	case job.Hold:
		r.awaitDismissal(ctx, in)
		return nil, nil
	case job.Clean:
		return nil, r.spool.remove()
	}
	if err := r.refuseOtherEngine(ctx, job.EngineID); err != nil {
		return nil, err
	}
	finished, err = r.carryOut(ctx, in, job)
	if finished != nil || isSilence(err) { // after a silence the next life tidies, when UCP is back
		return finished, err
	}
	return nil, errors.Join(err, r.spool.tidy())
}

// carryOut surveys, waits for an order and obeys it; nil when none came.
func (r *runner) carryOut(ctx context.Context, in *bufio.Reader, job *Job) (finished *Event, err error) {
	if err := r.spool.prepare(); err != nil {
		return nil, err
	}
	output := r.expectFile(ctx, job.Nonce)
	defer func() { err = errors.Join(err, closeFile(output())) }()
	survey, err := r.survey(ctx, job)
	if err != nil {
		return nil, err
	}
	r.emit(Event{Type: Surveyed, Survey: survey})

	var order Order
	err = readLine(ctx, in, &order)
	if errors.Is(err, io.EOF) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the order: %w", err)
	}
	return r.backup(ctx, &order, output())
}

// firstLineTimeout is how long the agent waits for its first line. A plugin sends it at once.
const firstLineTimeout = time.Minute

// firstLine reads the job; nil for none. In a container that the engine started again nobody writes one, and the input
// does not end.
func (r *runner) firstLine(ctx context.Context, in *bufio.Reader, input io.Closer) (*Job, error) {
	expired := time.AfterFunc(firstLineTimeout, func() { _ = input.Close() })
	job := &Job{}
	err := readLine(ctx, in, job)
	switch {
	case err == nil:
		expired.Stop()
		return job, nil
	case r.replayed && (errors.Is(err, io.EOF) || ctx.Err() != nil):
		return nil, nil
	case expired.Stop() || ctx.Err() != nil:
		return nil, fmt.Errorf("read the job: %w", err)
	case r.spool.finished():
		return nil, nil // this agent's last word was another life's
	}
	err = errors.New("nobody told this agent what to do: it was interrupted and started again, or its plugin is gone; nothing is at rest")
	return nil, errors.Join(failure.WithHint(err, "try again"), r.spool.tidy())
}

// refuseOtherEngine: a socket may lead to another machine's engine than the one the operator talks to, and what would
// be stopped there is somebody else's.
func (r *runner) refuseOtherEngine(ctx context.Context, want string) error {
	id, err := r.host.Engine.EngineID(ctx)
	if err != nil {
		return failure.WithHint(fmt.Errorf("ask the engine who it is, over the socket mounted into the agent: %w", err),
			"if its socket lies elsewhere on the manager: docker ucp backup --engine-socket PATH; if a security module denies it: --security-opt label=disable")
	}
	if id != want {
		return failure.WithHint(fmt.Errorf("the socket mounted into the agent belongs to engine %s, not to %s", id, want),
			"name the right one with: docker ucp backup --engine-socket PATH")
	}
	r.engineID = id
	return nil
}

// lastWord says how the work has ended. An agent that is to be started again has not ended its work.
func (r *runner) lastWord(ctx context.Context, finished *Event, err error) {
	switch {
	case isSilence(err):
		r.waitForEngine(err)
	case err != nil:
		if cause := context.Cause(ctx); cause != nil && !errors.Is(err, cause) {
			err = fmt.Errorf("%w: %w", cause, err) // which signal, where a call that it ended knows no more than that
		}
		r.fail(err)
	case finished != nil:
		r.emit(*finished)
	}
}

// waitForEngine says that this life ends without a last word.
func (r *runner) waitForEngine(err error) {
	r.emit(Event{Type: Warning, Message: fmt.Sprintf("the agent on the manager ends, and brings UCP back when the engine starts it again: %v", err)})
}

// fail tells the error to whoever reads the log.
func (r *runner) fail(err error) {
	event := Event{Type: Failed, Message: err.Error(), NotResumed: notResumed(err), Held: isHeld(err)}
	if hints := failure.Hints(err); len(hints) > 0 {
		event.Hint = hints[0]
	}
	r.emit(event)
}

func readLine(ctx context.Context, in *bufio.Reader, value any) error {
	var line []byte
	for {
		part, err := in.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case len(line) > maxLine:
			return fmt.Errorf("a line of more than %d bytes", maxLine)
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, io.EOF) && len(line) > 0:
			return io.ErrUnexpectedEOF
		case err != nil:
			return err
		}
		return json.Unmarshal(line, value)
	}
}
