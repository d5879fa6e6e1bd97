// Package failure gives an error the two things that an operator needs beside its text: of which kind it is, so that
// a script can tell a refusal from a disaster by the exit status, and what to type next.
//
// The rooms of the core return these errors; commands/ turns the kind into an exit status in one place. The package
// promises nothing about wording.
package failure

import (
	"errors"
	"slices"
)

// Kind says in which state a failed command leaves the world behind.
type Kind int

// The kinds, in the order of the exit statuses that docs/reference documents.
const (
	// Failed means that nothing changed, or that all was put back.
	Failed Kind = iota
	// Attention means that something was not put back and needs a person.
	Attention
	// Damaged means that an archive is damaged or incomplete.
	Damaged
	// Locked means that the passphrase is wrong, or that no key fits.
	Locked
	// Refused means that the command stopped before it touched anything.
	Refused
	// Cancelled means that the operator stopped the command, and that all was put back.
	Cancelled
)

// Error is a cause with its kind and, where there is one, a hint.
type Error struct {
	Kind  Kind
	Cause error
	Hint  string // what to type next; may be empty
}

// Error returns the cause alone; the hint is printed on a line of its own by whoever talks to the operator.
func (e *Error) Error() string { return e.Cause.Error() }

// Unwrap makes errors.Is and errors.As see the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Refuse returns an error of the kind Refused; hint may be empty.
func Refuse(cause error, hint string) error {
	return &Error{Kind: Refused, Cause: cause, Hint: hint}
}

// NeedsAttention returns an error of the kind Attention; hint is the command that mends what is left.
func NeedsAttention(cause error, hint string) error {
	return &Error{Kind: Attention, Cause: cause, Hint: hint}
}

// Lock returns an error of the kind Locked; hint says which key opens the archive, and the flag that takes it.
func Lock(cause error, hint string) error {
	return &Error{Kind: Locked, Cause: cause, Hint: hint}
}

// Cancel returns an error of the kind Cancelled.
func Cancel(cause error) error {
	return &Error{Kind: Cancelled, Cause: cause}
}

// WithHint returns err with a hint, its kind kept; an error without a kind becomes one of the kind Failed.
func WithHint(err error, hint string) error {
	return &Error{Kind: KindOf(err), Cause: err, Hint: hint}
}

// KindOf returns the gravest kind found in err, in whatever order its parts were joined: an error that needs a person
// needs one, whatever else it holds, and Failed is what remains when nothing says more.
func KindOf(err error) Kind {
	kind := Failed
	walk(err, func(e *Error) {
		if gravity(e.Kind) > gravity(kind) {
			kind = e.Kind
		}
	})
	return kind
}

func gravity(kind Kind) int {
	return slices.Index([]Kind{Failed, Cancelled, Refused, Locked, Damaged, Attention}, kind)
}

// Hints returns the hints found in err, outermost first, without repeats.
func Hints(err error) []string {
	var hints []string
	seen := map[string]bool{"": true}
	walk(err, func(e *Error) {
		if !seen[e.Hint] {
			seen[e.Hint] = true
			hints = append(hints, e.Hint)
		}
	})
	return hints
}

func walk(err error, visit func(*Error)) {
	if err == nil {
		return
	}
	//nolint:errorlint // each link of the chain is looked at here; errors.As would stop at the first.
	if e, ok := err.(*Error); ok {
		visit(e)
	}
	//nolint:errorlint // the same: the two shapes of Unwrap are told apart by type.
	switch u := err.(type) {
	case interface{ Unwrap() []error }:
		for _, inner := range u.Unwrap() {
			walk(inner, visit)
		}
	case interface{ Unwrap() error }:
		walk(errors.Unwrap(err), visit)
	}
}
