package seal

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gotest.tools/v3/assert"
)

// opened reads a message to its end.
func opened(message []byte, keys Keys) (data []byte, err error) {
	r, err := Open(bytes.NewReader(message), keys)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	return io.ReadAll(r)
}

func TestOpenGivesBackWhatWasSealed(t *testing.T) {
	const first = chunkSize - len(literalHead)
	key, err := NewSessionKey()
	assert.NilError(t, err)
	for _, compress := range []Compression{None, Zlib} {
		for _, size := range []int{0, 1, 15, 16, 17, 100, 186, 8378, first - 1, first, first + 1, chunkSize, 2*chunkSize - 70, 2 * chunkSize, 4<<20 + 99} {
			data := randomBytes(t, size)
			message := sealedWith(t, nil, key, data, 1<<20, Options{Compress: compress})
			got, err := opened(message, Keys{SessionKey: key})
			assert.NilError(t, err, "%d bytes, compression %d", size, compress)
			assert.Assert(t, bytes.Equal(got, data), "%d bytes, compression %d", size, compress)
		}
	}
}

func TestOpenFindsTheModificationDetectionCodeWhereverChunksEnd(t *testing.T) {
	key, err := NewSessionKey()
	assert.NilError(t, err)
	data := randomBytes(t, chunkSize+100)
	for size := chunkSize - 100; size < chunkSize+100; size++ {
		got, err := opened(sealedWith(t, nil, key, data[:size], 1<<20, Options{}), Keys{SessionKey: key})
		assert.NilError(t, err, "%d bytes", size)
		assert.Assert(t, bytes.Equal(got, data[:size]), "%d bytes", size)
	}
}

func TestOpenReadsWhatGPGSeals(t *testing.T) {
	gpg, file := newGPG(t), passphraseFile(t, passphrase)
	text := []byte(strings.Repeat("the quick brown fox jumps over the lazy dog\n", 20000))
	for _, cipher := range []string{"AES", "AES192", "AES256", "3DES", "CAST5"} {
		for _, compress := range []string{"none", "zip", "zlib", "bzip2"} {
			for _, armor := range []string{"--no-armor", "--armor"} {
				t.Run(fmt.Sprintf("%s %s %s", cipher, compress, armor), func(t *testing.T) {
					args := []string{"--passphrase-file", file, "--cipher-algo", cipher, "--compress-algo", compress, armor, "--force-mdc", "--s2k-count", "65536", "--symmetric"}
					got, err := opened(gpg.must(t, text, args...), Keys{Passphrase: []byte(passphrase)})
					assert.NilError(t, err)
					assert.Assert(t, bytes.Equal(got, text))
				})
			}
		}
	}
}

func TestOpenReadsEverySizeAtTheBordersOfGPGsChunks(t *testing.T) {
	gpg, file := newGPG(t), passphraseFile(t, passphrase)
	const part = 8 << 10 // of gpg's partial lengths
	args := []string{"--passphrase-file", file, "--s2k-count", "65536", "--output", "-", "--symmetric"}
	for _, size := range []int{0, 1, 191, 192, part - 30, part - 8, part - 7, part - 1, part, part + 1, 2 * part, chunkSize - 49, chunkSize - 27, chunkSize, 3<<20 + 7} {
		for _, compress := range []string{"none", "zlib"} {
			t.Run(fmt.Sprintf("%d bytes, compression %s", size, compress), func(t *testing.T) {
				data := randomBytes(t, size)
				path := filepath.Join(t.TempDir(), "data")
				assert.NilError(t, os.WriteFile(path, data, 0o600))
				piped := gpg.must(t, data, append([]string{"--compress-algo", compress}, args...)...)
				named := gpg.must(t, nil, append(append([]string{"--compress-algo", compress}, args...), path)...)
				for name, message := range map[string][]byte{"partial lengths": piped, "fixed length": named} {
					got, err := opened(message, Keys{Passphrase: []byte(passphrase)})
					assert.NilError(t, err, name)
					assert.Assert(t, bytes.Equal(got, data), name)
				}
			})
		}
	}
}

func TestOpenReadsWhatGPGSealsForPublicKeys(t *testing.T) {
	gpg := newGPG(t).with(t, "rsa.pgp", "curve25519.pgp", "protected.pgp")
	data := randomBytes(t, 50000)
	message := gpg.must(t, data, "--recipient", "rsa@example.com", "--recipient", "curve25519@example.com",
		"--hidden-recipient", "protected@example.com", "--encrypt")
	for file, passphrase := range map[string]string{"rsa.secret.pgp": "", "curve25519.secret.pgp": "", "protected.secret.pgp": "the key is locked"} {
		t.Run(file, func(t *testing.T) {
			got, err := opened(message, Keys{Identities: identities(t, file, passphrase)})
			assert.NilError(t, err)
			assert.Assert(t, bytes.Equal(got, data))
		})
	}
}

func TestOpenTakesTheSessionKeyThatGPGShows(t *testing.T) {
	gpg, file := newGPG(t), passphraseFile(t, passphrase)
	message := gpg.must(t, []byte("text"), "--passphrase-file", file, "--symmetric")
	shown := gpg.must(t, message, "--passphrase-file", file, "--show-session-key", "--status-fd", "1", "--decrypt")
	_, line, found := strings.Cut(string(shown), "SESSION_KEY ")
	assert.Assert(t, found, "%s", shown)
	line, _, _ = strings.Cut(line, "\n")
	key, err := ParseSessionKey([]byte(line))
	assert.NilError(t, err)
	got, err := opened(message, Keys{SessionKey: key})
	assert.NilError(t, err)
	assert.Equal(t, string(got), "text")
}

func BenchmarkOpen(b *testing.B) {
	key, err := NewSessionKey()
	assert.NilError(b, err)
	data := make([]byte, 64<<20)
	_, err = rand.Read(data)
	assert.NilError(b, err)
	message := sealedWith(b, nil, key, data, 1<<20, Options{})
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		r, err := Open(bytes.NewReader(message), Keys{SessionKey: key})
		assert.NilError(b, err)
		_, err = io.Copy(io.Discard, r)
		assert.NilError(b, err)
		assert.NilError(b, r.Close())
	}
}
