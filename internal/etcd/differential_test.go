package etcd

import (
	"bytes"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"gotest.tools/v3/assert"
)

// mutations is how many changed copies of each database are compared.
const mutations = 200

// TestWhatBboltFindsIsFound changes one byte at a time, half of them where a
// page keeps its header and elements. There are no exceptions: whatever bbolt
// reports, panics on or does not come back from is found here, or, in a meta
// page, said.
func TestWhatBboltFindsIsFound(t *testing.T) {
	shapes := boltDatabases(t)
	for shape, name := range slices.Sorted(maps.Keys(shapes)) {
		t.Run(name, func(t *testing.T) {
			b := shapes[name]
			head, err := ReadHead(b[:min(HeadSize, len(b))])
			assert.NilError(t, err)
			random := rand.New(rand.NewPCG(uint64(shape), 11))
			var changed [][]byte
			var places []int
			for i := range mutations {
				at := random.IntN(int(head.Bytes))
				if i%2 == 0 {
					at = at/head.PageSize*head.PageSize + random.IntN(120)
				}
				if of := at % head.PageSize; of > 12 && of < pageHeaderSize {
					at -= of - 12 // bbolt counts pages one by one, and needs memory for each of four billion
				}
				c := bytes.Clone(b[:head.Bytes])
				c[at] ^= byte(1 + random.IntN(255))
				changed, places = append(changed, c), append(places, at)
			}
			compare(t, changed, places, head.PageSize)
		})
	}
}

// compare holds our verdicts against bbolt's.
func compare(t *testing.T, changed [][]byte, places []int, pageSize int) {
	t.Helper()
	var theirs, both, ours int
	for i, verdict := range boltVerdicts(t, changed) {
		torn, err := checkBolt(changed[i])
		found := err != nil || torn
		switch {
		case verdict != sound && !found:
			t.Errorf("page %d, byte %d: bbolt says %s", places[i]/pageSize, places[i]%pageSize, verdict)
			theirs++
		case verdict != sound:
			both++
		case found:
			ours++
		}
		if err != nil {
			assert.ErrorIs(t, err, ErrDamaged)
		}
	}
	t.Logf("of %d: found by both %d, by us alone %d, by bbolt alone %d", len(changed), both, ours, theirs)
}
