package seal

import (
	"bytes"
	"crypto/sha256"
	"io"
	"slices"
	"testing"
	"testing/iotest"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"gotest.tools/v3/assert"
)

func headOf(tb testing.TB, message []byte) *Message {
	tb.Helper()
	m, err := ReadHead(iotest.OneByteReader(bytes.NewReader(message)))
	assert.NilError(tb, err)
	return m
}

func armored64(tb testing.TB, message []byte) []byte {
	tb.Helper()
	var text bytes.Buffer
	w, err := armor.Encode(&text, "PGP MESSAGE", nil)
	assert.NilError(tb, err)
	_, err = w.Write(message)
	assert.NilError(tb, err)
	assert.NilError(tb, w.Close())
	return text.Bytes()
}

func TestTheLocksOfAMessageHaveTheDigestThatTheirWriterKnew(t *testing.T) {
	for name, lock := range map[string]Lock{
		"a passphrase":   {Passphrase: []byte(passphrase)},
		"two recipients": {Recipients: recipients(t, "rsa.pgp", "curve25519.pgp")},
		"both":           {Passphrase: []byte(passphrase), Recipients: recipients(t, "rsa.pgp")},
	} {
		t.Run(name, func(t *testing.T) {
			key, err := NewSessionKey()
			assert.NilError(t, err)
			packets, err := lock.Packets(key)
			assert.NilError(t, err)
			message := sealedWith(t, packets, key, []byte("data"), 10, Options{})
			assert.Equal(t, headOf(t, message).LocksDigest(), DigestLocks(packets))
			assert.Equal(t, headOf(t, armored64(t, message)).LocksDigest(), DigestLocks(packets))
			assert.Equal(t, DigestLocks(packets), sha256.Sum256(packets))
		})
	}
	key, err := NewSessionKey()
	assert.NilError(t, err)
	assert.Equal(t, headOf(t, sealedWith(t, nil, key, nil, 1, Options{})).LocksDigest(), DigestLocks(nil))
}

// The offsets of the encrypted packets are those that gpg --list-packets gives.
func TestTheDigestEndsWhereTheEncryptedPacketBegins(t *testing.T) {
	for name, offset := range map[string]int{
		"gpg2-key-and-passphrase.pgp": 447,
		"gpg2-rsa.pgp":                399,
		"gpg2-curve25519-hidden.pgp":  96,
		"gpg1-default.pgp":            15,
		"gpg1-without-mdc.pgp":        15,
		"xcrypto-default.pgp":         32,
	} {
		t.Run(name, func(t *testing.T) {
			message := corpus(t, name)
			assert.Equal(t, headOf(t, message).LocksDigest(), sha256.Sum256(message[:offset]))
			m := headOf(t, message)
			assert.Equal(t, m.body.in, byteStream(m.in), "the data would be hashed as well")
			data, err := io.ReadAll(m.in)
			assert.NilError(t, err)
			assert.Check(t, bytes.HasSuffix(message, data), "the data is not where it was")
		})
	}
}

func TestTheDigestCoversWhateverStandsBeforeTheData(t *testing.T) {
	key, err := NewSessionKey()
	assert.NilError(t, err)
	marker := packetOf(typeMarker, []byte("PGP")) // what a file may begin with, and still be known for a message
	for name, head := range map[string][]byte{
		"a marker":                     marker,
		"padding":                      append(slices.Clone(marker), packetOf(typePadding, randomBytes(t, 100_000))...),
		"a type of the future":         append(slices.Clone(marker), packetOf(60, []byte("x"))...),
		"a lock that nobody can use":   packetOf(typePublicKeyed, []byte{99, 1, 2}),
		"a lock in partial lengths":    append([]byte{0xC0 | typePassphrased, 0xE1, 4, 9, 11}, make([]byte, 11)...),
		"a marker behind another lock": append(quickLock(t, key), marker...),
	} {
		t.Run(name, func(t *testing.T) {
			message := append(slices.Clone(head), protect(t, key, literalOf("data"))...)
			data, err := opened(message, Keys{SessionKey: key})
			assert.NilError(t, err)
			assert.Equal(t, string(data), "data")
			assert.Equal(t, headOf(t, message).LocksDigest(), DigestLocks(head))
		})
	}
}

func TestAChangedBitOfALockShowsThoughAnotherLockOpens(t *testing.T) {
	key, err := NewSessionKey()
	assert.NilError(t, err)
	forOther, err := Lock{Recipients: recipients(t, "curve25519.pgp")}.Packets(key)
	assert.NilError(t, err)
	packets := slices.Concat(forOther, quickLock(t, key))
	message := sealedWith(t, packets, key, []byte("data"), 10, Options{})
	opens := 0
	for bit := range 8 * len(forOther) {
		changed := slices.Clone(message)
		changed[bit/8] ^= 1 << (bit % 8)
		m, err := ReadHead(bytes.NewReader(changed))
		if err != nil {
			continue
		}
		assert.Assert(t, m.LocksDigest() != DigestLocks(packets), "bit %d", bit)
		if _, err := opened(changed, Keys{Passphrase: []byte(passphrase)}); err == nil {
			opens++
		}
	}
	assert.Check(t, opens > 4*len(forOther), "only %d messages opened with the other lock, so this has shown little", opens)
}
