package scenarios

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.etcd.io/bbolt"
	"golang.org/x/sync/errgroup"
	"gotest.tools/v3/assert"

	"github.com/docker-ucp/docker-ucp/e2e/lab"
	"github.com/docker-ucp/docker-ucp/e2e/standin"
)

// How many changed and shortened archives are tried, over all kinds together. The product's own tests try ten times as
// many in one process; these are whole runs of the program on archives that an engine, etcd and GnuPG have made.
var (
	mutations    = flag.Int("mutations", 1000, "single-byte changes to try")
	truncations  = flag.Int("truncations", 100, "truncations to try")
	mutationSeed = flag.Uint64("mutation-seed", 20261123, "where the changes come from")
)

// sample is an archive of one kind and what opens it.
type sample struct {
	kind string
	data []byte
	keys []string // flags
	free [2]int   // bytes that say nothing about the content: time, level and system in the header of gzip
}

func TestEveryChangedByteOfAnArchiveIsFound(t *testing.T) {
	s := newStage(t, lab.Options{}, standin.Options{LogSegment: 16 << 10, SnapshotCount: 10, Minimal: true})
	samples := s.samples(t)
	for _, of := range samples {
		code, said := s.judge(t, of, of.data)
		assert.Equal(t, code, 0, "%s, as it was made: %s", of.kind, said)
		t.Logf("%s: %d bytes", of.kind, len(of.data))
	}
	from := time.Now()
	var unnoticed missed
	random := rand.New(rand.NewPCG(*mutationSeed, 0))
	var group errgroup.Group
	group.SetLimit(2)
	try := func(of sample, data []byte, what string) {
		group.Go(func() error {
			code, said := s.judge(t, of, data)
			if code != 3 && code != 4 || strings.Contains(said, "goroutine ") {
				unnoticed.add(fmt.Errorf("%s, %s: exit status %d\n%s", of.kind, what, code, said))
			}
			return nil
		})
	}
	for i := range *mutations {
		of := samples[i%len(samples)]
		at, by := of.place(random), byte(1+random.IntN(255))
		changed := bytes.Clone(of.data)
		changed[at] ^= by
		try(of, changed, fmt.Sprintf("byte %d of %d changed by %#02x", at, len(changed), by))
	}
	for i := range *truncations {
		of := samples[i%len(samples)]
		size := random.IntN(len(of.data))
		try(of, of.data[:size], fmt.Sprintf("cut to %d of %d bytes", size, len(of.data)))
	}
	assert.NilError(t, group.Wait())
	t.Logf("%d archives in %s", *mutations+*truncations, time.Since(from).Round(time.Second))
	assert.NilError(t, errors.Join(unnoticed.all...))
}

// missed gathers what was not found.
type missed struct {
	guard sync.Mutex
	all   []error
}

func (m *missed) add(err error) {
	m.guard.Lock()
	defer m.guard.Unlock()
	m.all = append(m.all, err)
}

// place is anywhere, and one time in eight among the first bytes, where every bit is part of some format.
func (s sample) place(random *rand.Rand) int {
	for {
		at := random.IntN(len(s.data))
		if random.IntN(8) == 0 {
			at = random.IntN(600)
		}
		if at < s.free[0] || at >= s.free[1] {
			return at
		}
	}
}

// judge runs the plugin's program by itself on an archive, and returns its exit status and what it said.
func (s *stage) judge(t *testing.T, of sample, data []byte) (code int, said string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), s.program, append(append([]string{"verify", "--progress", "quiet"}, of.keys...), "-")...)
	command.Env = offline(os.TempDir())
	command.Stdin = bytes.NewReader(data)
	out, err := command.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return -1, err.Error()
	}
	return command.ProcessState.ExitCode(), string(out)
}

// samples makes small archives of every kind in which any change can be found: all but the vendor's plain ones.
func (s *stage) samples(t *testing.T) []sample {
	t.Helper()
	online, stopped := output(t), output(t)
	assert.NilError(t, s.ucp.VendorOnline(t.Context(), s.node.Root(), online))
	s.shrink(t)
	assert.NilError(t, s.ucp.TarVolumes(t.Context(), s.node.Root(), stopped))
	key := makeKey(t, "archive@example.test", "future-default")
	phrase, identity := []string{"--passphrase-file", s.pass}, []string{"--identity", key.private(t)}
	const gzipHeader, gzipFree = 10, 4
	var all []sample
	add := func(kind, file string, keys []string) {
		data, err := os.ReadFile(file)
		assert.NilError(t, err)
		all = append(all, sample{kind: kind, data: data, keys: keys})
		if strings.Contains(kind, "gzip around") {
			all[len(all)-1].free = [2]int{gzipFree, gzipHeader}
		}
	}
	add("ours, for a passphrase", s.archive(t, phrase...), phrase)
	add("ours, for a key", s.archive(t, "--recipient", key.public), identity)
	add("ours, for both, opened with the key", s.archive(t, "--recipient", key.public, "--passphrase-file", s.pass), identity)
	add("ours, compressed", s.archive(t, "--recipient", key.public, "--compress", "zlib"), identity)
	plain := s.archive(t, "--no-passphrase")
	add("ours, plain", plain, nil)
	add("gzip around ours", gzipped(t, plain), nil)
	add("vendor up to 3.1, AES-256", s.gpgSeal(t, stopped, "--cipher-algo", "AES256", "--compress-algo", "none"), phrase)
	add("vendor up to 3.1, CAST5 and zlib", s.gpgSeal(t, stopped, "--cipher-algo", "CAST5", "--compress-algo", "zlib"), phrase)
	add("vendor from 3.2, AES-256 and zip", s.gpgSeal(t, online, "--cipher-algo", "AES256", "--compress-algo", "zip"), phrase)
	add("vendor from 3.2, 3DES", s.gpgSeal(t, online, "--cipher-algo", "3DES", "--compress-algo", "none"), phrase)
	add("gzip around vendor from 3.2, AES-128 and bzip2", gzipped(t, s.gpgSeal(t, online, "--cipher-algo", "AES128", "--compress-algo", "bzip2")), phrase)
	return all
}

// shrink brings UCP to rest for good and cuts its stores to what they use: thousands of archives must be read.
func (s *stage) shrink(t *testing.T) {
	t.Helper()
	_, err := s.ucp.Rest(t.Context())
	assert.NilError(t, err)
	database := filepath.Join(s.mountpoint(t, "ucp-kv"), "datav3", "member", "snap", "db")
	db, err := bbolt.Open(database, 0o600, &bbolt.Options{ReadOnly: true, Timeout: time.Second})
	assert.NilError(t, err)
	var used int64
	assert.NilError(t, db.View(func(tx *bbolt.Tx) error {
		used = tx.Size()
		return nil
	}))
	assert.NilError(t, db.Close())
	assert.NilError(t, os.Truncate(database, used))
	tables, err := filepath.Glob(filepath.Join(s.mountpoint(t, "ucp-auth-store-data"), "store", "data", "*.db"))
	assert.NilError(t, err)
	assert.Assert(t, len(tables) > 100)
	for _, table := range tables {
		assert.NilError(t, os.Truncate(table, 100))
	}
}
