package seal

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"gotest.tools/v3/assert"
)

// FuzzOpen takes a message as a stranger may hand it over. Without the session
// key nobody makes another that is accepted, so what is accepted is what was
// sealed.
func FuzzOpen(f *testing.F) {
	const text = "to be or not to be"
	key, err := ParseSessionKey([]byte("9:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"))
	assert.NilError(f, err)
	packets, err := Lock{Recipients: recipients(f, "curve25519.pgp")}.Packets(key)
	assert.NilError(f, err)
	f.Add(sealedWith(f, packets, key, []byte(text), 10, Options{}))
	f.Add(sealedWith(f, quickLock(f, key), key, []byte(text), 10, Options{Compress: Zlib}))
	f.Add(protect(f, key, deflated(f, literalOf(text))))
	f.Add(protect(f, key, []byte("\xCB\xE9"+literalHead+text)))
	private := identities(f, "curve25519.secret.pgp", "")
	f.Fuzz(func(t *testing.T, message []byte) {
		for _, keys := range []Keys{{SessionKey: key}, {Identities: private}} {
			data, err := opened(message, keys)
			if err == nil {
				assert.Equal(t, string(data), text)
			}
		}
	})
}

// FuzzContents takes the packets inside the encryption: whoever knows the
// passphrase or a public key can write them as they like.
func FuzzContents(f *testing.F) {
	f.Add(literalOf("data"))
	f.Add(deflated(f, literalOf("data")))
	f.Add(packetOf(typeCompressed, []byte{0}, literalOf("data")))
	f.Add([]byte("\xA3\x03BZh91AY&SY"))
	f.Add([]byte("\xC8\x0A\x02\x78\x01\x01\x00\x00\xFF\xFF\x00\x00\x00\x01"))
	f.Add([]byte("\xCB\xE3b\x00\x00\x00\x00\x00da\xE0t\x01a"))
	f.Fuzz(func(t *testing.T, packets []byte) {
		c, err := openContents(bytes.NewReader(packets))
		if err != nil {
			return
		}
		n, err := io.Copy(io.Discard, io.LimitReader(c, 1<<20))
		assert.Assert(t, n <= 1<<20)
		assert.Assert(t, !errors.Is(err, io.EOF))
	})
}

// FuzzReadHead takes the locks of a message, the armor with them.
func FuzzReadHead(f *testing.F) {
	for _, name := range corpusNames(f) {
		message := corpus(f, name)
		f.Add(message[:min(len(message), 1000)])
	}
	f.Fuzz(func(t *testing.T, head []byte) {
		m, err := ReadHead(bytes.NewReader(head))
		if err != nil {
			return
		}
		m.ForKeys()
		_, err = m.Unlock(Keys{})
		assert.ErrorIs(t, err, ErrPassphrase)
	})
}

// FuzzReadKeys takes a file of keys.
func FuzzReadKeys(f *testing.F) {
	for _, name := range []string{"rsa.pgp", "curve25519.secret.pgp", "protected.secret.pgp", "revoked.pgp", "two.asc"} {
		f.Add(keyFile(f, name))
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		keys, err := ReadRecipients(bytes.NewReader(file), "keys")
		if err != nil {
			return
		}
		key, err := NewSessionKey()
		assert.NilError(t, err)
		_, err = Lock{Recipients: keys}.Packets(key)
		assert.NilError(t, err)
	})
}
