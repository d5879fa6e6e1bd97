package progress

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/assert/cmp"
)

// later moves the bubble's clock and lets every ticker that fell due draw.
func later(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestParseModeTakesWhatTheFlagDocuments(t *testing.T) {
	for _, name := range Modes() {
		mode, err := ParseMode(name)
		assert.NilError(t, err)
		assert.Equal(t, mode, Mode(name))
	}
	mode, err := ParseMode("")
	assert.NilError(t, err)
	assert.Equal(t, mode, Auto)
	_, err = ParseMode("tty")
	assert.Error(t, err, `unknown progress mode "tty": use auto, plain, json or quiet`)
}

func TestPlainTellsStartMiddleAndEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		p := New(Auto, &out, false)
		ph := p.Start("capture", 1_000_000_000, Bytes)
		ph.Add(100_000_000)
		later(5 * time.Second)
		ph.Set(200_000_000)
		later(5 * time.Second)
		ph.Set(1_000_000_000)
		ph.Done(nil)
		p.Say("UCP was down for %s", 3*time.Second)
		p.Close()
		assert.Equal(t, out.String(), `capture: started, 1.0 GB
capture: 10%, 100.0 MB of 1.0 GB, 20.0 MB/s, 45s left
capture: 20%, 200.0 MB of 1.0 GB, 20.0 MB/s, 40s left
capture: done, 1.0 GB in 10s (100.0 MB/s)
UCP was down for 3s
`)
	})
}

func TestPlainCountsItemsAndUnknownTotals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		p := New(Plain, &out, true)
		defer p.Close()
		items := p.Start("stop", 12, Items)
		items.Set(3)
		unknown := p.Start("fetch", -1, Bytes)
		unknown.Add(1500)
		later(5 * time.Second)
		unknown.SetTotal(3000)
		later(5 * time.Second)
		items.Done(context.Canceled)
		unknown.Done(errors.New("connection reset"))
		lines := out.String()
		for _, want := range []string{
			"stop: started, 12\n", "stop: 25%, 3 of 12, 15s left\n", "stop: cancelled after 10s, 3\n",
			"fetch: started\n", "fetch: 1.5 kB, 300 B/s\n", "fetch: 50%, 1.5 kB of 3.0 kB",
			"fetch: failed after 10s, 1.5 kB\n",
		} {
			assert.Check(t, cmp.Contains(lines, want))
		}
		assert.Check(t, !strings.Contains(lines, "connection reset"), "the cause is told once, by the error")
	})
}

func TestTheRateFollowsAWireThatSlowsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(Plain, io.Discard, false)
		defer p.Close()
		ph := newPhase(p, "fetch", 1_000_000_000, Bytes)
		for range 60 {
			ph.Add(10_000_000)
			later(time.Second)
			ph.snapshot()
		}
		fast := ph.snapshot()
		for range 60 {
			ph.Add(1_000_000)
			later(time.Second)
			ph.snapshot()
		}
		slow := ph.snapshot()
		assert.Check(t, fast.rate > 9.9e6 && fast.rate < 10.1e6, "%f", fast.rate)
		assert.Check(t, slow.rate > 0.9e6 && slow.rate < 1.1e6, "%f", slow.rate)
	})
}

func TestATimeLeftBeyondReasonIsNotShown(t *testing.T) {
	assert.Equal(t, timeLeft(1<<62, 0.001), time.Duration(-1))
	assert.Equal(t, timeLeft(-5, 10), time.Duration(0))
	assert.Equal(t, timeLeft(15, 10), 1500*time.Millisecond)
}

func TestJSONKeepsItsFieldNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		p := New(JSON, &out, true)
		defer p.Close()
		ph := p.Start("capture", 4000, Bytes)
		ph.Set(1000)
		later(time.Second)
		ph.Set(4000)
		ph.Done(nil)
		stop := p.Start("stop", 0, Items)
		later(time.Second)
		stop.Done(errors.New("stop container: timeout"))
		p.Say("done")
		p.Warn("no room")
		assert.Equal(t, out.String(), strings.TrimLeft(`
{"time":"2000-01-01T00:00:00Z","type":"start","phase":"capture","unit":"bytes","done":0,"total":4000,"elapsed":0}
{"time":"2000-01-01T00:00:01Z","type":"progress","phase":"capture","unit":"bytes","done":1000,"total":4000,"rate":1000,"eta":3,"elapsed":1}
{"time":"2000-01-01T00:00:01Z","type":"done","phase":"capture","unit":"bytes","done":4000,"total":4000,"rate":4000,"elapsed":1}
{"time":"2000-01-01T00:00:01Z","type":"start","phase":"stop","unit":"items","done":0,"elapsed":0}
{"time":"2000-01-01T00:00:02Z","type":"progress","phase":"stop","unit":"items","done":0,"rate":0,"elapsed":1}
{"time":"2000-01-01T00:00:02Z","type":"failed","phase":"stop","unit":"items","done":0,"rate":0,"elapsed":1,"level":"error","message":"stop container: timeout"}
{"time":"2000-01-01T00:00:02Z","type":"message","level":"info","message":"done"}
{"time":"2000-01-01T00:00:02Z","type":"message","level":"warning","message":"no room"}
`, "\n"))
	})
}

func TestQuietShowsWarningsAndNothingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		p := New(Quiet, &out, true)
		ph := p.Start("capture", 10, Bytes)
		ph.Add(5)
		later(time.Minute)
		p.Say("talk")
		p.Warn("the swarm is not in this backup")
		ph.Done(errors.New("no"))
		p.Close()
		assert.Equal(t, out.String(), "warning: the swarm is not in this backup\n")
	})
}

func TestAnythingMayBeCountedWithoutHarm(t *testing.T) {
	counts := []int64{-1, 0, 1, 1 << 62, -1 << 63, 1<<63 - 1}
	for _, mode := range []Mode{Auto, Plain, JSON, Quiet} {
		t.Run(string(mode), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var out bytes.Buffer
				p := New(mode, &out, true)
				defer p.Close()
				for _, total := range counts {
					for _, done := range counts {
						ph := p.Start("capture", total, Bytes)
						ph.Set(done)
						later(5 * time.Second)
						ph.SetTotal(done)
						later(5 * time.Second)
						ph.Done(nil)
					}
				}
				if mode == JSON {
					for line := range strings.Lines(out.String()) {
						assert.Check(t, json.Valid([]byte(line)), line)
					}
				}
			})
		})
	}
}

func TestAWriterThatFailsEndsNothing(t *testing.T) {
	for _, mode := range []Mode{Auto, Plain, JSON, Quiet} {
		synctest.Test(t, func(*testing.T) {
			p := New(mode, brokenWriter{}, true)
			ph := p.Start("capture", 10, Bytes)
			ph.Add(5)
			later(10 * time.Second)
			p.Warn("still here")
			ph.Done(nil)
			p.Close()
		})
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

func TestTheDataPathNeverWaitsForATerminalThatStandsStill(t *testing.T) {
	synctest.Test(t, func(*testing.T) {
		held := &heldWriter{release: make(chan struct{})}
		p := New(Auto, held, true)
		ph := p.Start("capture", 100, Bytes)
		held.hold.Store(true)
		later(time.Second) // the ticker now stands in Write, with the lock held
		ph.Add(1)
		ph.Set(50)
		ph.SetTotal(200)
		close(held.release)
		ph.Done(nil)
		p.Close()
	})
}

func TestDoneMayBeDeferredAfterAPlainOne(t *testing.T) {
	var out bytes.Buffer
	p := New(Plain, &out, false)
	ph := p.Start("stop", 1, Items)
	ph.Set(1)
	ph.Done(nil)
	ph.Done(errors.New("late"))
	p.Close()
	assert.Equal(t, strings.Count(out.String(), "stop: done"), 1)
	assert.Check(t, !strings.Contains(out.String(), "failed"))
}

func TestCloseEndsWhatIsOpenAndStartsNothingNew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // the bubble fails when a goroutine is left
		var out bytes.Buffer
		p := New(Plain, &out, false)
		p.Start("capture", 0, Bytes).Add(5)
		p.Close()
		p.Close()
		late := p.Start("fetch", 10, Bytes)
		late.Add(1)
		late.Done(nil)
		p.Say("goodbye")
		assert.Equal(t, out.String(), "capture: started\ncapture: stopped after 0s, 5 B\ngoodbye\n")
	})
}

func TestCountersAndTalkFromManyGoroutines(t *testing.T) {
	var out bytes.Buffer
	p := New(Auto, &out, true)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			ph := p.Start(fmt.Sprintf("volume %d", i), 1000, Bytes)
			defer ph.Done(nil)
			for range 1000 {
				ph.Add(1)
			}
			p.Say("volume %d is read", i)
		})
	}
	wg.Wait()
	p.Close()
	assert.Equal(t, strings.Count(out.String(), "is read\n"), 8)
	assert.Equal(t, strings.Count(out.String(), ": done, 1.0 kB"), 8)
}

func TestForeignNamesCannotCommandATerminal(t *testing.T) {
	hostile := "kv\x1b]0;owned\a\r\nbackup: done\u202e\x9b2J\xff"
	for _, mode := range []Mode{Auto, Plain, JSON, Quiet} {
		t.Run(string(mode), func(t *testing.T) {
			var out bytes.Buffer
			p := New(mode, &out, false)
			p.Warn("volume %s is left out", hostile)
			p.Warn("read %v", errors.Join(errors.New(hostile), errors.New("second")))
			p.Warn("%v", []string{hostile})
			p.Close()
			for _, r := range out.String() {
				assert.Check(t, r == '\n' || unicode.IsPrint(r), "%q in %q", r, out.String())
			}
			if mode != JSON {
				assert.Check(t, cmp.Contains(out.String(),
					`volume kv\x1b]0;owned\a\r\nbackup: done\u202e\x9b2J\xff is left out`))
				assert.Check(t, cmp.Contains(out.String(), "\n  second\n"))
				assert.Check(t, !strings.Contains(out.String(), "\nbackup: done"), out.String())
			}
		})
	}
}
