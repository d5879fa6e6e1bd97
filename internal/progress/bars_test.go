package progress

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/creack/pty"
	"gotest.tools/v3/assert"
	"gotest.tools/v3/assert/cmp"
)

// screen plays what a terminal of a width shows after the bytes: lines, carriage returns, and wrapping at the edge.
func screen(t *testing.T, width int, written string) []string {
	t.Helper()
	lines, column := [][]rune{{}}, 0
	for _, r := range written {
		last := len(lines) - 1
		switch {
		case r == '\r':
			column = 0
		case r == '\n':
			lines, column = append(lines, []rune{}), 0
		case r < ' ':
			t.Fatalf("control character %q", r)
		default:
			assert.Assert(t, column < width, "a line wraps: %q", string(lines[last]))
			for len(lines[last]) <= column {
				lines[last] = append(lines[last], ' ')
			}
			lines[last][column] = r
			column++
		}
	}
	shown := make([]string, 0, len(lines))
	for _, line := range lines {
		shown = append(shown, strings.TrimRight(string(line), " "))
	}
	return shown
}

func TestABarShowsAmountRateAndTimeLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		p := New(Auto, &out, true)
		defer p.Close()
		ph := p.Start("capture", 1_000_000_000, Bytes)
		for range 50 {
			ph.Add(10_000_000)
			later(100 * time.Millisecond)
		}
		got := screen(t, usualWidth, out.String())
		assert.DeepEqual(t, got, []string{"capture 50% [======>.......]  500.0 MB of 1.0 GB, 100.0 MB/s, 5s left"})
		ph.Done(nil)
	})
}

func TestTalkNeverLandsInABar(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		p := New(Auto, &out, true)
		ph := p.Start("capture", 1000, Bytes)
		ph.Set(500)
		later(time.Second)
		p.Say("short")
		later(time.Second)
		p.Warn("a longer line")
		stop := p.Start("stop", 3, Items)
		later(time.Second)
		stop.Done(nil)
		ph.Done(errors.New("no room"))
		p.Say("end")
		p.Close()
		assert.DeepEqual(t, screen(t, usualWidth, out.String()), []string{
			"short", "warning: a longer line", "stop: done, 0 in 1s", "capture: failed after 3s, 500 B", "end", "",
		})
	})
}

func TestABarLearnsItsTotalAndSurvivesOvershoot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		p := New(Auto, &out, true)
		defer p.Close()
		ph := p.Start("fetch", 0, Bytes)
		later(100 * time.Millisecond)
		ph.Add(2000)
		later(900 * time.Millisecond)
		assert.Check(t, cmp.Contains(screen(t, usualWidth, out.String())[0], "2.0 kB, 1.9 kB/s"))
		ph.SetTotal(1000)
		later(time.Second)
		assert.Check(t, cmp.Contains(screen(t, usualWidth, out.String())[0], "99% ["))
		ph.SetTotal(8000)
		later(time.Second)
		assert.Check(t, cmp.Contains(screen(t, usualWidth, out.String())[0], "fetch 25% ["))
		ph.Done(nil)
	})
}

func TestABarFitsEveryTerminal(t *testing.T) {
	for _, width := range []int{1, 2, 10, 40, 79, 80, 81, 200} {
		synctest.Test(t, func(t *testing.T) {
			var out bytes.Buffer
			r := newBarRenderer(&out)
			r.width = func() int { return width }
			p := &Progress{renderer: r}
			ph := p.Start("capture", 1<<40, Bytes)
			ph.Add(123_456_789_012)
			later(10 * time.Second)
			p.Say("-")
			ph.Done(nil)
			for line := range strings.Lines(out.String()) {
				if before, _, found := strings.Cut(line, "-\n"); found {
					screen(t, width, before)
				}
			}
			p.Close()
		})
	}
}

// The one test on a real terminal: its width is asked, and what arrives there is a clean screen.
func TestBarsOnARealTerminal(t *testing.T) {
	leader, follower, err := pty.Open()
	assert.NilError(t, err)
	defer func() { assert.Check(t, leader.Close()) }()
	const width = 60
	assert.NilError(t, pty.Setsize(follower, &pty.Winsize{Rows: 24, Cols: width}))

	p := New(Auto, follower, true)
	ph := p.Start("capture", 1000, Bytes)
	ph.Set(400)
	p.tick(ph)
	p.Say("half way")
	ph.Done(nil)
	p.Close()
	_, err = follower.WriteString("EOF\n")
	assert.NilError(t, err)
	written := readUntil(t, leader, "EOF\r\n")
	assert.NilError(t, follower.Close())

	assert.Check(t, cmp.Contains(written, "capture 40% [==>"))
	lines := screen(t, width, written)
	assert.Equal(t, lines[0], "half way")
	assert.Check(t, cmp.Contains(lines[1], "capture: done, 400 B in"))
	assert.Equal(t, lines[2], "EOF")
}

func readUntil(t *testing.T, f *os.File, end string) string {
	t.Helper()
	var all []byte
	chunk := make([]byte, 4096)
	for !bytes.HasSuffix(all, []byte(end)) {
		n, err := f.Read(chunk)
		assert.NilError(t, err)
		all = append(all, chunk[:n]...)
	}
	return string(all)
}

// heldWriter stands still in Write, as a terminal does after Ctrl-S, until released.
type heldWriter struct {
	hold    atomic.Bool
	release chan struct{}
}

func (w *heldWriter) Write(b []byte) (int, error) {
	if w.hold.Load() {
		<-w.release
	}
	return len(b), nil
}
