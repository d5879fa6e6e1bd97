package etcd

import (
	"bytes"
	"crypto/sha256"
	"math/rand/v2"
	"slices"
	"testing"

	"gotest.tools/v3/assert"
)

// trailerOf is the verdict on a file that comes in pieces of some size.
func trailerOf(t *testing.T, b []byte, piece int) error {
	t.Helper()
	trailer := NewTrailer()
	for chunk := range slices.Chunk(b, piece) {
		n, err := trailer.Write(chunk)
		assert.Assert(t, n == len(chunk) && err == nil, "Write: %d, %v", n, err)
	}
	return trailer.Verdict()
}

func TestTrailerOfARealSnapshotIsRight(t *testing.T) {
	b := unzipped(t, "snapshot.db.gz")
	for _, piece := range []int{1, 31, 32, 33, 50, 4096, len(b)} {
		assert.NilError(t, trailerOf(t, b, piece), "pieces of %d", piece)
	}
}

func TestEveryChangeOfASnapshotIsFound(t *testing.T) {
	b := unzipped(t, "snapshot.db.gz")
	random := rand.New(rand.NewPCG(7, 3))
	places := []int{0, len(b) - sha256.Size - 1, len(b) - sha256.Size, len(b) - 1}
	for range 300 {
		places = append(places, random.IntN(len(b)))
	}
	for _, at := range places {
		changed := bytes.Clone(b)
		changed[at] ^= 1 << random.IntN(8)
		err := trailerOf(t, changed, 4096)
		assert.ErrorIs(t, err, ErrDamaged, "byte %d", at)
		assert.ErrorContains(t, err, "is not that of the database")
	}
}

func TestTrailerTellsFromTheLengthWhetherThereIsOne(t *testing.T) {
	b := unzipped(t, "snapshot.db.gz")
	assert.ErrorIs(t, trailerOf(t, b[:len(b)-sha256.Size], 4096), ErrNoTrailer)
	for _, size := range []int{0, 1, 31, len(b) - 31, len(b) - 1} {
		assert.ErrorContains(t, trailerOf(t, b[:size], 4096), "it was cut off")
	}
	nothing := sha256.Sum256(nil)
	assert.NilError(t, trailerOf(t, nothing[:], 5), "the hash of nothing")
}
