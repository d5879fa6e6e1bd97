package etcd

import (
	"bytes"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"gotest.tools/v3/assert"
)

// mutations is how many changed copies of each database are compared.
const mutations = 200

// mutation is a change of one byte.
type mutation struct {
	at   int
	with byte // exclusive or
}

func (m mutation) of(b []byte) []byte {
	b = bytes.Clone(b)
	b[m.at] ^= m.with
	return b
}

// mutate draws changes, half of them where a page keeps its header and elements.
func mutate(seed uint64, size, pageSize int) []mutation {
	random := rand.New(rand.NewPCG(seed, 11))
	drawn := make([]mutation, mutations)
	for i := range drawn {
		at := random.IntN(size)
		if i%2 == 0 {
			at = at/pageSize*pageSize + random.IntN(120)
		}
		if in := at % pageSize; in > 12 && in < pageHeaderSize {
			at -= in - 12 // bbolt counts pages one by one, and needs memory for each of four billion
		}
		drawn[i] = mutation{at, byte(1 + random.IntN(255))}
	}
	return drawn
}

// TestWhatBboltFindsIsFound changes one byte at a time. There are no
// exceptions: whatever bbolt reports, panics on or does not come back from is
// found here, or, in a meta page, said.
func TestWhatBboltFindsIsFound(t *testing.T) {
	shapes := boltDatabases(t)
	for shape, name := range slices.Sorted(maps.Keys(shapes)) {
		t.Run(name, func(t *testing.T) {
			b := shapes[name]
			head, err := ReadHead(b[:min(HeadSize, len(b))])
			assert.NilError(t, err)
			b = b[:head.Bytes]
			drawn := mutate(uint64(shape), len(b), head.PageSize)
			verdicts := boltVerdicts(t, len(drawn), func(i int) []byte { return drawn[i].of(b) })
			var theirs, both, ours int
			for i, m := range drawn {
				torn, err := checkBolt(m.of(b))
				assert.Assert(t, err == nil || errors.Is(err, ErrDamaged), "an error of reading: %v", err)
				switch found := err != nil || torn; {
				case verdicts[i] != sound && !found:
					theirs++
					t.Errorf("byte %d of page %d: bbolt says %s", m.at%head.PageSize, m.at/head.PageSize, verdicts[i])
				case verdicts[i] != sound:
					both++
				case found:
					ours++
				}
			}
			t.Logf("of %d: found by both %d, by us alone %d, by bbolt alone %d", len(drawn), both, ours, theirs)
			assert.Assert(t, both > 0, "bbolt was not asked")
		})
	}
}
