package etcd

import (
	"maps"
	"path"
	"slices"
	"strings"
	"testing"

	"gotest.tools/v3/assert"
)

// segments reads the log of a real etcd, in the order of its files.
func readLog(t *testing.T, files map[string][]byte) []Segment {
	t.Helper()
	var segments []Segment
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if strings.HasSuffix(name, ".wal") {
			s, err := readSegment(path.Base(name), files[name], len(files[name]))
			assert.NilError(t, err, name)
			segments = append(segments, s)
		}
	}
	return segments
}

// readSegment reads a file of the log in pieces of some size.
func readSegment(name string, b []byte, piece int) (Segment, error) {
	w := NewWAL(name)
	for chunk := range slices.Chunk(b, piece) {
		if n, err := w.Write(chunk); n != len(chunk) || err != nil {
			return Segment{}, err
		}
	}
	if err := w.Close(); err != nil {
		return Segment{}, err
	}
	return w.Segment()
}

func TestLogOfARealEtcdIsWhole(t *testing.T) {
	segments := readLog(t, dataFolder(t))
	assert.NilError(t, Chain(segments))
	for _, s := range segments {
		t.Logf("%+v", s)
	}
}
