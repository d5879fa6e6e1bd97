package verify

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"

	"gotest.tools/v3/assert"

	"github.com/docker-ucp/docker-ucp/internal/failure"
	"github.com/docker-ucp/docker-ucp/internal/seal"
)

// How many changed and shortened archives are tried, over all kinds together.
var (
	mutations   = flag.Int("mutations", 10_000, "single-byte changes to try")
	truncations = flag.Int("truncations", 1_000, "truncations to try")
	mutateSeed  = flag.Uint64("mutation-seed", 20261101, "where the changes come from")
)

// specimen is an archive of one kind, which a flawless verify finds sound.
type specimen struct {
	kind string
	data []byte
	key  seal.SessionKey // opens it without stretching the passphrase, unless zero
	head int             // bytes before the encrypted data, which only the passphrase reads
	free [2]int          // bytes that say nothing about the content: the time and the system in a gzip header
}

// verify opens the specimen with the passphrase where the change may be in what
// the passphrase opens, and with the session key elsewhere: stretching takes
// the most of the time.
func (s *specimen) verify(t testing.TB, data []byte, at int) error {
	t.Helper()
	keys := seal.Keys{Passphrase: []byte(passphrase)}
	if at >= s.head && !s.key.IsZero() {
		key, err := seal.ParseSessionKey(s.key.Reveal()) // verify wipes what it is given
		assert.NilError(t, err)
		keys = seal.Keys{SessionKey: key}
	}
	_, err := Run(t.Context(), mute(), Options{Source: bytes.NewReader(data), Now: written(), Keys: giving(keys)})
	return err
}

func TestEveryChangeIsFound(t *testing.T) {
	all := specimens(t)
	for i, s := range all {
		t.Run(s.kind, func(t *testing.T) {
			t.Parallel()
			assert.NilError(t, s.verify(t, s.data, 0), "as it was made it is sound")
			random := rand.New(rand.NewPCG(*mutateSeed, uint64(i)))
			for range *mutations/len(all) + 1 {
				s.change(t, random)
			}
			for at := s.head; at < s.head+80; at++ { // where every bit has a meaning of its own
				s.changeAt(t, at, byte(1+random.IntN(255)))
				s.changeAt(t, len(s.data)-1-at+s.head, byte(1+random.IntN(255)))
			}
			for range *truncations/len(all) + 1 {
				size := random.IntN(len(s.data))
				assertFound(t, s.verify(t, s.data[:size], size), fmt.Sprintf("%d bytes of %d", size, len(s.data)))
			}
		})
	}
}

// change changes one byte that says something.
func (s *specimen) change(t *testing.T, random *rand.Rand) {
	t.Helper()
	s.changeAt(t, random.IntN(len(s.data)), byte(1+random.IntN(255)))
}

func (s *specimen) changeAt(t *testing.T, at int, by byte) {
	t.Helper()
	if at >= s.free[0] && at < s.free[1] {
		return
	}
	changed := bytes.Clone(s.data)
	changed[at] ^= by
	assertFound(t, s.verify(t, changed, at), fmt.Sprintf("byte %d of %d, %#02x for %#02x", at, len(s.data), changed[at], s.data[at]))
}

// assertFound wants a finding, and not just any error.
func assertFound(t *testing.T, err error, change string) {
	t.Helper()
	kind := failure.KindOf(err)
	assert.Assert(t, err != nil, change)
	assert.Assert(t, kind == failure.Damaged || kind == failure.Locked, "%s: %v", change, err)
}
