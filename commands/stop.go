package commands

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// untilStopped returns a context that ends when somebody wants the command to end: with Ctrl-C, by a signal, or because
// the terminal is gone; not so under nohup.
//
// What is written to a reader that has left is from now on an error. It would end the program, and leave on the manager
// what the program made there.
func untilStopped(ctx context.Context) (context.Context, context.CancelFunc) {
	signal.Ignore(syscall.SIGPIPE)
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		signals = append(signals, syscall.SIGHUP)
	}
	return signal.NotifyContext(ctx, signals...)
}
