//go:build !linux

package agent

import (
	"context"
	"errors"
	"os"
)

// errNotHere: the plugin compiles everywhere, and holds the agent as well.
var errNotHere = errors.New("the agent runs on Linux alone")

func (spool) free() (int64, error)             { return 0, errNotHere }
func (spool) shares(*os.File) bool             { return false }
func interruptible(*os.File) (*os.File, error) { return nil, errNotHere }

func (*runner) expectFile(context.Context, string) func() *os.File {
	return func() *os.File { return nil }
}

// HandOver gives a file to the agent.
func HandOver(context.Context, string, string, string) (Handed, error) { return Handed{}, errNotHere }
