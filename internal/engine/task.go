package engine

import (
	"context"
	"errors"
)

// Task is a small piece of work in a container of the agent's image, beside the agent. The container has no name, no
// network of its own but that of Network, every capability dropped but Capabilities, a read-only root, and the engine
// removes it when it ends.
type Task struct {
	Image        string
	StartedBy    string
	Args         []string // no secrets: every process of the machine can read them
	Network      string   // the ID of a container whose network it joins; empty for none
	Spool        string   // the volume mounted at SpoolPath; empty for none
	HostPID      bool     // it sees the machine's processes
	Capabilities []string // without CAP_
	SecurityOpt  []string // added to those that it gets anyway
}

// RunTask runs a task to its end and returns what it wrote to its standard output. A status other than zero is an error
// that ends with what the task wrote to its standard error.
func (e *Engine) RunTask(ctx context.Context, task Task) (output []byte, err error) {
	return nil, errors.New("not built")
}

// SweepTasks removes containers of tasks that were created and never started, because their plugin died between.
func (e *Engine) SweepTasks(ctx context.Context) error { return nil }

// ReadFile returns the content of a small regular file in the agent's container, running or not. Its error is one for
// which IsGone is true when there is no such file.
func (a *Agent) ReadFile(ctx context.Context, path string, limit int64) ([]byte, error) {
	return nil, errors.New("not built")
}

// Stop ends an agent that runs, or that the engine is about to start again, for good: its restart policy no longer brings
// it back. It waits until the agent has ended.
func (a *Agent) Stop(ctx context.Context) error { return errors.New("not built") }
