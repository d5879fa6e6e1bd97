package progress

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// The levels of what is said and of failed phases.
const (
	levelInfo    = "info"
	levelWarning = "warning"
	levelError   = "error"
)

// plainInterval is short enough for a person who watches a log and long enough for a log that is kept.
const plainInterval = 5 * time.Second

// plainRenderer writes lines and nothing that a log would have to be cleaned of.
type plainRenderer struct{ w io.Writer }

func (r *plainRenderer) interval() time.Duration { return plainInterval }

func (r *plainRenderer) start(s snapshot) {
	if s.total > 0 {
		printLine(r.w, fmt.Sprintf("%s: started, %s", s.name, amount(s.total, s.unit)))
		return
	}
	printLine(r.w, s.name+": started")
}

func (r *plainRenderer) tick(s snapshot) {
	if percent, known := s.percent(); known {
		printLine(r.w, fmt.Sprintf("%s: %d%%, %s", s.name, percent, s.details()))
		return
	}
	printLine(r.w, fmt.Sprintf("%s: %s", s.name, s.details()))
}

func (r *plainRenderer) end(s snapshot, err error) { printLine(r.w, s.verdict(err)) }

func (r *plainRenderer) say(level, message string) { printLine(r.w, spoken(level, message)) }

// quietRenderer shows warnings and nothing else.
type quietRenderer struct{ w io.Writer }

func (r *quietRenderer) interval() time.Duration { return 0 }
func (r *quietRenderer) start(snapshot)          {}
func (r *quietRenderer) tick(snapshot)           {}
func (r *quietRenderer) end(snapshot, error)     {}

func (r *quietRenderer) say(level, message string) {
	if level == levelWarning {
		printLine(r.w, spoken(level, message))
	}
}

// printLine drops the error: talk that nobody can read any more must not end a backup.
func printLine(w io.Writer, line string) {
	_, _ = io.WriteString(w, line+"\n")
}

func spoken(level, message string) string {
	if level == levelWarning {
		return "warning: " + message
	}
	return message
}

// percent is how much of a known total is done, never more than all of it.
func (s snapshot) percent() (value int64, known bool) {
	if s.total <= 0 {
		return 0, false
	}
	return int64(100 * s.share()), true
}

// share is percent as a fraction, zero where nobody knows the total; floating point, since a multiple of a large
// total would not fit an integer.
func (s snapshot) share() float64 {
	if s.total <= 0 {
		return 0
	}
	return min(max(float64(s.done)/float64(s.total), 0), 1)
}

// details says amount, rate and time left of a running phase, as far as they are known.
func (s snapshot) details() string {
	parts := []string{amount(s.done, s.unit)}
	if s.total > 0 {
		parts[0] = amountOf(s.done, s.total, s.unit)
	}
	if s.unit == Bytes && s.rate >= 1 {
		parts = append(parts, amount(int64(s.rate), Bytes)+"/s")
	}
	if s.left >= 0 {
		parts = append(parts, span(s.left)+" left")
	}
	return strings.Join(parts, ", ")
}

// verdict is the line that ends a phase. It leaves the cause of a failure to the error that ends the run: told once.
func (s snapshot) verdict(err error) string {
	switch {
	case errors.Is(err, context.Canceled):
		return fmt.Sprintf("%s: cancelled after %s, %s", s.name, span(s.elapsed), amount(s.done, s.unit))
	case errors.Is(err, errStopped):
		return fmt.Sprintf("%s: stopped after %s, %s", s.name, span(s.elapsed), amount(s.done, s.unit))
	case err != nil:
		return fmt.Sprintf("%s: failed after %s, %s", s.name, span(s.elapsed), amount(s.done, s.unit))
	case s.unit == Bytes && s.rate >= 1:
		return fmt.Sprintf("%s: done, %s in %s (%s/s)", s.name, amount(s.done, s.unit), span(s.elapsed), amount(int64(s.rate), Bytes))
	default:
		return fmt.Sprintf("%s: done, %s in %s", s.name, amount(s.done, s.unit), span(s.elapsed))
	}
}
