package etcd

import (
	"bytes"
	"maps"
	"math/rand/v2"
	"path"
	"reflect"
	"slices"
	"strings"
	"testing"

	"gotest.tools/v3/assert"
)

// readSegment reads a file of the log in pieces of some size.
func readSegment(t testing.TB, name string, b []byte, piece int) (Segment, error) {
	t.Helper()
	w := NewWAL(name)
	for chunk := range slices.Chunk(b, piece) {
		n, err := w.Write(chunk)
		assert.Assert(t, n == len(chunk) && err == nil, "Write: %d, %v", n, err)
	}
	assert.NilError(t, w.Close())
	return w.Segment()
}

// logFiles is the files of a real etcd's log, in the order of their names.
func logFiles(t testing.TB) (names []string, files [][]byte) {
	t.Helper()
	folder := dataFolder(t)
	for _, name := range slices.Sorted(maps.Keys(folder)) {
		if strings.HasSuffix(name, ".wal") {
			names, files = append(names, path.Base(name)), append(files, folder[name])
		}
	}
	return names, files
}

// readLog reads all files of a log, which must be whole.
func readLog(t testing.TB, names []string, files [][]byte) []Segment {
	t.Helper()
	var segments []Segment
	for i, name := range names {
		s, err := readSegment(t, name, files[i], len(files[i]))
		assert.NilError(t, err, name)
		segments = append(segments, s)
	}
	return segments
}

func TestLogOfARealEtcdIsWhole(t *testing.T) {
	names, files := logFiles(t)
	segments := readLog(t, names, files)
	assert.NilError(t, Chain(segments))
	assert.Equal(t, len(segments), 5)
	next := uint64(312) // etcd has removed what came before
	for _, s := range segments {
		assert.Equal(t, s.MemberID, uint64(fixtureMember))
		assert.Equal(t, s.ClusterID, uint64(fixtureCluster))
		assert.Equal(t, s.FirstIndex, next)
		assert.Equal(t, s.LastIndex, next+uint64(s.Entries)-1)
		assert.Equal(t, s.Commit, s.LastIndex)
		assert.Assert(t, !s.Torn)
		next = s.LastIndex + 1
	}
	assert.DeepEqual(t, segments[4].Snapshots, []Position{{2, 0x2f3}})
}

func TestLogReadsTheSameInPiecesOfAnySize(t *testing.T) {
	names, files := logFiles(t)
	for i, name := range names {
		want, err := readSegment(t, name, files[i], len(files[i]))
		assert.NilError(t, err)
		for _, piece := range []int{1, 7, 8, 511, 512, 513, 4096} {
			got, err := readSegment(t, name, files[i], piece)
			assert.NilError(t, err)
			assert.Assert(t, reflect.DeepEqual(got, want), "pieces of %d", piece)
		}
	}
}

// Of the newest file a changed byte may look like a write that was not finished; that is said too.
func TestEveryChangedByteOfALogIsFound(t *testing.T) {
	names, files := logFiles(t)
	whole := readLog(t, names, files)
	random := rand.New(rand.NewPCG(7, 1))
	for range 8000 {
		file := random.IntN(len(files))
		at, bit := random.IntN(len(files[file])), byte(1)<<random.IntN(8)
		changed := bytes.Clone(files[file])
		changed[at] ^= bit
		s, err := readSegment(t, names[file], changed, 4096)
		if err != nil {
			assert.ErrorIs(t, err, ErrDamaged)
			continue
		}
		segments := slices.Clone(whole)
		segments[file] = s
		if err := Chain(segments); err != nil {
			assert.ErrorIs(t, err, ErrDamaged)
			continue
		}
		assert.Assert(t, s.Torn, "%s: bit %#x of byte %d", names[file], bit, at)
	}
}

func TestEveryTruncationOfALogIsFound(t *testing.T) {
	names, files := logFiles(t)
	whole := readLog(t, names, files)
	random := rand.New(rand.NewPCG(7, 2))
	for range 1000 {
		file := random.IntN(len(files) - 1) // of the newest the room behind the records may go
		size := random.IntN(len(files[file]))
		s, err := readSegment(t, names[file], files[file][:size], 4096)
		segments := slices.Clone(whole)
		segments[file] = s
		assert.Assert(t, err != nil || Chain(segments) != nil, "%s: %d bytes", names[file], size)
	}
}
