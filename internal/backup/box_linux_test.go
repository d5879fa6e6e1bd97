package backup

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"

	"github.com/docker-ucp/docker-ucp/internal/agent"
)

// program is what runs in the agent's container; it returns the exit status.
type program func(ctx context.Context, host agent.Host, stdin io.ReadCloser, stdout, stderr io.Writer) int

// realAgent is the agent as it is.
func realAgent(ctx context.Context, host agent.Host, stdin io.ReadCloser, stdout, stderr io.Writer) int {
	if err := agent.Run(ctx, host, stdin, stdout); err != nil {
		_, _ = fmt.Fprintln(stderr, err) // the exit status says it too
		return 1
	}
	return 0
}

// box is the agent's container.
type box struct {
	id      string
	image   string
	labels  map[string]string
	created time.Time
	mounts  []mount.Mount

	mu      sync.Mutex
	state   string // created, running, restarting, exited
	status  int
	ended   time.Time
	lives   int // since somebody started it
	life    *life
	policy  bool           // the engine starts it again when it ends with an error
	byHand  bool           // but for now it does not: somebody ended it
	log     bytes.Buffer   // as the engine keeps it
	grown   chan struct{}  // closed when there is more, or the end
	stdin   net.Conn       // the container's end
	stopped chan struct{}  // closed when the present life is over
	pending sync.WaitGroup // the next one is to begin
	forget  func()         // it is not
}

func (b *box) inspect() container.InspectResponse {
	b.mu.Lock()
	defer b.mu.Unlock()
	answer := container.InspectResponse{
		ContainerJSONBase: &container.ContainerJSONBase{
			ID: b.id, Created: b.created.Format(time.RFC3339Nano), RestartCount: max(b.lives-1, 0),
			State: &container.State{
				Running: b.state == "running" || b.state == "restarting", Restarting: b.state == "restarting", Status: b.state,
				ExitCode: b.status, FinishedAt: b.ended.Format(time.RFC3339Nano),
			},
			HostConfig: &container.HostConfig{RestartPolicy: container.RestartPolicy{Name: map[bool]container.RestartPolicyMode{
				true: container.RestartPolicyOnFailure, false: container.RestartPolicyDisabled,
			}[b.policy]}},
		},
		Config: &container.Config{Image: b.image, Labels: b.labels},
	}
	for _, m := range b.mounts {
		answer.Mounts = append(answer.Mounts, container.MountPoint{Type: m.Type, Name: m.Source, Destination: m.Target})
	}
	return answer
}

func (b *box) mounted(target string) string {
	for _, m := range b.mounts {
		if m.Target == target {
			return m.Source
		}
	}
	return ""
}

func (b *box) wake() {
	close(b.grown)
	b.grown = make(chan struct{})
}

// Write is the container's log driver.
func (b *box) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.wake()
	return b.log.Write(p)
}

// logStream is one reader of the log.
type logStream struct {
	ctx    context.Context
	box    *box
	life   *life // with which it ends
	follow bool
	cut    func(read int) bool
	read   int
	broken chan struct{}
}

func (s *logStream) Read(p []byte) (int, error) {
	for {
		select {
		case <-s.broken: // what was not read is lost
			return 0, io.ErrUnexpectedEOF
		default:
		}
		s.box.mu.Lock()
		n := copy(p[:min(len(p), 64)], s.box.log.Bytes()[s.read:]) // in pieces, as a wire delivers them
		over, grown := !s.follow || s.box.state == "exited" || s.box.state == "restarting" || s.box.life != s.life, s.box.grown
		s.box.mu.Unlock()
		s.read += n
		switch {
		case s.cut != nil && s.cut(s.read):
			return 0, io.ErrUnexpectedEOF
		case n > 0:
			return n, nil
		case over:
			return 0, io.EOF
		}
		select {
		case <-grown:
		case <-s.broken:
			return 0, io.ErrUnexpectedEOF
		case <-s.ctx.Done():
			return 0, s.ctx.Err()
		}
	}
}

func (s *logStream) Close() error { return nil }

// dies is an agent that ends before it has said anything.
func dies(words string) program {
	return func(_ context.Context, _ agent.Host, _ io.ReadCloser, _, stderr io.Writer) int {
		_, _ = fmt.Fprintln(stderr, words) // as above
		return 126
	}
}
