package quiesce

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// NotResumed is the error of containers that ran before and could not be brought back.
type NotResumed struct {
	Targets []Target
	Causes  []error // why, in the order of Targets
	// Unanswered says that the engine was given up on: it told nothing more, so the containers may run, be down or be
	// gone, and whoever tries later may well find it back. Without it, an engine is there that does not start them.
	Unanswered bool
}

func (e *NotResumed) Error() string {
	lines := make([]string, len(e.Targets))
	for i, target := range e.Targets {
		lines[i] = fmt.Sprintf("start %s again: %v", target.Name, e.Causes[i])
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns the causes.
func (e *NotResumed) Unwrap() []error { return e.Causes }

// Names returns the names of the containers that do not run.
func (e *NotResumed) Names() []string {
	names := make([]string, len(e.Targets))
	for i, target := range e.Targets {
		names[i] = target.Name
	}
	return names
}

// Gone tells that none of the containers exists any more.
func (e *NotResumed) Gone(engine Engine) bool {
	return !slices.ContainsFunc(e.Causes, func(cause error) bool { return !engine.IsGone(cause) })
}

// notTold is the cause of a container that the engine told nothing about.
type notTold struct{ err error }

func (e *notTold) Error() string { return "no answer about its state: " + e.err.Error() }

func (e *notTold) Unwrap() error { return e.err }

func isNotTold(err error) bool {
	var silence *notTold
	return errors.As(err, &silence)
}
