package seal

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/ProtonMail/go-crypto/openpgp"
	"gotest.tools/v3/assert"
)

const passphrase = "correct horse battery staple"

func recipients(tb testing.TB, names ...string) openpgp.EntityList {
	tb.Helper()
	var all openpgp.EntityList
	for _, name := range names {
		f, err := os.Open(filepath.Join("testdata", "keys", name))
		assert.NilError(tb, err)
		keys, err := ReadRecipients(f, name)
		assert.NilError(tb, err)
		assert.NilError(tb, f.Close())
		all = append(all, keys...)
	}
	return all
}

// sealed is a whole message around data.
func sealed(tb testing.TB, lock Lock, data []byte) ([]byte, SessionKey) {
	tb.Helper()
	key, err := NewSessionKey()
	assert.NilError(tb, err)
	packets, err := lock.Packets(key)
	assert.NilError(tb, err)
	return sealedWith(tb, packets, key, data, 1<<20, Options{}), key
}

// sealedWith writes the data in pieces of that size.
func sealedWith(tb testing.TB, packets []byte, key SessionKey, data []byte, piece int, opts Options) []byte {
	tb.Helper()
	var out bytes.Buffer
	w, err := NewWriter(&out, packets, key, opts)
	assert.NilError(tb, err)
	defer w.Abort()
	for len(data) > 0 {
		n, err := w.Write(data[:min(piece, len(data))])
		assert.NilError(tb, err)
		data = data[n:]
	}
	assert.NilError(tb, w.Close())
	return out.Bytes()
}

func TestGPGOpensWhatWasSealedForAPassphrase(t *testing.T) {
	gpg, file := newGPG(t), passphraseFile(t, passphrase)
	key, err := NewSessionKey()
	assert.NilError(t, err)
	packets := quickLock(t, key)
	const first = chunkSize - len(literalHead) // what the first chunk of the literal packet holds
	const outer = chunkSize - sealedVersion - prefixSize - 2 - len(literalHead) - 22
	sizes := []int{
		0, 1, 15, 16, 17, 185, 186, 187, 8377, 8378, 8379, outer - 1, outer, outer + 1, first - 1, first, first + 1,
		chunkSize - 1, chunkSize, chunkSize + 1, first + chunkSize - 1, first + chunkSize, first + chunkSize + 1, 5<<20 + 12345,
	}
	for _, opts := range []Options{{Compress: None}, {Compress: Zlib}} {
		for _, size := range sizes {
			t.Run(fmt.Sprintf("%d bytes, compression %d", size, opts.Compress), func(t *testing.T) {
				data := randomBytes(t, size)
				message := sealedWith(t, packets, key, data, 1<<20, opts)
				got := gpg.must(t, message, "--passphrase-file", file, "--decrypt")
				assert.Assert(t, bytes.Equal(got, data), "gpg gave back %d bytes of other content", len(got))
			})
		}
	}
}

func TestGPGOpensWhatWasSealedForPublicKeys(t *testing.T) {
	data := randomBytes(t, chunkSize+100)
	for _, test := range []struct {
		name       string
		recipients []string
		passphrase string
		secret     string
	}{
		{"RSA of 3072 bits", []string{"rsa.pgp"}, "", "rsa.secret.pgp"},
		{"Curve25519", []string{"curve25519.pgp"}, "", "curve25519.secret.pgp"},
		{"several recipients, the first opens", []string{"rsa.pgp", "curve25519.pgp"}, "", "rsa.secret.pgp"},
		{"several recipients, the last opens", []string{"rsa.pgp", "curve25519.pgp"}, "", "curve25519.secret.pgp"},
		{"two keys in one armored file", []string{"two.asc"}, "", "curve25519.secret.pgp"},
		{"a passphrase as well, the key opens", []string{"rsa.pgp"}, passphrase, "rsa.secret.pgp"},
		{"a key as well, the passphrase opens", []string{"rsa.pgp", "curve25519.pgp"}, passphrase, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			lock := Lock{Passphrase: []byte(test.passphrase), Recipients: recipients(t, test.recipients...)}
			message, _ := sealed(t, lock, data)
			gpg, args := newGPG(t), []string{"--decrypt"}
			if test.secret != "" {
				gpg.with(t, test.secret)
			} else {
				args = append([]string{"--passphrase-file", passphraseFile(t, test.passphrase)}, args...)
			}
			assert.Assert(t, bytes.Equal(gpg.must(t, message, args...), data))
		})
	}
}

func TestGPGOpensWhatIsStretchedInEarnest(t *testing.T) {
	message, _ := sealed(t, Lock{Passphrase: []byte(passphrase)}, []byte("text"))
	assert.Equal(t, string(newGPG(t).must(t, message, "--passphrase-file", passphraseFile(t, passphrase), "--decrypt")), "text")
	_, err := newGPG(t).run(t, message, "--passphrase-file", passphraseFile(t, "wrong"), "--decrypt")
	assert.ErrorContains(t, err, "exit status 2")
}

func TestGPGFindsTheSessionKeyThatWeDrew(t *testing.T) {
	message, key := sealed(t, Lock{Passphrase: []byte(passphrase)}, []byte("text"))
	got := newGPG(t).must(t, message, "--override-session-key", string(key.Reveal()), "--decrypt")
	assert.Equal(t, string(got), "text")
}

func TestWriterMakesTheSamePacketsHoweverTheDataComes(t *testing.T) {
	gpg, file := newGPG(t), passphraseFile(t, passphrase)
	data := randomBytes(t, 3*chunkSize+77)
	for _, piece := range []int{512, 4096 + 1, chunkSize, 1 << 20} {
		t.Run(fmt.Sprintf("pieces of %d bytes", piece), func(t *testing.T) {
			key, err := NewSessionKey()
			assert.NilError(t, err)
			message := sealedWith(t, quickLock(t, key), key, data, piece, Options{})
			assert.Assert(t, bytes.Equal(gpg.must(t, message, "--passphrase-file", file, "--decrypt"), data))
		})
	}
}

func BenchmarkSeal(b *testing.B) {
	key, err := NewSessionKey()
	assert.NilError(b, err)
	data := randomBytes(b, 64<<20)
	for b.Loop() {
		w, err := NewWriter(io.Discard, nil, key, Options{})
		assert.NilError(b, err)
		for at := 0; at < len(data); at += 1 << 20 {
			_, err := w.Write(data[at : at+1<<20])
			assert.NilError(b, err)
		}
		assert.NilError(b, w.Close())
	}
	b.SetBytes(int64(len(data)))
}
