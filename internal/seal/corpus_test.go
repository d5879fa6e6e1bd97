package seal

import (
	"bytes"
	"encoding/hex"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	"github.com/ProtonMail/go-crypto/openpgp/s2k"
	"gotest.tools/v3/assert"
)

// The messages of testdata were made by GnuPG 1.4 and 2.2 and by
// golang.org/x/crypto, all of one text.
func corpus(tb testing.TB, name string) []byte {
	tb.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "messages", name))
	assert.NilError(tb, err)
	return b
}

func corpusNames(tb testing.TB) []string {
	tb.Helper()
	names, err := filepath.Glob(filepath.Join("testdata", "messages", "*.pgp"))
	assert.NilError(tb, err)
	for i, name := range names {
		names[i] = filepath.Base(name)
	}
	return names
}

func TestOpenReadsMessagesOfOtherProgramsAndAges(t *testing.T) {
	text := corpus(t, "text")
	refused := map[string]string{
		"gpg1-without-mdc.pgp":        "no modification detection",
		"gpg1-without-mdc-plain.pgp":  "no modification detection",
		"gpg1-without-mdc-stream.pgp": "no modification detection",
		"gpg1-twofish.pgp":            "unknown cipher: 10",
		"gpg1-s2k-salted-md5.pgp":     "hash for S2K function: 1",
		"gpg2-not-encrypted.pgp":      "not an encrypted OpenPGP message",
	}
	byPassphrase := Keys{Passphrase: []byte(passphrase)}
	byKey := map[string]Keys{
		"gpg2-rsa.pgp":               {Identities: identities(t, "rsa.secret.pgp", "")},
		"xcrypto-rsa.pgp":            {Identities: identities(t, "rsa.secret.pgp", "")},
		"gpg2-curve25519-hidden.pgp": {Identities: identities(t, "curve25519.secret.pgp", "")},
		"gpg2-signed.pgp":            {Identities: identities(t, "curve25519.secret.pgp", "")},
	}
	for _, name := range corpusNames(t) {
		t.Run(name, func(t *testing.T) {
			keys, ok := byKey[name]
			if !ok {
				keys = byPassphrase
			}
			data, err := opened(corpus(t, name), keys)
			if want, ok := refused[name]; ok {
				assert.ErrorContains(t, err, want)
				return
			}
			assert.NilError(t, err)
			assert.Assert(t, bytes.Equal(data, text))
		})
	}
}

func TestOpenUnprotectedReadsWhatHasNoModificationDetection(t *testing.T) {
	for _, name := range []string{"gpg1-without-mdc.pgp", "gpg1-without-mdc-plain.pgp", "gpg1-without-mdc-stream.pgp"} {
		t.Run(name, func(t *testing.T) {
			message := corpus(t, name)
			open := func(message []byte) ([]byte, error) {
				m, err := ReadHead(bytes.NewReader(message))
				assert.NilError(t, err)
				key, err := m.Unlock(Keys{Passphrase: []byte(passphrase)})
				assert.NilError(t, err)
				r, err := m.OpenUnprotected(key)
				if err != nil {
					return nil, err
				}
				var data bytes.Buffer
				_, err = data.ReadFrom(r)
				assert.NilError(t, r.Close())
				return data.Bytes(), err
			}
			data, err := open(message)
			assert.NilError(t, err)
			assert.Assert(t, bytes.Equal(data, corpus(t, "text")))
			_, err = open(message[:len(message)-100])
			assert.ErrorIs(t, err, ErrDamaged)
		})
	}
}

func TestOpenOfTheCorpusTellsAWrongPassphrase(t *testing.T) {
	for _, name := range corpusNames(t) {
		if strings.Contains(name, "twofish") || strings.Contains(name, "md5") || strings.Contains(name, "not-encrypted") {
			continue
		}
		t.Run(name, func(t *testing.T) {
			_, err := opened(corpus(t, name), Keys{Passphrase: []byte("not this one")})
			assert.ErrorIs(t, err, ErrPassphrase)
		})
	}
}

func TestMessageSaysWhoCanOpenIt(t *testing.T) {
	rsa, curve := recipients(t, "rsa.pgp")[0].Subkeys[0].PublicKey.KeyId, uint64(0)
	for _, test := range []struct {
		name       string
		passphrase bool
		keys       []uint64
	}{
		{"gpg2-key-and-passphrase.pgp", true, []uint64{rsa}},
		{"gpg2-curve25519-hidden.pgp", false, []uint64{curve}},
		{"gpg1-default.pgp", true, nil},
	} {
		m, err := ReadHead(bytes.NewReader(corpus(t, test.name)))
		assert.NilError(t, err)
		assert.Equal(t, m.ForPassphrase(), test.passphrase)
		assert.DeepEqual(t, m.ForKeys(), test.keys)
	}
}

