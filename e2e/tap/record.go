package tap

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Direction is one of the two ways of a call.
type Direction string

// The directions.
const (
	FromClient Direction = "from client"
	FromEngine Direction = "from engine"
)

// Recording is what crossed a tap, call by call, in files.
type Recording struct {
	dir string

	mu    sync.Mutex
	calls []*Recorded
	err   error
}

// Recorded is one call: what the client sent, header and all, and what it was answered. Its fields may be read when the call is
// over; what String, Trace and File tell at any time.
type Recorded struct {
	Method, Path string
	Forwarded    bool
	Began, Ended time.Time // Ended is zero while it goes on
	Status       int       // of the answer; zero for none

	recording *Recording
	mu        sync.Mutex
	files     map[Direction]*os.File
	number    int
	done      bool
}

// Record keeps every byte of the calls that begin from now on in files below dir.
func (t *Tap) Record(dir string) *Recording {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.recording = &Recording{dir: dir}
	return t.recording
}

// Calls returns the calls so far. The error is the first that kept something from being kept.
func (r *Recording) Calls() ([]*Recorded, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]*Recorded(nil), r.calls...), r.err
}

func (r *Recording) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.err = errors.Join(r.err, err)
}

// newCall returns where the next call is kept; nil while nothing is.
func (t *Tap) newCall() *Recorded {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.recording == nil {
		return nil
	}
	return &Recorded{recording: t.recording, files: map[Direction]*os.File{}}
}

// File returns the file with what crossed in a direction; empty when nothing did.
func (c *Recorded) File(direction Direction) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if file := c.files[direction]; file != nil {
		return file.Name()
	}
	return ""
}

// String names the call in a message.
func (c *Recorded) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return fmt.Sprintf("call %d %s %s", c.number, c.Method, c.Path)
}

// Trace tells when the call came, how long it took and how it was answered.
func (c *Recorded) Trace() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	took := "and goes on"
	if !c.Ended.IsZero() {
		took = c.Ended.Sub(c.Began).Round(time.Millisecond).String()
	}
	return fmt.Sprintf("%s %s %s: %d, %s", c.Began.Format("15:04:05.000"), c.Method, c.Path, c.Status, took)
}

// keep appends what crossed. A call has a number once something has.
func (c *Recorded) keep(direction Direction, p []byte) {
	if c == nil || len(p) == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.number == 0 {
		c.number = c.recording.count(c)
	}
	file := c.files[direction]
	if file == nil {
		name := fmt.Sprintf("%05d-%s", c.number, map[Direction]string{FromClient: "client", FromEngine: "engine"}[direction])
		var err error
		if file, err = os.Create(filepath.Join(c.recording.dir, name)); err != nil {
			c.recording.fail(err)
			return
		}
		c.files[direction] = file
	}
	if c.done {
		c.recording.fail(fmt.Errorf("%d bytes of call %d crossed after its end", len(p), c.number))
		return
	}
	if _, err := file.Write(p); err != nil {
		c.recording.fail(err)
	}
}

func (r *Recording) count(c *Recorded) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = append(r.calls, c)
	return len(r.calls)
}

func (c *Recorded) name(request *http.Request) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.Method, c.Path, c.Began = request.Method, request.URL.Path, time.Now()
}

func (c *Recorded) answered(status int) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.Status = status
}

func (c *Recorded) forwarded() {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.Forwarded = true
}

func (c *Recorded) close() {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.done, c.Ended = true, time.Now()
	for _, file := range c.files {
		if err := file.Close(); err != nil {
			c.recording.fail(err)
		}
	}
}
