//go:build !unix

package commands

import (
	"errors"
	"os"
)

// openTerminal fails: the terminal has no name here that one could rely on.
func openTerminal() (*os.File, error) { return nil, errors.ErrUnsupported }