func TestUnlockNeedsTheHeadAloneAndCanBeTriedAgain(t *testing.T) {
	message := corpus(t, "gpg2-key-and-passphrase.pgp")
	m, err := ReadHead(bytes.NewReader(message))
	assert.NilError(t, err)
	_, err = m.Unlock(Keys{Passphrase: []byte("a slip")})
	assert.ErrorIs(t, err, ErrPassphrase)
	key, err := m.Unlock(Keys{Passphrase: []byte(passphrase)})
	assert.NilError(t, err)
	other, err := Unlock(bytes.NewReader(message[:500]), Keys{Identities: identities(t, "rsa.secret.pgp", "")})
	assert.NilError(t, err)
	assert.Assert(t, key.Equal(other))
	data, err := opened(message, Keys{SessionKey: key})
	assert.NilError(t, err)
	assert.Assert(t, bytes.Equal(data, corpus(t, "text")))
}

func TestMessageIsOpenedOnceAndWithAKey(t *testing.T) {
	key, err := NewSessionKey()
	assert.NilError(t, err)
	m, err := ReadHead(bytes.NewReader(sealedWith(t, nil, key, []byte("data"), 10, Options{})))
	assert.NilError(t, err)
	_, err = m.Open(SessionKey{})
	assert.ErrorIs(t, err, ErrPassphrase)
	r, err := m.Open(key)
	assert.NilError(t, err)
	_, err = m.Open(key)
	assert.ErrorContains(t, err, "is being read already")
	data, err := io.ReadAll(r)
	assert.NilError(t, err)
	assert.Equal(t, string(data), "data")
	assert.NilError(t, r.Close())
	_, err = Unlock(strings.NewReader("no message"), Keys{SessionKey: key})
	assert.ErrorContains(t, err, "not an encrypted OpenPGP message")
}

// The packets of draft-ietf-openpgp-rfc4880bis, A.3 and A.4, which GnuPG
// writes since 2.3; and what the library writes for RFC 9580.
func TestOpenReadsAEADThroughTheLibrary(t *testing.T) {
	for name, test := range map[string]struct{ key, message string }{
		"EAX": {"7:86f1efb86952329f24acd3bfd0e5346d", "d44a0107010eb732379f73c4928de25facfe6517ec105dc11a81dc0cb8a2f6f3d90016384a56fc821ae11ae8dbcb49862655dea88d06a81486801b0ff387bd2eab013de1259586906eab2476"},
		"OCB": {"7:d1f01ba30e130aa7d2582c16e050ae44", "d4490107020e5ed2bc1e470abe8f1d644c7a6c8a567b0f7701196611a154ba9c2574cd056284a8ef68035c623d93cc708a43211bb6eaf2b27f7c18d571bcd83b20add3a08b73af15b9a098"},
	} {
		t.Run(name+" of GnuPG", func(t *testing.T) {
			message, err := hex.DecodeString(test.message)
			assert.NilError(t, err)
			key, err := ParseSessionKey([]byte(test.key))
			assert.NilError(t, err)
			checkAEAD(t, message, Keys{SessionKey: key}, len(message))
		})
	}
	config := &packet.Config{AEADConfig: &packet.AEADConfig{ChunkSize: 64}, S2KConfig: &s2k.Config{S2KMode: s2k.Argon2S2K, Argon2Config: &s2k.Argon2Config{Memory: 1 << 13, NumberOfPasses: 1}}}
	t.Run("a passphrase and RFC 9580", func(t *testing.T) {
		var out bytes.Buffer
		w, err := openpgp.SymmetricallyEncrypt(&out, []byte(passphrase), nil, config)
		assert.NilError(t, err)
		_, err = w.Write([]byte("Hello, world!\n"))
		assert.NilError(t, err)
		assert.NilError(t, w.Close())
		checkAEAD(t, out.Bytes(), Keys{Passphrase: []byte(passphrase)}, 90)
		_, err = opened(out.Bytes(), Keys{Passphrase: []byte("wrong")})
		assert.ErrorIs(t, err, ErrPassphrase)
	})
}

// checkAEAD changes the encrypted packet, which is so long.
func checkAEAD(t *testing.T, message []byte, keys Keys, data int) {
	t.Helper()
	got, err := opened(message, keys)
	assert.NilError(t, err)
	assert.Equal(t, string(got), "Hello, world!\n")
	for size := range message {
		_, err := opened(message[:size], keys)
		assert.Assert(t, err != nil, "%d of %d bytes", size, len(message))
	}
	for at := len(message) - data; at < len(message); at++ {
		message[at] ^= 4
		_, err := opened(message, keys)
		assert.Assert(t, err != nil, "byte %d of %d", at, len(message))
		message[at] ^= 4
	}
	_, err = opened(append(message, 'x'), keys)
	assert.ErrorIs(t, err, ErrTrailing)
}
