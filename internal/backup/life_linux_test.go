package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/pkg/stdcopy"

	"github.com/docker-ucp/docker-ucp/internal/agent"
	"github.com/docker-ucp/docker-ucp/internal/engine"
)

// life is one process of the agent's container. It runs in this process, so one that was killed goes on for a moment;
// nothing that it does then has an effect.
type life struct {
	box   *box
	spool string
	stdin net.Conn
	feed  net.Conn           // the other end of it, where nobody is attached
	end   context.CancelFunc // SIGTERM
	dead  chan struct{}      // SIGKILL
	saved string             // what the spool held at that moment
}

// fromAgent marks the context of the agent's own calls with its life.
type fromAgent struct{}

var errDead = errors.New("the agent is dead")

// The engine starts a container again after a pause, which doubles.
const (
	policyPause   = 100 * time.Millisecond
	longestPolicy = time.Minute
)

func (l *life) isDead() bool {
	select {
	case <-l.dead:
		return true
	default:
		return false
	}
}

// start begins a life with what the plugin attached to.
func (b *box) start(m *manager) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.state == "running" {
		return nil
	}
	b.lives, b.byHand = 0, false
	b.begin(m, b.stdin)
	return nil
}

func (b *box) begin(m *manager, stdin net.Conn) {
	l := &life{
		box: b, spool: filepath.Join(m.volumes, b.mounted(engine.SpoolPath)), stdin: stdin, dead: make(chan struct{}),
	}
	var ctx context.Context
	ctx, l.end = context.WithCancel(context.WithValue(context.Background(), fromAgent{}, l))
	b.state, b.life, b.stopped = "running", l, make(chan struct{})
	b.lives++
	b.wake()
	stopped := b.stopped
	go func() {
		status := m.program(ctx, m.hostOf(l), stdin, mouth{stdcopy.NewStdWriter(l, stdcopy.Stdout), m}, stdcopy.NewStdWriter(l, stdcopy.Stderr))
		l.end()
		_ = stdin.Close() // twice where the agent did
		if l.isDead() {
			status = 137
			l.restore()
		}
		b.over(m, status)
		close(stopped)
	}()
}

func (m *manager) hostOf(l *life) agent.Host {
	return agent.Host{
		Engine: engine.New(m), Records: m, Nodes: m, Volumes: m.volumes, Spool: l.spool,
	}
}

// over ends a life; after one that failed the engine begins another.
func (b *box) over(m *manager, status int) {
	m.mu.Lock()
	gone := m.gone
	m.mu.Unlock()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.state, b.status, b.ended = "exited", status, time.Now()
	if b.policy && !b.byHand && !gone && status != 0 {
		b.state = "restarting"
		after := min(policyPause<<min(b.lives, 16), longestPolicy)
		ctx, forget := context.WithCancel(context.Background())
		b.forget = forget
		b.pending.Go(func() { b.again(ctx, m, after) })
	}
	b.wake()
}

func (b *box) again(ctx context.Context, m *manager, after time.Duration) {
	_ = pause(ctx, after) // the state says whether somebody ended it meanwhile
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.state != "restarting":
	case !b.policy || b.byHand:
		b.state = "exited"
		b.wake()
	default:
		feed, never := net.Pipe() // an input that never ends
		b.begin(m, never)
		b.life.feed = feed
	}
}

// revive is the engine's start: it begins another life of what had ended with an error.
func (b *box) revive(m *manager) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.policy && b.state == "exited" && b.status != 0 {
		feed, never := net.Pipe()
		b.begin(m, never)
		b.life.feed = feed
	}
}

// mouth is the agent's standard output.
type mouth struct {
	io.Writer
	m *manager
}

func (o mouth) Write(p []byte) (int, error) {
	event, ok := agent.ParseEvent(p)
	if ok && o.m.overhear != nil {
		o.m.overhear(event)
	}
	n, err := o.Writer.Write(p)
	if ok && o.m.hear != nil {
		o.m.hear(event)
	}
	return n, err
}

// Write is the log of one life.
func (l *life) Write(p []byte) (int, error) {
	if l.isDead() {
		return len(p), nil
	}
	return l.box.Write(p)
}

// die ends the agent as SIGKILL does. What it has asked the engine for goes on.
func (m *manager) die() {
	m.mu.Lock()
	b := m.agent
	m.mu.Unlock()
	b.mu.Lock()
	defer b.mu.Unlock()
	if l := b.life; b.state == "running" && !l.isDead() {
		l.kill()
	}
}

// kill ends it for good, as docker kill does: no policy starts again what somebody ended.
func (m *manager) kill() {
	m.mu.Lock()
	b := m.agent
	m.mu.Unlock()
	b.mu.Lock()
	b.byHand = true
	if b.state == "restarting" {
		b.forget()
	}
	b.mu.Unlock()
	m.die()
}

// end ends an agent that a test leaves, and waits for it.
func (m *manager) end() {
	m.kill()
	<-m.agent.stopped
	m.agent.pending.Wait()
}

func (l *life) kill() {
	saved, err := os.MkdirTemp("", "saved")
	if err == nil {
		err = os.CopyFS(filepath.Join(saved, "spool"), os.DirFS(l.spool))
	}
	if err != nil {
		panic(err)
	}
	l.saved = saved
	close(l.dead)
	l.end()
	_ = l.stdin.Close() // it may have ended
}

// restore undoes what was done after the death.
func (l *life) restore() {
	err := os.RemoveAll(l.spool)
	if err == nil {
		err = os.Rename(filepath.Join(l.saved, "spool"), l.spool)
	}
	if err = errors.Join(err, os.RemoveAll(l.saved)); err != nil {
		panic(err)
	}
}

// terminate is SIGTERM by way of the engine: whoever asks for it does not want the agent started again.
func (b *box) terminate() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.state != "running" {
		return fmt.Errorf("it is not running: %w", cerrdefs.ErrConflict)
	}
	b.byHand = true
	b.life.end()
	return nil
}

func (m *manager) stopAgent(ctx context.Context, b *box, options container.StopOptions) error {
	if err := m.call(ctx, "stop", "agent"); err != nil {
		return err
	}
	patience := 10 * time.Second
	if options.Timeout != nil {
		patience = time.Duration(*options.Timeout) * time.Second
	}
	if err := b.terminate(); err != nil {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.state == "restarting" {
			b.state = "exited"
			b.forget()
		}
		return nil
	}
	select {
	case <-b.stopped:
	case <-time.After(patience):
		m.die()
		<-b.stopped
	}
	return nil
}
