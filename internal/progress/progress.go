package progress

import (
	"fmt"
	"io"
	"slices"
	"sync"
	"time"
)

// Progress shows one run: its phases, one after another or side by side, and what is said between them.
// It is safe for use by several goroutines.
type Progress struct {
	mu       sync.Mutex // one line at a time; never taken by the data path
	renderer renderer
	open     []*Phase
	closed   bool
}

// renderer draws. Progress holds its lock around every call.
type renderer interface {
	interval() time.Duration // how often tick wants to be called; 0 for never
	start(s snapshot)
	tick(s snapshot)
	end(s snapshot, err error)
	say(level, message string)
}

// New returns a Progress that writes to w. Terminal says whether w is one: a caller knows, a writer does not.
func New(mode Mode, w io.Writer, terminal bool) *Progress {
	return &Progress{renderer: newRenderer(mode, w, terminal)}
}

func newRenderer(mode Mode, w io.Writer, terminal bool) renderer {
	switch {
	case mode == Quiet:
		return &quietRenderer{w: w}
	case mode == JSON:
		return &jsonRenderer{w: w}
	case mode == Auto && terminal:
		return newBarRenderer(w)
	default:
		return &plainRenderer{w: w}
	}
}

// Start opens a phase. A total of zero or less says that nobody knows it yet.
// The caller ends the phase with Done on every way out.
func (p *Progress) Start(phase string, total int64, unit Unit) *Phase {
	ph := newPhase(p, escape(phase), total, unit)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		ph.ended.Store(true)
		close(ph.watched)
		return ph
	}
	p.open = append(p.open, ph)
	p.renderer.start(ph.snapshot())
	go ph.watch(p.renderer.interval())
	return ph
}

// Say tells the operator something they need not act on. It is hidden when quiet.
func (p *Progress) Say(format string, args ...any) {
	p.say(levelInfo, format, args)
}

// Warn tells the operator something they should act on. It is shown in every mode.
func (p *Progress) Warn(format string, args ...any) {
	p.say(levelWarning, format, args)
}

func (p *Progress) say(level, format string, args []any) {
	message := escapeMessage(fmt.Sprintf(format, escapeArgs(args)...))
	p.mu.Lock()
	defer p.mu.Unlock()
	p.renderer.say(level, message)
}

// Close ends phases that are still open and leaves the terminal's line clean. Say and Warn still work afterwards,
// so that the last words of a run need no order. It may be called more than once.
func (p *Progress) Close() {
	p.mu.Lock()
	p.closed = true
	open := slices.Clone(p.open)
	p.mu.Unlock()
	for _, ph := range open {
		ph.Done(errStopped)
	}
}

func (p *Progress) tick(ph *Phase) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.renderer.tick(ph.snapshot())
}

func (p *Progress) end(ph *Phase, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open = slices.DeleteFunc(p.open, func(o *Phase) bool { return o == ph })
	p.renderer.end(ph.final(), err)
}
