package scenarios

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gotest.tools/v3/assert"
)

// evidence is copies of everything in which a secret might show, by place, as it was at one time.
type evidence struct {
	dir   string
	items []item
}

type item struct{ place, name, file string }

func newEvidence(t *testing.T) *evidence {
	t.Helper()
	return &evidence{dir: t.TempDir()}
}

// add keeps what is known already.
func (e *evidence) add(t *testing.T, place, name string, content []byte) {
	t.Helper()
	file := filepath.Join(e.dir, fmt.Sprintf("%06d", len(e.items)))
	assert.NilError(t, os.WriteFile(file, content, 0o600))
	e.items = append(e.items, item{place, name, file})
}

// addFile keeps a copy of a file. One that is gone, or is none any more, is left out.
func (e *evidence) addFile(t *testing.T, place, file string) {
	t.Helper()
	content, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) || gone(err) {
		return
	}
	assert.NilError(t, err)
	e.add(t, place, file, content)
}

// addTree keeps a copy of every regular file below a folder.
func (e *evidence) addTree(t *testing.T, place, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			e.addFile(t, place, path)
		}
		return nil
	})
	assert.NilError(t, err)
}

// refer adds a file that stays as it is.
func (e *evidence) refer(place, name, file string) {
	e.items = append(e.items, item{place, name, file})
}

// find returns, as "place: name", where any of the needles is.
func (e *evidence) find(t *testing.T, needles [][]byte) (found []item) {
	t.Helper()
	for _, i := range e.items {
		if holds(t, i.file, needles) {
			found = append(found, i)
		}
	}
	return found
}

// places returns in which places something was found.
func places(found []item) []string {
	var names []string
	for _, i := range found {
		names = append(names, i.place)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// holds reads a file of any length a piece at a time.
func holds(t *testing.T, path string, needles [][]byte) bool {
	t.Helper()
	file, err := os.Open(path)
	assert.NilError(t, err)
	defer func() { assert.NilError(t, file.Close()) }()
	longest := 0
	for _, needle := range needles {
		longest = max(longest, len(needle))
	}
	window, kept := make([]byte, 1<<20), 0
	for {
		n, err := io.ReadFull(file, window[kept:])
		for _, needle := range needles {
			if bytes.Contains(window[:kept+n], needle) {
				return true
			}
		}
		if err != nil {
			assert.Assert(t, errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF), "%v", err)
			return false
		}
		kept = copy(window, window[len(window)-longest+1:])
	}
}

// forms is how a secret may be written down: as it is, in hexadecimal, that in hexadecimal again, and all of these in
// base64, wherever it stands in what is encoded.
func forms(secret []byte) [][]byte {
	lower, upper := hexadecimal(secret)
	all := [][]byte{secret, lower, upper}
	for _, text := range [][]byte{lower, upper} {
		lower, upper := hexadecimal(text)
		all = append(all, lower, upper)
	}
	for _, plain := range slices.Clone(all) {
		for before := range 3 {
			padded := append(make([]byte, before), plain...)
			for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
				text := encoding.EncodeToString(padded)
				from, to := []int{0, 2, 3}[before], len(text)
				if len(padded)%3 != 0 {
					to-- // depends on what follows
				}
				all = append(all, []byte(text[from:to]))
			}
		}
	}
	return all
}

func hexadecimal(secret []byte) (lower, upper []byte) {
	text := hex.EncodeToString(secret)
	return []byte(text), []byte(strings.ToUpper(text))
}
