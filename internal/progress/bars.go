package progress

import (
	"io"
	"slices"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

const (
	barInterval  = 100 * time.Millisecond
	barSteps     = 1000
	usualWidth   = 80
	asciiSpinner = 9 // | / - \
)

// barRenderer redraws one line of a terminal. The library draws the bar into a string; this type alone writes to the
// terminal, a whole line at a time, cut to the terminal's width. So a line never wraps, what is said never lands in
// the middle of a bar, and no escape sequence is needed that an old console would print.
type barRenderer struct {
	w     io.Writer
	width func() int
	lines plainRenderer

	open  []*bar // the last one started is on the screen
	drawn int    // characters of the line on the screen
}

func newBarRenderer(w io.Writer) *barRenderer {
	return &barRenderer{w: w, width: widthOf(w), lines: plainRenderer{w: w}}
}

func (r *barRenderer) interval() time.Duration { return barInterval }

func (r *barRenderer) start(s snapshot) {
	r.open = append(r.open, &bar{last: s})
	r.draw()
}

func (r *barRenderer) tick(s snapshot) {
	for _, b := range r.open {
		if b.last.phase == s.phase {
			b.last = s
		}
	}
	if r.open[len(r.open)-1].last.phase == s.phase {
		r.draw()
	}
}

func (r *barRenderer) end(s snapshot, err error) {
	r.open = slices.DeleteFunc(r.open, func(b *bar) bool { return b.last.phase == s.phase })
	r.above(func() { r.lines.end(s, err) })
}

func (r *barRenderer) say(level, message string) {
	r.above(func() { r.lines.say(level, message) })
}

// above prints lines where the bar stands and draws the bar below them.
func (r *barRenderer) above(lines func()) {
	r.erase()
	lines()
	r.draw()
}

func (r *barRenderer) draw() {
	if len(r.open) == 0 {
		return
	}
	width := r.width() - 1 // a character in the last column would make some terminals wrap
	line := []rune(r.open[len(r.open)-1].line(width))
	line = line[:min(len(line), max(width, 0))]
	rest := strings.Repeat(" ", min(max(r.drawn-len(line), 0), max(width-len(line), 0)))
	r.write("\r" + string(line) + rest)
	r.drawn = len(line)
}

func (r *barRenderer) erase() {
	if r.drawn == 0 {
		return
	}
	r.write("\r" + strings.Repeat(" ", min(r.drawn, max(r.width()-1, 0))) + "\r")
	r.drawn = 0
}

// write drops the error for the reason that printLine gives.
func (r *barRenderer) write(s string) { _, _ = io.WriteString(r.w, s) }

// bar is one open phase on the terminal.
type bar struct {
	last  snapshot
	known bool // whether drawing was made for a known total
	inner *progressbar.ProgressBar
}

// line is the phase's name, the bar or spinner, and the figures. The library's own figures are left out: ours are
// the same in every mode and survive a total that changes.
func (b *bar) line(width int) string {
	known := b.last.total > 0
	if b.inner == nil || b.known != known {
		b.known, b.inner = known, newInner(known, width)
	}
	// Errors of the bar are dropped: it is decoration. One step short of full it can never be done before its phase.
	_ = b.inner.Set64(min(int64(b.last.share()*barSteps), barSteps-1))
	b.inner.Describe(b.last.details())
	return b.last.name + " " + strings.Trim(b.inner.String(), "\r ")
}

// newInner makes a bar that draws nowhere: its text is fetched with String.
func newInner(known bool, width int) *progressbar.ProgressBar {
	steps := int64(barSteps)
	if !known {
		steps = -1
	}
	return progressbar.NewOptions64(steps,
		progressbar.OptionSetWriter(io.Discard),
		progressbar.OptionSetTheme(progressbar.ThemeASCII),
		progressbar.OptionSetWidth(min(max(width-65, 8), 30)),
		progressbar.OptionShowDescriptionAtLineEnd(),
		progressbar.OptionSetPredictTime(false),
		progressbar.OptionSetElapsedTime(false),
		progressbar.OptionSpinnerType(asciiSpinner),
		// With an interval the library starts a goroutine that never ends; ours is the only ticker.
		progressbar.OptionSetSpinnerChangeInterval(0),
	)
}

// widthOf asks the terminal each time, since a window may be resized.
func widthOf(w io.Writer) func() int {
	fd := -1
	switch f := w.(type) {
	case interface{ FD() uintptr }: // docker's streams
		fd = int(f.FD())
	case interface{ Fd() uintptr }:
		fd = int(f.Fd())
	}
	return func() int {
		if width, _, err := term.GetSize(fd); err == nil && width > 0 {
			return width
		}
		return usualWidth
	}
}
