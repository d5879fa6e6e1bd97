package seal

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"testing"

	"gotest.tools/v3/assert"
)

func TestAMessageSaysHowItIsEncryptedAndForWhom(t *testing.T) {
	key, err := NewSessionKey()
	assert.NilError(t, err)
	forTwo, err := Lock{Recipients: recipients(t, "rsa.pgp", "curve25519.pgp")}.Packets(key)
	assert.NilError(t, err)
	phrase := quickLock(t, key)
	unusable := packetOf(typePublicKeyed, []byte{99, 1, 2})
	for _, test := range []struct {
		head []byte
		want string
	}{
		{phrase, "for a passphrase"},
		{forTwo, "for 2 keys"},
		{append(slices.Clone(forTwo), phrase...), "for a passphrase and 2 keys"},
		{append(slices.Clone(phrase), phrase...), "for 2 passphrases"},
		{append(slices.Clone(unusable), phrase...), "for a passphrase and one more that cannot be used here"},
		{bytes.Join([][]byte{unusable, phrase, forTwo, unusable}, nil), "for a passphrase, 2 keys and 2 more that cannot be used here"},
		{nil, "for whoever has the session key"},
	} {
		t.Run(test.want, func(t *testing.T) {
			m := headOf(t, sealedWith(t, test.head, key, []byte("data"), 10, Options{}))
			assert.Equal(t, m.Describe(), test.want)
			r, err := m.Open(key)
			assert.NilError(t, err)
			assert.NilError(t, r.Close())
			assert.Equal(t, m.Describe(), "AES-256, "+test.want)
		})
	}
}

func TestTheCipherIsCalledAsPeopleDo(t *testing.T) {
	for name, want := range map[string]string{
		"gpg1-3des-bzip2-armor.pgp": "3DES, for a passphrase",
		"gpg1-cast5-zip.pgp":        "CAST5, for a passphrase",
		"xcrypto-default.pgp":       "AES-128, for a passphrase",
	} {
		m := headOf(t, corpus(t, name))
		session, err := m.Unlock(Keys{Passphrase: []byte(passphrase)})
		assert.NilError(t, err)
		r, err := m.OpenUnprotected(session)
		assert.NilError(t, err)
		assert.NilError(t, r.Close())
		assert.Equal(t, m.Describe(), want)
	}
	aead := headOf(t, packetOf(typeProtected, []byte{2, 8, 2, 6}, make([]byte, 64)))
	assert.Equal(t, aead.Describe(), "AES-192, for whoever has the session key", "an AEAD packet says its cipher itself")
	assert.Equal(t, cipherName(10), "cipher 10")
}

func TestWhereSomethingFollowsCanBeAsked(t *testing.T) {
	key, err := NewSessionKey()
	assert.NilError(t, err)
	message := sealedWith(t, nil, key, []byte("data"), 10, Options{})
	long := sealedWith(t, nil, key, randomBytes(t, 200_000), 1<<20, Options{})
	text := armored64(t, message)
	withoutSum := slices.Concat(text[:bytes.LastIndex(text, []byte("\n="))], []byte("\n"+armorTail))
	for name, test := range map[string]struct {
		input []byte
		at    int // zero for not found
	}{
		"nothing":                                    {message, 0},
		"a second message":                           {append(slices.Clone(message), message...), len(message)},
		"other data":                                 {append(slices.Clone(message), "tar"...), len(message)},
		"nothing behind armor":                       {text, 0},
		"a second message behind armor":              {slices.Concat(text, []byte("\r\n \n"), text), len(text) + 4},
		"armor before text on its own last line":     {append(slices.Clone(text), "tar"...), len(text)},
		"armor without a checksum":                   {slices.Concat(withoutSum, []byte("\n"), text), len(withoutSum) + 1},
		"armor behind empty lines":                   {slices.Concat([]byte("\n\n"), text, []byte("\nx")), len(text) + 3},
		"a second message inside the armor of one":   {armored64(t, append(slices.Clone(message), message...)), 0},
		"a message of several buffers behind itself": {bytes.Repeat(long, 2), len(long)},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := opened(test.input, Keys{SessionKey: key})
			at, found := TrailingAt(err)
			assert.Equal(t, at, int64(test.at), "%v", err)
			assert.Equal(t, found, test.at > 0)
			if !found {
				return
			}
			assert.ErrorIs(t, err, ErrTrailing)
			rest := bytes.NewReader(test.input[at:])
			at, found = TrailingAt(fmt.Errorf("level sealed: %w", err))
			assert.Check(t, found && at == int64(test.at), "an error around it hides it")
			if rest.Len() > 100 { // what is there can be opened from there
				second, err := Open(rest, Keys{SessionKey: key})
				assert.NilError(t, err)
				_, err = io.Copy(io.Discard, second)
				assert.NilError(t, err)
				assert.NilError(t, second.Close())
			}
		})
	}
	_, err = opened(message[:len(message)-1], Keys{SessionKey: key})
	_, found := TrailingAt(err)
	assert.Check(t, !found)
}

func TestArmorThatBreaksOffInItsLastLineIsCutShort(t *testing.T) {
	key, err := NewSessionKey()
	assert.NilError(t, err)
	text := bytes.TrimSpace(armored64(t, sealedWith(t, nil, key, []byte("data"), 10, Options{})))
	for missing := 1; missing < len(armorTail); missing++ {
		_, err := opened(text[:len(text)-missing], Keys{SessionKey: key})
		assert.ErrorContains(t, err, "cut short", "without the last %d bytes", missing)
	}
}
