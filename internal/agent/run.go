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
	"syscall"

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
	Volumes string // a folder that holds one for each volume
	Spool   string // a folder on a disk with room
	Output  string // the operator's own file, if it was mounted
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
		return 1
	}
	eng, err := engine.Open(engine.SocketPath)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	host := Host{
		Engine: eng, Records: eng.API(),
		Volumes: engine.VolumesPath, Spool: engine.SpoolPath, Output: engine.OutputPath,
	}
	if err := Run(ctx, host, stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// Run reads a Job and an Order from stdin, does them, and writes Events to stdout. Whatever it returns, what it brought
// to rest runs again, or the last event names what does not. The returned error has been told as an event already. A read
// of stdin must end when stdin is closed: that is how a cancelled ctx reaches one that waits.
func Run(ctx context.Context, host Host, stdin io.ReadCloser, stdout io.Writer) error {
	r := &runner{host: host, emitter: &emitter{out: stdout}}
	stop := context.AfterFunc(ctx, func() { _ = stdin.Close() })
	defer stop()
	err := r.run(ctx, bufio.NewReaderSize(stdin, 64<<10))
	if err != nil {
		if cause := context.Cause(ctx); cause != nil && !errors.Is(err, cause) {
			err = fmt.Errorf("%w: %w", cause, err) // which signal, where a call that it ended knows no more than that
		}
		r.fail(err)
	}
	return errors.Join(err, r.failed())
}

type runner struct {
	*emitter
	host Host
}

func (r *runner) run(ctx context.Context, in *bufio.Reader) error {
	var job Job
	if err := readLine(ctx, in, &job); err != nil {
		return fmt.Errorf("read the job: %w", err)
	}
	work := newSpool(r.host.Spool)
	if job.Clean {
		return work.remove()
	}
	if err := r.refuseOtherEngine(ctx, job.EngineID); err != nil {
		return err
	}
	finished, err := r.serve(ctx, in, job, work)
	if err != nil || !finished {
		return errors.Join(err, work.remove())
	}
	return awaitDismissal(ctx, in, work)
}

// serve surveys, waits for an order and carries it out; false when none came.
func (r *runner) serve(ctx context.Context, in *bufio.Reader, job Job, spool spool) (finished bool, err error) {
	survey, output, err := r.survey(ctx, job, spool)
	defer func() { err = errors.Join(err, closeFile(output)) }()
	if err != nil {
		return false, err
	}
	r.emit(Event{Type: Surveyed, Survey: survey})

	var order Order
	err = readLine(ctx, in, &order)
	if errors.Is(err, io.EOF) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read the order: %w", err)
	}
	return true, r.backup(ctx, &order, spool, output)
}

// awaitDismissal keeps the agent until its input ends. Its name on the engine is the lock against a second backup, which
// would remove the spool while the plugin still fetches from it. A plugin that has what it wants says so, and the spool
// is emptied; one that is gone may leave an archive that nobody has fetched.
func awaitDismissal(ctx context.Context, in *bufio.Reader, spool spool) error {
	var last Job
	if err := readLine(ctx, in, &last); err != nil || !last.Clean {
		return nil //nolint:nilerr // however the input ends, nobody is there any more
	}
	return spool.remove()
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
	return nil
}

// fail tells the error to whoever reads the log.
func (r *runner) fail(err error) {
	event := Event{Type: Failed, Message: err.Error(), NotResumed: notResumed(err)}
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
