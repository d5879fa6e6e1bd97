package seal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/iotest"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	"github.com/ProtonMail/go-crypto/openpgp/s2k"
	"gotest.tools/v3/assert"
)

// quickLock is the packet of Lock.Packets with less stretching, for tests that
// unlock a thousand times.
func quickLock(tb testing.TB, key SessionKey) []byte {
	tb.Helper()
	var out bytes.Buffer
	config := &packet.Config{DefaultCipher: packet.CipherAES256, S2KConfig: &s2k.Config{S2KMode: s2k.IteratedSaltedS2K, S2KCount: 65536}}
	assert.NilError(tb, packet.SerializeSymmetricKeyEncryptedAEADReuseKey(&out, key.bytes(), []byte(passphrase), false, config))
	return out.Bytes()
}

// lockedMessages are small messages, each for one kind of key.
func lockedMessages(t *testing.T, data []byte, opts Options) map[string]struct {
	message []byte
	keys    Keys
} {
	t.Helper()
	key, err := NewSessionKey()
	assert.NilError(t, err)
	all := map[string]struct {
		message []byte
		keys    Keys
	}{
		"passphrase":  {sealedWith(t, quickLock(t, key), key, data, 1<<20, opts), Keys{Passphrase: []byte(passphrase)}},
		"session key": {sealedWith(t, nil, key, data, 1<<20, opts), Keys{SessionKey: key}},
	}
	for _, name := range []string{"rsa", "curve25519"} {
		packets, err := Lock{Recipients: recipients(t, name+".pgp")}.Packets(key)
		assert.NilError(t, err)
		all[name] = struct {
			message []byte
			keys    Keys
		}{sealedWith(t, packets, key, data, 1<<20, opts), Keys{Identities: identities(t, name+".secret.pgp", "")}}
	}
	return all
}

func TestOpenRefusesASmallMessageWithAnyBitFlipped(t *testing.T) {
	for _, compress := range []Compression{None, Zlib} {
		for name, m := range lockedMessages(t, []byte("to be or not to be"), Options{Compress: compress}) {
			t.Run(fmt.Sprintf("%s, compression %d", name, compress), func(t *testing.T) {
				_, err := opened(m.message, m.keys)
				assert.NilError(t, err)
				for bit := range 8 * len(m.message) {
					if name == "rsa" && bit/8 > 20 && bit/8 < 380 && bit%8 != 3 {
						continue // inside the number every bit is like the next, and RSA takes its time
					}
					changed := slices.Clone(m.message)
					changed[bit/8] ^= 1 << (bit % 8)
					_, err := opened(changed, m.keys)
					assert.Assert(t, err != nil, "byte %d of %d, bit %d", bit/8, len(changed), bit%8)
				}
			})
		}
	}
}

func TestOpenCallsEveryTruncationDamage(t *testing.T) {
	for _, compress := range []Compression{None, Zlib} {
		for name, m := range lockedMessages(t, []byte("to be or not to be"), Options{Compress: compress}) {
			t.Run(fmt.Sprintf("%s, compression %d", name, compress), func(t *testing.T) {
				for size := range m.message {
					_, err := opened(m.message[:size], m.keys)
					assert.ErrorIs(t, err, ErrDamaged, "%d of %d bytes", size, len(m.message))
				}
			})
		}
	}
}

func TestOpenRefusesALargeMessageThatIsNotWhole(t *testing.T) {
	random := rand.New(rand.NewPCG(4, 4))
	data := randomBytes(t, 3*chunkSize+1000)
	for _, compress := range []Compression{None, Zlib} {
		key, err := NewSessionKey()
		assert.NilError(t, err)
		message := sealedWith(t, nil, key, data, 1<<20, Options{Compress: compress})
		for range 200 {
			at, bit := random.IntN(len(message)), random.IntN(8)
			message[at] ^= 1 << bit
			_, err := opened(message, Keys{SessionKey: key})
			assert.Assert(t, err != nil, "compression %d: byte %d of %d, bit %d", compress, at, len(message), bit)
			message[at] ^= 1 << bit
		}
		cuts := []int{chunkSize, chunkSize + 1, chunkSize + 2, 2 * chunkSize, len(message) - 1, len(message) - mdcSize}
		for range 30 {
			cuts = append(cuts, random.IntN(len(message)))
		}
		for _, size := range cuts {
			_, err := opened(message[:size], Keys{SessionKey: key})
			assert.ErrorIs(t, err, ErrDamaged, "compression %d: %d of %d bytes", compress, size, len(message))
		}
	}
}

