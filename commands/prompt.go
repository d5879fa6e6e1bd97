package commands

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/docker/cli/cli/command"
	"golang.org/x/term"

	"github.com/docker-ucp/docker-ucp/internal/failure"
)

// untouched is what a cancel of a question says where the answer would have changed something.
const untouched = "cancelled before anything was touched"

// confirm asks and takes y or yes for a yes; the end of the input is a no.
func confirm(ctx context.Context, dockerCLI command.Cli, question string) error {
	if !dockerCLI.In().IsTerminal() {
		return failure.Refuse(errors.New("nobody can be asked: standard input is no terminal"), "answer beforehand with: --yes")
	}
	if _, err := io.WriteString(dockerCLI.Err(), question); err != nil {
		return fmt.Errorf("ask: %w", err)
	}
	answer, err := await(ctx, untouched, func() (string, error) {
		line, err := bufio.NewReader(dockerCLI.In()).ReadString('\n')
		if errors.Is(err, io.EOF) {
			err = nil
		}
		return line, err
	})
	if err != nil {
		_, lineErr := io.WriteString(dockerCLI.Err(), "\n") // the question's line is still open
		return errors.Join(err, lineErr)
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	default:
		return failure.Cancel(errors.New("not confirmed; nothing was touched"))
	}
}

// keyboard is where a secret is typed, and the screen that its question stands on.
type keyboard struct {
	fd        int
	screen    io.Writer
	cancelled string // what a cancel says
}

// standardKeyboard is that of a command whose standard input is a terminal.
func standardKeyboard(dockerCLI command.Cli) keyboard {
	return keyboard{int(dockerCLI.In().FD()), dockerCLI.Err(), untouched}
}

// promptSecret asks for a secret without showing it.
func (k keyboard) promptSecret(ctx context.Context, question string) (_ []byte, err error) {
	before, err := term.GetState(k.fd)
	if err != nil {
		return nil, fmt.Errorf("ask for a passphrase: %w", err)
	}
	if _, err := io.WriteString(k.screen, question); err != nil {
		return nil, fmt.Errorf("ask for a passphrase: %w", err)
	}
	secret, err := await(ctx, k.cancelled, func() ([]byte, error) { return readPassword(k.fd) })
	if ctx.Err() != nil {
		err = errors.Join(err, term.Restore(k.fd, before)) // the reader was left behind with the echo off
	}
	_, lineErr := io.WriteString(k.screen, "\n")
	return secret, errors.Join(err, lineErr)
}

func readPassword(fd int) ([]byte, error) {
	secret, err := readSecret(fd)
	if err != nil {
		return nil, fmt.Errorf("ask for a passphrase: %w", err)
	}
	return secret, nil
}

// await runs read and gives up on it when the context ends, with these words: a read of a terminal cannot be called back, and the
// program ends soon after.
func await[T any](ctx context.Context, words string, read func() (T, error)) (T, error) {
	type outcome struct {
		value T
		err   error
	}
	done := make(chan outcome, 1)
	go func() {
		value, err := read()
		done <- outcome{value, err}
	}()
	select {
	case <-ctx.Done():
		var none T
		return none, failure.Cancel(errors.New(words))
	case o := <-done:
		return o.value, o.err
	}
}
