package verify

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gotest.tools/v3/assert"

	"github.com/docker-ucp/docker-ucp/internal/archive"
	"github.com/docker-ucp/docker-ucp/internal/failure"
	"github.com/docker-ucp/docker-ucp/internal/progress"
	"github.com/docker-ucp/docker-ucp/internal/seal"
)

const passphrase = "correct horse battery staple"

// node is one file of a made-up volume; a name that ends in "/" is a folder.
type node struct {
	name    string // without "./"
	content []byte
}

// written is when everything in the boxes was written.
func written() time.Time { return time.Date(2026, 11, 1, 3, 0, 0, 500, time.UTC) }

// ours packs nodes as docker ucp backup does; the records come before them.
func ours(t testing.TB, locks string, records, nodes []node, change func(*archive.Manifest)) []byte {
	t.Helper()
	m := &archive.Manifest{
		Created: written(), UCP: archive.UCP{InstanceID: instanceID, Version: "3.1.4"}, Seal: archive.Seal{LocksSHA256: locks},
		Node: archive.Node{Name: "manager1"},
	}
	for _, n := range nodes {
		volume, rest, _ := strings.Cut(n.name, "/")
		if rest == "" {
			m.Volumes = append(m.Volumes, archive.Volume{Name: volume})
		}
		v := &m.Volumes[len(m.Volumes)-1]
		v.Entries++
		v.Bytes += int64(len(n.content))
	}
	if change != nil {
		change(m)
	}
	var out bytes.Buffer
	w, err := archive.NewWriter(&out, t.TempDir())
	assert.NilError(t, err)
	assert.NilError(t, w.WriteManifest(m))
	for _, n := range records {
		assert.NilError(t, w.WriteFile("./"+n.name, n.content))
	}
	for _, n := range nodes {
		e := &archive.Entry{Name: "./" + n.name, Type: tar.TypeReg, Mode: 0o600, ModTime: written(), Size: int64(len(n.content))}
		if strings.HasSuffix(n.name, "/") {
			e.Type, e.Mode = tar.TypeDir, 0o755
		}
		assert.NilError(t, w.WriteEntry(e, bytes.NewReader(n.content)))
	}
	assert.NilError(t, w.WriteReport(&archive.Report{QuiescedAt: written(), ResumedAt: written()}))
	assert.NilError(t, w.Close())
	return out.Bytes()
}

// vendors packs nodes as tar does.
func vendors(t testing.TB, nodes []node) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, n := range nodes {
		h := &tar.Header{Name: "./" + n.name, Typeflag: tar.TypeReg, Mode: 0o600, ModTime: written().Truncate(time.Second), Size: int64(len(n.content))}
		if strings.HasSuffix(n.name, "/") {
			h.Typeflag = tar.TypeDir
		}
		assert.NilError(t, w.WriteHeader(h))
		_, err := w.Write(n.content)
		assert.NilError(t, err)
	}
	assert.NilError(t, w.Close())
	return out.Bytes()
}

// walk returns nodes in the order that our archives have.
func walk(files map[string][]byte) []node {
	all := map[string][]byte{}
	for name, content := range files {
		all[name] = content
		for dir := filepath.Dir(name); dir != "."; dir = filepath.Dir(dir) {
			all[dir+"/"] = nil
		}
	}
	var nodes []node
	for name, content := range all {
		nodes = append(nodes, node{name, content})
	}
	slices.SortFunc(nodes, func(a, b node) int {
		return strings.Compare(strings.ReplaceAll(a.name, "/", "\x00"), strings.ReplaceAll(b.name, "/", "\x00"))
	})
	return nodes
}

// sealedWith seals data for the lock and returns the key as well.
func sealedWith(t testing.TB, lock seal.Lock, opts seal.Options, data func(locks string) []byte) ([]byte, seal.SessionKey) {
	t.Helper()
	key, err := seal.NewSessionKey()
	assert.NilError(t, err)
	packets, err := lock.Packets(key)
	assert.NilError(t, err)
	digest := seal.DigestLocks(packets)
	var out bytes.Buffer
	w, err := seal.NewWriter(&out, packets, key, opts)
	assert.NilError(t, err)
	_, err = w.Write(data(hexOf(digest[:])))
	assert.NilError(t, err)
	assert.NilError(t, w.Close())
	return out.Bytes(), key
}

// gnupg is GnuPG itself, which seals as the vendor's archives are sealed.
type gnupg struct{ home string }

// newGPG needs a short path, since the agent's socket lies in it.
func newGPG(t testing.TB) *gnupg {
	t.Helper()
	home, err := os.MkdirTemp("", "g") //nolint:usetesting // TempDir has a long path
	assert.NilError(t, err)
	t.Cleanup(func() {
		kill := exec.Command("gpgconf", "--homedir", home, "--kill", "gpg-agent") //nolint:noctx // the test's context has ended
		assert.Check(t, kill.Run())
		assert.Check(t, os.RemoveAll(home))
	})
	return &gnupg{home}
}

func (g *gnupg) seal(t testing.TB, data []byte, options ...string) []byte {
	t.Helper()
	args := append([]string{
		"--homedir", g.home, "--batch", "--yes", "--no-options", "--pinentry-mode", "loopback", "--passphrase", passphrase,
		"--s2k-count", "1024", "--output", "-",
	}, options...)
	command := exec.CommandContext(t.Context(), "gpg", append(args, "--symmetric")...)
	command.Stdin = bytes.NewReader(data)
	var complaints bytes.Buffer
	command.Stderr = &complaints
	sealed, err := command.Output()
	assert.NilError(t, err, complaints.String())
	return sealed
}

func gzipped(t testing.TB, data []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, err := w.Write(data)
	assert.NilError(t, err)
	assert.NilError(t, w.Close())
	return out.Bytes()
}

// mute shows nobody anything.
func mute() *progress.Progress { return progress.New(progress.Quiet, io.Discard, false) }

// giving offers the keys once.
func giving(keys seal.Keys) Keys {
	return func(_ context.Context, _ *seal.Message, attempt int) (seal.Keys, error) {
		if attempt > 1 {
			return seal.Keys{}, &failure.Error{Kind: failure.Locked, Cause: errors.New("no more keys"), Hint: "--passphrase-file FILE"}
		}
		keys.Passphrase = bytes.Clone(keys.Passphrase)
		return keys, nil
	}
}

// verified runs verify over data with the passphrase.
func verified(t testing.TB, data []byte) (*Result, error) {
	t.Helper()
	return Run(t.Context(), mute(), Options{
		Source: bytes.NewReader(data), Now: written().AddDate(0, 0, 7), Keys: giving(seal.Keys{Passphrase: []byte(passphrase)}),
	})
}

// bufferThen gives one reader's bytes and then the other's.
type bufferThen struct{ first, then io.Reader }

func (b *bufferThen) Read(p []byte) (int, error) {
	if n, err := b.first.Read(p); err == nil {
		return n, nil
	}
	return b.then.Read(p)
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