func TestOpenTellsAWrongKeyFromDamage(t *testing.T) {
	m := lockedMessages(t, []byte("data"), Options{})
	other, err := NewSessionKey()
	assert.NilError(t, err)
	for _, test := range []struct {
		name, message string
		keys          Keys
		want          string
	}{
		{"a wrong passphrase", "passphrase", Keys{Passphrase: []byte("wrong")}, "wrong passphrase"},
		{"no passphrase", "passphrase", Keys{}, "locked with a passphrase"},
		{"a private key that is not meant", "rsa", Keys{Identities: identities(t, "curve25519.secret.pgp", "")}, "none of the private keys"},
		{"a passphrase where a private key is wanted", "rsa", Keys{Passphrase: []byte("x")}, "locked for the private key"},
		{"another session key", "session key", Keys{SessionKey: other}, "not that of the message"},
		{"nothing for a message without locks", "session key", Keys{Passphrase: []byte("x")}, "takes its session key"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := opened(m[test.message].message, test.keys)
			assert.ErrorIs(t, err, ErrPassphrase)
			assert.Assert(t, !errors.Is(err, ErrDamaged))
			assert.ErrorContains(t, err, test.want)
		})
	}
	for name, m := range m {
		t.Run("the data changed, for a "+name, func(t *testing.T) {
			changed := slices.Clone(m.message)
			changed[len(changed)-mdcSize-2] ^= 1
			_, err := opened(changed, m.keys)
			assert.ErrorIs(t, err, ErrDamaged)
			assert.Assert(t, !errors.Is(err, ErrPassphrase))
		})
	}
}

func TestOpenNamesWhatFollowsTheMessage(t *testing.T) {
	key, err := NewSessionKey()
	assert.NilError(t, err)
	message := sealedWith(t, nil, key, []byte("data"), 10, Options{})
	second, _ := sealed(t, Lock{Passphrase: []byte(passphrase)}, []byte("data"))
	for _, test := range []struct {
		name  string
		after []byte
		want  string
	}{
		{"one byte", []byte{0}, "other data, from byte %d"},
		{"a newline", []byte("\n"), "other data, from byte %d"},
		{"a second message", second, "a second sealed message (UCP 3.2.0 to 3.2.3 appended to a file that was there), from byte %d"},
	} {
		t.Run(test.name, func(t *testing.T) {
			data, err := opened(append(slices.Clone(message), test.after...), Keys{SessionKey: key})
			assert.Equal(t, string(data), "data")
			assert.ErrorIs(t, err, ErrTrailing)
			assert.ErrorIs(t, err, ErrDamaged)
			assert.ErrorContains(t, err, fmt.Sprintf(test.want, len(message)))
		})
	}
}

func TestReaderPassesOnAReadErrorAsWhatItIs(t *testing.T) {
	key, err := NewSessionKey()
	assert.NilError(t, err)
	broken := errors.New("disk on fire")
	message := sealedWith(t, quickLock(t, key), key, randomBytes(t, 2*chunkSize), 1<<20, Options{})
	for _, at := range []int{0, 1, 30, 60, 61, 80, 100, 1000, chunkSize, len(message) - 1, len(message)} {
		r, err := Open(io.MultiReader(bytes.NewReader(message[:at]), errReader{broken}), Keys{Passphrase: []byte(passphrase)})
		if err == nil {
			_, err = io.Copy(io.Discard, r)
			assert.NilError(t, r.Close())
		}
		assert.ErrorIs(t, err, broken, "after %d bytes", at)
		assert.Assert(t, !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrPassphrase), "after %d bytes: %v", at, err)
	}
}

func TestReaderTakesItsSourceInPiecesOfAnySize(t *testing.T) {
	key, err := NewSessionKey()
	assert.NilError(t, err)
	data := randomBytes(t, chunkSize+5000)
	message := sealedWith(t, quickLock(t, key), key, data, 1<<20, Options{})
	for name, source := range map[string]io.Reader{
		"one byte at a time":             iotest.OneByteReader(bytes.NewReader(message)),
		"half of what is asked for":      iotest.HalfReader(bytes.NewReader(message)),
		"the end together with the data": iotest.DataErrReader(bytes.NewReader(message)),
	} {
		t.Run(name, func(t *testing.T) {
			r, err := Open(source, Keys{Passphrase: []byte(passphrase)})
			assert.NilError(t, err)
			assert.NilError(t, iotest.TestReader(r, data))
			assert.NilError(t, r.Close())
		})
	}
}
