package verify

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"testing/iotest"
	"time"

	"gotest.tools/v3/assert"

	"github.com/docker-ucp/docker-ucp/internal/failure"
	"github.com/docker-ucp/docker-ucp/internal/seal"
)

func TestWhatKeepsVerifyFromReadingIsNoDamage(t *testing.T) {
	dir := t.TempDir()
	_, err := Run(t.Context(), mute(), Options{Path: dir})
	assert.Error(t, err, dir+": it is a folder")
	assert.Equal(t, failure.KindOf(err), failure.Failed)
	missing := filepath.Join(dir, "missing")
	_, err = Run(t.Context(), mute(), Options{Path: missing})
	assert.Error(t, err, missing+": no such file or directory")

	own, _, dumps := whole(t)
	cause := errors.New("input/output error")
	for _, data := range [][]byte{own, dumps, gzipped(t, own), newGPG(t).seal(t, dumps)} {
		for _, size := range []int{0, 100, 5000, len(data) - 1} {
			broken := iotestReader(data[:size], cause)
			r, err := Run(t.Context(), mute(), Options{Source: broken, Keys: giving(seal.Keys{Passphrase: []byte(passphrase)})})
			assert.ErrorIs(t, err, cause)
			assert.Equal(t, failure.KindOf(err), failure.Failed)
			assert.Assert(t, r == nil)
		}
	}
}

func iotestReader(data []byte, err error) *bufferThen {
	return &bufferThen{bytes.NewReader(data), iotest.ErrReader(err)}
}

func TestACancelIsHeard(t *testing.T) {
	own, _, _ := whole(t)
	ctx, cancel := context.WithCancel(t.Context())
	source := &bufferThen{bytes.NewReader(own[:len(own)/2]), readerFunc(func([]byte) (int, error) { cancel(); return 1, nil })}
	_, err := Run(ctx, mute(), Options{Source: source, Now: written()})
	assert.Equal(t, failure.KindOf(err), failure.Cancelled)
}

func TestACancelIsHeardByAnEmptyRead(t *testing.T) {
	own, _, _ := whole(t)
	for _, data := range [][]byte{own, gzipped(t, own)} {
		ctx, cancel := context.WithCancel(t.Context())
		s, err := open(ctx, bytes.NewReader(data), nil)
		assert.NilError(t, err)
		_, err = s.plain.Read(nil)
		assert.NilError(t, err)
		cancel()
		_, err = s.plain.Read(nil)
		assert.ErrorIs(t, err, context.Canceled)
		assert.NilError(t, s.close())
	}
}

func TestSecretsAreWiped(t *testing.T) {
	_, _, dumps := whole(t)
	sealed := newGPG(t).seal(t, dumps)
	phrase := []byte(passphrase)
	keys := func(context.Context, *seal.Message, int) (seal.Keys, error) {
		return seal.Keys{Passphrase: phrase}, nil
	}
	_, err := Run(t.Context(), mute(), Options{Source: bytes.NewReader(sealed), Now: written(), Keys: keys})
	assert.NilError(t, err)
	assert.DeepEqual(t, phrase, make([]byte, len(passphrase)))

	key, err := seal.Unlock(bytes.NewReader(sealed), seal.Keys{Passphrase: []byte(passphrase)})
	assert.NilError(t, err)
	_, err = Run(t.Context(), mute(), Options{Source: bytes.NewReader(sealed), Now: written(), Keys: giving(seal.Keys{SessionKey: key})})
	assert.NilError(t, err)
	assert.Assert(t, key.IsZero())
}

func TestNobodyWritesIntoAPipe(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	assert.NilError(t, exec.CommandContext(t.Context(), "mkfifo", pipe).Run())
	wait := func() {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		_, err := Run(ctx, mute(), Options{Path: pipe})
		assert.Equal(t, failure.KindOf(err), failure.Cancelled, "%v", err)
	}
	wait()
	w, err := os.OpenFile(pipe, os.O_RDWR, 0)
	assert.NilError(t, err)
	wait()
	assert.NilError(t, w.Close())
}

func TestACancelIsHeardBetweenLayers(t *testing.T) {
	empty := gzipped(t, nil)
	data := gzipped(t, append(bytes.Repeat(empty, 4<<20), 1)) // 100 MB of members that hold nothing
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, err := Run(ctx, mute(), Options{Source: bytes.NewReader(data), Now: written()})
	assert.Equal(t, failure.KindOf(err), failure.Cancelled, "%v after %s", err, time.Since(began))
}
