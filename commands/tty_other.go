//go:build !unix

package commands

import (
	"errors"
	"os"

	"golang.org/x/term"
)

// openTerminal fails: the terminal has no name here that one could rely on.
func openTerminal() (*os.File, error) { return nil, errors.ErrUnsupported }

// readSecret reads a line that is not shown.
func readSecret(fd int) ([]byte, error) { return term.ReadPassword(fd) }
