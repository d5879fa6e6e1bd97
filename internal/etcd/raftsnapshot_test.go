package etcd

import (
	"bytes"
	"hash/crc32"
	"slices"
	"strings"
	"testing"

	"gotest.tools/v3/assert"
)

// readRaftSnapshot reads a raft snapshot in pieces of some size.
func readRaftSnapshot(t testing.TB, b []byte, piece int) (Position, error) {
	t.Helper()
	s := NewRaftSnapshot()
	for chunk := range slices.Chunk(b, piece) {
		n, err := s.Write(chunk)
		assert.Assert(t, n == len(chunk) && err == nil, "Write: %d, %v", n, err)
	}
	err := s.Close()
	return s.Position(), err
}

func TestRaftSnapshotsOfARealEtcdAreWhole(t *testing.T) {
	seen := 0
	for name, b := range dataFolder(t) {
		if !strings.HasSuffix(name, ".snap") {
			continue
		}
		seen++
		for _, piece := range []int{1, 63, 64, 65, len(b)} {
			position, err := readRaftSnapshot(t, b, piece)
			assert.NilError(t, err, name)
			assert.Equal(t, "member/snap/"+position.String()+".snap", name)
		}
	}
	assert.Equal(t, seen, 3)
}

func TestEveryChangeOfARaftSnapshotIsFound(t *testing.T) {
	b := dataFolder(t)["member/snap/0000000000000002-00000000000002f3.snap"]
	for at := range b {
		changed := bytes.Clone(b)
		changed[at] ^= 1 << (at % 8)
		_, err := readRaftSnapshot(t, changed, 1000)
		assert.ErrorIs(t, err, ErrDamaged, "byte %d", at)
		_, err = readRaftSnapshot(t, b[:at], 1000)
		assert.ErrorIs(t, err, ErrDamaged, "%d bytes", at)
	}
	_, err := readRaftSnapshot(t, append(bytes.Clone(b), 0), 1000)
	assert.ErrorContains(t, err, "it should have 7146 bytes and has 7147")
}

func TestRaftSnapshotOfOddContent(t *testing.T) {
	sealed := func(data ...[]byte) []byte {
		all := bytes.Join(data, nil)
		return append(varint(1, uint64(crc32.Checksum(all, castagnoli))), block(2, all)...)
	}
	place := bytes.Join([][]byte{block(1, varint(1, 9)), varint(2, 77), varint(3, 5)}, nil)
	position, err := readRaftSnapshot(t, sealed(block(2, place)), 10)
	assert.NilError(t, err, "without a store of version 2")
	assert.Equal(t, position, Position{5, 77})
	for name, test := range map[string]struct {
		file []byte
		want string
	}{
		"nothing":                     {nil, "does not begin with a checksum"},
		"a checksum alone":            {varint(1, 1), "no data behind its checksum"},
		"no place":                    {sealed(block(1, []byte("{}"))), "where in the log it stands"},
		"a place without members":     {sealed(block(1, nil), block(2, varint(2, 77))), "where in the log it stands"},
		"a place without a term":      {sealed(block(1, nil), block(2, place[:len(place)-2])), "where in the log it stands"},
		"more than a place":           {sealed(block(1, nil), block(2, append(bytes.Clone(place), 8, 1))), "where in the log it stands"},
		"a place that is far too big": {sealed(block(1, nil), block(2, make([]byte, 2*maxPlace))), "more than 65536 bytes follow"},
		"a store beyond all measure":  {append(append(varint(1, 1), 0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x3f), 0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x3f), "it should have"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := readRaftSnapshot(t, test.file, 1000)
			assert.ErrorContains(t, err, test.want)
			assert.ErrorIs(t, err, ErrDamaged)
		})
	}
}
