package backup

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/binary"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/docker/docker/client"
	"gotest.tools/v3/assert"

	"github.com/docker-ucp/docker-ucp/internal/archive"
	"github.com/docker-ucp/docker-ucp/internal/engine"
	"github.com/docker-ucp/docker-ucp/internal/progress"
	"github.com/docker-ucp/docker-ucp/internal/seal"
)

const testPassphrase = "correct horse battery"

// run is one backup and what came of it.
type run struct {
	opts   Options
	cancel context.CancelFunc
	talk   words // everything that was said and logged
	stdout bytes.Buffer
	result *Result
	err    error
}

// words may be written to from several goroutines.
type words struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (w *words) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buffer.Write(p)
}

func (w *words) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buffer.String()
}

// backUp takes a backup into a file that is not there yet.
func (m *manager) backUp(tb testing.TB, change func(*run)) *run {
	tb.Helper()
	return backUpOver(tb, m, change)
}

// backUpOver does the same over what the plugin has in the manager's place.
func backUpOver(tb testing.TB, api client.APIClient, change func(*run)) *run {
	tb.Helper()
	folder := tb.TempDir()
	ctx, cancel := context.WithCancel(tb.Context())
	defer cancel()
	r := &run{cancel: cancel}
	ctx = context.WithValue(ctx, fromPlugin{}, r)
	r.opts = Options{
		Path: filepath.Join(folder, "ucp.tar"), Clone: CloneNever, Spool: DefaultSpool, Stdout: &r.stdout,
		Program: staticProgram(tb), Version: "test", StartedBy: "tester@here",
		Log: slog.New(slog.NewTextHandler(&r.talk, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	if change != nil {
		change(r)
	}
	talk := progress.New(progress.Plain, &r.talk, false)
	r.result, r.err = Run(ctx, engine.New(api), talk, r.opts)
	talk.Close()
	return r
}

// staticProgram is all of a program that the import of an image looks at.
func staticProgram(tb testing.TB) string {
	tb.Helper()
	var header bytes.Buffer
	assert.NilError(tb, binary.Write(&header, binary.LittleEndian, elf.Header64{
		Ident: [elf.EI_NIDENT]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
		Type:  uint16(elf.ET_EXEC), Machine: uint16(elf.EM_X86_64), Version: uint32(elf.EV_CURRENT), Ehsize: 64,
	}))
	path := filepath.Join(tb.TempDir(), "docker-ucp")
	assert.NilError(tb, os.WriteFile(path, header.Bytes(), 0o700))
	return path
}

// withPassphrase seals the archive.
func withPassphrase(r *run) {
	r.opts.Lock = func(context.Context) (*seal.Lock, error) { return &seal.Lock{Passphrase: []byte(testPassphrase)}, nil }
}

// assertNoFile holds for every run that fails: no FILE and no FILE.part.
func (r *run) assertNoFile(tb testing.TB) {
	tb.Helper()
	left, err := os.ReadDir(filepath.Dir(r.opts.Path))
	assert.NilError(tb, err)
	assert.Equal(tb, len(left), 0, "left: %v", left)
}

func (r *run) assertArchive(tb testing.TB) {
	tb.Helper()
	content, err := os.ReadFile(r.opts.Path)
	assert.NilError(tb, err)
	summary, err := archive.Check(bytes.NewReader(content), nil)
	assert.NilError(tb, err)
	assert.NilError(tb, summary.Err())
	assert.Equal(tb, r.result.Entries, summary.Entries)
	assert.Equal(tb, r.result.Size, int64(len(content)))
}

// inBubble runs a test with a clock of its own, and fails it if a goroutine outlives it.
func inBubble(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, test)
}

// after returns when so much time has passed, and whatever happened in it is done.
func after(length time.Duration) {
	time.Sleep(length)
	synctest.Wait()
}
